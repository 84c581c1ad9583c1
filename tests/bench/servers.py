"""The servers that benchmarks start, on free ports of their own: jitney, and what it is compared with.

Each has `targets`, {"tcp": "http://127.0.0.1:PORT", "unix": "unix:PATH"} as far as it listens there, and `pids()`, the
processes whose CPU time is its own. With `core` it runs on that core only.
"""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
START_S = 20


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port):
    deadline = time.monotonic() + START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                sys.exit(f"nothing listens on port {port}")
            time.sleep(0.02)


def cpu_seconds(pids):
    """User and system time of all their threads, to the nanosecond once these sleep."""
    tasks = [task for pid in pids for task in pathlib.Path(f"/proc/{pid}/task").iterdir()]
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def pinned(core, *command):
    return command if core is None else ("taskset", "-c", str(core), *command)


class Jitney:
    def __init__(self, build="build/release", program="service/jitney", models=None, unix=None, core=None, flags=(),
                 **environment):
        self.port, admin_port = free_port(), free_port()
        self.targets = {"tcp": f"http://127.0.0.1:{self.port}"}
        self.admin = f"http://127.0.0.1:{admin_port}"
        command = [ROOT / build / program, "--models", models or ROOT / build / "models", "--listen",
                   f"127.0.0.1:{self.port}", "--admin-listen", f"127.0.0.1:{admin_port}", "--drain-delay", "0", *flags]
        if unix is not None:
            self.targets["unix"] = f"unix:{unix}"
            command += ["--listen", f"unix:{unix}"]
        # Settings of whoever runs this are not the server's.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("JITNEY_")}
        self.process = subprocess.Popen(pinned(core, *command), stderr=subprocess.DEVNULL, env={**inherited, **environment})
        wait_for(self.port)

    def pids(self):
        return [self.process.pid]

    def ask(self, path, body=None):
        """The answer's body."""
        request = urllib.request.Request(self.targets["tcp"] + path, body, {"Content-Type": "application/json"})
        return urllib.request.urlopen(request).read()

    def metrics(self):
        return self.ask("/metrics").decode()

    def metric(self, family, label=""):
        """The sum over the series of a family that carry the label, as 'code="200"'."""
        return sum(float(line.rpartition(" ")[2]) for line in self.metrics().splitlines()
                   if line.startswith(family + "{") and label in line)

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


class Nginx:
    """One worker that reads a request to its end and answers 200 with a fixed body."""

    LITERAL_BYTES_MAX = 3500  # it takes no longer ones in its configuration

    def __init__(self, body_bytes, folder, unix=None, core=None):
        program = shutil.which("nginx") or ROOT / "build/tools/usr/sbin/nginx"
        self.port = free_port()
        self.targets = {"tcp": f"http://127.0.0.1:{self.port}"}
        listen = f"listen 127.0.0.1:{self.port} backlog=4096;"
        if unix is not None:
            self.targets["unix"] = f"unix:{unix}"
            listen += f" listen unix:{unix} backlog=4096;"
        variables, body = self._literals(body_bytes)
        config = pathlib.Path(folder, "nginx.conf")
        config.write_text(f"""
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; default_type application/json;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  {variables}
  server {{ {listen} location / {{ return 200 "{body}"; }} }}
}}
""")
        self.process = subprocess.Popen(pinned(core, program, "-p", folder, "-c", config), stderr=subprocess.DEVNULL)
        wait_for(self.port)
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        self.workers = [int(pid) for pid in children.read_text().split()]

    def _literals(self, body_bytes):
        """A body in one piece, or in variables that are put together for every answer."""
        if body_bytes <= self.LITERAL_BYTES_MAX:
            return "", " " * body_bytes
        pieces = [min(self.LITERAL_BYTES_MAX, body_bytes - at) for at in range(0, body_bytes, self.LITERAL_BYTES_MAX)]
        variables = [f'map "" $part{i} {{ default "{" " * piece}"; }}' for i, piece in enumerate(pieces)]
        return "\n  ".join(variables), "".join(f"$part{i}" for i in range(len(pieces)))

    def pids(self):
        return self.workers

    def stop(self):
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(20)


class RawEpoll:
    """tests/bench/raw_epoll.c, a process for each address."""

    def __init__(self, body_bytes, build="build/bench", unix=None, core=None):
        self.targets, self.processes = {}, []
        for name, address in {"tcp": "127.0.0.1:0", "unix": unix and f"unix:{unix}"}.items():
            if address is None:
                continue
            process = subprocess.Popen(pinned(core, ROOT / build / "tests/raw_epoll", address, str(body_bytes)),
                                       stdout=subprocess.PIPE, text=True)
            self.processes.append(process)
            where = process.stdout.readline().removeprefix("listening ").strip()
            if not where:
                sys.exit("raw_epoll does not start")
            self.targets[name] = where if where.startswith("unix:") else f"http://{where}"

    def pids(self):
        return [process.pid for process in self.processes]

    def stop(self):
        for process in self.processes:
            process.terminate()
            process.wait(20)
            process.stdout.close()
