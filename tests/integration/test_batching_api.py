"""Operators look at batching and change it while it runs: GET and PATCH /v1/batching."""
import re
from datetime import datetime, timezone

import pytest

from jitney_client import ask, assert_error, request

PREDICT = "/v1/models/digits:predict"
DIGITS = "/v1/batching/digits"
SMA = {"prices": [1, 2], "period": 2}
FIELDS = ["max_batch_rows", "max_queue_rows", "max_queue_bytes", "max_inflight_batches", "max_delay",
          "max_idle_delay", "target_p99"]


def admin(server, method, path, body=None, headers=None):
    return ask(server.admin_address, method, path, body, headers)


def patch(server, body, path=DIGITS, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return admin(server, "PATCH", path, body, named)


def settings(server, queue="digits"):
    """{"max_delay": (value, source), ...}"""
    shown = admin(server, "GET", f"/v1/batching/{queue}").json()["settings"]
    return {field: (said["value"], said["source"]) for field, said in shown.items()}


# --- looking


def test_every_queue_shows_its_settings_and_where_they_come_from(start):
    server = start(
        env={"JITNEY_BATCHING_TARGET_P99": "20ms"},
        config={
            "batching": {"max_queue_bytes": "1MiB"},
            "queues": {"digits": {"max_batch_rows": 5, "max_delay": "1500us"}},
        },
    )
    queues = admin(server, "GET", "/v1/batching").json()["queues"]
    assert [queue["queue"] for queue in queues] == ["digits", "wide", "sma", "ema", "rsi"]
    assert list(queues[0]["settings"]) == FIELDS
    assert settings(server) == {
        "max_batch_rows": (5, "file"),
        "max_queue_rows": (4096, "default"),
        "max_queue_bytes": (1048576, "file"),
        "max_inflight_batches": (server.metric("compute_worker_threads"), "default"),
        "max_delay": (0.0015, "file"),
        "max_idle_delay": (0, "default"),
        "target_p99": (0.02, "environment"),
    }
    assert settings(server, "wide")["max_batch_rows"] == (64, "model")


def test_a_queue_shows_plan_cost_and_what_is_going_on(start, digit):
    server = start(config={"queues": {"digits": {"max_idle_delay": "5s", "max_batch_rows": 10}}})
    connections = [server.connect() for _ in range(3)]
    for connection in connections:
        connection.send(request("POST", PREDICT, {"instances": [digit]}))
    server.wait_metric(3, "batcher_queue_size", model="digits")
    shown = admin(server, "GET", DIGITS).json()
    assert shown["plan"] == {"decided_by": "limits", "batch_rows": 10, "delay_us": 0}
    assert shown["cost"]["unit"] == "row" and shown["cost"]["per_unit_us"] >= 0
    assert isinstance(shown["cost"]["sure"], bool)
    now = shown["now"]
    assert (now["jobs"], now["rows"], now["inflight_batches"]) == (3, 3, 0)
    assert now["oldest_us"] > 0 and now["bytes"] > 0
    assert admin(server, "GET", "/v1/batching/sma").json()["cost"]["unit"] == "value"
    for connection in connections:
        connection.close()


def test_it_is_for_the_admin_listener_alone(shared):
    for path in ("/v1/batching", DIGITS, f"{DIGITS}/recent"):
        assert_error(shared.ask("GET", path), 404, "not_found")
        assert admin(shared, "GET", path).status == 200
    assert_error(shared.ask("PATCH", DIGITS, {"max_delay": 1}), 404, "not_found")


def test_an_unknown_queue_is_not_found(shared):
    for path in ("/v1/batching/digit", "/v1/batching/digits%20", "/v1/batching/nothing/recent"):
        assert_error(admin(shared, "GET", path), 404, "queue_not_found")
    assert_error(patch(shared, {}, "/v1/batching/digit"), 404, "queue_not_found")
    assert_error(admin(shared, "GET", "/v1/batching/a/b/recent"), 404, "not_found")
    assert admin(shared, "GET", "/v1/batching/%64igits").status == 200


def test_other_methods_are_told_what_is_allowed(shared):
    for path, allowed in (("/v1/batching", "GET, HEAD"), (DIGITS, "GET, HEAD, PATCH"), (f"{DIGITS}/recent", "GET, HEAD")):
        refused = admin(shared, "PUT", path, {})
        assert_error(refused, 405, "method_not_allowed")
        assert refused.headers["allow"] == allowed
        assert admin(shared, "HEAD", path).status == 200


# --- changing


def test_a_change_holds_at_once_and_null_takes_it_back(start, digit):
    server = start(config={"queues": {"digits": {"max_idle_delay": "10s", "max_batch_rows": 64}}})
    with server.connect() as connection:
        connection.send(request("POST", PREDICT, {"instances": [digit]}))
        server.wait_metric(1, "batcher_queue_size", model="digits")
        changed = patch(server, {"max_idle_delay": 0})
        assert connection.read_response().status == 200  # long before the 10 s
    body = changed.json()
    assert changed.status == 200 and body["applied"] is True and body["changed"] == ["max_idle_delay"]
    assert body["settings"]["max_idle_delay"] == {"value": 0, "source": "api", "unit": "seconds"}
    assert settings(server)["max_batch_rows"] == (64, "file")
    back = patch(server, {"max_idle_delay": None}).json()
    assert back["settings"]["max_idle_delay"] == {"value": 10, "source": "file", "unit": "seconds"}
    assert server.metric("batcher_config_changes_total", model="digits", source="api") == 2
    assert 'msg="batching changed" queue=digits field=max_idle_delay from=10s to=0' in server.log()


def test_all_fields_change_together_as_the_file_would_say_them(start):
    server = start()
    wanted = {
        "max_batch_rows": 4096, "max_queue_rows": 5000, "max_queue_bytes": "64MiB",
        "max_inflight_batches": 1, "max_delay": 0.00025, "max_idle_delay": "10us", "target_p99": "12.5ms",
    }
    answer = patch(server, wanted)
    assert answer.status == 200 and answer.json()["changed"] == FIELDS
    assert settings(server) == {
        "max_batch_rows": (4096, "api"), "max_queue_rows": (5000, "api"), "max_queue_bytes": (67108864, "api"),
        "max_inflight_batches": (1, "api"), "max_delay": (0.00025, "api"), "max_idle_delay": (0.00001, "api"),
        "target_p99": (0.0125, "api"),
    }
    # What is shown can be sent back.
    shown = {field: value for field, (value, _) in settings(server).items()}
    again = patch(server, shown)
    assert again.status == 200 and again.json()["changed"] == []
    assert server.metric("batcher_max_batch_size", model="digits") == 4096
    assert server.metric("batcher_target_p99_seconds", model="digits") == 0.0125


def test_models_show_the_limits_of_now(start):
    server = start()
    assert patch(server, {"max_batch_rows": 7, "target_p99": 0.001}).status == 200
    batching = server.ask("GET", "/v1/models/digits").json()["batching"]
    assert (batching["max_batch_rows"], batching["target_p99_us"]) == (7, 1000)


WRONG = {
    "an unknown field": ({"max_rows": 1}, "unknown_field", "max_rows"),
    "a string for a count": ({"max_batch_rows": "8"}, "wrong_type", "max_batch_rows"),
    "a boolean": ({"max_delay": True}, "wrong_type", "max_delay"),
    "an array": ({"target_p99": [1]}, "wrong_type", "target_p99"),
    "too small": ({"max_batch_rows": 0}, "invalid_parameter", "max_batch_rows"),
    "too large": ({"max_batch_rows": 4097}, "invalid_parameter", "max_batch_rows"),
    "negative": ({"max_queue_rows": -1}, "invalid_parameter", "max_queue_rows"),
    "a fraction": ({"max_inflight_batches": 1.5}, "invalid_parameter", "max_inflight_batches"),
    "too long": ({"max_delay": 10.5}, "invalid_parameter", "max_delay"),
    "no duration": ({"target_p99": "soon"}, "invalid_parameter", "target_p99"),
    "no size": ({"max_queue_bytes": "1 MB"}, "invalid_parameter", "max_queue_bytes"),
    "a NUL": ({"max_delay": "1ms\0"}, "invalid_parameter", "max_delay"),
    "less queue than batch": ({"max_queue_rows": 31}, "invalid_parameter", "max_queue_rows"),
    "the second of two": ({"max_delay": 1, "target_p99": -1}, "invalid_parameter", "target_p99"),
    "twice": (b'{"max_delay": 1, "max_delay": 2}', "duplicate_field", "max_delay"),
    "not an object": ([1], "wrong_type", "object"),
    "no JSON": (b"{", "invalid_json", "JSON"),
    "nothing": (b"", "invalid_json", "empty"),
}


@pytest.mark.parametrize("body, code, named", WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_named_and_changes_nothing(shared, body, code, named):
    before = admin(shared, "GET", DIGITS)
    answer = patch(shared, body)
    assert named in assert_error(answer, 400, code)["error"]
    after = admin(shared, "GET", DIGITS)
    assert after.json()["settings"] == before.json()["settings"]
    assert after.headers["etag"] == before.headers["etag"]


@pytest.mark.parametrize(
    "media_type, status",
    [("application/json", 200), ("application/merge-patch+json; charset=utf-8", 200),
     ("application/json-patch+json", 415), ("text/plain", 415)],
)
def test_the_body_is_a_merge_patch(shared, media_type, status):
    answer = patch(shared, b"{}", Content_Type=media_type)
    assert answer.status == status
    if status == 415:
        assert_error(answer, 415, "unsupported_media_type")
        assert "application/merge-patch+json" in answer.headers["accept-patch"]


def test_a_compressed_body_is_refused(shared):
    assert_error(patch(shared, b"{}", Content_Encoding="gzip"), 415, "unsupported_encoding")


def test_validating_shows_what_would_be_and_changes_nothing(start):
    server = start()
    before = admin(server, "GET", DIGITS)
    answer = patch(server, {"max_batch_rows": 9}, f"{DIGITS}?validate=true")
    assert answer.status == 200
    assert answer.json()["applied"] is False and answer.json()["changed"] == ["max_batch_rows"]
    assert answer.json()["settings"]["max_batch_rows"] == {"value": 9, "source": "api"}
    assert answer.headers["etag"] == before.headers["etag"]
    assert settings(server)["max_batch_rows"] == (32, "default")
    assert server.metric("batcher_config_changes_total") == 0
    assert_error(patch(server, {"max_batch_rows": 0}, f"{DIGITS}?validate=true"), 400, "invalid_parameter")
    assert patch(server, {"max_batch_rows": 9}, f"{DIGITS}?validate=false").json()["applied"] is True


@pytest.mark.parametrize("query", ["valdate=true", "validate", "validate=yes", "validate=true&validate=true", "validate=true&x=1"])
def test_a_misspelt_query_changes_nothing(shared, query):
    assert_error(patch(shared, {"max_batch_rows": 9}, f"{DIGITS}?{query}"), 400, "invalid_parameter")
    assert settings(shared)["max_batch_rows"] == (32, "default")


def test_a_change_is_made_only_to_what_was_seen(start):
    server = start()
    seen = admin(server, "GET", DIGITS).headers["etag"]
    assert re.fullmatch(r'"[0-9a-f]+-0"', seen)
    listed = {queue["queue"]: queue["etag"] for queue in admin(server, "GET", "/v1/batching").json()["queues"]}
    assert listed["digits"] == seen
    first = patch(server, {"max_batch_rows": 9}, If_Match=seen)
    assert first.status == 200 and first.headers["etag"] != seen
    late = patch(server, {"max_batch_rows": 10}, If_Match=seen)
    assert_error(late, 412, "precondition_failed")
    assert late.headers["etag"] == first.headers["etag"]
    assert settings(server)["max_batch_rows"] == (9, "api")

    current = first.headers["etag"]
    assert patch(server, {}, If_Match="*").status == 200
    assert patch(server, {}, If_Match=f'"x", {seen} ,{current}').status == 200
    for other in (f"W/{current}", current.strip('"'), '"', "", '"*"', f"{seen}", f"{current[:-1]}", "W/"):
        assert_error(patch(server, {"max_batch_rows": 10}, If_Match=other), 412, "precondition_failed")
    assert server.metric("http_requests_total", code="412", route="/v1/batching/{queue}") == 9
    assert settings(server)["max_batch_rows"] == (9, "api")
    # An ETag is of one queue.
    assert patch(server, {"max_batch_rows": 9}, "/v1/batching/sma", If_Match=current).status == 412


def test_batches_may_become_larger_than_the_configured_maximum(start, digit):
    server = start(config={"workers": 1, "batching": {"max_batch_rows": 1}})
    alone = server.ask("POST", PREDICT, {"instances": [digit]}).json()["predictions"][0]
    assert patch(server, {"max_batch_rows": 200, "max_delay": 10, "max_idle_delay": 10}).status == 200
    connections = [server.connect() for _ in range(100)]
    for connection in connections:
        connection.send(request("POST", PREDICT, {"instances": [digit, digit]}))
    for connection in connections:
        response = connection.read_response()
        assert response.headers["x-batch-size"] == "100"
        for prediction in response.json()["predictions"]:
            assert max(abs(a - b) for a, b in zip(prediction, alone)) < 1e-5
        connection.close()
    newest = admin(server, "GET", f"{DIGITS}/recent?limit=1").json()["batches"][0]
    assert (newest["rows"], newest["jobs"], newest["reason"]) == (200, 100, "size")


# --- the last batches


@pytest.mark.parametrize("execution, place", [("workers", "worker"), ("loops", "loop")])
def test_recent_batches_say_what_they_were(start, digit, execution, place):
    server = start(config={"workers": 1, "execution": execution})
    assert admin(server, "GET", f"{DIGITS}/recent").json() == {"queue": "digits", "batches": []}
    begin = datetime.now(timezone.utc)
    for rows in (1, 2, 3):
        assert server.ask("POST", PREDICT, {"instances": [digit] * rows}).status == 200
    batches = admin(server, "GET", f"{DIGITS}/recent").json()["batches"]
    assert [batch["rows"] for batch in batches] == [3, 2, 1]
    for batch in batches:
        assert (batch["jobs"], batch["failed"], batch["reason"]) == (1, 0, "idle")
        assert (batch["place"], batch[place]) == (place, 0)
        assert batch["work"] == batch["rows"]
        assert batch["actual_us"] > 0 and batch["oldest_wait_us"] > 0 and batch["predicted_us"] >= 0
        assert abs((datetime.fromisoformat(batch["time"].replace("Z", "+00:00")) - begin).total_seconds()) < 10
    two = admin(server, "GET", f"{DIGITS}/recent?limit=2").json()["batches"]
    assert two == batches[:2] or [batch["rows"] for batch in two] == [3, 2]


def test_the_last_256_batches_are_kept(start):
    server = start()
    with server.connect() as connection:
        for _ in range(300):
            assert connection.ask("POST", "/v1/indicators/sma", SMA).status == 200
    assert len(admin(server, "GET", "/v1/batching/sma/recent").json()["batches"]) == 256
    assert len(admin(server, "GET", "/v1/batching/sma/recent?limit=256").json()["batches"]) == 256
    assert len(admin(server, "GET", "/v1/batching/sma/recent?limit=17").json()["batches"]) == 17


@pytest.mark.parametrize("query", ["limit=0", "limit=257", "limit=-1", "limit=", "limit=x", "limt=1", "limit=1&limit=2"])
def test_a_limit_that_is_none_is_refused(shared, query):
    assert_error(admin(shared, "GET", f"{DIGITS}/recent?{query}"), 400, "invalid_parameter")
