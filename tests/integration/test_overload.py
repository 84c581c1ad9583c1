"""More work, or more connections, than the server takes."""
from jitney_client import Closed, assert_error, request

PREDICT = "/v1/models/digits:predict"
# Seven rows wait there for an eighth, and two more do not fit.
TINY_QUEUE = {"batching": {"max_queue_rows": 8, "max_batch_rows": 8, "max_delay": "1s", "max_idle_delay": "1s"}}


def fill_queue(server, digit):
    waiting = [server.connect() for _ in range(7)]
    for connection in waiting:
        connection.send(request("POST", PREDICT, {"instances": [digit]}))
    server.wait_metric(7, "batcher_queue_size", model="digits")
    return waiting


def test_a_full_queue_refuses_at_once_and_recovers(start, digit):
    server = start(config=TINY_QUEUE)
    waiting = fill_queue(server, digit)
    with server.connect() as connection:
        refused = connection.ask("POST", PREDICT, {"instances": [digit] * 2})
        assert_error(refused, 503, "overloaded")
        assert int(refused.headers["retry-after"]) >= 1
        assert not refused.closes
        connection.assert_open()

    for connection in waiting:
        assert connection.read_response().status == 200
        connection.close()
    assert server.ask("POST", PREDICT, {"instances": [digit] * 2}).status == 200
    assert server.metric("batcher_requests_total", model="digits", status="rejected") == 1
    assert server.metric("batcher_requests_total", model="digits", status="success") == 8
    assert server.metric("batcher_rejections_total", model="digits", reason="queue_full") == 1


def test_a_full_queue_does_not_refuse_other_queues(start, digit):
    server = start(config=TINY_QUEUE)
    waiting = fill_queue(server, digit)
    assert server.ask("POST", "/v1/indicators/sma", {"prices": [1, 3], "period": 2}).status == 200
    for connection in waiting:
        assert connection.read_response().status == 200
        connection.close()


def test_a_request_larger_than_the_queue_is_refused(start, digit):
    server = start(config=TINY_QUEUE)
    refused = server.ask("POST", PREDICT, {"instances": [digit] * 9})
    assert refused.status in (400, 503), refused
    assert_error(refused, refused.status, {"too_many_rows", "overloaded"})


def test_a_flood_is_answered_to_the_last_request(start, digit):
    """Every request gets 200 or 503; the counters say which."""
    server = start(config={"batching": {"max_queue_rows": 8, "max_batch_rows": 8}})
    ask = request("POST", PREDICT, {"instances": [digit] * 4})
    connections = [server.connect() for _ in range(100)]
    for connection in connections:
        connection.send(ask * 5)
    statuses = [connection.read_response().status for connection in connections for _ in range(5)]
    for connection in connections:
        connection.close()
    assert set(statuses) <= {200, 503}
    for status, http in (("success", 200), ("rejected", 503)):
        counted = server.metric("batcher_requests_total", model="digits", status=status)
        assert counted == statuses.count(http)
    assert server.ask("POST", PREDICT, {"instances": [digit]}).status == 200


def test_a_connection_too_many_is_told_so(start):
    server = start(config={"http": {"connections_max": 10}})
    connections = [server.connect() for _ in range(10)]
    for connection in connections:
        connection.assert_open()

    with server.connect() as excess:
        refused = excess.read_response()
        assert_error(refused, 503, "too_many_connections")
        assert refused.headers["retry-after"] == "1"
        assert refused.closes
        excess.assert_closed()
    for connection in connections:
        connection.assert_open()

    connections.pop().close()
    # The server sees the close a moment later; until then it refuses.
    for _ in range(10000):
        with server.connect() as connection:
            connection.send_what_it_takes(request("GET", "/health"))
            try:
                if connection.read_response().status == 200:
                    break
            except Closed:
                pass
    else:
        raise AssertionError("the free place was never given")
    for connection in connections:
        connection.close()


def test_many_connections_too_many_are_all_ended(start):
    server = start(config={"http": {"connections_max": 10}})
    inside = [server.connect() for _ in range(10)]
    for connection in inside:
        connection.assert_open()
    outside = [server.connect() for _ in range(200)]
    for connection in outside:
        try:
            assert_error(connection.read_response(), 503, "too_many_connections")
        except Closed:
            pass
        connection.close()
    for connection in inside:
        connection.assert_open()
        connection.close()
