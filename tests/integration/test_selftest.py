"""The kernels' speed-up: measured by the server itself, exported, and measured again on demand."""
import math

from jitney_client import ask, assert_error
from jitney_server import wait_until

TIMESTAMP = "compute_selftest_timestamp_seconds"


def speedup(server, indicator):
    return server.metric("compute_indicator_speedup", indicator=indicator, baseline="scalar")


def test_speedups_are_measured_after_the_start(start):
    server = start()
    wait_until(lambda: server.metric(TIMESTAMP) > 0, "the first measurement")
    for indicator in ("sma", "ema", "rsi", "matmul", "matmul_int8"):
        assert speedup(server, indicator) > 0
        assert math.isnan(server.metric("compute_indicator_speedup", indicator=indicator, baseline="python"))


def test_it_is_measured_again_on_demand(start):
    server = start()
    wait_until(lambda: server.metric(TIMESTAMP) > 0, "the first measurement")
    first = server.metric(TIMESTAMP)
    response = ask(server.admin_address, "POST", "/v1/selftest")
    assert response.status == 202, response
    wait_until(lambda: server.metric(TIMESTAMP) > first, "the second measurement")
    report = ask(server.admin_address, "GET", "/v1/selftest").json()
    assert set(report["speedups"]) == {"sma", "ema", "rsi", "matmul", "matmul_int8"}
    assert all(one["scalar"] > 0 and one["ns"] > 0 for one in report["speedups"].values())


def test_only_the_admin_listener_measures(start):
    server = start()
    assert_error(server.ask("POST", "/v1/selftest"), 404, "not_found")
