"""The lint of the dashboards finds what it is there for, and keeps quiet otherwise."""
import copy
import json
import sys
from pathlib import Path

import pytest

GRAFANA = Path(__file__).resolve().parents[2] / "monitoring" / "grafana"
sys.dont_write_bytecode = True
sys.path.insert(0, str(GRAFANA / "source"))

import catalogue  # noqa: E402
import lint  # noqa: E402
import promql  # noqa: E402

SELECTOR = 'job=~"$job", instance=~"$instance"'


@pytest.fixture
def batcher():
    return json.loads((GRAFANA / "dashboards" / "jitney-batcher.json").read_text())


def findings(dashboard):
    return list(lint.findings([dashboard], catalogue.samples()))


def findings_of_query(dashboard, expression):
    dashboard["panels"][0]["targets"][0]["expr"] = expression.replace("@", SELECTOR)
    return [finding for finding in findings(dashboard) if "series differ" not in finding]


def test_a_good_dashboard_has_no_findings(batcher):
    assert findings(batcher) == []
    assert findings_of_query(batcher, "sum by (model) (rate(batcher_requests_total{@}[$__rate_interval]))") == []


@pytest.mark.parametrize("expression, expected", [
    ("sum (rate(batcher_reqests_total{@}[$__rate_interval]))", "batcher_reqests_total is not in docs/metrics.md"),
    ('sum (rate(batcher_requests_total{@, state="error"}[$__rate_interval]))', "has no label state"),
    ("sum by (route) (rate(batcher_requests_total{@}[$__rate_interval]))", "has no label route"),
    ("sum (rate(batcher_requests_total[$__rate_interval]))", "does not follow $job"),
    ("sum (batcher_requests_total{@})", "batcher_requests_total in sum"),
    ("sum (rate(batcher_queue_size{@}[$__rate_interval]))", "batcher_queue_size in rate"),
    ("sum (rate(batcher_requests_total{@}[5m]))", "not [$__rate_interval]"),
    ("rate(batcher_requests_total{@}[$__rate_interval])", "aggregate it"),
    ("batcher_queue_size{@} / batcher_queue_capacity{@}", "one side of / is not aggregated"),
    ("sum (batcher_queue_size{@}) / sum by (model) (batcher_queue_capacity{@})", "the sides of / are aggregated by"),
    ("histogram_quantile(0.9, sum by (model) (rate(batcher_batch_size_bucket{@}[$__rate_interval])))", "without le"),
])
def test_a_query_is_found_wanting(batcher, expression, expected):
    assert any(expected in finding for finding in findings_of_query(batcher, expression)), findings(batcher)


@pytest.mark.parametrize("damage, expected", [
    (lambda dashboard: dashboard["panels"].pop(0), "begins with"),
    (lambda dashboard: dashboard["panels"][1].update(id=1), "a panel id is there twice"),
    (lambda dashboard: dashboard["panels"][1].update(description=""), "no description"),
    (lambda dashboard: dashboard["panels"][1]["fieldConfig"]["defaults"].update(unit="sec"), "unit 'sec'"),
    (lambda dashboard: dashboard["panels"][1]["datasource"].update(uid="prometheus"), "the data source is not the variable"),
    (lambda dashboard: dashboard["panels"][1]["gridPos"].update(x=0), "overlaps"),
    (lambda dashboard: dashboard["panels"][1]["targets"][0].update(legendFormat="all"), "series differ by"),
    (lambda dashboard: dashboard["panels"][1]["targets"][0].update(expr="vector(1) > 0"), "may be empty"),
    (lambda dashboard: dashboard["templating"]["list"].pop(1), "no variable job"),
])
def test_a_panel_is_found_wanting(batcher, damage, expected):
    damage(batcher)
    assert any(expected in finding for finding in findings(batcher)), findings(batcher)


def test_two_dashboards_with_one_uid_are_found(batcher):
    found = list(lint.findings([batcher, copy.deepcopy(batcher)], catalogue.samples()))
    assert any("two dashboards with this uid" in finding for finding in found)


@pytest.mark.parametrize("text", ["sum(", "a{b=}", "rate(a[5m)", "a b", ""])
def test_what_is_no_query_is_an_error(text):
    with pytest.raises((ValueError, IndexError)):
        promql.parse(text)


def test_queries_are_read_as_prometheus_reads_them():
    tree = promql.parse("1 - a / sum by (x) (rate(b{c!=\"d\"}[5m] offset 1d)) > 2")
    assert (tree.name, tree.arguments[0].name, tree.arguments[0].arguments[1].name) == (">", "-", "/")
    assert [node.name for node, _ in tree.walk() if node.kind == "vector"] == ["a", "b"]
