"""Runs of jitney-load, and servers that stall or are slow, to see what they tell."""
import collections
import json
import os
import selectors
import socket
import subprocess
import threading
import time

from jitney_server import clean_environment

RUN_S = 60


def command(*arguments, subcommand="run"):
    return [os.environ["JITNEY_LOAD"], subcommand, *map(str, arguments)]


def run(*arguments, status=0, subcommand="run", env=None):
    """Runs to the end; `status` is the exit status that is expected."""
    done = subprocess.run(
        command(*arguments, subcommand=subcommand), capture_output=True, text=True, timeout=RUN_S,
        env=clean_environment(env)
    )
    assert done.returncode == status, f"exit status {done.returncode}:\n{done.stdout}{done.stderr}"
    return done


def report(*arguments, status=0, subcommand="run"):
    """The JSON report of a run."""
    return json.loads(run("--json", "-", *arguments, status=status, subcommand=subcommand).stdout)


def run_with(arguments, during, number=None, subcommand="run"):
    """Starts a run, calls `during()`, sends a signal or none: (exit status, stdout, stderr)."""
    process = subprocess.Popen(
        command(*arguments, subcommand=subcommand),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clean_environment(),
    )
    try:
        during()
        if number is not None:
            process.send_signal(number)
        stdout, stderr = process.communicate(timeout=RUN_S)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    return process.returncode, stdout, stderr


def url(server):
    host, port = server.address
    return f"http://{host}:{port}"


def admin_url(server):
    host, port = server.admin_address
    return f"http://{host}:{port}"


class _Server:
    """Reads requests in a thread of its own; what it does with them is told by those who derive from it."""

    ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._received = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self.url = "http://127.0.0.1:%d" % self._listener.getsockname()[1]

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if self._thread.is_alive():
            self._over.set()
            self._thread.join()
            for key in list(self._selector.get_map().values()):
                key.fileobj.close()
            self._selector.close()

    def _serve(self):
        while not self._over.is_set():
            for key, _ in self._selector.select(self._turn()):
                self._accept() if key.fileobj is self._listener else self._read(key.fileobj)

    def _turn(self):
        """Called in each turn of the loop: how long it may wait for more."""
        return 0.01

    def _on_request(self, client):
        client.sendall(self.ANSWER)

    def _accept(self):
        client, _ = self._listener.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received[client] = b""
        self._selector.register(client, selectors.EVENT_READ)

    def _read(self, client):
        try:
            data = client.recv(65536)
        except ConnectionError:
            data = b""
        if not data:
            self._selector.unregister(client)
            del self._received[client]
            return client.close()
        self._received[client] += data
        head, end, body = self._received[client].partition(b"\r\n\r\n")
        if end and len(body) >= int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]):
            self._received[client] = b""
            self._on_request(client)


class StallingServer(_Server):
    """Answers everything at once, but does nothing for `stall_s` in every `period_s`."""

    def __init__(self, stall_s, period_s):
        super().__init__()
        self._stall_s, self._period_s = stall_s, period_s
        self._stall_at = time.monotonic() + period_s

    def _turn(self):
        if time.monotonic() >= self._stall_at:
            time.sleep(self._stall_s)  # the stall itself: what is measured
            self._stall_at += self._period_s
        return 0.01


class SlowServer(_Server):
    """Answers one request after the other, each in `service_s`: its capacity is 1 / service_s a second.

    It keeps to its own schedule, so that waking up late costs latency and no capacity.
    """

    def __init__(self, service_s):
        super().__init__()
        self._service_s = service_s
        self._waiting = collections.deque()  # (client, when it is done)
        self._free_at = 0

    def _on_request(self, client):
        self._free_at = max(self._free_at, time.monotonic()) + self._service_s
        self._waiting.append((client, self._free_at))

    def _turn(self):
        while self._waiting and self._waiting[0][1] <= time.monotonic():
            client, _ = self._waiting.popleft()
            if client in self._received:  # it may have left
                client.sendall(self.ANSWER)
        return max(0, self._waiting[0][1] - time.monotonic()) if self._waiting else 0.01
