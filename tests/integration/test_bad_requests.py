"""Bad requests: every one gets its verdict, whatever way its bytes were cut, and harms nobody."""
import json
import math
import time

import pytest

from jitney_client import Closed, assert_error

PREDICT = "/v1/models/digits:predict"
SMA = "/v1/indicators/sma"

# --- HTTP: what llhttp leaves to us, and what it does not

GET = b"GET /health HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /v1/indicators/sma HTTP/1.1\r\nHost: x\r\n"
BODY = b'{"prices":[1,3],"period":2}'
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


def line(text):
    return text + b"\r\nHost: x\r\n\r\n"


def host(value):
    return b"GET /health HTTP/1.1\r\nHost: " + value + b"\r\n\r\n"


def encoding(value):
    return POST + b"Transfer-Encoding: " + value + b"\r\n\r\n1b\r\n" + BODY + b"\r\n0\r\n\r\n"


def length(value):
    return POST + b"Content-Length: " + value + b"\r\n\r\n" + BODY


REFUSED = {
    # Host
    "no Host": (b"GET /health HTTP/1.1\r\n\r\n", 400, "bad_request"),
    "two Hosts": (GET + b"Host: x\r\n\r\n", 400, "bad_request"),
    "two different Hosts": (GET + b"Host: y\r\n\r\n", 400, "bad_request"),
    "Host with userinfo": (host(b"me@x"), 400, "bad_request"),
    "Host with a path": (host(b"x/y"), 400, "bad_request"),
    "Host with a comma": (host(b"x,y"), 400, "bad_request"),
    "Host with a space": (host(b"x y"), 400, "bad_request"),
    "empty Host": (host(b""), 400, "bad_request"),
    "Host with a bad port": (host(b"x:8a"), 400, "bad_request"),
    # the version
    "HTTP/0.9": (line(b"GET /health HTTP/0.9"), 400, "bad_request"),
    "no version": (b"GET /health\r\n\r\n", 400, "bad_request"),
    "HTTP/2.0": (line(b"GET /health HTTP/2.0"), 505, "version_not_supported"),
    "HTTP/1.2": (line(b"GET /health HTTP/1.2"), 505, "version_not_supported"),
    "HTTP/9.9": (line(b"GET /health HTTP/9.9"), 505, "version_not_supported"),
    "HTTP/x": (line(b"GET /health HTTP/x"), 400, "bad_request"),
    "RTSP": (line(b"GET /health RTSP/1.0"), 400, "bad_request"),
    "ICE": (line(b"SOURCE /health ICE/1.0"), 400, "bad_request"),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "version_not_supported"),
    # the request line
    "GET *": (line(b"GET * HTTP/1.1"), 400, "bad_request"),
    "a path without slash": (line(b"GET health HTTP/1.1"), 400, "bad_request"),
    "a tab in the target": (line(b"GET /a\tb HTTP/1.1"), 400, "bad_request"),
    "a control byte in the target": (line(b"GET /a\x01b HTTP/1.1"), 400, "bad_request"),
    "DEL in the target": (line(b"GET /a\x7fb HTTP/1.1"), 400, "bad_request"),
    "NUL in the target": (line(b"GET /a\0b HTTP/1.1"), 400, "bad_request"),
    "UTF-8 in the target": (line(b"GET /\xc3\xa9 HTTP/1.1"), 400, "bad_request"),
    "a byte above 0x7f in the target": (line(b"GET /\xff HTTP/1.1"), 400, "bad_request"),
    "a fragment": (line(b"GET /health#top HTTP/1.1"), 400, "bad_request"),
    "a lower case method": (line(b"get /health HTTP/1.1"), 400, "bad_request"),
    "an unknown method": (line(b"BREW /health HTTP/1.1"), 400, "bad_request"),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "bad_request"),
    # header fields
    "a space before the colon": (GET + b"X : y\r\n\r\n", 400, "bad_request"),
    "no colon": (GET + b"X\r\n\r\n", 400, "bad_request"),
    "an empty name": (GET + b": y\r\n\r\n", 400, "bad_request"),
    "a folded line": (GET + b"X: y\r\n z\r\n\r\n", 400, "bad_request"),
    "NUL in a value": (GET + b"X: a\0b\r\n\r\n", 400, "bad_request"),
    "CR in a value": (GET + b"X: a\rb\r\n\r\n", 400, "bad_request"),
    "bare LF": (b"GET /health HTTP/1.1\nHost: x\n\n", 400, "bad_request"),
    # the length of the body
    "empty Transfer-Encoding": (encoding(b""), 400, "bad_request"),
    "Transfer-Encoding that begins with a comma": (encoding(b",chunked"), 400, "bad_request"),
    "Transfer-Encoding that is not chunked": (encoding(b"identity"), 400, "bad_request"),
    "chunked before the end": (encoding(b"chunked, gzip"), 400, "bad_request"),
    "chunked twice": (encoding(b"chunked\r\nTransfer-Encoding: chunked"), 400, "bad_request"),
    "two Transfer-Encodings": (encoding(b"gzip\r\nTransfer-Encoding: chunked"), 400, "bad_request"),
    "a coding that is not done here": (encoding(b"gzip, chunked"), 501, "not_implemented"),
    "Transfer-Encoding in HTTP/1.0": (
        encoding(b"chunked").replace(b"HTTP/1.1", b"HTTP/1.0"), 400, "bad_request"),
    "Content-Length and Transfer-Encoding": (
        POST + b"Content-Length: 27\r\nTransfer-Encoding: chunked\r\n\r\n1b\r\n" + BODY + b"\r\n0\r\n\r\n",
        400, "bad_request"),
    "Transfer-Encoding and Content-Length": (
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 27\r\n\r\n1b\r\n" + BODY + b"\r\n0\r\n\r\n",
        400, "bad_request"),
    "two Content-Lengths": (length(b"27\r\nContent-Length: 28"), 400, "bad_request"),
    "the same Content-Length twice": (length(b"27\r\nContent-Length: 27"), 400, "bad_request"),
    "a negative Content-Length": (length(b"-1"), 400, "bad_request"),
    "a signed Content-Length": (length(b"+27"), 400, "bad_request"),
    "a hexadecimal Content-Length": (length(b"0x1b"), 400, "bad_request"),
    "a list of Content-Lengths": (length(b"27, 27"), 400, "bad_request"),
    "an empty Content-Length": (length(b""), 400, "bad_request"),
    "a Content-Length above 2^64": (length(b"18446744073709551616"), 400, "bad_request"),
    "the largest Content-Length": (length(b"18446744073709551615"), 413, "payload_too_large"),
    # chunks
    "a chunk size that is none": (CHUNKED + b"zz\r\n", 400, "bad_request"),
    "an empty chunk size": (CHUNKED + b"\r\n", 400, "bad_request"),
    "a negative chunk size": (CHUNKED + b"-1\r\n", 400, "bad_request"),
    "a chunk size above 2^64": (CHUNKED + b"10000000000000000\r\n", 400, "bad_request"),
    "the largest chunk size": (CHUNKED + b"ffffffffffffffff\r\n", 413, "payload_too_large"),
    "a chunk longer than its size": (CHUNKED + b"2\r\nabc\r\n0\r\n\r\n", 400, "bad_request"),
    "Content-Length in a trailer": (
        CHUNKED + b"1b\r\n" + BODY + b"\r\n0\r\nContent-Length: 1\r\n\r\n", 400, "bad_request"),
    "Transfer-Encoding in a trailer": (
        CHUNKED + b"1b\r\n" + BODY + b"\r\n0\r\nTransfer-Encoding: gzip\r\n\r\n", 400, "bad_request"),
    # expectations
    "an unknown expectation": (GET + b"Expect: tea\r\n\r\n", 417, "expectation_failed"),
}


def assert_refused(connection, status, code):
    response = connection.read_response()
    assert_error(response, status, code)
    assert response.closes
    connection.assert_closed()


@pytest.mark.parametrize("data, status, code", REFUSED.values(), ids=REFUSED.keys())
def test_refused_by_http(shared, data, status, code):
    with shared.connect() as connection:
        connection.send_what_it_takes(data)
        assert_refused(connection, status, code)


@pytest.mark.parametrize("data, status, code", REFUSED.values(), ids=REFUSED.keys())
def test_the_verdict_is_the_same_for_every_split(shared, data, status, code):
    for split in range(1, len(data)):
        with shared.connect() as connection:
            connection.send_what_it_takes(data[:split], data[split:])
            try:
                assert_refused(connection, status, code)
            except (AssertionError, Closed) as error:
                raise AssertionError(f"split at {split}: {data[:split]!r} {data[split:]!r}") from error


@pytest.mark.parametrize("data, status, code", REFUSED.values(), ids=REFUSED.keys())
def test_the_verdict_is_the_same_byte_by_byte(shared, data, status, code):
    with shared.connect() as connection:
        connection.send_what_it_takes(*(data[i : i + 1] for i in range(len(data))))
        assert_refused(connection, status, code)


ANSWERED = {
    "absolute form": (b"GET http://x/health HTTP/1.1\r\nHost: x\r\n\r\n", 200),
    "a query": (b"GET /health?verbose=1 HTTP/1.1\r\nHost: x\r\n\r\n", 200),
    "Host with a port": (host(b"x:80"), 200),
    "an IPv6 Host": (host(b"[::1]:8001"), 200),
    "Upgrade: h2c": (GET + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n\r\n", 200),
    "an unknown Upgrade": (GET + b"Connection: upgrade\r\nUpgrade: tea\r\n\r\n", 200),
    "a trailer": (CHUNKED + b"1b\r\n" + BODY + b"\r\n0\r\nX: y\r\n\r\n", 200),
    "chunked in capitals": (encoding(b"CHUNKED"), 200),
    "1000 leading zeros in a chunk size": (
        CHUNKED + b"0" * 1000 + b"1b\r\n" + BODY + b"\r\n0\r\n\r\n", 200),
    "CONNECT": (b"CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n", 405),
}


@pytest.mark.parametrize("data, status", ANSWERED.values(), ids=ANSWERED.keys())
def test_answered_by_http(shared, data, status):
    with shared.connect() as connection:
        connection.send(data)
        response = connection.read_response()
        assert response.status == status, response


def test_bytes_behind_the_last_request_do_not_spoil_its_answer(shared):
    with shared.connect() as connection:
        connection.send(GET + b"Connection: close\r\n\r\n" + b"GARBAGE\0" * 100)
        assert connection.read_response().status == 200
        connection.assert_closed()


@pytest.mark.parametrize(
    "data",
    [b"GET /hea", GET, GET + b"X: y", POST + b"Content-Length: 27\r\n\r\n" + BODY[:-1],
     CHUNKED + b"1b\r\n" + BODY[:-1], CHUNKED + b"1b\r\n" + BODY + b"\r\n", CHUNKED + b"1"],
    ids=["in the line", "in the headers", "in a header", "in the body", "in a chunk", "before the last chunk",
         "in a chunk size"],
)
def test_half_a_request_is_never_answered_as_a_whole(shared, data):
    before = shared.metric("compute_requests_total")
    with shared.connect() as connection:
        connection.send(data)
        connection.end_sending()
        try:
            assert_refused(connection, 400, "bad_request")
        except Closed:
            pass
    assert shared.metric("compute_requests_total") == before


# --- what is in the headers, but is no HTTP


def test_a_body_must_be_json(shared):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx", "application/xml"):
        refused = shared.ask("POST", SMA, BODY, {"Content-Type": kind})
        assert_error(refused, 415, "unsupported_media_type")
    for headers in ({}, {"Content-Type": "application/json; charset=utf-8"}, {"Content-Type": "Application/JSON"}):
        assert shared.ask("POST", SMA, BODY, headers).status == 200


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "gzip, gzip"])
def test_a_compressed_body_is_not_read(shared, coding):
    refused = shared.ask("POST", SMA, BODY, {"Content-Type": "application/json", "Content-Encoding": coding})
    assert_error(refused, 415, "unsupported_encoding")


# --- JSON

ROW = b"[" + b",".join([b"0"] * 64) + b"]"


def instance(first):
    """A predict request whose first number is the given text."""
    return b'{"instances":[[' + first + b",0" * 63 + b"]]}"


INVALID_JSON = {
    "nothing": b"",
    "only spaces": b" \r\n\t ",
    "truncated in a number list": b'{"instances":[[1,',
    "truncated in a key": b'{"inst',
    "truncated before the end": instance(b"0")[:-1],
    "trailing bytes": instance(b"0") + b"x",
    "two documents": instance(b"0") + b" {}",
    "a trailing NUL": instance(b"0") + b"\0",
    "a trailing comma in an array": b'{"instances":[' + ROW + b",]}",
    "a trailing comma in an object": b'{"instances":[' + ROW + b"],}",
    "a missing comma": b'{"instances":[[0 0]]}',
    "a missing colon": b'{"instances" [[0]]}',
    "a line comment": b"// x\n" + instance(b"0"),
    "a block comment": b"/* x */" + instance(b"0"),
    "single quotes": b"{'instances':[[0]]}",
    "a bare key": b"{instances:[[0]]}",
    "a byte order mark": b"\xef\xbb\xbf" + instance(b"0"),
    "UTF-16": instance(b"0").decode().encode("utf-16"),
    "UTF-16 without mark": instance(b"0").decode().encode("utf-16-le"),
    "bytes that are no UTF-8": b'{"inst\xff\xfe":1}',
    "an overlong sequence": b'{"inst\xc0\xaf":1}',
    "a surrogate as bytes": b'{"inst\xed\xa0\x80":1}',
    "a control character in a string": b'{"inst\x01":1}',
    "a line break in a string": b'{"inst\n":1}',
    "an unknown escape": b'{"inst\\x41":1}',
    "a short escape": b'{"inst\\u00":1}',
    "a lone high surrogate": b'{"inst\\ud800":1}',
    "a lone low surrogate": b'{"inst\\udc00":1}',
    "an unclosed array": b'{"instances":[[0]}',
    "too many closing brackets": b'{"instances":[[0]]]}',
    "only a closing bracket": b"]",
    "a literal in capitals": b'{"instances":TRUE}',
    "an unknown literal": b'{"instances":undefined}',
    "a form feed as space": b"\x0c" + instance(b"0"),
    "a no-break space": b"\xc2\xa0" + instance(b"0"),
}


@pytest.mark.parametrize("body", INVALID_JSON.values(), ids=INVALID_JSON.keys())
def test_what_is_not_json_is_refused(shared, body):
    with shared.connect() as connection:
        refused = connection.ask("POST", PREDICT, body, {"Content-Type": "application/json"})
        assert_error(refused, 400, {"invalid_json", "empty_input"} if not body.strip() else "invalid_json")
        assert not refused.closes
        connection.assert_open()


def test_an_error_of_syntax_says_where(shared):
    refused = shared.ask("POST", PREDICT, b'{"instances": [[1, x]]}')
    assert "19" in assert_error(refused, 400, "invalid_json")["error"]


INVALID_NUMBERS = {
    "NaN": b"NaN",
    "nan": b"nan",
    "Infinity": b"Infinity",
    "-Infinity": b"-Infinity",
    "inf": b"inf",
    "a plus": b"+1",
    "a leading zero": b"01",
    "a lone minus": b"-",
    "no digit before the point": b".5",
    "no digit after the point": b"1.",
    "an empty exponent": b"1e",
    "hexadecimal": b"0x10",
    "an underscore": b"1_000",
    "a decimal comma and a space": b"1 5",
}


@pytest.mark.parametrize("text", INVALID_NUMBERS.values(), ids=INVALID_NUMBERS.keys())
def test_what_is_not_a_number_is_refused(shared, text):
    refused = shared.ask("POST", PREDICT, instance(text))
    assert_error(refused, 400, {"invalid_json", "invalid_number"})


@pytest.mark.parametrize("text", [b"1e999", b"-1e999", b"1" + b"0" * 400, b"1e400"])
def test_a_number_beyond_float64_is_refused(shared, text):
    codes = {"invalid_json", "number_out_of_range", "invalid_number"}
    assert_error(shared.ask("POST", PREDICT, instance(text)), 400, codes)
    assert_error(shared.ask("POST", SMA, b'{"prices":[1,' + text + b'],"period":1}'), 400, codes)


@pytest.mark.parametrize("text", [b"3.5e38", b"-3.5e38", b"1e300", b"340282366920938463463374607431768211456"])
def test_a_number_beyond_float32_is_refused_where_floats_are_wanted(shared, text):
    body = assert_error(shared.ask("POST", PREDICT, instance(text)), 400, "number_out_of_range")
    assert "instances[0]" in body["error"]
    assert shared.ask("POST", SMA, b'{"prices":[' + text + b'],"period":1}').status == 200


@pytest.mark.parametrize("text", [b"1e-400", b"-1e-400", b"3.4028234e38", b"1e-46", b"-0", b"0.0", b"1E2", b"1e+2"])
def test_numbers_at_the_border_are_accepted(shared, text):
    assert shared.ask("POST", PREDICT, instance(text)).status == 200


def test_a_number_too_small_for_float64_is_zero(shared):
    response = shared.ask("POST", SMA, b'{"prices":[1e-400,2],"period":2}')
    assert response.json()["values"] == [None, 1]


@pytest.mark.parametrize("text", [b"1" * 1000000, b"0." + b"1" * 1000000, b"1e" + b"0" * 1000000 + b"1"])
def test_a_million_digits_are_refused(shared, text):
    refused = shared.ask("POST", PREDICT, instance(text))
    assert_error(refused, 400, {"number_too_long", "invalid_json", "number_out_of_range"})


@pytest.mark.parametrize("text", [b"null", b'"1"', b"true", b"false", b"{}", b"[1]"])
def test_what_is_no_number_in_a_tensor_is_refused(shared, text):
    refused = shared.ask("POST", PREDICT, instance(text))
    body = assert_error(refused, 400, {"wrong_type", "invalid_number", "invalid_shape", "too_deep"})
    assert "instances[0]" in body["error"]


# --- fields and types

FIELDS = {
    "an array at the top": (PREDICT, b"[]", "wrong_type"),
    "a number at the top": (PREDICT, b"1", "wrong_type"),
    "a string at the top": (PREDICT, b'"instances"', "wrong_type"),
    "null at the top": (PREDICT, b"null", "wrong_type"),
    "no field": (PREDICT, b"{}", "missing_field"),
    "an unknown field": (PREDICT, b'{"instances":[' + ROW + b'],"instance":1}', "unknown_field"),
    "a repeated field": (PREDICT, b'{"instances":[' + ROW + b'],"instances":[' + ROW + b"]}", "duplicate_field"),
    "a repeated field in disguise": (
        PREDICT, b'{"instances":[' + ROW + b'],"\\u0069nstances":[' + ROW + b"]}", "duplicate_field"),
    "instances null": (PREDICT, b'{"instances":null}', "wrong_type"),
    "instances a number": (PREDICT, b'{"instances":1}', "wrong_type"),
    "instances a string": (PREDICT, b'{"instances":"1"}', "wrong_type"),
    "instances an object": (PREDICT, b'{"instances":{}}', "wrong_type"),
    "no instances in the list": (PREDICT, b'{"instances":[]}', "empty_input"),
    "an empty instance": (PREDICT, b'{"instances":[[]]}', {"invalid_shape", "empty_input"}),
    "an instance that is no array": (PREDICT, b'{"instances":[' + ROW + b",1]}", {"wrong_type", "invalid_shape"}),
    "an instance of 63": (PREDICT, b'{"instances":[[' + b",".join([b"0"] * 63) + b"]]}", "invalid_shape"),
    "an instance of 65": (PREDICT, b'{"instances":[[' + b",".join([b"0"] * 65) + b"]]}", "invalid_shape"),
    "ragged instances": (PREDICT, b'{"instances":[' + ROW + b",[0]]}", "invalid_shape"),
    "ragged nesting": (PREDICT, b'{"instances":[' + ROW + b",[" + ROW + b"]]}", {"invalid_shape", "wrong_type"}),
    "prices missing": (SMA, b'{"period":2}', "missing_field"),
    "period missing": (SMA, b'{"prices":[1]}', "missing_field"),
    "unknown field": (SMA, b'{"prices":[1],"period":1,"window":1}', "unknown_field"),
    "repeated period": (SMA, b'{"prices":[1],"period":1,"period":1}', "duplicate_field"),
    "prices and series": (
        SMA, b'{"prices":[1],"series":[[1]],"period":1}', {"invalid_parameter", "duplicate_field", "unknown_field"}),
    "prices null": (SMA, b'{"prices":null,"period":1}', "wrong_type"),
    "prices a number": (SMA, b'{"prices":1,"period":1}', "wrong_type"),
    "a price that is a string": (SMA, b'{"prices":[1,"2"],"period":1}', {"wrong_type", "invalid_number"}),
    "a price that is null": (SMA, b'{"prices":[1,null],"period":1}', {"wrong_type", "invalid_number"}),
    "prices nested": (SMA, b'{"prices":[[1]],"period":1}', {"wrong_type", "invalid_shape"}),
    "series flat": (SMA, b'{"series":[1],"period":1}', {"wrong_type", "invalid_shape"}),
    "no prices": (SMA, b'{"prices":[],"period":1}', "empty_input"),
    "no series": (SMA, b'{"series":[],"period":1}', "empty_input"),
    "an empty series": (SMA, b'{"series":[[1],[]],"period":1}', "empty_input"),
    "period 0": (SMA, b'{"prices":[1],"period":0}', "invalid_parameter"),
    "period -1": (SMA, b'{"prices":[1],"period":-1}', "invalid_parameter"),
    "period 1.5": (SMA, b'{"prices":[1,2],"period":1.5}', {"invalid_parameter", "wrong_type"}),
    "period 1e30": (SMA, b'{"prices":[1,2],"period":1e30}', {"invalid_parameter", "wrong_type"}),
    "period 2^64": (SMA, b'{"prices":[1,2],"period":18446744073709551616}', {"invalid_parameter", "wrong_type"}),
    "period larger than the series": (SMA, b'{"prices":[1,2],"period":3}', "invalid_parameter"),
    "period larger than one series": (SMA, b'{"series":[[1,2],[1]],"period":2}', "invalid_parameter"),
    "period a string": (SMA, b'{"prices":[1],"period":"1"}', "wrong_type"),
    "period null": (SMA, b'{"prices":[1],"period":null}', "wrong_type"),
}
# What the text must name, so that the client finds its mistake.
NAMES = ("period", "instances", "instance", "prices", "series", "window")


@pytest.mark.parametrize("path, body, codes", FIELDS.values(), ids=FIELDS.keys())
def test_wrong_fields_are_refused_by_name(shared, path, body, codes):
    with shared.connect() as connection:
        refused = connection.ask("POST", path, body, {"Content-Type": "application/json"})
        error = assert_error(refused, 400, codes)
        if body.startswith(b"{"):
            assert any(name in error["error"] for name in NAMES), error
        assert not refused.closes
        connection.assert_open()


def test_the_text_of_an_error_escapes_what_the_client_sent(shared):
    refused = shared.ask("POST", PREDICT, json.dumps({'a"b\\\n\u2028<é': 1}).encode())
    assert_error(refused, 400, "unknown_field")


# --- sizes


def test_limits_of_rows_series_and_points(start):
    server = start(config={"limits": {"instances_max": 3, "series_max": 2, "points_max": 10}})
    row = [0] * 64
    assert server.ask("POST", PREDICT, {"instances": [row] * 3}).status == 200
    assert_error(server.ask("POST", PREDICT, {"instances": [row] * 4}), 400, "too_many_rows")
    assert server.ask("POST", SMA, {"series": [[1] * 5] * 2, "period": 1}).status == 200
    assert_error(
        server.ask("POST", SMA, {"series": [[1]] * 3, "period": 1}), 400, {"too_many_rows", "too_many_points"})
    assert_error(server.ask("POST", SMA, {"series": [[1] * 5, [1] * 6], "period": 1}), 400, "too_many_points")
    assert server.ask("POST", SMA, {"prices": [1] * 10, "period": 1}).status == 200
    assert_error(server.ask("POST", SMA, {"prices": [1] * 11, "period": 1}), 400, "too_many_points")


@pytest.mark.measured
def test_a_megabyte_of_brackets_is_refused_quickly(shared):
    for body in (b"[" * 1000000, b'{"instances":' + b"[" * 1000000, b'{"a":' * 200000):
        begin = time.monotonic()
        refused = shared.ask("POST", PREDICT, body)
        assert_error(refused, 400, {"invalid_json", "too_deep", "wrong_type"})
        # 20 ms are promised of the server; this bound is for one under sanitizers on a busy machine.
        assert time.monotonic() - begin < 2


def test_a_deep_but_complete_document_is_refused(shared):
    body = b'{"instances":' + b"[" * 100 + b"1" + b"]" * 100 + b"}"
    assert_error(shared.ask("POST", PREDICT, body), 400, {"too_deep", "invalid_shape", "wrong_type"})


@pytest.mark.measured
def test_many_unknown_keys_cost_linear_time(shared):
    def ask_seconds(count):
        body = json.dumps({f"key{i}": i for i in range(count)}).encode()
        begin = time.monotonic()
        assert_error(shared.ask("POST", PREDICT, body), 400, "unknown_field")
        return time.monotonic() - begin

    assert min(ask_seconds(20000) for _ in range(3)) < 1


# --- routes

NOT_FOUND = {
    "no such route": ("GET", "/nowhere", "not_found"),
    "below a route": ("GET", "/health/deep", "not_found"),
    "an unknown model": ("POST", "/v1/models/absent:predict", "model_not_found"),
    "an unknown version": ("POST", "/v1/models/digits/versions/99:predict", "model_not_found"),
    "an unknown indicator": ("POST", "/v1/indicators/macd", "not_found"),
    "a model named like a path": ("POST", "/v1/models/..%2f..%2fetc:predict", {"model_not_found", "not_found"}),
    "a model that walks up": ("POST", "/v1/models/../digits:predict", {"model_not_found", "not_found"}),
    "a model without name": ("POST", "/v1/models/:predict", {"model_not_found", "not_found"}),
    "a model with a long name": ("POST", f"/v1/models/{'x' * 500}:predict", {"model_not_found", "not_found"}),
    "a model with NUL": ("POST", "/v1/models/digits%00:predict", {"model_not_found", "not_found"}),
    "what only the admin listener has": ("GET", "/v1/config", "not_found"),
}


@pytest.mark.parametrize("method, path, codes", NOT_FOUND.values(), ids=NOT_FOUND.keys())
def test_what_is_not_there_is_404(shared, method, path, codes):
    with shared.connect() as connection:
        body = {"instances": [[0] * 64]} if method == "POST" else None
        assert_error(connection.ask(method, path, body), 404, codes)
        connection.assert_open()


def test_after_all_this_the_server_is_well(shared):
    response = shared.ask("POST", SMA, {"prices": [1, 3], "period": 2})
    assert response.json()["values"] == [None, 2]
    assert shared.metric("compute_active_connections") <= 2
    assert math.isfinite(shared.metric("http_protocol_errors_total"))
    assert shared.metric("http_protocol_errors_total") > 0
