"""Steady state allocates nothing per request: counted in the server, over every library it loads."""
import os
import struct
import threading

import pytest

from jitney_client import request

CONNECTIONS = 16
REQUESTS = 200
ROUNDS_MAX = 8

DIGIT = {"instances": [[0.5] * 64]}
PRICES = {"prices": [100 + i % 7 * 0.25 for i in range(200)], "period": 14}
THOUSAND = {"prices": [100 + i % 7 * 0.25 for i in range(1000)], "period": 20}


@pytest.fixture
def counter(tmp_path):
    if os.environ["JITNEY_SANITIZE"]:
        pytest.skip("a sanitizer has its own allocator")
    path = tmp_path / "allocations"
    path.write_bytes(bytes(8))
    return path


def allocations(path):
    return struct.unpack("=Q", path.read_bytes()[:8])[0]


def send_from_all(connections, message):
    def send(connection):
        for _ in range(REQUESTS):
            connection.send(message)
            assert connection.read_response().status == 200

    threads = [threading.Thread(target=send, args=[connection]) for connection in connections]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("program, method, path, body", [
    ("JITNEY_BINARY", "POST", "/v1/models/digits:predict", DIGIT),
    ("JITNEY_BINARY", "POST", "/v1/models/whole:predict", DIGIT),
    ("JITNEY_BINARY", "POST", "/v1/indicators/rsi", PRICES),
    ("JITNEY_BINARY", "POST", "/v1/indicators/ema", THOUSAND),
    ("JITNEY_YYJSON_BINARY", "POST", "/v1/indicators/ema", THOUSAND),
    ("JITNEY_BINARY", "GET", "/health", None),
], ids=["predict", "int8", "rsi", "thousand", "yyjson", "health"])
def test_no_allocation_per_request(start, counter, digits_as, program, method, path, body):
    models = digits_as(digits={}, whole={"precision": "int8"})
    server = start(flags={"--models": models}, program=os.environ[program],
                   env={"LD_PRELOAD": os.environ["JITNEY_COUNT_ALLOCATIONS"],
                        "JITNEY_TEST_ALLOCATIONS": str(counter)})
    message = request(method, path, body)
    connections = [server.connect() for _ in range(CONNECTIONS)]
    # The pools grow until as many requests as there are connections have once been under way
    # together; from then on a round of requests allocates nothing at all.
    rounds = []
    while not rounds or (rounds[-1] > 0 and len(rounds) < ROUNDS_MAX):
        before = allocations(counter)
        send_from_all(connections, message)
        rounds.append(allocations(counter) - before)
    for connection in connections:
        connection.close()
    assert allocations(counter) > 0, "nothing is counted: the library was not preloaded"
    assert rounds[-1] == 0, f"allocations in rounds of {CONNECTIONS * REQUESTS} requests: {rounds}"
