#!/usr/bin/python3
"""jitney-load beside wrk: closed loops against the same server, in interleaved rounds.

    script/bench load [--rounds 5] [--seconds 3] [--connections 1 8 64] [--pin]

Each round drives the server once with each client, which posts one handwritten digit; the order alternates.
Prints medians, and the median of each round's ratio: a noisy machine is noisy for both. CPU is the client's.
--pin keeps the clients on the last core and the server off it: without that, what one connection measures is
where the scheduler happens to put the two.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

import wrk
from servers import ROOT, Jitney

LOAD = ROOT / "build/release/loadtest/jitney-load"


def client_cpu():
    times = os.times()
    return times.children_user + times.children_system


def drive_load(port, script, connections, seconds):
    output = subprocess.run(
        [LOAD, "run", "--json", "-", "--connections", str(connections), "--warmup", "0", "--duration", f"{seconds}s",
         "--inputs", ROOT / "models/digits/example.json", f"http://127.0.0.1:{port}"],
        capture_output=True, text=True, check=True).stdout
    told = json.loads(output)["measured"]
    if told["failed"] > 0:
        sys.exit(f"jitney-load saw errors:\n{output}")
    return {"rate": told["throughput"], "p50": told["latency"]["p50_ms"] * 1e3, "p99": told["latency"]["p99_ms"] * 1e3,
            "requests": told["answered"]}


CLIENTS = {"wrk": wrk.drive, "jitney-load": drive_load}


def measure(client, *arguments):
    before = client_cpu()
    figures = CLIENTS[client](*arguments)
    figures["cpu"] = (client_cpu() - before) * 1e6 / figures["requests"]
    return figures


def compare(port, script, connections, arguments):
    runs = {client: [] for client in CLIENTS}
    for number in range(arguments.rounds):
        for client in sorted(CLIENTS, reverse=number % 2 == 0):
            runs[client].append(measure(client, port, script, connections, arguments.seconds))
    for client, figures in runs.items():
        one = {key: statistics.median(run[key] for run in figures) for key in figures[0]}
        print(f"{connections:4} {client:14}{one['rate']:12,.0f}{one['p50']:9,.1f}{one['p99']:9,.0f}{one['cpu']:10.2f}")
    ratios = {key: statistics.median(ours[key] / theirs[key] for ours, theirs in zip(runs["jitney-load"], runs["wrk"]))
              for key in ("rate", "p50", "p99", "cpu")}
    print(f"{'':5}{'ratio':14}{ratios['rate']:12.3f}{ratios['p50']:9.3f}{ratios['p99']:9.2f}{ratios['cpu']:10.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--pin", action="store_true")
    arguments = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    if arguments.pin:
        os.sched_setaffinity(0, cores[:-1])
    with tempfile.TemporaryDirectory() as folder:
        script = wrk.predict_script(folder)
        server = Jitney()
        if arguments.pin:
            os.sched_setaffinity(0, cores[-1:])
        try:
            wrk.drive(server.port, script, 8, 1)  # warm up
            print(f"{'':19}{'requests/s':>12}{'p50 us':>9}{'p99 us':>9}{'CPU us':>10}")
            for connections in arguments.connections:
                compare(server.port, script, connections, arguments)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
