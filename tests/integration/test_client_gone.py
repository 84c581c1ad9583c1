"""Clients that leave before their answer: what waits for them is not computed."""
import statistics
import time

import pytest

from jitney_client import request

# Jobs wait in the queue, so that there is a while to leave in.
LINGER = {"batching": {"max_delay": "5s", "max_idle_delay": "5s"}}


def wait_queued(server, count):
    server.wait_metric(count, "batcher_queue_size", model="digits")


def ask_and_wait(server, digit, count=1):
    connections = [server.connect() for _ in range(count)]
    for connection in connections:
        connection.send(request("POST", "/v1/models/digits:predict", {"instances": [digit]}))
    wait_queued(server, count)
    return connections


def test_a_reset_client_is_cancelled_before_it_is_computed(start, digit):
    server = start(config=LINGER)
    for connection in ask_and_wait(server, digit, count=3):
        connection.reset()
    server.wait_metric(3, "batcher_requests_total", model="digits", status="cancelled")
    wait_queued(server, 0)
    assert server.metric("batcher_batches_total", model="digits") == 0


def test_a_closed_client_is_cancelled_before_it_is_computed(start, digit):
    server = start(config=LINGER)
    for connection in ask_and_wait(server, digit, count=3):
        connection.close()
    server.wait_metric(3, "batcher_requests_total", model="digits", status="cancelled")
    assert server.metric("batcher_batches_total", model="digits") == 0


@pytest.mark.measured
def test_a_closed_client_is_missed_within_milliseconds(start, digit):
    """Not only when the next sweep over all connections would have come, four times a second."""
    server = start(config=LINGER)
    took_s = []
    for count in range(1, 10):
        (connection,) = ask_and_wait(server, digit)
        begin = time.monotonic()
        connection.close()
        server.wait_metric(count, "batcher_requests_total", model="digits", status="cancelled")
        took_s.append(time.monotonic() - begin)
    assert statistics.median(took_s) < 0.07, took_s


def test_who_leaves_takes_nobody_along(start, digit):
    server = start(config={"batching": {"max_delay": "1s", "max_idle_delay": "1s"}})
    gone, stays = ask_and_wait(server, digit, count=2)
    gone.reset()
    server.wait_metric(1, "batcher_requests_total", model="digits", status="cancelled")
    response = stays.read_response()
    assert response.status == 200
    assert response.headers["x-batch-size"] == "1"
    stays.close()


def test_pipelined_requests_of_a_client_that_left_are_not_started(start, digit):
    server = start(config=LINGER)
    connection = server.connect()
    connection.send(request("POST", "/v1/models/digits:predict", {"instances": [digit]}) * 5)
    wait_queued(server, 1)
    connection.reset()
    server.wait_metric(1, "batcher_requests_total", model="digits", status="cancelled")
    assert server.metric("batcher_requests_total", model="digits") == 1


def test_a_client_that_leaves_in_its_body_costs_nothing(start, digit):
    server = start()
    whole = request("POST", "/v1/models/digits:predict", {"instances": [digit]})
    for leave in ("close", "reset"):
        connection = server.connect()
        connection.send(whole[:-10])
        getattr(connection, leave)()
    server.wait_metric(1, "compute_active_connections")
    assert server.metric("batcher_requests_total", model="digits") == 0


def test_a_client_that_leaves_while_it_is_written_to_harms_nobody(start):
    server = start()
    prices = [i / 7 for i in range(100000)]
    for _ in range(10):
        connection = server.connect(receive_buffer=4096)
        connection.send(request("POST", "/v1/indicators/ema", {"prices": prices, "period": 2}))
        connection.socket.recv(100)
        connection.reset()
    server.wait_metric(1, "compute_active_connections")
    with server.connect() as connection:
        connection.assert_open()
