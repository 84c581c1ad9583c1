#!/usr/bin/python3
"""jitney-load tune beside an exhaustive grid: how good is what it finds, and how long does it take?

    script/bench tune [--model wide] [--slo 10ms] [--connections 64] [--budget 3m] [--tunes 3]
                      [--grid-seconds 1] [--grid-rounds 2] [--rounds 15] [--seconds 1]

Everybody has the same definition of "best": the highest throughput of a closed loop over so many connections whose
p99 is within the limit. One server; settings are changed by PATCH.

The grid is finer than what tune tries: 12 batch sizes, 6 lingers, each number of workers. Each of its settings is
measured in --grid-rounds rounds of another order; the best by the medians wins. Then tune runs --tunes times.
At last the winner of the grid and the choices of tune are measured again, in --rounds interleaved rounds, and the
medians of the rounds' ratios are printed: a busy machine is busy for both.
"""
import argparse
import http.client
import json
import math
import random
import statistics
import subprocess
import time

from bench_batching import LOAD, Server, table

ROWS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
DELAY_PARTS = (0, 0.01, 0.03, 0.06, 0.1, 0.3)


def milliseconds(text):
    return float(text[:-2]) * (1 if text.endswith("ms") else 1e-3)


class Tuned:
    """A server whose queue is patched and measured."""

    def __init__(self, server, options):
        self.server, self.options = server, options
        self.limit_ms = milliseconds(options.slo)

    def patch(self, setting):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.admin_port, timeout=30)
        connection.request("PATCH", f"/v1/batching/{self.options.model}", json.dumps(setting),
                           {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        assert answer.status == 200, text

    def measure(self, setting, seconds):
        self.patch(setting)
        done = subprocess.run(
            [LOAD, "run", "--model", self.options.model, "--connections", str(self.options.connections), "--warmup",
             "150ms", "--duration", f"{int(1000 * seconds)}ms", "--json", "-", f"http://127.0.0.1:{self.server.port}"],
            capture_output=True, text=True, check=True)
        told = json.loads(done.stdout)["measured"]
        failed = told["failed"] > 0.01 * told["due"]
        return told["throughput"], math.inf if failed else told["latency"]["p99_ms"]


def grid_settings(workers, limit_ms):
    settings = [{"max_batch_rows": rows, "max_delay": limit_ms * part / 1e3, "max_inflight_batches": inflight,
                 "target_p99": 0}
                for inflight in range(1, workers + 1) for rows in ROWS for part in DELAY_PARTS
                if inflight > 1 or part == 0]
    return settings + [{"max_batch_rows": ROWS[-1], "max_delay": 0, "max_inflight_batches": inflight,
                        "target_p99": limit_ms * part / 1e3}
                       for inflight in range(1, workers + 1) for part in (0.25, 0.5, 1)]


def measure_in_turns(tuned, settings, rounds, seconds):
    """Each setting in each round, in an order that changes: [(throughput, p99), ...] of each."""
    runs = [[] for _ in settings]
    for number in range(rounds):
        order = list(range(len(settings)))
        random.Random(number).shuffle(order)
        for index in order:
            runs[index].append(tuned.measure(settings[index], seconds))
    return runs


def search_grid(tuned, settings, options):
    seen = measure_in_turns(tuned, settings, options.grid_rounds, options.grid_seconds)
    medians = [tuple(statistics.median(one) for one in zip(*runs)) for runs in seen]
    within = [index for index, (_, p99) in enumerate(medians) if p99 <= tuned.limit_ms]
    best = max(within or range(len(settings)), key=lambda index: medians[index][0] if within else -medians[index][1])
    return settings[best], medians[best]


def tune(tuned, options, seed):
    began = time.monotonic()
    done = subprocess.run(
        [LOAD, "tune", "--model", options.model, "--connections", str(options.connections), "--slo",
         f"p99={options.slo}", "--budget", options.budget, "--seed", str(seed), "--json", "-", "--admin",
         f"http://127.0.0.1:{tuned.server.admin_port}", f"http://127.0.0.1:{tuned.server.port}"],
        capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout), time.monotonic() - began


def text_of(setting):
    how = f"target {1e3 * setting['target_p99']:g} ms" if setting["target_p99"] else f"{1e3 * setting['max_delay']:g} ms"
    return f"{setting['max_batch_rows']} rows, {how}, {setting['max_inflight_batches']} workers"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="wide")
    parser.add_argument("--slo", default="10ms")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--budget", default="3m")
    parser.add_argument("--tunes", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--grid-seconds", type=float, default=1)
    parser.add_argument("--grid-rounds", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=1)
    options = parser.parse_args()
    with Server({"workers": options.workers}, core=None) as server:
        tuned = Tuned(server, options)
        settings = grid_settings(options.workers, tuned.limit_ms)
        began = time.monotonic()
        winner, figures = search_grid(tuned, settings, options)
        took = time.monotonic() - began
        print(f"grid: {len(settings)} settings in {took:.0f} s; best {text_of(winner)}: {figures[0]:.0f}/s, "
              f"p99 {figures[1]:.2f} ms", flush=True)
        tunes = [tune(tuned, options, 1 + number) for number in range(options.tunes)]
        choices = [told["chosen"]["patch"] for told, _ in tunes]
        runs = measure_in_turns(tuned, [winner, *choices], options.rounds, options.seconds)
    rows = [["grid", text_of(winner), f"{took:.0f} s", len(settings) * options.grid_rounds,
             f"{statistics.median(run[0] for run in runs[0]):.0f}", "1",
             f"{statistics.median(run[1] for run in runs[0]):.2f}"]]
    for number, ((told, seconds), choice, own) in enumerate(zip(tunes, choices, runs[1:]), 1):
        ratio = statistics.median(ours[0] / theirs[0] for ours, theirs in zip(own, runs[0]))
        rows.append([f"tune {number}", text_of(choice), f"{seconds:.0f} s", told["measurements"],
                     f"{statistics.median(run[0] for run in own):.0f}", f"{ratio:.3f}",
                     f"{statistics.median(run[1] for run in own):.2f}"])
    table(f"`{options.model}`, p99 within {options.slo}, {options.connections} connections; {options.rounds} "
          f"interleaved rounds", ["", "setting", "took", "measurements", "requests/s", "of the grid's", "p99 ms"], rows)


if __name__ == "__main__":
    main()
