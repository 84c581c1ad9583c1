#!/usr/bin/python3
"""What a request costs: jitney beside a server that only reads and answers, and beside nginx's fixed answer.

    script/bench service [--kinds GET S M P P6] [--sockets tcp unix] [--connections 1 64 256] [--rounds 7] [--all] [--quick]
                         [--avx2] [--csv FILE] [--syscalls]

All servers get the same bytes from jitney-load (closed loops) and answer as many; each server has one core, jitney-load
another. In every round each cell of the table is measured on one server right behind the other, in an order that turns.
P and P6 also go to "jitney, yyjson", the same server with those bodies read and written by yyjson, which answers all digits
of P6. Shown are medians, and of ratios the medians of the rounds' ratios with their quartiles. CPU is user and system time of
all threads of the server for each request, also of those that connected it; "generator" is how full jitney-load's core was:
near 100 % it is what limits requests/s, and CPU per request is what counts. See docs/performance.md.
"""
import argparse
import contextlib
import csv
import itertools
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

import service_requests
import service_syscalls
from servers import ROOT, Jitney, Nginx, RawEpoll, cpu_seconds, pinned

BUILD = "build/bench"  # the release, with the benchmarks
RAW, NGINX, YYJSON = "raw epoll", "nginx", "jitney, yyjson"
FIGURES = ("cpu", "rate", "p50", "p99", "generator")
FULL = 95  # per cent of a core


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="+", choices=service_requests.TITLES, default=list(service_requests.TITLES))
    parser.add_argument("--sockets", nargs="+", choices=("tcp", "unix"), default=["tcp", "unix"])
    parser.add_argument("--connections", type=int, nargs="+", help="default: 64, and for S and M 1 and 256 too")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1, help="of each measurement (default 1)")
    parser.add_argument("--all", action="store_true", help="every kind with 1, 64 and 256 connections")
    parser.add_argument("--quick", action="store_true", help="3 rounds of 0.3 s: to see that it works")
    parser.add_argument("--avx2", action="store_true", help="also a jitney with JITNEY_ISA=avx2")
    parser.add_argument("--csv", type=pathlib.Path, help="every measurement")
    parser.add_argument("--syscalls", action="store_true", help="instead: system calls per request, by strace")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rounds, arguments.seconds = 3, 0.3
    return arguments


def connections_of(kind, arguments):
    if arguments.connections is not None:
        return arguments.connections
    return [1, 64, 256] if arguments.all or kind in ("S", "M") else [64]


def two_cores():
    """(of the load generator, of the servers)"""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) == 1:
        print("There is one core only: generator and servers share it, and wait for each other.\n")
    return cores[0], cores[-1]


def figures(told, cpu_seconds_used):
    """Of jitney-load's report. The CPU time is that of the warm-up and the connecting, too."""
    measured = told["measured"]
    requests = told["warmup"]["answered"] + measured["answered"]
    return {"cpu": cpu_seconds_used * 1e6 / requests, "rate": measured["throughput"],
            "p50": measured["latency"]["p50_ms"] * 1e3, "p99": measured["latency"]["p99_ms"] * 1e3,
            "generator": told["client"]["cpu_share"] * 100}


class Bench:
    """A folder for everything, and what all measurements have in common."""

    def __init__(self, folder, arguments):
        self.folder = pathlib.Path(folder)
        self.arguments = arguments
        self.client_core, self.server_core = two_cores()
        self.models = service_requests.make_models(folder, BUILD)

    def jitney(self, name="jitney", program="service/jitney", **environment):
        return Jitney(BUILD, program, models=self.models, unix=self.folder / f"{name}.sock", core=self.server_core,
                      flags=("--io-threads", "1", "--log-level", "warn"), **environment)

    @contextlib.contextmanager
    def servers(self, kind):
        """{name: server}, of which raw epoll and nginx answer as many bytes as jitney does in the mean."""
        with contextlib.ExitStack() as running:
            def started(server):
                running.callback(server.stop)
                return server

            found = {"jitney": started(self.jitney())}
            if self.arguments.avx2:
                found["jitney avx2"] = started(self.jitney("avx2", JITNEY_ISA="avx2"))
            if kind.name in service_requests.INDICATORS:
                found[YYJSON] = started(self.jitney("yyjson", "tests/jitney_yyjson"))
            answers = [found["jitney"].ask(kind.path, body) for body in kind.bodies]
            body_bytes = round(statistics.mean(map(len, answers)))
            found[RAW] = started(RawEpoll(body_bytes, BUILD, self.folder / "raw.sock", self.server_core))
            found[NGINX] = started(Nginx(body_bytes, self.folder, self.folder / "nginx.sock", self.server_core))
            yield found, body_bytes

    def load(self, target, kind, connections, seconds):
        """jitney-load's command line."""
        return pinned(self.client_core, ROOT / BUILD / "loadtest/jitney-load", "run", "--quiet", "--json", "-",
                      "--connections", str(connections), "--warmup", "100ms", "--duration", f"{round(seconds * 1000)}ms",
                      *kind.flags, target)

    def warm_up(self, servers, kind):
        for server in servers.values():
            for socket in self.arguments.sockets:
                subprocess.run(self.load(server.targets[socket], kind, 64, 0.5), stdout=subprocess.DEVNULL, check=True)

    def measure(self, server, socket, kind, connections):
        """Once more when the machine stood still, or was somebody else's, for all of the time."""
        for _ in range(5):
            before = cpu_seconds(server.pids())
            output = subprocess.run(self.load(server.targets[socket], kind, connections, self.arguments.seconds),
                                    stdout=subprocess.PIPE, check=True).stdout
            cpu = cpu_seconds(server.pids()) - before
            told = json.loads(output)
            if told["measured"]["failed"] > 0:
                break
            if told["measured"]["ok"] > 0:
                return figures(told, cpu)
        sys.exit(f"no answers, or wrong ones, from {server.targets[socket]}:\n{output.decode()}")

    def measure_kind(self, kind, servers):
        """{(socket, connections): {server's name: [figures of a round, ...]}}"""
        self.warm_up(servers, kind)
        cells = list(itertools.product(self.arguments.sockets, connections_of(kind.name, self.arguments)))
        runs = {cell: {name: [] for name in servers} for cell in cells}
        for turn, (socket, connections) in itertools.product(range(self.arguments.rounds), cells):
            names = list(servers)
            for name in names[turn % len(names):] + names[:turn % len(names)]:
                runs[socket, connections][name].append(self.measure(servers[name], socket, kind, connections))
        return runs


# --- The table.

HEAD = ("request", "socket", "connections", "server", "CPU us/request", "of raw epoll", "of nginx", "of yyjson",
        "requests/s", "p50 us", "over raw epoll", "p99 us", "generator")


def quartiles(values):
    values = list(values)
    low, middle, high = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def ratio(name, other, runs):
    """Of the CPU per request; nothing where there is nothing to compare."""
    if not name.startswith("jitney") or name == other or other not in runs:
        return ""
    return quartiles(mine["cpu"] / its["cpu"] for mine, its in zip(runs[name], runs[other]))


def row(kind, cell, name, runs):
    rounds = runs[name]
    middle = {key: statistics.median(run[key] for run in rounds) for key in FIGURES}
    ours = name.startswith("jitney")
    over = statistics.median(mine["p50"] - its["p50"] for mine, its in zip(rounds, runs[RAW]))
    return (kind.name, *map(str, cell), name, f"{middle['cpu']:.2f}",
            *(ratio(name, other, runs) for other in (RAW, NGINX, YYJSON)), f"{middle['rate']:.0f}", f"{middle['p50']:.1f}",
            f"{over:+.1f}" if ours else "", f"{middle['p99']:.0f}", f"{middle['generator']:.0f} %")


def print_table(rows):
    """Markdown, in columns for who reads it as it is."""
    widths = [max(map(len, column)) for column in zip(*rows, HEAD)]
    for line in [HEAD, ["-" * width for width in widths], *rows]:
        print("| " + " | ".join(f"{text:<{width}}" for text, width in zip(line, widths)) + " |")


def print_notes(kinds, skipped, rows):
    print()
    for kind, body_bytes in kinds:
        print(f"{kind.name}: {kind.title}; {kind.request_bytes():.0f} bytes of body, answered with {body_bytes}")
    for name in skipped:
        print(f"{name}: {service_requests.TITLES[name]}; skipped: {service_requests.SKIPPED[name]}")
    full = sum(float(line[-1].split()[0]) >= FULL for line in rows)
    if full > 0:
        print(f"\nIn {full} of {len(rows)} rows the load generator's core was full ({FULL} % and more): there the server could "
              "have answered\nmore requests/s, and latencies hold waiting at the generator. CPU per request counts, though a server "
              "that is not\nfull asks for fewer requests at a time and pays a little more for each.")


def write_csv(path, results):
    with path.open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(("request", "socket", "connections", "server", "round", *FIGURES))
        for kind, runs in results:
            for (socket, connections), servers in runs.items():
                for name, rounds in servers.items():
                    lines.writerows((kind.name, socket, connections, name, number, *(f"{run[key]:.4f}" for key in FIGURES))
                                    for number, run in enumerate(rounds))


def print_results(bench, kinds, skipped):
    arguments = bench.arguments
    print(f"Medians of {arguments.rounds} rounds of {arguments.seconds:g} s; jitney-load on core {bench.client_core}, servers on "
          f"core {bench.server_core} of {os.cpu_count()};\nload average before: {os.getloadavg()[0]:.1f}\n", flush=True)
    results, rows, sizes = [], [], []
    for name in kinds:
        kind = service_requests.make(name, bench.folder)
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        with bench.servers(kind) as (servers, body_bytes):
            runs = bench.measure_kind(kind, servers)
        results.append((kind, runs))
        sizes.append((kind, body_bytes))
        rows += [row(kind, cell, name, runs[cell]) for cell in runs for name in runs[cell]]
    print_table(rows)
    print_notes(sizes, skipped, rows)
    if arguments.csv is not None:
        write_csv(arguments.csv, results)


def main():
    arguments = parse_arguments()
    kinds = [name for name in arguments.kinds if name not in service_requests.SKIPPED]
    skipped = [name for name in arguments.kinds if name in service_requests.SKIPPED]
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(folder, arguments)
        if arguments.syscalls:
            service_syscalls.count(bench)
        else:
            print_results(bench, kinds, skipped)


if __name__ == "__main__":
    main()
