"""Requests that may take so long and no longer."""
import time

import pytest

from jitney_client import assert_error, request
from jitney_server import wait_until

PREDICT = "/v1/models/digits:predict"
# One worker, and a batch that takes it for long: what comes then has to wait, as nothing runs on the loop.
BUSY_ROWS = 4096
# What is expected to be late is let in all the same, to see what becomes of it.
BUSY = {"workers": 1, "execution": "workers", "scheduling": {"refuse_late": False}, "queues": {"wide": {"max_batch_rows": BUSY_ROWS}}}
BUSY_BODY = b'{"instances":[' + b",".join([b"[" + b",".join([b"0"] * 1024) + b"]"] * BUSY_ROWS) + b"]}"


def keep_busy(server):
    """The only worker computes, for some hundred milliseconds."""
    connection = server.connect()
    with server.connect() as probe:
        connection.send(request("POST", "/v1/models/wide:predict", BUSY_BODY))
        wait_until(lambda: probe.ask("GET", "/health").json()["workers_busy"] == 1, "a busy worker")
    return connection


def timed(connection, timeout_ms, path, body):
    begin = time.monotonic()
    response = connection.ask("POST", path, body, {"X-Request-Timeout-Ms": str(timeout_ms)})
    return response, time.monotonic() - begin


def test_a_request_that_waits_too_long_is_answered_504(start, digit):
    server = start(config=BUSY)
    with keep_busy(server) as busy, server.connect() as connection:
        response, elapsed = timed(connection, 50, PREDICT, {"instances": [digit]})
        assert_error(response, 504, "deadline_exceeded")
        assert elapsed >= 0.045, elapsed
        connection.assert_open()
        assert busy.read_response().status == 200
    server.wait_metric(1, "batcher_requests_total", model="digits", status="timeout")
    server.wait_metric(0, "batcher_queue_size", model="digits")
    assert server.metric("batcher_batches_total", model="digits") == 0
    assert server.metric("batcher_deadline_misses_total", model="digits") == 1


def test_an_indicator_has_a_deadline_too(start):
    server = start(config=BUSY)
    with keep_busy(server) as busy, server.connect() as connection:
        response, _ = timed(connection, 50, "/v1/indicators/sma", {"prices": [1, 2], "period": 2})
        assert_error(response, 504, "deadline_exceeded")
        assert busy.read_response().status == 200


@pytest.mark.parametrize("wanted_ms", [None, 60000])
def test_the_server_has_a_timeout_that_no_client_can_extend(start, wanted_ms):
    server = start(config={**BUSY, "http": {"request_timeout": "20ms"}})
    headers = {"X-Request-Timeout-Ms": str(wanted_ms)} if wanted_ms else {}
    with server.connect() as connection:
        response = connection.ask("POST", "/v1/models/wide:predict", BUSY_BODY, headers)
        assert_error(response, 504, "deadline_exceeded")
        connection.assert_open()


def test_one_deadline_does_not_end_the_others(start, digit):
    server = start(config=BUSY)
    with keep_busy(server) as busy, server.connect() as patient, server.connect() as hasty:
        patient.send(request("POST", PREDICT, {"instances": [digit]}))
        response, _ = timed(hasty, 50, PREDICT, {"instances": [digit]})
        assert_error(response, 504, "deadline_exceeded")
        answered = patient.read_response()
        assert answered.status == 200
        assert answered.headers["x-batch-size"] == "1"
        assert busy.read_response().status == 200


def test_a_batch_leaves_early_for_the_sake_of_a_deadline(start, digit):
    """Rather than to be late while it waits for more requests."""
    server = start(config={"batching": {"max_delay": "10s", "max_idle_delay": "10s"}})
    with server.connect() as connection:
        response, elapsed = timed(connection, 2000, PREDICT, {"instances": [digit]})
        assert response.status == 200
        assert elapsed < 5, elapsed
    assert server.metric("batcher_flushes_total", model="digits", reason="deadline") == 1


def test_a_deadline_that_is_met_changes_nothing(shared, digit):
    response = shared.ask("POST", PREDICT, {"instances": [digit]}, {"X-Request-Timeout-Ms": "20000"})
    assert response.status == 200


@pytest.mark.parametrize("value", ["", "0", "-1", "1.5", "1e3", "abc", "12 ms", "0x10", "99999999999999999999"])
def test_a_deadline_that_is_no_number_is_refused(shared, digit, value):
    response = shared.ask("POST", PREDICT, {"instances": [digit]}, {"X-Request-Timeout-Ms": value})
    body = assert_error(response, 400, "invalid_parameter")
    assert "timeout" in body["error"].lower()
