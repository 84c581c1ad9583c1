"""The parts of the check that need no program to run."""
import re

import pytest
import yaml

import check
import dashboards
import rules
import stack
from programs import ROOT

RULES = ROOT / "monitoring" / "prometheus" / "rules"


@pytest.mark.parametrize(
    "query, expected",
    [
        ("up == 0", ["up"]),
        ('up{job="a"} or absent(up{job="a"})', ['up{job="a"}', 'up{job="a"}']),
        ("sum by (job, code) (rate(http_requests_total[5m]))", ["http_requests_total"]),
        ("sum(rate(a_total[5m])) by (job) / on (job) group_left (x) b", ["a_total", "b"]),
        ("avg_over_time(job:x:rate5m[1h] offset 1d) > 1.5e3", ["job:x:rate5m"]),
        ('rate(a{route!~"/v1/{model}|x, y", code=~"5.."}[5m])', ['a{route!~"/v1/{model}|x, y",code=~"5.."}']),
        ("histogram_quantile(0.95, sum without (le) (a_bucket))", ["a_bucket"]),
        ("max_over_time((count by (x) (ALERTS))[1h:1m])", ["ALERTS"]),
        ("vector(1)", []),
        ("a and on (job) b unless c", ["a", "b", "c"]),
    ],
)
def test_selectors_are_what_a_query_reads(query, expected):
    assert rules.selectors(query) == expected


@pytest.mark.parametrize(
    "query, expected",
    [
        ("rate(a[5m])", "rate(a[20s])"),
        ("job:a:rate5m[1h] offset 1d", "job:a:rate5m[240s] offset 5760s"),
        ("max_over_time(a[1h:1m])", "max_over_time(a[240s:4s])"),
        ("rate(a[15s])", "rate(a[4s])"),
        ("a > 60 and time() - b > 30", "a > 60 and time() - b > 30"),
    ],
)
def test_faster_time_is_shorter_ranges_and_nothing_else(query, expected):
    assert rules.speed_up_query(query, 15) == expected


def test_faster_rules_say_the_same():
    for path in RULES.glob("*.yml"):
        before, after = yaml.safe_load(path.read_text()), yaml.safe_load(rules.speed_up_rules(path.read_text(), 15))
        for group, faster in zip(before["groups"], after["groups"], strict=True):
            for rule, other in zip(group["rules"], faster["rules"], strict=True):
                assert set(rule) == set(other)
                assert rule.get("annotations") == other.get("annotations")
                if "for" in rule:
                    assert rules.seconds(other["for"]) == pytest.approx(rules.seconds(rule["for"]) / 15, abs=0.5)


def test_variables_are_filled_in_as_grafana_does():
    variables = {"job": ".*", "jobs": "no", "__rate_interval": "20s"}
    expr = 'rate(a{job=~"$job", b=~"${job:regex}"}[$__rate_interval]) + ${jobs}'
    assert dashboards.fill_in(expr, variables) == 'rate(a{job=~".*", b=~".*"}[20s]) + no'


def test_queries_are_found_in_rows_too(tmp_path):
    (tmp_path / "a.json").write_text(
        '{"title": "A", "templating": {"list": [{"name": "x", "current": {"value": ["$__all"]}, "allValue": ".+"}]},'
        ' "panels": [{"title": "row", "panels": [{"title": "in it", "targets": [{"expr": "up{a=~\\"$x\\"}"}]}]}]}'
    )
    assert dashboards.read_queries(tmp_path, {}) == [("A", "in it", 'up{a=~".+"}', False)]


def test_the_local_configuration_scrapes_what_runs_here():
    config = yaml.safe_load((ROOT / "monitoring" / "prometheus" / "prometheus.yml").read_text())
    targets = {name: f"127.0.0.1:{port}" for port, name in enumerate(("jitney", "node", "prometheus", "alertmanager"), 1)}
    local = stack.local_config(config, targets, RULES)
    scraped = {scrape["job_name"]: scrape["static_configs"][0]["targets"] for scrape in local["scrape_configs"]}
    assert scraped == {name: [target] for name, target in targets.items()}
    assert not re.search(r"jitney:8001|jitney-scaled|grafana", yaml.safe_dump(local))


def test_a_result_without_a_number_is_empty():
    nothing = {"resultType": "vector", "result": []}
    not_a_number = {"resultType": "matrix", "result": [{"metric": {}, "values": [[1, "NaN"], [2, "NaN"]]}]}
    some = {"resultType": "matrix", "result": [{"metric": {}, "values": [[1, "NaN"], [2, "0"]]}]}
    assert check.is_empty(nothing) and check.is_empty(not_a_number)
    assert not check.is_empty(some) and not check.is_empty({"resultType": "scalar", "result": [1, "1"]})


# --- the rules themselves


def every_rule():
    return rules.read_rules(RULES)


def alerts():
    return [rule for rule in every_rule() if "alert" in rule]


def test_every_rule_asks_for_metrics_that_exist():
    known = set(re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE))
    known |= {rule["record"] for rule in every_rule() if "record" in rule} | {"up"}
    for rule in every_rule():
        for selector in rules.selectors(rule["expr"]):
            name = rules.metric(selector)
            ours = re.sub(r"_(bucket|sum|count)$", "", name)
            assert {name, ours} & known or name.startswith(("prometheus_", "alertmanager_", "node_")), (rule, name)


def test_every_alert_has_what_a_person_at_night_needs():
    for alert in alerts():
        assert re.fullmatch(r"\d+[smh]", alert["for"]), alert
        assert alert["labels"]["severity"] in ("critical", "warning", "none"), alert
        assert {"summary", "description", "runbook_url"} == set(alert["annotations"]), alert


def test_every_alert_has_a_runbook_that_knows_it():
    for alert in alerts():
        text = (ROOT / alert["annotations"]["runbook_url"]).read_text()
        assert alert["alert"] in text, alert
        for part in ("Meaning", "Impact", "Diagnosis", "Mitigation"):
            assert f"## {part}\n" in text, (alert["annotations"]["runbook_url"], part)


def test_every_runbook_is_some_alerts():
    wanted = {alert["annotations"]["runbook_url"] for alert in alerts()}
    assert wanted == {f"monitoring/runbooks/{path.name}" for path in (ROOT / "monitoring" / "runbooks").glob("*.md")}


def test_every_alert_is_tested_firing_and_quiet():
    firing, quiet = set(), set()
    for path in (ROOT / "monitoring" / "prometheus" / "tests").glob("*.yml"):
        for case in yaml.safe_load(path.read_text())["tests"]:
            for one in case.get("alert_rule_test", []):
                (firing if one["exp_alerts"] else quiet).add(one["alertname"])
            for one in case.get("promql_expr_test", []):
                name = re.search(r'alertname="(\w+)"', one["expr"])
                if name:
                    (firing if one["exp_samples"] else quiet).add(name.group(1))
    names = {alert["alert"] for alert in alerts()}
    assert names - firing == set()
    assert names - quiet == {"Watchdog"}  # which never is


def test_every_alert_has_a_name_of_its_own():
    """Two of one name would hide each other in Alertmanager."""
    names = [alert["alert"] for alert in alerts()]
    assert len(names) == len(set(names))
