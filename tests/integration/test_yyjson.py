"""What script/bench service compares with, jitney with indicators by yyjson (tests/support/yyjson_indicators.c): it must do
the same work, and not by jitney's own code."""
import os

import pytest


@pytest.fixture
def twin(start):
    return start(program=os.environ["JITNEY_YYJSON_BINARY"])


def values(server, indicator, **body):
    response = server.ask("POST", f"/v1/indicators/{indicator}", body)
    assert response.status == 200, (response.status, response.body[:300])
    answer = response.json()
    assert (answer.pop("indicator"), answer.pop("period")) == (indicator, body["period"])
    return answer.pop("values")


@pytest.mark.parametrize("indicator", ["sma", "ema", "rsi"])
def test_both_answer_the_same_numbers(shared, twin, prices, indicator):
    for body in ({"prices": prices["DAX"][:1000], "period": 20},
                 {"prices": [7, -1e-300, 1.5e300], "period": 1},
                 {"series": [series[: 1000 - i] for i, series in enumerate(prices.values())], "period": 14},
                 {"series": [[1, 2, 3]], "period": 2}):
        assert values(twin, indicator, **body) == values(shared, indicator, **body)


def test_what_is_not_finite_is_null_from_both(shared, twin):
    body = {"prices": [1.7e308, -1.7e308, 1.7e308, 1.7e308, 1.7e308], "period": 3}
    assert values(twin, "sma", **body) == values(shared, "sma", **body)
    assert None in values(twin, "sma", **body)[2:], "no sum overflowed"


def test_decimals_are_taken_and_every_digit_is_answered(shared, twin, prices):
    body = {"prices": prices["DAX"][:1000], "period": 20}
    all_digits, rounded = values(twin, "ema", **body, decimals=6), values(shared, "ema", **body, decimals=6)
    assert all_digits == values(shared, "ema", **body)
    assert all_digits[19:] == pytest.approx(rounded[19:], abs=0.5000001e-6, rel=0)


def test_it_is_yyjson_that_reads_and_writes(shared, twin):
    """A wrapped function that went by another name would leave jitney beside itself."""
    body = {"prices": [1, 2, 3], "period": 1}
    bodies = [server.ask("POST", "/v1/indicators/sma", body).body for server in (shared, twin)]
    assert [b"[1,2,3]" in bodies[0], b"[1.0,2.0,3.0]" in bodies[1]] == [True, True], bodies
    errors = [server.ask("POST", "/v1/indicators/sma", b'{"prices":[1,}').json()["error"] for server in (shared, twin)]
    assert ["a valid JSON value" in error for error in errors] == [False, True], errors


@pytest.mark.parametrize("body", [
    [], {"period": 1}, {"prices": [1]}, {"prices": [1], "series": [[1]], "period": 1}, {"prices": [1], "period": 1, "x": 1},
    {"prices": [1], "period": 0}, {"prices": [1], "period": -1}, {"prices": [1], "period": 2}, {"prices": [], "period": 1},
    {"prices": 1, "period": 1}, {"prices": [None], "period": 1}, {"series": [], "period": 1}, {"series": [[]], "period": 1},
    {"series": [1], "period": 1}, {"series": [[1], ["1"]], "period": 1}, {"series": {}, "period": 1},
])
def test_a_body_that_is_wrong_is_refused_by_both(shared, twin, body):
    statuses = [server.ask("POST", "/v1/indicators/sma", body).status for server in (shared, twin)]
    assert statuses == [400, 400]
