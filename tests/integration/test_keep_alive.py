"""When a connection goes on, and when it ends."""
import time

from jitney_client import assert_error, request


def test_a_connection_takes_many_requests(shared):
    with shared.connect() as connection:
        for _ in range(1000):
            connection.assert_open()


def test_http_1_1_stays_open_and_says_nothing_of_it(shared):
    with shared.connect() as connection:
        response = connection.ask("GET", "/health")
        assert response.headers.get("connection", "keep-alive").lower() == "keep-alive"
        connection.assert_open()


def test_http_1_1_closes_when_asked(shared):
    with shared.connect() as connection:
        assert connection.ask("GET", "/health", headers={"Connection": "close"}).closes
        connection.assert_closed()


def test_http_1_0_closes_unless_asked(shared):
    head = request("GET", "/health").replace(b"HTTP/1.1", b"HTTP/1.0")
    with shared.connect() as connection:
        connection.send(head)
        assert connection.read_response().closes
        connection.assert_closed()
    with shared.connect() as connection:
        connection.send(head.replace(b"\r\n\r\n", b"\r\nConnection: keep-alive\r\n\r\n"))
        assert connection.read_response().headers["connection"].lower() == "keep-alive"
        connection.assert_open()


def test_http_1_0_needs_no_host(shared):
    with shared.connect() as connection:
        connection.send(b"GET /health HTTP/1.0\r\n\r\n")
        assert connection.read_response().status == 200


def test_a_bad_body_leaves_the_connection_open(shared):
    with shared.connect() as connection:
        refused = connection.ask("POST", "/v1/indicators/sma", b"{", {"Content-Type": "application/json"})
        assert_error(refused, 400, "invalid_json")
        assert not refused.closes
        connection.assert_open()


def test_an_unknown_route_leaves_the_connection_open(shared):
    with shared.connect() as connection:
        assert_error(connection.ask("POST", "/nowhere", b"x" * 1000), 404, "not_found")
        assert_error(connection.ask("GET", "/nowhere"), 404, "not_found")
        connection.assert_open()


def test_an_idle_connection_is_closed_silently(start):
    server = start(config={"http": {"keep_alive_timeout": "200ms"}})
    with server.connect() as connection:
        connection.assert_open()
        begin = time.monotonic()
        connection.assert_closed()
        assert time.monotonic() - begin >= 0.15


def test_a_half_closed_connection_is_still_answered(start):
    server = start(config={"batching": {"max_delay": "200ms", "max_idle_delay": "200ms"}})
    with server.connect() as connection:
        connection.send(request("POST", "/v1/indicators/sma", {"prices": [1, 3], "period": 2}))
        connection.end_sending()
        assert connection.read_response().json()["values"] == [None, 2]
        connection.assert_closed()


def test_requests_before_a_half_close_are_all_answered(shared):
    with shared.connect() as connection:
        connection.send(request("GET", "/health") * 20)
        connection.end_sending()
        assert [connection.read_response().status for _ in range(20)] == [200] * 20
        connection.assert_closed()
