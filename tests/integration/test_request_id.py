"""Requests have names: echoed, logged, and found again in the exemplars of the latency histograms."""
import re
import time

import pytest
from prometheus_client.openmetrics import parser as openmetrics

from jitney_client import request
from jitney_server import wait_until

PREDICT = "/v1/models/digits:predict"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
MADE_UP = re.compile("[0-9a-f]{32}")


def id_of(response):
    return response.headers["x-request-id"]


@pytest.fixture(scope="module")
def body():
    return {"instances": [[0.25] * 64]}


def exemplars(server, family, **labels):
    """[(trace id, value, time, le)] of a histogram, through a strict parser."""
    text = server.ask("GET", "/metrics", headers={"Accept": "application/openmetrics-text"}).body.decode()
    found = next(f for f in openmetrics.text_string_to_metric_families(text) if f.name == family)
    return [(s.exemplar.labels["trace_id"], s.exemplar.value, float(s.exemplar.timestamp), float(s.labels["le"]))
            for s in found.samples if s.exemplar and labels.items() <= s.labels.items()]


def test_every_answer_has_an_id_of_its_own(shared, body):
    answers = [shared.ask("POST", PREDICT, body) for _ in range(20)]
    answers += [shared.ask("GET", path) for path in ("/health", "/metrics", "/nowhere", "/v1/models")]
    answers.append(shared.ask("POST", PREDICT, b"{"))
    ids = [id_of(answer) for answer in answers]
    assert all(MADE_UP.fullmatch(one) for one in ids), ids
    assert len(set(ids)) == len(ids)


def test_so_has_one_to_what_was_no_request(shared):
    with shared.connect() as connection:
        connection.send(b"NOT HTTP\r\n\r\n")
        response = connection.read_response()
        assert response.status == 400 and MADE_UP.fullmatch(id_of(response))


@pytest.mark.parametrize("status, method, path, sent", [
    (200, "GET", "/health", None),
    (404, "GET", "/nowhere", None),
    (405, "GET", PREDICT, None),
    (400, "POST", PREDICT, b"{"),
])
def test_a_clients_id_is_echoed(shared, status, method, path, sent):
    response = shared.ask(method, path, sent, headers={"X-Request-Id": "order-17/3"})
    assert response.status == status
    assert id_of(response) == "order-17/3"


def test_on_one_connection_each_request_has_its_own(shared):
    with shared.connect() as connection:
        connection.send(request("GET", "/health", headers={"X-Request-Id": "first"}))
        connection.send(request("GET", "/health"))
        connection.send(request("GET", "/health", headers={"X-Request-Id": "third"}))
        ids = [id_of(connection.read_response()) for _ in range(3)]
    assert ids[0] == "first" and MADE_UP.fullmatch(ids[1]) and ids[2] == "third"


@pytest.mark.parametrize("bad", ["x" * 65, "a b", "a,b", '"', "\\", "<a>", ""])
def test_an_id_that_is_not_to_be_repeated_is_replaced(shared, bad):
    response = shared.ask("GET", "/health", headers={"X-Request-Id": bad})
    assert response.status == 200
    assert MADE_UP.fullmatch(id_of(response))


def test_of_two_ids_none_is_taken(shared):
    head = "GET /health HTTP/1.1\r\nHost: a\r\nX-Request-Id: one\r\nx-request-id: two\r\n"
    with shared.connect() as connection:
        connection.send((head + f"traceparent: {TRACEPARENT}\r\ntraceparent: {TRACEPARENT}\r\n\r\n").encode())
        response = connection.read_response()
    assert response.status == 200
    assert MADE_UP.fullmatch(id_of(response))


# --- exemplars

HTTP, BATCHER = "http_request_duration_seconds", "batcher_request_latency_seconds"


def test_exemplars_name_requests_that_were_made(start, body):
    server = start()
    before = time.time()
    sent = {id_of(server.ask("POST", PREDICT, body)) for _ in range(50)}
    for family, labels in ((HTTP, {"route": "/v1/models/{model}:predict"}), (BATCHER, {"model": "digits"})):
        found = exemplars(server, family, **labels)
        assert found and {one[0] for one in found} <= sent
        for _, value, at, le in found:
            assert 0 < value <= le
            assert before - 1 <= at <= time.time() + 1
    text = server.ask("GET", "/metrics").body.decode()
    assert " # {" not in text, "an exemplar in the text format"


@pytest.mark.parametrize("headers, name", [
    ({"traceparent": TRACEPARENT}, TRACE),
    ({"traceparent": TRACEPARENT, "X-Request-Id": "mine"}, TRACE),
    ({"X-Request-Id": "mine"}, "mine"),
    ({"traceparent": TRACEPARENT.upper(), "X-Request-Id": "mine"}, "mine"),
    ({"traceparent": f"00-{'0' * 32}-00f067aa0ba902b7-01", "X-Request-Id": "mine"}, "mine"),
    ({"X-Request-Id": "m" * 64}, "m" * 64),
], ids=["trace", "both", "id", "capitals", "zeros", "longest"])
def test_a_trace_goes_before_an_id(start, body, headers, name):
    server = start()
    assert server.ask("POST", PREDICT, body, headers=headers).status == 200
    for family, labels in ((HTTP, {"route": "/v1/models/{model}:predict"}), (BATCHER, {"model": "digits"})):
        assert [one[0] for one in exemplars(server, family, **labels)] == [name]


# --- the log

def test_the_access_log_names_requests(start):
    server = start(config={"log": {"access": True}})
    made_up = id_of(server.ask("GET", "/health"))
    server.ask("GET", "/health", headers={"X-Request-Id": "mine", "traceparent": TRACEPARENT})
    wait_until(lambda: "request_id=mine" in server.log(), "both lines")
    lines = [line for line in server.log().splitlines() if "path=/health" in line]
    assert f"request_id={made_up}" in lines[0]
    assert f"request_id=mine trace_id={TRACE}" in lines[1]
