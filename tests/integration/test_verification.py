"""A share of what is served is recomputed plainly; kernels that are found wrong are not used any more."""
import os
import statistics
import time
from pathlib import Path

import pytest

from jitney_server import wait_until

# Every batch, as far as the verifier keeps up.
ALL = {"workers": 1, "verification": {"one_in": 1, "cpu_percent": 100}}
PREDICT = "/v1/models/digits:predict"
PRICES = [100 + i * 7 % 13 for i in range(60)]
BODY = {"prices": PRICES, "period": 5}


def checks(server, result, **labels):
    return server.metric("verification_checks_total", result=result, **labels)


def values(server, indicator):
    response = server.ask("POST", f"/v1/indicators/{indicator}", BODY)
    assert response.status == 200
    return response.json()["values"]


def sma():
    return [None] * 4 + [statistics.fmean(PRICES[i - 4:i + 1]) for i in range(4, len(PRICES))]


def test_what_is_right_passes(start, digit, digits_as):
    server = start(config=ALL, flags={"--models": digits_as(digits={}, whole={"precision": "int8"})})
    ask = {
        "sma": lambda: values(server, "sma"),
        "ema": lambda: values(server, "ema"),
        "rsi": lambda: values(server, "rsi"),
        "matmul": lambda: server.ask("POST", PREDICT, {"instances": [digit] * 3}),
        "matmul_int8": lambda: server.ask("POST", "/v1/models/whole:predict", {"instances": [digit]}),
    }
    for indicator, once in ask.items():
        wait_until(lambda: (once(), checks(server, "pass", indicator=indicator) > 0)[1], f"{indicator} is checked")
        assert server.metric("verification_relative_error_count", indicator=indicator) > 0
    assert checks(server, "fail") == 0
    assert server.metric("compute_rollbacks_total") == 0


def test_nothing_is_checked_by_the_plain_twins(start):
    server = start(config={**ALL, "isa": "scalar"})
    for _ in range(5):
        values(server, "sma")
    assert checks(server, "pass") + checks(server, "fail") == 0


def test_its_processor_time_is_bounded(start, digit):
    """One percent of a core, while every batch is offered."""
    server = start(config={"workers": 1, "verification": {"one_in": 1}})
    started = time.monotonic()
    wait_until(lambda: (server.ask("POST", "/v1/models/wide:predict", {"instances": [[0.5] * 1024]}),
                        checks(server, "pass", indicator="matmul") >= 3)[1], "three checks of the large model", 60)
    elapsed = time.monotonic() - started
    tasks = Path(f"/proc/{server.process.pid}/task").iterdir()
    mine = [task for task in tasks if (task / "comm").read_text().strip() == "jitney-verify"]
    assert len(mine) == 1
    fields = (mine[0] / "stat").read_text().rpartition(")")[2].split()
    used = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    # It rests after a check, so there is one more than is due yet: three in the time of two. And the clock's tick.
    assert used <= 0.02 * elapsed + 0.02, (used, elapsed)
    assert server.metric("verification_skipped_total", indicator="matmul", reason="busy") > 0


@pytest.fixture
def faulty(start):
    return start(config=ALL, program=os.environ["JITNEY_FAULTY_BINARY"])


def test_a_wrong_kernel_is_found_and_given_up(faulty):
    wrong = values(faulty, "sma")
    assert wrong[-1] != pytest.approx(sma()[-1], rel=1e-12), "the fault was not built in"
    faulty.wait_metric(1, "verification_checks_total", indicator="sma", result="fail")
    assert faulty.metric("compute_rollbacks_total", indicator="sma", reason="verification") == 1
    assert values(faulty, "sma") == pytest.approx(sma(), rel=1e-14)
    assert faulty.metric("compute_kernel_dispatch_total", isa="scalar") == 1
    faulty.wait_metric(1, "log_messages_total", level="error")
    wait_until(lambda: "level=error" in faulty.log(), "the line in the log")
    line = next(line for line in faulty.log().splitlines() if "level=error" in line)
    assert "indicator=sma" in line and "queue=sma" in line and f"at={len(PRICES) - 1}" in line, line


def test_a_wrong_model_goes_on_with_its_plain_twin(faulty, digit):
    ask = {"instances": [digit]}
    wrong = faulty.ask("POST", PREDICT, ask).json()["predictions"][0]
    assert sum(wrong) != pytest.approx(1, abs=1e-3), "the fault was not built in"
    faulty.wait_metric(1, "compute_rollbacks_total", indicator="matmul", reason="verification")
    right = faulty.ask("POST", PREDICT, ask).json()["predictions"][0]
    assert sum(right) == pytest.approx(1, abs=1e-5)
    assert right[1:] == pytest.approx(wrong[1:], rel=1e-3)


def test_the_others_stay_fast(faulty):
    values(faulty, "sma")
    faulty.wait_metric(1, "compute_rollbacks_total", indicator="sma")
    before = faulty.metric("compute_kernel_dispatch_total", isa="scalar")
    values(faulty, "ema")
    wait_until(lambda: (values(faulty, "ema"), checks(faulty, "pass", indicator="ema") > 0)[1], "EMA is checked")
    assert faulty.metric("compute_kernel_dispatch_total", isa="scalar") == before
    assert faulty.metric("compute_rollbacks_total", indicator="ema") == 0
