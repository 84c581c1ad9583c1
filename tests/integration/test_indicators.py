"""Indicators against their definitions, written down here once more in plain Python."""
import math
import random

import pytest

INDICATORS = ("sma", "ema", "rsi")
TOLERANCE = 1e-9


def sma(prices, period):
    """The mean of the last `period` prices, each summed afresh and exactly."""
    means = [math.fsum(prices[i + 1 - period : i + 1]) / period for i in range(period - 1, len(prices))]
    return [None] * (period - 1) + means


def ema(prices, period):
    """Exponential smoothing with 2 / (period + 1), begun with the mean of the first `period`."""
    alpha = 2 / (period + 1)
    values = [None] * (period - 1) + [math.fsum(prices[:period]) / period]
    for price in prices[period:]:
        values.append(alpha * price + (1 - alpha) * values[-1])
    return values


def rsi(prices, period):
    """Wilder's: averages of rises and falls, begun with the mean of the first `period` changes."""
    changes = [after - before for before, after in zip(prices, prices[1:])]
    rises = [max(change, 0.0) for change in changes]
    falls = [max(-change, 0.0) for change in changes]
    rise, fall = math.fsum(rises[:period]) / period, math.fsum(falls[:period]) / period
    values = [None] * period

    def index():
        return 100 * rise / (rise + fall) if rise + fall > 0 else 0.0

    values.append(index())
    for up, down in zip(rises[period:], falls[period:]):
        rise = (rise * (period - 1) + up) / period
        fall = (fall * (period - 1) + down) / period
        values.append(index())
    return values


REFERENCE = {"sma": sma, "ema": ema, "rsi": rsi}


def ask(server, indicator, body):
    response = server.ask("POST", f"/v1/indicators/{indicator}", body)
    assert response.status == 200, (response.status, response.body[:300])
    assert "server-timing" in response.headers
    assert int(response.headers["x-batch-size"]) >= 1
    answer = response.json()
    assert set(answer) == {"indicator", "period", "values"}, set(answer)
    assert (answer["indicator"], answer["period"]) == (indicator, body["period"])
    return answer["values"]


def assert_close(got, wanted):
    assert len(got) == len(wanted)
    for i, (a, b) in enumerate(zip(got, wanted)):
        assert (a is None) == (b is None), f"at {i}: {a} for {b}"
        assert b is None or math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE), f"at {i}: {a} for {b}"


@pytest.mark.parametrize("indicator", INDICATORS)
@pytest.mark.parametrize("index", ["DAX", "SMI", "CAC", "FTSE"])
@pytest.mark.parametrize("period", [1, 2, 14, 20, 200, 1859])
def test_stock_indices(shared, prices, indicator, index, period):
    series = prices[index]
    assert len(series) == 1860
    got = ask(shared, indicator, {"prices": series, "period": period})
    assert_close(got, REFERENCE[indicator](series, period))


@pytest.mark.parametrize("indicator", INDICATORS)
def test_many_series_in_one_request(shared, prices, indicator):
    """Of different lengths; each has its own answer."""
    series = [prices[name][: 1860 - 100 * i] for i, name in enumerate(prices)]
    got = ask(shared, indicator, {"series": series, "period": 20})
    assert len(got) == len(series)
    for values, one in zip(got, series):
        assert_close(values, REFERENCE[indicator](one, 20))


@pytest.mark.parametrize("indicator", INDICATORS)
def test_series_are_the_same_alone_and_together(shared, prices, indicator):
    together = ask(shared, indicator, {"series": list(prices.values()), "period": 14})
    for values, one in zip(together, prices.values()):
        assert values == ask(shared, indicator, {"prices": one, "period": 14})


@pytest.mark.parametrize("indicator", INDICATORS)
def test_random_walks_of_every_length(shared, indicator):
    """Lengths around every width of vector registers."""
    generator = random.Random(20261121)
    for length in range(3, 70):
        walk = [100.0]
        while len(walk) < length:
            walk.append(walk[-1] * math.exp(generator.gauss(0, 0.01)))
        period = generator.randint(1, length - 1)
        assert_close(ask(shared, indicator, {"prices": walk, "period": period}), REFERENCE[indicator](walk, period))


def test_a_small_change_after_large_prices_is_not_lost(shared):
    """A running sum would keep the rounding of the large ones."""
    prices = [1e15, 1.0, 1e15, 3.0] + [1.0 + i / 16 for i in range(100)]
    assert_close(ask(shared, "sma", {"prices": prices, "period": 2}), sma(prices, 2))


@pytest.mark.parametrize(
    "indicator, body, values",
    [
        ("sma", {"prices": [1, 2, 3, 4, 5], "period": 2}, [None, 1.5, 2.5, 3.5, 4.5]),
        ("sma", {"prices": [7], "period": 1}, [7]),
        ("ema", {"prices": [1, 2, 3, 4, 5], "period": 3}, [None, None, 2, 3, 4]),
        ("rsi", {"prices": [1, 2, 3, 4], "period": 2}, [None, None, 100, 100]),
        ("rsi", {"prices": [4, 3, 2, 1], "period": 2}, [None, None, 0, 0]),
        ("rsi", {"prices": [1, 1, 1, 1], "period": 2}, [None, None, 0, 0]),
        ("rsi", {"prices": [1, 2, 1], "period": 2}, [None, None, 50]),
        ("sma", {"series": [[1, 3], [2, 4, 6]], "period": 2}, [[None, 2], [None, 3, 5]]),
        ("sma", {"series": [[1, 3]], "period": 2}, [[None, 2]]),
    ],
)
def test_small_cases_by_hand(shared, indicator, body, values):
    assert ask(shared, indicator, body) == values


@pytest.mark.parametrize("indicator, warm_up", [("sma", 19), ("ema", 19), ("rsi", 20)])
def test_the_warm_up_is_null_and_nothing_else_is(shared, prices, indicator, warm_up):
    values = ask(shared, indicator, {"prices": prices["DAX"], "period": 20})
    assert values[:warm_up] == [None] * warm_up
    assert None not in values[warm_up:]


def test_numbers_come_back_as_they_were_sent(shared):
    """With period 1 an average is the price itself, to the last bit."""
    generator = random.Random(20261121)
    prices = [generator.uniform(-1, 1) * 10.0 ** generator.randint(-30, 30) for _ in range(2000)]
    values = ask(shared, "sma", {"prices": prices, "period": 1})
    assert [float(value) for value in values] == prices  # a whole number comes without a point


@pytest.mark.parametrize("indicator", INDICATORS)
def test_an_overflow_is_null(shared, indicator):
    """Finite prices whose sum is not: the answer is still JSON."""
    values = ask(shared, indicator, {"prices": [1.7e308, -1.7e308, 1.7e308, 1.7e308, 1.7e308], "period": 3})
    assert len(values) == 5


def test_decimals_are_as_many_as_were_asked_for(shared):
    body = {"prices": [100.1, 100.4, 100.2, 100.9], "period": 3, "decimals": 2}
    answer = shared.ask("POST", "/v1/indicators/sma", body)
    assert answer.json()["values"] == [None, None, 100.23, 100.5]
    assert b"[null,null,100.23,100.5]" in answer.body
