#!/usr/bin/python3
"""A short fixed suite for CI: how fast this build is beside what was recorded for this kind of machine.

    script/bench report [--rounds 7] [--seconds 1] [--out build/report] [--record]

Machines are shared, and their clocks differ: each figure is divided by that of a loop which is not ours (see
tests/bench/bench_report.c) and was timed in the same round, and these ratios are compared. It reports and never fails a build.

Writes report.md, and jitney_ci.prom for the textfile collector of the node exporter:
    ci_benchmark_seconds             median of a benchmark
    ci_benchmark_baseline_seconds    what the recorded ratio would be on this machine, now
    test_performance_score           geometric mean of baseline / current: 1 is as recorded, more is faster
--record keeps this run's ratios as the baseline of this kind of machine.
"""
import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import tempfile
import time

from servers import ROOT, Jitney, cpu_seconds

BASELINES = ROOT / "tests/bench/report_baselines.json"
# What is measured, and the loop that its time is divided by.
BENCHMARKS = {
    "sma_10k": ("SMA(20) of 10 000 prices", "loop_arithmetic"),
    "ema_10k": ("EMA(20) of 10 000 prices", "loop_arithmetic"),
    "rsi_10k": ("RSI(14) of 10 000 prices", "loop_arithmetic"),
    "batch_predict": ("32 rows to `wide` over HTTP, p50", "loop_arithmetic"),
    "http_cpu": ("server's CPU per request to `digits`, 64 connections", "loop_sockets"),
    "http_p99": ("p99 of these requests", "loop_sockets"),
}


def machine_class(server):
    """As the baselines name it: "AuthenticAMD family 26, 2 processors, avx512"."""
    info = pathlib.Path("/proc/cpuinfo").read_text()

    def field(name, default="unknown"):
        found = re.search(rf"^{name}\s*: (.*)$", info, re.M)
        return found[1] if found else default

    isa = re.search(r'^compute_info\{.*\bsimd_isa="(\w+)"', server.metrics(), re.M)[1]
    return f"{field('vendor_id')} family {field('cpu family')}, {len(os.sched_getaffinity(0))} processors, {isa}"


class Server(Jitney):
    def load(self, build, seconds, *flags):
        before = cpu_seconds(self.pids())
        output = subprocess.run(
            [ROOT / build / "loadtest/jitney-load", "run", f"http://127.0.0.1:{self.port}", "--quiet", "--json", "-",
             "--warmup", "0s", "--duration", f"{int(seconds * 1000)}ms", *flags], check=True, stdout=subprocess.PIPE).stdout
        measured = json.loads(output)["measured"]
        return measured, (cpu_seconds(self.pids()) - before) / measured["answered"]


def measure(server, build, seconds):
    """One round: {name: seconds}, loops included."""
    lines = subprocess.run([ROOT / build / "tests/bench_report", "15"], check=True, capture_output=True, text=True).stdout
    found = {name: float(value) for name, value in (line.split() for line in lines.splitlines())}
    batch, _ = server.load(build, seconds, "--model", "wide", "--rows", "32", "--connections", "1")
    many, cpu = server.load(build, seconds, "--model", "digits", "--connections", "64")
    return found | {"batch_predict": batch["latency"]["p50_ms"] / 1e3, "http_cpu": cpu,
                    "http_p99": many["latency"]["p99_ms"] / 1e3}


def summarize(rounds, baseline):
    """[(name, median seconds, median ratio, quartile spread, baseline ratio or None)]; ratios are to the loop of the same round."""
    rows = []
    for name, (_, loop) in BENCHMARKS.items():
        ratios = [found[name] / found[loop] for found in rounds]
        low, middle, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
        rows.append((name, statistics.median(found[name] for found in rounds), middle, (high - low) / middle,
                     baseline.get(name)))
    return rows


def score(rows):
    known = [base / now for _, _, now, _, base in rows if base is not None]
    return statistics.geometric_mean(known) if known else None


def human(seconds):
    for unit, scale in (("s", 1), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def markdown(machine, rows):
    lines = [f"### Performance on {machine}", "", "| benchmark | | median | of its baseline | spread |", "|---|---|---|---|---|"]
    for name, seconds, now, spread, base in rows:
        change = "not recorded" if base is None else f"{now / base:.2f}"
        lines.append(f"| `{name}` | {BENCHMARKS[name][0]} | {human(seconds)} | {change} | {spread:.0%} |")
    total = score(rows)
    lines += ["", "Times are compared as ratios to a loop timed in the same round; above 1 is slower than was recorded, and "
              "within the spread (of the middle half of the rounds) it means nothing.",
              "", f"Score: {total:.3f} (1 is as recorded, more is faster)" if total else
              "There is no baseline for this kind of machine: `script/bench report --record` makes one."]
    return "\n".join(lines) + "\n"


def textfile(machine, rows, at):
    """In the text format; the loop's time of now turns a recorded ratio into seconds."""
    families = {
        "ci_benchmark_seconds": ("Median time of a CI benchmark.", {name: seconds for name, seconds, *_ in rows}),
        "ci_benchmark_baseline_seconds": (
            "What was recorded for a CI benchmark, for this machine as fast as it is now.",
            {name: seconds * base / now for name, seconds, now, _, base in rows if base is not None}),
    }
    lines = []
    for family, (text, values) in families.items():
        lines += [f"# HELP {family} {text}", f"# TYPE {family} gauge"]
        lines += [f'{family}{{benchmark="{name}"}} {value:.9g}' for name, value in values.items()]
    if (total := score(rows)) is not None:
        lines += ["# HELP test_performance_score Geometric mean of baseline/current over the CI benchmarks.",
                  "# TYPE test_performance_score gauge", f"test_performance_score {total:.6g}"]
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True).stdout.strip()
    lines += ["# HELP ci_benchmark_info What the CI benchmarks ran on; always 1.", "# TYPE ci_benchmark_info gauge",
              f'ci_benchmark_info{{commit="{commit or "unknown"}",machine="{machine}"}} 1',
              "# HELP ci_benchmark_timestamp_seconds When the CI benchmarks ran.", "# TYPE ci_benchmark_timestamp_seconds gauge",
              f"ci_benchmark_timestamp_seconds {at:.0f}"]
    return "\n".join(lines) + "\n"


def write_whole(path, text):
    """The collector may look at any time: never at half of it."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        file.write(text)
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1, help="of each load")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build/report")
    parser.add_argument("--build", default="build/bench", help="which build")
    parser.add_argument("--baselines", type=pathlib.Path, default=BASELINES)
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    server = Server(options.build)
    try:
        machine = machine_class(server)
        measure(server, options.build, options.seconds)  # warm up
        rounds = [measure(server, options.build, options.seconds) for _ in range(options.rounds)]
    finally:
        server.stop()
    baselines = json.loads(options.baselines.read_text()) if options.baselines.exists() else {}
    rows = summarize(rounds, baselines.get(machine, {}))
    options.out.mkdir(parents=True, exist_ok=True)
    report = markdown(machine, rows)
    print(report, end="")
    write_whole(options.out / "report.md", report)
    write_whole(options.out / "jitney_ci.prom", textfile(machine, rows, time.time()))
    if options.record:
        baselines[machine] = {name: float(f"{now:.4g}") for name, _, now, _, _ in rows}
        write_whole(options.baselines, json.dumps(baselines, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
