"""System calls per request: strace attached to a server under steady load (script/bench service --syscalls).

strace makes every call slower, so only the counts matter. Connections are there before it comes, so what it counts of
epoll_ctl and accept4 is of the steady state, and of the two connections that ask for /metrics, inside the counted time.
"""
import contextlib
import re
import signal
import subprocess
import sys
import tempfile
import time

import service_requests

CONNECTIONS = 64
SECONDS = 3
LINE = re.compile(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?([a-z]\w+)$", re.M)


@contextlib.contextmanager
def stopped_by(process, number):
    """Ends what was started, whatever happens to us meanwhile."""
    try:
        yield process
    finally:
        process.send_signal(number)
        process.wait(20)


def answered(server):
    return server.metric("http_requests_total", 'route="/v1/models/{model}:predict"')


def trace(server, seconds):
    """({name: calls}, requests answered meanwhile)"""
    with tempfile.NamedTemporaryFile("r") as counts:
        command = ["strace", "-f", "-c", "-o", counts.name, "-p", str(server.process.pid)]
        strace = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        with stopped_by(strace, signal.SIGINT):
            if "attached" not in strace.stderr.readline():
                sys.exit("strace could not attach to the server")
            before = answered(server)
            time.sleep(seconds)
            requests = answered(server) - before
        strace.stderr.close()
        return {name: int(calls) for calls, name in LINE.findall(counts.read()) if name != "total"}, requests


def wait_for_load(server):
    """Until a second's worth of requests is over: then all connections are there, and memory is warm."""
    end = time.monotonic() + 20
    while answered(server) < 20_000:
        if time.monotonic() > end:
            sys.exit("the load does not come")
        time.sleep(0.05)


def count(bench):
    kind = service_requests.make("S", bench.folder)
    server = bench.jitney()
    try:
        load = subprocess.Popen(bench.load(server.targets["tcp"], kind, CONNECTIONS, 600), stdout=subprocess.DEVNULL)
        with stopped_by(load, signal.SIGTERM):
            wait_for_load(server)
            calls, requests = trace(server, SECONDS)
    finally:
        server.stop()
    if requests == 0:
        sys.exit("no request was answered under strace")
    print(f"System calls of all threads in {SECONDS} s of S over {CONNECTIONS} connections (tcp): {requests:.0f} requests\n")
    print(f"| {'call':16} | {'calls':>8} | per request |\n|{'-' * 18}|{'-' * 10}|-------------|")
    for name, number in sorted({"epoll_ctl": 0, **calls}.items(), key=lambda item: -item[1]):
        print(f"| {name:16} | {number:8} | {number / requests:11.4f} |")
    print(f"| {'all':16} | {sum(calls.values()):8} | {sum(calls.values()) / requests:11.4f} |")
