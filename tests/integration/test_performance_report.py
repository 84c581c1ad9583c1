"""The performance report of CI: what it measures, what it compares with, and what it leaves for Prometheus."""
import importlib.util
import json
import math
import os
import pathlib
import subprocess
import sys

import pytest
from prometheus_client.parser import text_string_to_metric_families

BENCH = pathlib.Path(__file__).resolve().parents[1] / "bench"


@pytest.fixture(scope="module")
def report():
    sys.path.insert(0, str(BENCH))
    spec = importlib.util.spec_from_file_location("performance_report", BENCH / "performance_report.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def samples(text):
    return {(sample.name, sample.labels.get("benchmark")): sample.value
            for family in text_string_to_metric_families(text) for sample in family.samples}


def rounds(report, **seconds):
    """Three alike, each benchmark a second, each loop half of one, but for what is said."""
    usual = {name: 1.0 for name in report.BENCHMARKS} | {"loop_arithmetic": 0.5, "loop_sockets": 0.5}
    return [usual | seconds] * 3


AS_USUAL = 2.0  # a second to half of one


def test_a_slow_machine_is_not_slow_code(report):
    baseline = {name: AS_USUAL for name in report.BENCHMARKS}
    twice = {name: 2.0 for name in report.BENCHMARKS} | {"loop_arithmetic": 1.0, "loop_sockets": 1.0}
    assert report.score(report.summarize(rounds(report, **twice), baseline)) == pytest.approx(1)


def test_slow_code_lowers_the_score(report):
    baseline = {name: AS_USUAL for name in report.BENCHMARKS}
    rows = report.summarize(rounds(report, sma_10k=1.5), baseline)
    assert report.score(rows) == pytest.approx((1 / 1.5) ** (1 / len(report.BENCHMARKS)))
    assert "| 1.50 |" in report.markdown("a machine", rows)
    found = samples(report.textfile("a machine", rows, 1e9))
    assert found["ci_benchmark_seconds", "sma_10k"] == 1.5
    assert found["ci_benchmark_baseline_seconds", "sma_10k"] == pytest.approx(1)


def test_without_a_baseline_there_is_no_score(report):
    rows = report.summarize(rounds(report), {})
    assert report.score(rows) is None
    assert "no baseline" in report.markdown("a machine", rows)
    assert not any(name.startswith(("test_", "ci_benchmark_baseline")) for name, _ in samples(report.textfile("a", rows, 1)))


@pytest.mark.measured
def test_a_real_run_reports_every_benchmark_and_can_be_recorded(report, tmp_path):
    build = pathlib.Path(os.environ["JITNEY_BINARY"]).parents[1].relative_to(report.ROOT)
    baselines = tmp_path / "baselines.json"
    command = [sys.executable, "-B", BENCH / "performance_report.py", "--build", build, "--rounds", "1", "--seconds", "0.2",
               "--out", tmp_path, "--baselines", baselines]
    subprocess.run([*command, "--record"], check=True, stdout=subprocess.DEVNULL)
    (machine, recorded), = json.loads(baselines.read_text()).items()
    assert "family" in machine and recorded.keys() == report.BENCHMARKS.keys()
    table = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert table == (tmp_path / "report.md").read_text()
    found = samples((tmp_path / "jitney_ci.prom").read_text())
    for name in report.BENCHMARKS:
        assert 0 < found["ci_benchmark_seconds", name] < 10
        assert f"`{name}`" in table
    assert math.isfinite(found["test_performance_score", None])
