"""Who goes first, and who shares with whom."""
import pytest

from jitney_client import assert_error, request
from jitney_server import wait_until
from test_deadline import BUSY, keep_busy

PREDICT = "/v1/models/digits:predict"


def ask(server, digit, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return server.ask("POST", PREDICT, {"instances": [digit]}, named)


@pytest.mark.parametrize("text", ["urgent", "", "Interactive", "batch,interactive"])
def test_a_priority_that_does_not_exist_is_refused(start, digit, text):
    assert_error(ask(start(), digit, X_Priority=text), 400, "invalid_parameter")


def test_requests_are_counted_by_class(start, digit):
    server = start()
    for headers in ({}, {"X_Priority": "interactive"}, {"X_Priority": "batch"}):
        assert ask(server, digit, **headers).status == 200
    for class_name, count in (("interactive", 2), ("batch", 1)):
        labels = {"class": class_name}
        server.wait_metric(count, "batcher_class_requests_total", status="success", **labels)
        assert server.metric("batcher_class_wait_time_seconds_count", **labels) == count


def test_requests_are_counted_by_tenant_and_strangers_share_one(start, digit):
    server = start(config={"tenants": {"acme": {}, "globex": {"weight": 3}}})
    for name in ("acme", "globex", "globex", "initech", "ACME", None):
        assert ask(server, digit, **({"X_Tenant": name} if name else {})).status == 200
    for name, count in (("acme", 1), ("globex", 2), ("shared", 3)):
        server.wait_metric(count, "batcher_tenant_requests_total", tenant=name, status="success")


def test_a_tenant_with_a_key_is_known_by_it_alone(start, digit, tmp_path):
    key = tmp_path / "key"
    key.write_text("s3cret\n")
    server = start(config={"tenants": {"acme": {"api_key_file": str(key)}, "open": {}}})
    assert ask(server, digit, Authorization="Bearer s3cret").status == 200
    server.wait_metric(1, "batcher_tenant_requests_total", tenant="acme", status="success")
    assert_error(ask(server, digit, Authorization="Bearer s3cret2"), 401, "unauthorized")
    assert_error(ask(server, digit, Authorization="Basic s3cret"), 401, "unauthorized")
    assert_error(ask(server, digit, X_Tenant="acme"), 401, "unauthorized")
    assert ask(server, digit, X_Tenant="open").status == 200
    assert ask(server, digit).status == 200
    assert server.metric("batcher_tenant_requests_total", tenant="acme") == 1


def test_a_flooding_tenant_leaves_room_in_the_queue(start, digit):
    queues = {**BUSY["queues"], "digits": {"max_queue_rows": 30, "max_batch_rows": 30}}
    server = start(config={**BUSY, "queues": queues, "tenants": {"flood": {}, "quiet": {}}})
    body = {"instances": [digit]}
    flood = [server.connect() for _ in range(40)]
    with keep_busy(server) as busy, server.connect() as quiet:
        for connection in flood:
            connection.send(request("POST", PREDICT, body, {"X-Tenant": "flood"}))
        wait_until(lambda: server.metric("batcher_submitted_total", model="digits") == 40, "all in")
        quiet.send(request("POST", PREDICT, body, {"X-Tenant": "quiet"}))
        assert busy.read_response().status == 200
        assert quiet.read_response().status == 200
        answers = [connection.read_response() for connection in flood]
    refused = [answer for answer in answers if answer.status != 200]
    assert 15 <= len(answers) - len(refused) <= 21, len(refused)  # two thirds of the queue
    for answer in refused:
        assert_error(answer, 429, "tenant_overloaded")
        assert int(answer.headers["retry-after"]) >= 1
    rejected = {"model": "digits", "reason": "tenant_full"}
    assert server.metric("batcher_rejections_total", **rejected) == len(refused)


def test_a_deadline_that_cannot_be_met_is_refused_at_once(start):
    """A whole second of work is asked for within a hundredth of it."""
    server = start(config={**BUSY, "scheduling": {"refuse_late": True}})
    with keep_busy(server) as busy, server.connect() as connection:
        rows = b"[" + b",".join([b"0"] * 1024) + b"]"
        body = b'{"instances":[' + b",".join([rows] * 20) + b"]}"
        answer = connection.ask("POST", "/v1/models/wide:predict", body, {"X-Request-Timeout-Ms": "40"})
        assert_error(answer, 504, "deadline_exceeded")
        rejected = {"model": "wide", "reason": "deadline_unmeetable"}
        assert server.metric("batcher_rejections_total", **rejected) == 1
        assert busy.read_response().status == 200


def test_the_cost_model_knows_something_before_the_first_request(start):
    server = start()
    assert server.metric("batcher_cost_is_sure", model="wide") == 1
    assert server.metric("batcher_cost_fixed_seconds", model="wide") >= 0
    assert server.metric("batcher_cost_unit_seconds", model="wide") > 1e-7
    assert server.metric("batcher_cost_unit_seconds", model="sma") > 1e-11
