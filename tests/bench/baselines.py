#!/usr/bin/python3
"""The indicators as people write them in plain Python: what the kernels' speed-ups are measured against.

    tests/bench/baselines.py [N]      times each loop on N values (default 10000) and prints JSON
    tests/bench/baselines.py --check  the loops agree with each other (exit status 1 when not)
    tests/bench/baselines.py --serve  answers "sma.naive N PERIOD" with nanoseconds (bench_kernels asks)

No NumPy, nothing compiled: CPython's own loops over a list of floats. They compute what
kernels/include/kernels.h defines; a warm-up is NaN. The classes are the shape that streaming code has: one
value in, one value out. None of them is made slow on purpose, and the fastest one is a fair loop.
"""
import argparse
import collections
import json
import math
import platform
import statistics
import sys
import time

NAN = math.nan


def sma_naive(values, period):
    """Two nested loops, as in the definition."""
    out = [NAN] * min(period - 1, len(values))
    for end in range(period, len(values) + 1):
        total = 0.0
        for i in range(end - period, end):
            total += values[i]
        out.append(total / period)
    return out


def sma_sum_slice(values, period):
    """The inner loop left to sum()."""
    out = [NAN] * min(period - 1, len(values))
    for end in range(period, len(values) + 1):
        out.append(sum(values[end - period:end]) / period)
    return out


class DequeSma:
    def __init__(self, period):
        self.period = period
        self.window = collections.deque()
        self.total = 0.0

    def update(self, value):
        self.window.append(value)
        self.total += value
        if len(self.window) > self.period:
            self.total -= self.window.popleft()
        if len(self.window) < self.period:
            return NAN
        return self.total / self.period


def sma_running(values, period):
    """Adds what enters the window and subtracts what leaves it."""
    out = []
    total = 0.0
    for i, value in enumerate(values):
        total += value
        if i >= period:
            total -= values[i - period]
        out.append(total / period if i >= period - 1 else NAN)
    return out


def ema_loop(values, period):
    out = [NAN] * min(period - 1, len(values))
    if len(values) < period:
        return out
    alpha = 2.0 / (period + 1)
    mean = sum(values[:period]) / period
    out.append(mean)
    for value in values[period:]:
        mean += alpha * (value - mean)
        out.append(mean)
    return out


class Ema:
    def __init__(self, period):
        self.period = period
        self.alpha = 2.0 / (period + 1)
        self.seen = 0
        self.total = 0.0
        self.mean = NAN

    def update(self, value):
        self.seen += 1
        if self.seen > self.period:
            self.mean += self.alpha * (value - self.mean)
            return self.mean
        self.total += value
        if self.seen == self.period:
            self.mean = self.total / self.period
        return self.mean


def rsi_loop(values, period):
    out = [NAN] * min(period, len(values))
    if len(values) <= period:
        return out
    gain = loss = 0.0
    for i in range(1, period + 1):
        change = values[i] - values[i - 1]
        if change > 0:
            gain += change
        else:
            loss -= change
    gain /= period
    loss /= period
    out.append(100.0 * gain / (gain + loss) if gain + loss > 0 else 0.0)
    for i in range(period + 1, len(values)):
        change = values[i] - values[i - 1]
        if change > 0:
            gain = (gain * (period - 1) + change) / period
            loss = loss * (period - 1) / period
        else:
            gain = gain * (period - 1) / period
            loss = (loss * (period - 1) - change) / period
        out.append(100.0 * gain / (gain + loss) if gain + loss > 0 else 0.0)
    return out


class WilderAverage:
    def __init__(self, period):
        self.period = period
        self.seen = 0
        self.average = 0.0

    def update(self, value):
        self.seen += 1
        if self.seen <= self.period:
            self.average += value / self.period
        else:
            self.average += (value - self.average) / self.period
        return self.average


class Rsi:
    def __init__(self, period):
        self.period = period
        self.last = None
        self.gain = WilderAverage(period)
        self.loss = WilderAverage(period)

    def update(self, value):
        if self.last is None:
            self.last = value
            return NAN
        change = value - self.last
        self.last = value
        gain = self.gain.update(max(change, 0.0))
        loss = self.loss.update(max(-change, 0.0))
        if self.gain.seen < self.period:
            return NAN
        return 100.0 * gain / (gain + loss) if gain + loss > 0 else 0.0


def streamed(indicator):
    """A class as a function of the whole series, as its user would call it."""
    def run(values, period):
        state = indicator(period)
        return [state.update(value) for value in values]
    return run


BASELINES = {
    "sma.naive": sma_naive,
    "sma.sum_slice": sma_sum_slice,
    "sma.deque": streamed(DequeSma),
    "sma.running": sma_running,
    "ema.loop": ema_loop,
    "ema.class": streamed(Ema),
    "rsi.loop": rsi_loop,
    "rsi.class": streamed(Rsi),
}
PERIODS = {"sma": 20, "ema": 20, "rsi": 14}


def series(n):
    """The same values that bench_kernels has."""
    return [100 + (i * 7919 % 1000) / 100 for i in range(n)]


def run_ns(name, values, period, at_least_ns=2e6):
    """Nanoseconds of one run; short ones are repeated until they can be measured."""
    run = BASELINES[name]
    runs = 0
    start = time.perf_counter_ns()
    while True:
        run(values, period)
        runs += 1
        elapsed = time.perf_counter_ns() - start
        if elapsed >= at_least_ns:
            return elapsed / runs


def measure(n, rounds=5):
    """Median seconds of each loop over n values, in interleaved rounds: {"sma.naive": 0.0097, ...}."""
    values = series(n)
    seconds = {name: [] for name in BASELINES}
    for _ in range(rounds):
        for name in BASELINES:
            seconds[name].append(run_ns(name, values, PERIODS[name[:3]]) / 1e9)
    return {name: statistics.median(taken) for name, taken in seconds.items()}


def same(a, b):
    return math.isnan(a) and math.isnan(b) or math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9)


def first_disagreement(values, period):
    """None, or a sentence about the first two loops that differ."""
    results = {name: run(values, period) for name, run in BASELINES.items()}
    for name, result in results.items():
        first = next(other for other in results if other[:3] == name[:3])
        if len(result) != len(values):
            return f"{name} gave {len(result)} results for {len(values)} values"
        for i, (got, want) in enumerate(zip(result, results[first])):
            if not same(got, want):
                return f"{name} gave {got} at {i} of {len(values)}, period {period}; {first} gave {want}"
    return None


def serve():
    known = {}
    for line in sys.stdin:
        if line == "names\n":
            print(*BASELINES, flush=True)
            continue
        name, n, period = line.split()
        values = known.setdefault(n, series(int(n)))
        print(run_ns(name, values, int(period)), flush=True)


def check():
    for n in (0, 1, 13, 14, 15, 19, 20, 21, 100, 300):
        for period in (1, 2, 14, 20):
            for values in (series(n), [5.0] * n, [float(i) for i in range(n)], [-float(i) for i in range(n)]):
                problem = first_disagreement(values, period)
                if problem:
                    sys.exit(problem)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("n", type=int, nargs="?", default=10000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--serve", action="store_true")
    args = parser.parse_args()
    if args.serve:
        serve()
    elif args.check:
        check()
    else:
        print(json.dumps({"n": args.n, "python": platform.python_version(), "periods": PERIODS,
                          "seconds": measure(args.n, args.rounds)}, indent=1))


if __name__ == "__main__":
    main()
