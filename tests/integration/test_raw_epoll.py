"""The floor that the service is compared with (tests/bench/raw_epoll.c): it must answer what the bench sends."""
import os
import signal
import subprocess

import pytest

from jitney_client import Connection, request

BODY_BYTES = 200
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % BODY_BYTES
    + b" " * BODY_BYTES
)
GET = request("GET", "/health")
POST = request("POST", "/v1/models/digits:predict", {"instances": [[0.125] * 64]})


@pytest.fixture(params=["tcp", "unix"])
def raw(request, tmp_path):
    """(its process, its address)"""
    listen = "127.0.0.1:0" if request.param == "tcp" else f"unix:{tmp_path / 'raw.sock'}"
    process = subprocess.Popen([os.environ["JITNEY_RAW_EPOLL"], listen, str(BODY_BYTES)],
                               stdout=subprocess.PIPE, text=True)
    try:
        where = process.stdout.readline().removeprefix("listening ").strip()
        host, _, port = where.rpartition(":")
        yield process, (host, int(port)) if request.param == "tcp" else port
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()


def assert_answered(connection):
    received = b""
    while len(received) < len(ANSWER) and (piece := connection.socket.recv(65536)):
        received += piece
    assert received == ANSWER


def test_a_connection_is_answered_again_and_again(raw):
    with Connection(raw[1]) as connection:
        for whole in (GET, POST, POST, GET):
            connection.send(whole)
            assert_answered(connection)


def test_where_a_request_is_split_makes_no_difference(raw):
    with Connection(raw[1]) as connection:
        for at in range(1, len(POST)):
            connection.send(POST[:at], POST[at:])
            assert_answered(connection)
        connection.send(*(POST[i:i + 1] for i in range(len(POST))))
        assert_answered(connection)


def test_a_body_larger_than_its_buffer_is_read_to_the_end(raw):
    with Connection(raw[1]) as connection:
        connection.send(request("POST", "/", b"x" * 1_000_000))
        assert_answered(connection)
        connection.send(GET)
        assert_answered(connection)


def test_a_client_that_leaves_is_nobody_elses_problem(raw):
    _, address = raw
    with Connection(address) as stays:
        for part in (b"", GET[:10], POST[:-1], GET):
            with Connection(address) as leaves:
                leaves.send(part)
        with Connection(address) as leaves:
            leaves.send(POST[:-1])
            leaves.reset()
        stays.send(POST)
        assert_answered(stays)


def test_what_it_cannot_follow_ends_the_connection(raw):
    for wrong in (GET + GET, b"x" * 10_000):
        with Connection(raw[1]) as connection:
            connection.send_what_it_takes(wrong)
            connection.assert_closed()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order_with_clients_there(raw, number):
    process, address = raw
    with Connection(address) as connection:
        connection.send(POST)
        assert_answered(connection)
        process.send_signal(number)
        assert process.wait(20) == 0
        connection.assert_closed()
    assert not isinstance(address, str) or not os.path.exists(address)
