"""script/bench execution: where batches run, and what that is worth.

    hand-over   M on one core, one loop: CPU per request when loops compute, when workers do, and with auto
    linger      one client of an idle server: what a configured max_delay adds
    heavy       `wide` on all cores beside loops that compute everything, with somebody who asks for something cheap
    gain        `wide`: batches as they come beside batches of one, at more and more connections

Everything is measured in rounds, each in another order; figures are medians, ratios are those of the same round.
"""
import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import urllib.request

import service_requests
from servers import ROOT, Jitney, cpu_seconds, pinned

BUILD = "build/bench"
CONNECTIONS = 64
CHEAP = ("--get", "/v2/health/live", "--rate", "200", "--connections", "4")


def load_command(target, flags, seconds, core):
    return list(map(str, pinned(core, ROOT / BUILD / "loadtest/jitney-load", "run", "--quiet", "--json", "-", "--warmup",
                                "200ms", "--duration", f"{round(seconds * 1000)}ms", *flags, target)))


def finish(process):
    told = json.loads(process.communicate()[0])
    if process.returncode != 0 or told["measured"]["failed"] > 0:
        sys.exit(f"jitney-load ended with {process.returncode}: {told['measured']}")
    return told


def load(server, flags, seconds, core=None):
    command = load_command(server.targets["tcp"], flags, seconds, core)
    return finish(subprocess.Popen(command, stdout=subprocess.PIPE))


def quartiles(values):
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{middle:.3f} ({low:.3f} to {high:.3f})"


def median(values):
    return statistics.median(values)


def table(title, head, rows):
    print(f"\n### {title}\n\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |", flush=True)


@contextlib.contextmanager
def running(**servers):
    try:
        yield servers
    finally:
        for server in servers.values():
            server.stop()


def in_turns(names, rounds):
    """Every name in every round, each round beginning with another one."""
    names = list(names)
    for turn in range(rounds):
        yield from names[turn % len(names):] + names[:turn % len(names)]


class Experiments:
    def __init__(self, folder, options):
        self.folder = folder
        self.options = options
        self.cores = sorted(os.sched_getaffinity(0))
        self.models = service_requests.make_models(folder, BUILD)

    def jitney(self, *flags, models=None, core=None):
        return Jitney(BUILD, models=models or self.models, core=core, flags=("--log-level", "warn", *flags))

    def hand_over(self):
        kind = service_requests.make("M", self.folder)
        flags = ("--connections", CONNECTIONS, *kind.flags)
        core = self.cores[-1]
        runs = {}
        with running(loops=self.jitney("--execution", "loops", core=core),
                     auto=self.jitney("--execution", "auto", core=core),
                     workers=self.jitney("--execution", "workers", core=core)) as servers:
            for name in in_turns(servers, self.options.rounds):
                before = cpu_seconds(servers[name].pids())
                told = load(servers[name], flags, self.options.seconds, self.cores[0])
                cpu = cpu_seconds(servers[name].pids()) - before
                requests = told["warmup"]["answered"] + told["measured"]["answered"]
                runs.setdefault(name, []).append((cpu / requests * 1e6, told["measured"]["latency"]["p50_ms"] * 1e3,
                                                  told["measured"]["throughput"]))
            places = {name: [server.metric("batcher_batches_total", f'place="{place}"') for place in ("loop", "worker")]
                      for name, server in servers.items()}
        rows = [(name, f"{median([cpu for cpu, _, _ in runs[name]]):.2f}",
                 quartiles([cpu / loops for (cpu, _, _), (loops, _, _) in zip(runs[name], runs["loops"])]),
                 f"{median([p50 for _, p50, _ in runs[name]]):.0f}", f"{median([rate for _, _, rate in runs[name]]):.0f}",
                 f"{100 * places[name][0] / sum(places[name]):.0f} %") for name in servers]
        table(f"Hand-over: M (784-128-10), {CONNECTIONS} connections, the server on one core",
              ("execution", "CPU us/request", "of loops", "p50 us", "requests/s", "batches on the loop"), rows)

    def linger(self):
        kind = service_requests.make("M", self.folder)
        runs = {"0": [], "5ms": []}
        config = f"{self.folder}/linger.json"
        with open(config, "w") as file:
            json.dump({"batching": {"max_delay": "5ms"}}, file)
        core = self.cores[-1]
        with running(**{"0": self.jitney(core=core), "5ms": self.jitney("--config", config, core=core)}) as servers:
            for name in in_turns(servers, self.options.rounds):
                told = load(servers[name], ("--connections", 1, *kind.flags), self.options.seconds, self.cores[0])
                runs[name].append(told["measured"]["latency"]["p50_ms"] * 1e3)
        more = [waiting - at_once for waiting, at_once in zip(runs["5ms"], runs["0"])]
        table("Linger: M, one client of an idle server", ("max_delay", "p50 us", "more than with 0, us"),
              [("0", f"{median(runs['0']):.1f}", "-"), ("5ms", f"{median(runs['5ms']):.1f}", f"{median(more):+.1f}")])

    def heavy(self):
        bundled = ROOT / BUILD / "models"
        loops = str(len(self.cores))
        runs = {}
        with running(loops=self.jitney("--execution", "loops", "--io-threads", loops, models=bundled),
                     auto=self.jitney(models=bundled), workers=self.jitney("--execution", "workers", models=bundled),
                     ) as servers:
            for name in in_turns(servers, self.options.rounds):
                target, seconds = servers[name].targets["tcp"], self.options.seconds
                command = load_command(target, CHEAP, seconds, None)
                cheap = subprocess.Popen(command, stdout=subprocess.PIPE)
                heavy = load(servers[name], ("--model", "wide", "--connections", CONNECTIONS), seconds)["measured"]
                latency = finish(cheap)["measured"]["latency"]
                runs.setdefault(name, []).append((heavy["throughput"], latency["p50_ms"] * 1e3, latency["p99_ms"] * 1e3))
        rows = [(name, f"{median([rate for rate, _, _ in runs[name]]):.0f}",
                 quartiles([rate / loops for (rate, _, _), (loops, _, _) in zip(runs[name], runs["loops"])]),
                 f"{median([p50 for _, p50, _ in runs[name]]):.0f}", f"{median([p99 for _, _, p99 in runs[name]]):.0f}")
                for name in servers]
        table(f"Heavy: wide, {CONNECTIONS} connections, {loops} cores; loops: {loops} of them; cheap: GET, 200 a second",
              ("execution", "requests/s", "of loops", "cheap p50 us", "cheap p99 us"), rows)

    def gain(self):
        rows = []
        with running(auto=self.jitney(models=ROOT / BUILD / "models")) as servers:
            server = servers["auto"]
            for connections in (1, 2, 4, 8, 16, 32, 64, 128, 256):
                rates = {1: [], 32: []}
                for batch_rows in in_turns(rates, self.options.rounds):
                    self.patch(server, batch_rows)
                    flags = ("--model", "wide", "--connections", connections)
                    rates[batch_rows].append(load(server, flags, self.options.seconds / 2)["measured"]["throughput"])
                rows.append((connections, f"{median(rates[1]):.0f}", f"{median(rates[32]):.0f}",
                             quartiles([many / one for many, one in zip(rates[32], rates[1])])))
        table("Gain: wide, all cores", ("connections", "requests/s with batches of 1", "of up to 32", "ratio"), rows)

    def patch(self, server, batch_rows):
        request = urllib.request.Request(f"{server.admin}/v1/batching/wide", method="PATCH",
                                         data=json.dumps({"max_batch_rows": batch_rows}).encode(),
                                         headers={"Content-Type": "application/json"})
        urllib.request.urlopen(request).read()


NAMES = ("hand-over", "linger", "heavy", "gain")


def main():
    parser = argparse.ArgumentParser(prog="script/bench execution", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiments", nargs="*", metavar="experiment", help=", ".join(NAMES))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1)
    options = parser.parse_args()
    if not set(options.experiments) <= set(NAMES):
        parser.error(f"experiments are {', '.join(NAMES)}")
    print(f"{options.rounds} rounds of {options.seconds} s; {len(os.sched_getaffinity(0))} cores; "
          f"load average before: {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder:
        experiments = Experiments(folder, options)
        for name in options.experiments or NAMES:
            getattr(experiments, name.replace("-", "_"))()


if __name__ == "__main__":
    main()
