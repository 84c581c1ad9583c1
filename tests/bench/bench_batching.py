#!/usr/bin/python3
"""What the batcher does under real load: experiments over HTTP, each printed as a Markdown table.

    script/bench batching [EXPERIMENT...] [--seconds 60] [--grid-seconds 4]

    idle        one client and an idle server: what a configured max_delay of 5 ms costs it
    saturation  rows of a batch while more wait than a batch may have; and with two models in turn
    deadlines   requests with 20 ms each, 5000 to 20 000/s, while one batch takes over half a second
    gone        half of the clients leave while their requests wait
    overload    2, 5 and 10 times what the server can do, open-loop
    tenants     a flooding tenant beside one with 10 requests/s; the batch class beside a busy interactive one
    target      target_p99 against a grid of static settings, at five loads
    sizes       max_batch_rows 1, 8, 32 and a target, 64 connections

The server runs on the first core and jitney-load on the second, where there are two. Every figure comes
from jitney-load (latency from the intended time of sending) or from the server's own counters.
"""
import argparse
import contextlib
import http.client
import json
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
JITNEY = ROOT / "build/release/service/jitney"
MODELS = ROOT / "build/release/models"
LOAD = ROOT / "build/release/loadtest/jitney-load"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def pin(core):
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) >= 2:
        os.sched_setaffinity(0, {cores[core]})


class Server:
    """A server of its own, on free ports; ended by its process when the block ends."""

    def __init__(self, config, environment=None, core=0, models=MODELS):
        self.config, self.environment, self.core, self.models = config, environment or {}, core, models

    def __enter__(self):
        self.port, self.admin_port = free_port(), free_port()
        self.folder = tempfile.TemporaryDirectory()
        path = pathlib.Path(self.folder.name, "jitney.json")
        path.write_text(json.dumps({"workers": 1, **self.config}))
        command = [JITNEY, "--models", self.models, "--config", path, "--listen", f"127.0.0.1:{self.port}",
                   "--admin-listen", f"127.0.0.1:{self.admin_port}", "--drain-delay", "0"]
        start = (lambda: pin(self.core)) if self.core is not None else None
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL, preexec_fn=start,
                                        env={**os.environ, **self.environment})
        end = time.monotonic() + 30
        while not self.ready():
            if time.monotonic() > end or self.process.poll() is not None:
                self.__exit__()
                sys.exit("the server does not start")
            time.sleep(0.02)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)
        self.folder.cleanup()

    def ready(self):
        with contextlib.suppress(OSError):
            return self.get("/v2/health/ready")[0] == 200
        return False

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, body

    def metric(self, family, **labels):
        total = 0.0
        for line in self.get("/metrics")[1].decode().splitlines():
            name, _, value = line.rpartition(" ")
            if name.split("{")[0] == family and all(f'{k}="{v}"' in name for k, v in labels.items()):
                total += float(value)
        return total

    def rss_mib(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def start_load(server, *flags, core=1):
    command = [LOAD, "run", f"http://127.0.0.1:{server.port}", "--quiet", "--json", "-", *map(str, flags)]
    start = (lambda: pin(core)) if core is not None else None
    return subprocess.Popen(command, stdout=subprocess.PIPE, preexec_fn=start)


def finish_load(process):
    output, _ = process.communicate()
    if process.returncode != 0:
        sys.exit(f"jitney-load ended with {process.returncode}")
    return json.loads(output)["measured"]


def load(server, *flags, core=1):
    return finish_load(start_load(server, *flags, core=core))


def table(title, head, rows):
    print(f"\n### {title}\n\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |", flush=True)


def ratio(value, base):
    return f"{value / base:.3f}" if base else "-"


def ms(value):
    return "-" if value is None else f"{value:.3g} ms"


def batching(**limits):
    return {"batching": limits}


# --- experiments


def idle(_):
    rounds = {"0": [], "5ms": []}
    for _ in range(7):
        for delay, seen in rounds.items():
            with Server({**batching(max_delay=delay), "workers": 2}) as server:
                seen.append(load(server, "--connections", 1, "--duration", "1s", "--warmup", "300ms"))
    rows = [[delay] + [f"{1e3 * statistics.median(run[part][figure] for run in seen):.1f} us"
                       for part, figure in (("latency", "p50_ms"), ("latency", "p99_ms"))]
            + [f"{1e3 * statistics.median(run['server_timing']['queue']['p50_ms'] for run in seen):.1f} us"]
            for delay, seen in rounds.items()]
    table("One client, idle server: medians of 7 interleaved rounds",
          ["max_delay", "p50", "p99", "p50 in the queue"], rows)


def mean_batch(server, models, run):
    def totals():
        return [sum(server.metric(f"batcher_batch_size_{part}", model=model) for model in models)
                for part in ("sum", "count")]

    before = totals()
    run()
    after = totals()
    return (after[0] - before[0]) / (after[1] - before[1])


def saturation(_):
    """Plain C, so that computing is the bottleneck and not reading the requests; two names of one model, so that
    neither queue runs dry while the other computes."""
    rows = []
    flags = ["--connections", 1000, "--duration", "6s", "--warmup", "1s"]
    with tempfile.TemporaryDirectory() as models:
        for name in ("a", "b"):
            shutil.copytree(MODELS / "wide", pathlib.Path(models, name))
        for title, names in (("one model", "a"), ("two models in turn", "ab")):
            with Server({"isa": "scalar", "queues": {n: {"max_batch_rows": 32} for n in "ab"}}, models=models) as server:
                choice = [flag for name in names for flag in ("--model", f"{name}=1")]
                process = start_load(server, *choice, *flags)
                time.sleep(2)
                mean = mean_batch(server, names, lambda: time.sleep(4))
                finish_load(process)
            rows.append([title, f"{mean:.1f} of 32", f"{mean / 32:.3f}"])
    table("Saturation: `wide` by plain C, 1000 connections", ["load", "mean batch", "of the maximum"], rows)


def busy_body(rows):
    row = "[" + ",".join(["0"] * 1024) + "]"
    return '{"instances":[' + ",".join([row] * rows) + "]}"


def rows_for(server, seconds):
    """How many rows of `wide` keep the only worker computing for about so long."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    rows = 256
    for _ in range(3):
        connection.request("POST", "/v1/models/wide:predict", busy_body(rows))
        answer = connection.getresponse()
        answer.read()
        compute_ms = float(answer.headers["Server-Timing"].split("compute;dur=")[1].split(",")[0])
    connection.close()
    return max(1, int(rows * seconds * 1e3 / compute_ms))


@contextlib.contextmanager
def busy(server, rows):
    """The worker computes so many rows meanwhile. Yields a list, which has the seconds it took in the end."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("POST", "/v1/models/wide:predict", busy_body(rows))
    while server.metric("compute_workers_busy") < 1:
        time.sleep(0.001)
    took = []
    yield took
    answer = connection.getresponse()
    answer.read()
    took.append(float(answer.headers["Server-Timing"].split("compute;dur=")[1].split(",")[0]) / 1e3)
    connection.close()


# What is expected to be late is let in all the same, to see what becomes of it.
LATE = {"scheduling": {"refuse_late": False}, "http": {"body_bytes_max": "64MiB"}, "limits": {"instances_max": 16384},
        "batching": {"max_queue_rows": 16384}}


def deadlines(_):
    """The requests begin when the long batch has been read and runs: what is seen is waiting, not the reading of
    its megabytes on the loop's thread."""
    rows_seen = []
    for rate in (5000, 10000, 20000):
        with Server({**LATE, "isa": "scalar", "queues": {"wide": {"max_batch_rows": 4096}}}, core=None) as server:
            rows = rows_for(server, 0.9)
            with busy(server, rows) as took:
                process = start_load(server, "--model", "digits", "--rate", rate, "--duration", "500ms", "--warmup", "100ms",
                                     "--timeout", "20ms", "--connections", 900, core=None)
                seen = finish_load(process)
        other = seen["latency_other"]
        rows_seen.append([f"{rate}/s", f"{took[0]:.2f} s", seen["due"]]
                         + [seen["statuses"].get(status, 0) for status in ("200", "504")]
                         + [ms(other.get(f"{p}_ms")) for p in ("p50", "p99", "p99.9", "max")])
    table("Deadlines of 20 ms while a long batch computes", ["requests", "batch", "due", "200", "504", "p50 of 504",
                                                             "p99", "p99.9", "max"], rows_seen)


def gone(_):
    body = json.dumps({"instances": [[0] * 64]})
    request = (f"POST /v1/models/digits:predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode()
    with Server({**LATE, "isa": "scalar", "queues": {"wide": {"max_batch_rows": 4096}}}) as server:
        rows = rows_for(server, 1)
        before = server.metric("batcher_rows_total", model="digits")
        with busy(server, rows):
            clients = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(400)]
            for client in clients:
                client.sendall(request)
            while server.metric("batcher_queue_size", model="digits") < 400:
                time.sleep(0.002)
            for client in clients[::2]:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                client.close()
            while server.metric("batcher_requests_total", model="digits", status="cancelled") < 200:
                time.sleep(0.002)
        answered = sum(client.recv(65536).startswith(b"HTTP/1.1 200") for client in clients[1::2])
        computed = server.metric("batcher_rows_total", model="digits") - before
    table("Half of 400 clients leave while their requests wait", ["answered 200 of the other 200", "rows computed"],
          [[answered, int(computed)]])


def capacity(server, *flags, core=1):
    return load(server, *flags, "--connections", 128, "--duration", "5s", core=core)["throughput"]


def overload(options):
    """The capacity is what a server without a target answers in a closed loop (one that refuses would be asked again
    at once), measured before and after each run, because machines are shared. Plain C: there the worker is the
    bottleneck; with AVX-512 it is the reading of the requests."""
    flags = ["--model", "wide"]
    config = {"isa": "scalar"}
    with Server(config, core=None) as plain, Server({**config, **batching(target_p99="20ms")}, core=None) as server:
        capacities = [capacity(plain, *flags, core=None)]
        first = capacities[0]

        def run(times, *more):
            rate = ["--rate", int(times * first), "--connections", 1000]
            return load(server, *flags, *rate, *more, core=None)

        rows, base = [], run(0.8, "--duration", "10s")
        for times in (0.8, 2, 5, 10):
            seen = base if times == 0.8 else run(times, "--duration", f"{options.seconds}s")
            size = server.rss_mib()
            after = run(0.5, "--duration", "1s", "--warmup", "0s")
            capacities.append(capacity(plain, *flags, core=None))
            most = statistics.mean(capacities[-2:])
            good, p99 = seen["ok"] / seen["seconds"], seen["latency"]["p99_ms"]
            rows.append([times, f"{good:.0f}", f"{most:.0f}", f"{good / most:.3f}", ms(p99),
                         ratio(p99, base["latency"]["p99_ms"]), ms(seen["latency_other"].get("p99_ms")), f"{size:.0f}",
                         ms(after["latency"]["p99_ms"])])
    table("Overload: `wide` by plain C, target 20 ms",
          ["times", "answered/s", "capacity", "of it", "p99 of 200", "to 0.8", "p99 of 503", "RSS MiB",
           "p99 in the next second at 0.5"], rows)


def tenants(_):
    config = {"tenants": {"flood": {}, "quiet": {}}, "isa": "scalar",
              "queues": {"wide": {"max_batch_rows": 4, "target_p99": "0"}}}
    quiet = ["--model", "wide", "--tenant", "quiet", "--rate", 10, "--arrivals", "uniform", "--connections", 16,
             "--duration", "10s"]
    rows = []
    with Server(config) as server:
        alone = load(server, *quiet)
        most = capacity(server, "--model", "wide")
        flood = start_load(server, "--model", "wide", "--tenant", "flood", "--rate", int(3 * most), "--connections", 1000,
                           "--duration", "11s")
        time.sleep(1.2)
        beside = load(server, *quiet)
        flooded = finish_load(flood)
        for name, seen in (("10/s alone", alone), ("10/s beside a flood of 3 x capacity", beside),
                           ("the flood", flooded)):
            rows.append([name, seen["ok"], ms(seen["latency"]["p50_ms"]), ms(seen["latency"]["p99_ms"]),
                         f"{seen['latency']['p99_ms'] / alone['latency']['p99_ms']:.2f}"])
    table("Tenants", ["who", "answered 200", "p50", "p99", "p99 to alone"], rows)
    with Server({"isa": "scalar"}) as server:
        most = capacity(server, "--model", "wide")
        flags = ["--model", "wide", "--connections", 1000, "--duration", "8s"]
        low = start_load(server, *flags, "--priority", "batch", "--rate", int(most))
        high = load(server, *flags, "--rate", int(2 * most))
        low = finish_load(low)
    total = low["ok"] + high["ok"]
    table("The batch class beside twice the capacity of interactive requests", ["class", "answered 200", "share"],
          [["interactive", high["ok"], f"{high['ok'] / total:.3f}"], ["batch", low["ok"], f"{low['ok'] / total:.3f}"]])


GRID = [(rows, delay) for rows in (4, 8, 16, 32, 64) for delay in ("0", "1ms", "4ms")]


def target(options):
    slo = "20ms"
    with Server(batching(max_batch_rows=64)) as server:
        most = capacity(server, "--model", "wide")
    rows = []
    for share in (0.3, 0.5, 0.7, 0.8, 0.9):
        flags = ["--model", "wide", "--rate", int(share * most), "--connections", 600, "--slo", slo, "--duration",
                 f"{options.grid_seconds}s", "--warmup", "500ms"]
        seen = {}
        for name, limits in [(f"{r} rows, {d}", {"max_batch_rows": r, "max_delay": d}) for r, d in GRID] + [
                ("target", {"max_batch_rows": 64, "target_p99": slo})]:
            with Server({"queues": {"wide": limits}}) as server:
                seen[name] = load(server, *flags)
        best = max((name for name in seen if name != "target"), key=lambda name: seen[name]["goodput"])
        ours = seen["target"]
        rows.append([share, f"{seen[best]['goodput']:.0f}", best, ms(seen[best]["latency"]["p99_ms"]),
                     f"{ours['goodput']:.0f}", ms(ours["latency"]["p99_ms"]), ratio(ours["goodput"], seen[best]["goodput"])])
    table(f"A target of {slo} against the best of {len(GRID)} static settings, `wide`, capacity {most:.0f}/s",
          ["load", "best goodput/s", "with", "p99", "target: goodput/s", "p99", "ratio"], rows)


def sizes(_):
    rows = []
    for name, limits in (("1", {"max_batch_rows": 1}), ("8", {"max_batch_rows": 8}), ("32", {"max_batch_rows": 32}),
                         ("target 20 ms", {"max_batch_rows": 64, "target_p99": "20ms"})):
        seen = []
        for _ in range(3):
            with Server({"queues": {"wide": limits}}) as server:
                seen.append(load(server, "--model", "wide", "--connections", 64, "--duration", "3s"))
        run = sorted(seen, key=lambda one: one["throughput"])[1]
        rows.append([name, f"{run['throughput']:.0f}", ms(run["latency"]["p50_ms"]), ms(run["latency"]["p99_ms"]),
                     f"{run['batch_size']['mean']:.1f}"])
    table("`wide` at 64 connections", ["max_batch_rows", "requests/s", "p50", "p99", "mean batch"], rows)


EXPERIMENTS = {name: globals()[name] for name in
               ("idle", "saturation", "deadlines", "gone", "overload", "tenants", "target", "sizes")}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiments", nargs="*", metavar="EXPERIMENT", choices=[[], *EXPERIMENTS])
    parser.add_argument("--seconds", type=int, default=60, help="of each overload")
    parser.add_argument("--grid-seconds", type=int, default=4, help="of each setting of the grid")
    options = parser.parse_args()
    for name in options.experiments or EXPERIMENTS:
        EXPERIMENTS[name](options)


if __name__ == "__main__":
    main()
