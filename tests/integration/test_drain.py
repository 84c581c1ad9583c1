"""SIGTERM: what was begun is finished, nothing is lost."""
import resource
import signal
import threading
import time

import pytest

from jitney_client import Closed, ask, assert_error, request
from jitney_server import wait_until

PREDICT = "/v1/models/digits:predict"


@pytest.fixture
def many_files():
    """Room for a thousand sockets in this process."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4096 if before[1] == resource.RLIM_INFINITY else min(4096, before[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], wanted), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_thousand_requests_under_way_are_all_answered(start, digit, many_files):
    server = start(
        config={
            "http": {"connections_max": 1100},
            # They wait for a batch that does not fill, until the drain sends it off.
            "batching": {"max_batch_rows": 2048, "max_queue_rows": 2048, "max_delay": "10s", "max_idle_delay": "10s"},
        }
    )
    count = 1000
    connections = [server.connect() for _ in range(count)]
    for connection in connections:
        connection.send(request("POST", PREDICT, {"instances": [digit]}))
    server.wait_metric(count, "batcher_queue_size", model="digits")

    begin = time.monotonic()
    server.signal(signal.SIGTERM)
    lost = 0
    for connection in connections:
        try:
            response = connection.read_response()
            assert response.status == 200, response
            assert response.closes
        except Closed:
            lost += 1
        connection.close()
    assert lost == 0
    assert server.wait_exit() == 0
    assert time.monotonic() - begin < 9, "the drain waited for the batch's delay"


def test_a_request_that_has_begun_is_answered(start, digit):
    server = start()
    whole = request("POST", PREDICT, {"instances": [digit]})
    half = server.connect()
    with server.connect() as connection:  # once this is answered, the other's bytes have been read
        half.send(whole[:100])
        connection.assert_open()
        server.signal(signal.SIGTERM)
        connection.assert_closed()
    half.send(whole[100:])
    response = half.read_response()
    assert response.status == 200, response
    assert response.closes
    half.close()
    assert server.wait_exit() == 0


def test_an_answer_being_read_slowly_comes_whole(start):
    server = start()
    prices = [1 / 3 + i / 7 for i in range(300000)]
    with server.connect(receive_buffer=4096) as connection:
        connection.send(request("POST", "/v1/indicators/ema", {"prices": prices, "period": 2}))
        connection.socket.recv(1, 2)  # MSG_PEEK: the answer has begun
        server.signal(signal.SIGTERM)
        assert len(connection.read_response().json()["values"]) == len(prices)
    assert server.wait_exit() == 0


def test_during_the_delay_it_is_not_ready_but_serves(start, digit):
    server = start(flags={"--drain-delay": "60s"})
    assert server.ask("GET", "/v2/health/ready").status == 200
    with server.connect() as before:
        before.assert_open()
        server.signal(signal.SIGTERM)
        wait_until(lambda: server.ask("GET", "/v2/health/ready").status == 503, "not ready")
        assert server.ask("GET", "/v2/health/live").status == 200
        for connection in (before, server.connect()):
            response = connection.ask("POST", PREDICT, {"instances": [digit]})
            assert response.status == 200, response
            assert response.closes
            connection.assert_closed()
    # A second signal ends it at once.
    begin = time.monotonic()
    server.signal(signal.SIGTERM)
    server.wait_exit()
    assert time.monotonic() - begin < 10
    assert server.exit_code >= 0, f"it died of signal {-server.exit_code}"


def ask_until_refused(server, digit, tally):
    """A client that keeps its connection as long as it may, and comes again until it is not let in."""
    body = {"instances": [digit]}
    while True:
        try:
            connection = server.connect()
        except ConnectionRefusedError:
            return
        with connection:
            last = response = None
            while response is None or not response.closes:
                last = response
                try:
                    response = connection.ask("POST", PREDICT, body)
                except (Closed, ConnectionResetError, BrokenPipeError) as fault:
                    # Reset while it waited to be accepted: not a byte of it was read.
                    if last is not None or type(fault) is Closed:
                        tally["lost"].append(str(fault))
                    return
                tally[response.status] += 1


def test_under_load_nothing_is_lost(start, digit):
    server = start(flags={"--drain-delay": "300ms"})
    tallies = [{"lost": [], 200: 0, 503: 0} for _ in range(16)]
    clients = [threading.Thread(target=ask_until_refused, args=(server, digit, tally)) for tally in tallies]
    for client in clients:
        client.start()
    wait_until(lambda: all(tally[200] > 10 for tally in tallies), "every client to be served")
    server.signal(signal.SIGTERM)
    for client in clients:
        client.join()
    assert [fault for tally in tallies for fault in tally["lost"]] == []
    assert sum(tally[503] for tally in tallies) == 0
    assert server.wait_exit() == 0


def test_after_the_delay_nobody_is_let_in(start):
    server = start()
    address = server.address
    server.stop()
    with pytest.raises(ConnectionRefusedError):
        ask(address, "GET", "/health")


def test_the_drain_does_not_wait_for_ever(start, digit):
    """What does not end within the drain timeout is answered 503 and given up."""
    server = start(flags={"--drain-timeout": "200ms"})
    with server.connect() as stuck, server.connect() as other:
        stuck.send(request("POST", PREDICT, {"instances": [digit]})[:-10])
        other.assert_open()
        server.signal(signal.SIGTERM)
        refused = stuck.read_response()
        assert_error(refused, 503, "draining")
        assert refused.closes
    assert server.wait_exit() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_server_ends_well(start, number):
    server = start()
    with server.connect() as connection:
        connection.assert_open()
        server.signal(number)
        connection.assert_closed()
    assert server.wait_exit() == 0
