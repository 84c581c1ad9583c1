"""How much the server reads before it says no."""
import json

import pytest

from jitney_client import assert_error, request

SMA = "/v1/indicators/sma"
LIMIT = 4096
SMALL = {
    "http": {
        "body_bytes_max": LIMIT,
        "chunks_max": 64,
        "chunk_extension_bytes_max": 256,
        "headers_max": 20,
        "headers_bytes_max": 1024,
        "request_line_bytes_max": 512,
    }
}
HEAD = b"POST /v1/indicators/sma HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
BODY = json.dumps({"prices": [1, 3], "period": 2}).encode()


def body_of(size):
    body = json.dumps({"prices": [1, 3], "period": 2}).encode()
    return body + b" " * (size - len(body))


def chunk(data, extension=b""):
    return b"%x%s\r\n%s\r\n" % (len(data), extension, data)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    from jitney_server import Server

    server = Server(tmp_path_factory.mktemp("small"), config=SMALL)
    try:
        yield server.wait_ready()
        server.stop()
    finally:
        server.kill()


def assert_refused(connection, status, code):
    response = connection.read_response()
    assert_error(response, status, code)
    assert response.closes
    connection.assert_closed()


def assert_computed(connection):
    response = connection.read_response()
    assert response.status == 200, response
    assert response.json()["values"] == [None, 2]


# --- Content-Length


def test_a_body_at_the_limit_is_served(small):
    with small.connect() as connection:
        connection.send(request("POST", SMA, body_of(LIMIT)))
        assert_computed(connection)
        connection.assert_open()


def test_a_body_one_byte_above_the_limit_is_too_large(small):
    with small.connect() as connection:
        connection.send_what_it_takes(request("POST", SMA, body_of(LIMIT + 1)))
        assert_refused(connection, 413, "payload_too_large")


def test_the_default_limit_is_16_mib(shared):
    mib16 = 16 * 1024 * 1024
    with shared.connect() as connection:
        connection.send(request("POST", SMA, body_of(mib16)))
        assert_computed(connection)
    with shared.connect() as connection:
        connection.send(HEAD + b"Content-Length: %d\r\n\r\n" % (mib16 + 1))
        assert_refused(connection, 413, "payload_too_large")


@pytest.mark.parametrize("length", [LIMIT + 1, 2**31, 2**32, 2**63, 2**64 - 1])
def test_a_declared_length_is_refused_before_the_body_comes(small, length):
    with small.connect() as connection:
        connection.send(HEAD + b"Content-Length: %d\r\n\r\n" % length)
        assert_refused(connection, 413, "payload_too_large")


def test_the_answer_survives_the_body_that_nobody_reads(small):
    """A plain close would reset the connection and take the answer with it."""
    with small.connect() as connection:
        connection.send_what_it_takes(HEAD + b"Content-Length: 200000\r\n\r\n", b"x" * 200000)
        assert_refused(connection, 413, "payload_too_large")


# --- Expect: 100-continue


def test_a_client_that_asks_first_is_told_to_go_on(small):
    with small.connect() as connection:
        connection.send(HEAD + b"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n" % len(BODY))
        assert connection.read_interim() == 100
        connection.send(BODY)
        assert_computed(connection)
        connection.assert_open()


def test_a_client_that_asks_first_is_refused_before_it_sends(small):
    too_long = b"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n" % (LIMIT + 1)
    with small.connect() as connection:
        connection.send(HEAD + too_long)
        response = connection.read_response()
        assert_error(response, 413, "payload_too_large")
        assert response.interim == ()
    with small.connect() as connection:
        connection.send(HEAD.replace(b"sma", b"nix") + b"Content-Length: 9\r\nExpect: 100-continue\r\n\r\n")
        response = connection.read_response()
        assert_error(response, 404, "not_found")
        assert response.interim == ()


def test_any_other_expectation_fails(small):
    with small.connect() as connection:
        connection.send(HEAD + b"Content-Length: 2\r\nExpect: 200-ok\r\n\r\n")
        assert_refused(connection, 417, "expectation_failed")


def test_http_1_0_gets_no_interim_answer(small):
    head = HEAD.replace(b"HTTP/1.1", b"HTTP/1.0") + b"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n"
    with small.connect() as connection:
        connection.send(head % len(BODY), BODY)
        response = connection.read_response()
        assert (response.status, response.interim) == (200, ())


# --- chunks


def test_a_chunked_body_is_a_body(small):
    with small.connect() as connection:
        connection.send(CHUNKED + b"".join(chunk(BODY[i : i + 3]) for i in range(0, len(BODY), 3)), b"0\r\n\r\n")
        assert_computed(connection)
        connection.assert_open()


def test_a_chunked_body_at_the_limit_is_served(small):
    body = body_of(LIMIT)
    with small.connect() as connection:
        connection.send(CHUNKED + chunk(body[:100]) + chunk(body[100:]) + b"0\r\n\r\n")
        assert_computed(connection)


def test_a_chunked_body_one_byte_above_the_limit_is_too_large(small):
    body = body_of(LIMIT + 1)
    with small.connect() as connection:
        connection.send_what_it_takes(CHUNKED + chunk(body[:100]) + chunk(body[100:]) + b"0\r\n\r\n")
        assert_refused(connection, 413, "payload_too_large")


@pytest.mark.parametrize("size", [b"1001", b"ffffffff", b"7fffffffffffffff", b"ffffffffffffffff"])
def test_a_chunk_size_is_refused_before_the_chunk_comes(small, size):
    with small.connect() as connection:
        connection.send(CHUNKED + size + b"\r\n")
        assert_refused(connection, 413, "payload_too_large")


def test_as_many_chunks_as_allowed_are_served_and_one_more_is_not(small):
    def chunks(count):
        """`count` chunks, with the empty one at the end."""
        padded = body_of(count - 1)
        return b"".join(chunk(padded[i : i + 1]) for i in range(count - 1)) + b"0\r\n\r\n"

    with small.connect() as connection:
        connection.send(CHUNKED + chunks(64))
        assert_computed(connection)
    with small.connect() as connection:
        connection.send_what_it_takes(CHUNKED + chunks(66))
        assert_refused(connection, 413, "payload_too_large")


def test_20000_one_byte_chunks_are_too_many_here_but_not_by_default(small, shared):
    body = body_of(20000)
    chunks = b"".join(chunk(body[i : i + 1]) for i in range(len(body))) + b"0\r\n\r\n"
    with shared.connect() as connection:
        connection.send(CHUNKED + chunks)
        assert_computed(connection)
    with small.connect() as connection:
        connection.send_what_it_takes(CHUNKED + chunks)
        assert_refused(connection, 413, "payload_too_large")


def test_chunk_extensions_are_ignored_up_to_a_limit(small):
    with small.connect() as connection:
        connection.send(CHUNKED + chunk(BODY, b";name=value") + b"0\r\n\r\n")
        assert_computed(connection)
    with small.connect() as connection:
        connection.send_what_it_takes(CHUNKED + chunk(BODY, b";" + b"x" * 300) + b"0\r\n\r\n")
        assert_refused(connection, 413, "payload_too_large")


def test_leading_zeros_of_a_chunk_size_do_not_go_on_for_ever(small):
    with small.connect() as connection:
        connection.send_what_it_takes(CHUNKED + b"0" * 100000)
        assert_refused(connection, 413, "payload_too_large")


def test_trailers_are_dropped_and_counted(small):
    last = chunk(BODY) + b"0\r\n"
    with small.connect() as connection:
        connection.send(CHUNKED + last + b"X-Checksum: 1\r\nHost: other\r\n\r\n")
        assert_computed(connection)
        connection.assert_open()
    with small.connect() as connection:
        connection.send_what_it_takes(CHUNKED + last + b"X-Big: " + b"x" * 2000 + b"\r\n\r\n")
        assert_refused(connection, 431, "headers_too_large")
    with small.connect() as connection:
        connection.send_what_it_takes(CHUNKED + last + b"X: y\r\n" * 30 + b"\r\n")
        assert_refused(connection, 431, "headers_too_large")


# --- request line and headers


def line(length):
    """A request line whose method and target have this many bytes."""
    return b"GET /" + b"x" * (length - 4) + b" HTTP/1.1\r\nHost: x\r\n\r\n"


def test_a_request_line_up_to_the_limit_is_read(small):
    with small.connect() as connection:
        connection.send(line(480))
        assert_error(connection.read_response(), 404, "not_found")
        connection.send(line(600))
        assert_refused(connection, 414, "uri_too_long")


def test_8000_bytes_of_request_line_pass_by_default_and_a_mebibyte_does_not(shared):
    with shared.connect() as connection:
        connection.send(line(8000))
        assert_error(connection.read_response(), 404, "not_found")
        connection.send_what_it_takes(line(1024 * 1024))
        assert_refused(connection, 414, "uri_too_long")


def test_headers_up_to_the_limits_are_read(small):
    get = b"GET /health HTTP/1.1\r\nHost: x\r\n"
    with small.connect() as connection:
        connection.send(get + b"X: y\r\n" * 19 + b"\r\n")
        assert connection.read_response().status == 200
        connection.send(get + b"X: y\r\n" * 20 + b"\r\n")
        assert_refused(connection, 431, "headers_too_large")
    with small.connect() as connection:
        connection.send(get + b"X: " + b"y" * 900 + b"\r\n\r\n")
        assert connection.read_response().status == 200
        connection.send(get + b"X: " + b"y" * 1100 + b"\r\n\r\n")
        assert_refused(connection, 431, "headers_too_large")


@pytest.mark.parametrize(
    "headers",
    [b"X: y\r\n" * 10000, b"X: " + b"y" * 1024 * 1024 + b"\r\n", b"x" * 100000 + b": y\r\n",
     b"X:" + b" " * 1024 * 1024 + b"y\r\n"],
    ids=["10000 fields", "a large value", "a large name", "spaces before a value"],
)
def test_large_heads_are_refused_by_default(shared, headers):
    with shared.connect() as connection:
        connection.send_what_it_takes(b"GET /health HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n")
        assert_refused(connection, 431, "headers_too_large")
