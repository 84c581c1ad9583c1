"""Clients that take their time: to send a head, to send a body, to read an answer."""
import threading
import time

from jitney_client import Closed, assert_error, request

HEAD = (
    b"POST /v1/indicators/sma HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Content-Length: 100\r\n\r\n"
)


def assert_timeout(connection, begin, at_least_s):
    response = connection.read_response()
    assert_error(response, 408, "request_timeout")
    assert response.closes
    assert time.monotonic() - begin >= at_least_s
    connection.assert_closed()


def test_a_head_that_does_not_end_times_out(start):
    server = start(config={"http": {"header_timeout": "200ms"}})
    with server.connect() as connection:
        begin = time.monotonic()
        connection.send(b"GET /health HTTP/1.1\r\nHost: x\r\n")
        assert_timeout(connection, begin, 0.15)


def test_the_time_for_a_head_is_absolute(start):
    """Sending a byte now and then does not buy more of it."""
    server = start(config={"http": {"header_timeout": "300ms"}})
    with server.connect() as connection:
        begin = time.monotonic()
        done = threading.Event()

        def drip():
            connection.send_what_it_takes(b"GET /health HTTP/1.1\r\n")
            while not done.wait(0.02):
                connection.send_what_it_takes(b"x")

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            assert_timeout(connection, begin, 0.2)
        finally:
            done.set()
            dripping.join()
        assert time.monotonic() - begin < 10


def test_a_second_head_has_a_time_of_its_own(start):
    server = start(config={"http": {"header_timeout": "200ms"}})
    with server.connect() as connection:
        connection.assert_open()
        begin = time.monotonic()
        connection.send(b"GET /hea")
        assert_timeout(connection, begin, 0.15)


def test_a_connection_that_sends_nothing_is_closed_silently(start):
    server = start(config={"http": {"header_timeout": "200ms"}})
    with server.connect() as connection:
        connection.assert_closed()


def test_a_body_that_does_not_end_times_out(start):
    server = start(config={"http": {"body_timeout": "200ms"}})
    with server.connect() as connection:
        begin = time.monotonic()
        connection.send(HEAD + b'{"prices"')
        assert_timeout(connection, begin, 0.15)


def test_slow_clients_do_not_hold_up_others(start):
    server = start(config={"http": {"header_timeout": "60s"}})
    slow = [server.connect() for _ in range(50)]
    for connection in slow:
        connection.send(b"GET /health HT")
    with server.connect() as quick:
        for _ in range(100):
            quick.assert_open()
    for connection in slow:
        connection.send(b"TP/1.1\r\nHost: x\r\n\r\n")
        assert connection.read_response().status == 200
        connection.close()


def big_request():
    """Asks for an answer of several megabytes, more than sockets buffer."""
    return request("POST", "/v1/indicators/ema", {"prices": [1 / 3 + i / 7 for i in range(300000)], "period": 2})


def test_a_slow_reader_gets_everything(start):
    server = start()
    with server.connect(receive_buffer=4096) as connection:
        connection.send(big_request())
        with server.connect() as quick:
            quick.assert_open()
        response = connection.read_response()
        assert response.status == 200
        assert len(response.json()["values"]) == 300000
        connection.assert_open()


def test_a_reader_that_takes_nothing_is_left(start):
    server = start(config={"http": {"write_stall_timeout": "300ms"}})
    with server.connect(receive_buffer=4096) as connection:
        connection.send(big_request())
        server.wait_metric(1, "compute_active_connections")  # only the one that asks for metrics
        try:
            connection.read_response()
        except Closed:
            return
        raise AssertionError("the answer came whole")
