"""Requests sent before the answers to earlier ones have come."""
import pytest

from jitney_client import assert_error, request

INDICATOR = "/v1/indicators/sma"


def sma(first):
    return request("POST", INDICATOR, {"prices": [first, first + 2], "period": 2})


def values(connection):
    response = connection.read_response()
    assert response.status == 200, response
    return response.json()["values"]


def test_answers_keep_the_order_of_the_requests(shared):
    with shared.connect() as connection:
        connection.send(b"".join(sma(i) for i in range(100)))
        assert [values(connection) for _ in range(100)] == [[None, i + 1] for i in range(100)]
        connection.assert_open()


def test_a_quick_answer_waits_for_the_slow_one_before_it(start):
    server = start(config={"batching": {"max_delay": "300ms", "max_idle_delay": "300ms"}})
    with server.connect() as connection:
        connection.send(sma(1) + request("GET", "/health") + sma(2))
        assert values(connection) == [None, 2]
        assert connection.read_response().json()["status"] == "ok"
        assert values(connection) == [None, 3]


def test_every_split_of_two_requests_gives_the_same_answers(shared):
    both = request("GET", "/v1/models/absent") + request("POST", INDICATOR, {"prices": [1, 3], "period": 2})
    for split in range(1, len(both)):
        with shared.connect() as connection:
            connection.send(both[:split], both[split:])
            assert_error(connection.read_response(), 404, "model_not_found")
            assert values(connection) == [None, 2]


def test_bytes_one_at_a_time_are_two_requests_too(shared):
    both = sma(1) + sma(2)
    with shared.connect() as connection:
        connection.send(*(both[i : i + 1] for i in range(len(both))))
        assert [values(connection), values(connection)] == [[None, 2], [None, 3]]


def test_empty_lines_between_requests_are_ignored(shared):
    with shared.connect() as connection:
        connection.send(sma(1) + b"\r\n" + sma(2))
        assert [values(connection), values(connection)] == [[None, 2], [None, 3]]


def test_more_pipelined_bytes_than_are_kept_lose_nothing(start):
    """Beyond the bound the server stops reading, until answers have made room."""
    server = start(config={"http": {"pipelined_bytes_max": 1024}})
    count = 1000
    with server.connect() as connection:
        connection.send(b"".join(sma(i) for i in range(count)))
        assert [values(connection) for _ in range(count)] == [[None, i + 1] for i in range(count)]
        connection.assert_open()


def test_a_broken_request_behind_a_good_one_is_answered_after_it(shared):
    with shared.connect() as connection:
        connection.send(sma(1) + b"NOT HTTP\r\n\r\n")
        assert values(connection) == [None, 2]
        refused = connection.read_response()
        assert_error(refused, 400, "bad_request")
        assert refused.closes
        connection.assert_closed()


@pytest.mark.parametrize("last", ["HTTP/1.0", "Connection: close"])
def test_nothing_behind_the_last_request_is_answered(shared, last):
    first = sma(1)
    if last == "HTTP/1.0":
        first = first.replace(b"HTTP/1.1", b"HTTP/1.0", 1)
    else:
        first = first.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
    with shared.connect() as connection:
        connection.send(first + sma(2))
        assert values(connection) == [None, 2]
        connection.assert_closed()
