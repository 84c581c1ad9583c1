#!/usr/bin/python3
"""What counting, verifying and being scraped cost a server: jitney beside itself without, in interleaved rounds.

    script/bench counting [--rounds 20] [--seconds 1] [--connections 64]

Each round drives every server once with wrk, in an order that turns from round to round, and is compared with the
same round of jitney as it is. Prints medians of these ratios and, in brackets, their quartiles: of requests/s, and of
CPU microseconds of the server per request, which move less with what else the machine does, and of the latency's p99.
The scraped one is asked for all of /metrics every second; Prometheus does so every five.
"""
import argparse
import contextlib
import statistics
import tempfile
import threading
import urllib.request

from servers import Jitney
from wrk import drive, measure, predict_script

BUILD = "build/bench"  # the release, with the tests


def quartiles(values):
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:9.4f} ({low:.4f} to {high:.4f})"


@contextlib.contextmanager
def scraped(server, each_s=1):
    stop = threading.Event()

    def scrape():
        while True:
            urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics").read()
            if stop.wait(each_s):
                return

    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=int, default=1)
    parser.add_argument("--connections", type=int, default=64)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        script = predict_script(folder)
        servers = {
            "jitney": Jitney(BUILD),
            "the same again": Jitney(BUILD),
            "counting nothing": Jitney(BUILD, "tests/jitney_uncounted"),
            "scraped": Jitney(BUILD),
            "verifying nothing": Jitney(BUILD, JITNEY_VERIFICATION_ONE_IN="0"),
        }
        runs = {name: [] for name in servers}
        try:
            for server in servers.values():  # warm up
                drive(server.port, script, arguments.connections, 1)
            for turn in range(arguments.rounds):
                names = list(servers)
                for name in names[turn % len(names):] + names[:turn % len(names)]:
                    with scraped(servers[name]) if name == "scraped" else contextlib.nullcontext():
                        runs[name].append(measure(servers[name], script, arguments))
        finally:
            for server in servers.values():
                server.stop()
    base = {key: statistics.median(run[key] for run in runs["jitney"]) for key in ("rate", "cpu", "p99")}
    print(f"jitney: {base['rate']:,.0f} requests/s, {base['cpu']:.2f} us of CPU per request; medians of "
          f"{arguments.rounds} rounds of {arguments.seconds} s\n")
    print(f"{'as a part of that':20}{'requests/s':>33}{'CPU per request':>34}{'p99':>34}")
    for name in list(servers)[1:]:
        ratios = {key: [mine[key] / its[key] for mine, its in zip(runs[name], runs["jitney"])] for key in base}
        print(f"{name:20}{quartiles(ratios['rate']):>33}{quartiles(ratios['cpu']):>34}"
              f"{quartiles(ratios['p99']):>34}")


if __name__ == "__main__":
    main()
