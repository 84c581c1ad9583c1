#!/usr/bin/python3
"""Requests over HTTP: jitney beside nginx's fixed answer to the same bytes, in interleaved rounds.

    script/bench service [--rounds 5] [--seconds 3] [--connections 64]

Each round drives every target once with wrk (one thread), on a machine that does nothing else. Prints
medians: requests/s, latency p50 and p99 as wrk saw them, and CPU microseconds of the server per request
(user and system time of the whole process, from /proc). Load generator and servers share the machine.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port):
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                sys.exit(f"nothing listens on port {port}")
            time.sleep(0.02)


def cpu_seconds(pids):
    total = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


class Jitney:
    def __init__(self, build="build/release", program="service/jitney", **environment):
        self.port = free_port()
        # Settings of whoever runs this are not the server's.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("JITNEY_")}
        self.process = subprocess.Popen(
            [ROOT / build / program, "--models", ROOT / build / "models", "--listen",
             f"127.0.0.1:{self.port}", "--admin-listen", "127.0.0.1:0", "--drain-delay", "0"],
            stderr=subprocess.DEVNULL, env={**inherited, **environment})
        wait_for(self.port)

    def pids(self):
        return [self.process.pid]

    def metric(self, name):
        text = urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics").read().decode()
        return sum(float(line.rpartition(" ")[2]) for line in text.splitlines()
                   if line.startswith(name + "{") and 'model="digits"' in line)

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


class Nginx:
    """One worker that reads the request and answers 200 with a fixed body."""

    def __init__(self, body, folder):
        program = shutil.which("nginx") or ROOT / "build/tools/usr/sbin/nginx"
        self.port = free_port()
        config = pathlib.Path(folder, "nginx.conf")
        config.write_text(f"""
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; default_type application/json;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{self.port} backlog=4096; location / {{ return 200 '{body}'; }} }}
}}
""")
        self.process = subprocess.Popen([program, "-p", folder, "-c", config], stderr=subprocess.DEVNULL)
        wait_for(self.port)
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        self.workers = [int(pid) for pid in children.read_text().split()]

    def pids(self):
        return self.workers

    def stop(self):
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(20)


def drive(port, script, connections, seconds):
    output = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", script,
                             f"http://127.0.0.1:{port}/"], capture_output=True, text=True, check=True).stdout
    bad = re.search(r"Non-2xx|Socket errors", output)
    if bad:
        sys.exit(f"wrk saw errors:\n{output}")
    unit = {"us": 1, "ms": 1e3, "s": 1e6}

    def latency(percent):
        value, name = re.search(rf"^\s+{percent}%\s+([\d.]+)(us|ms|s)$", output, re.M).groups()
        return float(value) * unit[name]

    return {"requests": int(re.search(r"(\d+) requests in", output)[1]),
            "rate": float(re.search(r"Requests/sec:\s+([\d.]+)", output)[1]),
            "p50": latency(50), "p99": latency(99)}


def measure(server, script, arguments):
    before = cpu_seconds(server.pids())
    figures = drive(server.port, script, arguments.connections, arguments.seconds)
    figures["cpu"] = (cpu_seconds(server.pids()) - before) * 1e6 / figures["requests"]
    return figures


def predict_script(folder):
    body = json.dumps(json.loads((ROOT / "models/digits/example.json").read_text()), separators=(",", ":"))
    script = pathlib.Path(folder, "predict.lua")
    script.write_text('wrk.method = "POST"\nwrk.path = "/v1/models/digits:predict"\n'
                      'wrk.headers["Content-Type"] = "application/json"\n' f"wrk.body = '{body}'\n")
    return script, body


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=64)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        script, body = predict_script(folder)
        jitney = Jitney()
        answer = urllib.request.urlopen(urllib.request.Request(
            f"http://127.0.0.1:{jitney.port}/v1/models/digits:predict", body.encode(),
            {"Content-Type": "application/json"})).read().decode().strip()
        servers = {"jitney": jitney, "nginx return 200": Nginx(answer, folder)}
        runs = {name: [] for name in servers}
        try:
            for server in servers.values():  # warm up
                drive(server.port, script, arguments.connections, 1)
            jobs, batches = jitney.metric("batcher_batch_size_sum"), jitney.metric("batcher_batch_size_count")
            for _ in range(arguments.rounds):
                for name, server in servers.items():
                    runs[name].append(measure(server, script, arguments))
            mean_batch = ((jitney.metric("batcher_batch_size_sum") - jobs)
                          / (jitney.metric("batcher_batch_size_count") - batches))
        finally:
            for server in servers.values():
                server.stop()
    print(f"POST of {len(body)} bytes to digits, {len(answer)} bytes back; {arguments.connections} keep-alive "
          f"connections,\nmedian of {arguments.rounds} interleaved rounds of {arguments.seconds} s; "
          f"{os.cpu_count()} processors, wrk on the same machine\n")
    print(f"{'':18}{'requests/s':>12}{'p50 us':>9}{'p99 us':>9}{'CPU us/request':>16}")
    medians = {}
    for name, figures in runs.items():
        medians[name] = {key: statistics.median(run[key] for run in figures) for key in figures[0]}
        one = medians[name]
        print(f"{name:18}{one['rate']:12,.0f}{one['p50']:9,.0f}{one['p99']:9,.0f}{one['cpu']:16.2f}")
    a, b = medians["jitney"], medians["nginx return 200"]
    print(f"{'ratio':18}{a['rate'] / b['rate']:12.2f}{a['p50'] / b['p50']:9.2f}{a['p99'] / b['p99']:9.2f}"
          f"{a['cpu'] / b['cpu']:16.2f}")
    print(f"\njitney's mean batch: {mean_batch:.1f} requests")


if __name__ == "__main__":
    main()
