"""Connections that wait for nothing, and a server that has nothing to do."""
import os
import resource
import time

import pytest

from jitney_client import request
from test_process import cpu_seconds, wait_for_selftest

CONNECTIONS = 2000
PREDICT = "/v1/models/digits:predict"


def private_bytes(server):
    with open(f"/proc/{server.process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon:")) * 1024


@pytest.fixture
def many_files():
    """Each connection is a descriptor of ours, too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2 * CONNECTIONS:
        pytest.skip(f"no more than {hard} files may be open here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (2 * CONNECTIONS, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.skipif(bool(os.environ["JITNEY_SANITIZE"]), reason="a sanitizer's memory is not the server's")
def test_an_idle_connection_costs_less_than_a_kibibyte(start, digit, many_files):
    server = start(config={"http": {"connections_max": CONNECTIONS + 64}})
    body = {"instances": [digit]}
    for _ in range(50):
        assert server.ask("POST", PREDICT, body).status == 200
    before = private_bytes(server)
    connections = [server.connect() for _ in range(CONNECTIONS)]
    for connection in connections:
        assert connection.ask("POST", PREDICT, body).status == 200
    each = (private_bytes(server) - before) / CONNECTIONS
    assert each < 1024
    for connection in connections:
        connection.close()


@pytest.mark.measured
def test_many_idle_connections_use_no_cpu(start, many_files):
    server = start(config={"http": {"connections_max": CONNECTIONS + 64}})
    wait_for_selftest(server)
    connections = [server.connect() for _ in range(CONNECTIONS)]
    for connection in connections:
        assert connection.ask("GET", "/v2/health/live").status == 200
    before, begin = cpu_seconds(server), time.monotonic()
    time.sleep(1)
    assert (cpu_seconds(server) - before) / (time.monotonic() - begin) < 0.05
    for connection in connections:
        connection.close()


def test_idle_connections_are_closed_in_their_order(start):
    server = start(config={"http": {"keep_alive_timeout": "300ms", "header_timeout": "10s"}})
    with server.connect() as silent, server.connect() as first, server.connect() as second:
        first.assert_open()
        second.assert_open()
        first.assert_open()  # so it has longer
        second.assert_closed()
        first.assert_closed()
        silent.send(request("GET", "/v2/health/live"))  # it has not said anything yet: that is another limit
        assert silent.read_response().status == 200
