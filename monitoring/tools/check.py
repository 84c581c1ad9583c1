#!/usr/bin/python3
"""Checks everything that watches jitney: the files by themselves, then all of it running.

Running means: jitney under a mixed load, scraped for a minute; every query of every panel and rule is executed, and may
neither fail nor be empty (may_be_empty.yml says which may, and why). Then jitney is overloaded, asked nonsense, killed and
started again, and the alerts must be seen in Alertmanager.

Alerts wait for minutes and look back over hours. Here time runs fifteen times as fast: scrapes, evaluations, ranges and
`for` are all that much shorter (rules.py), thresholds and everything else are those of the repository.

Exit status: 0 all is well, 1 something is not, 77 a program is missing.
"""
import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import yaml

import dashboards
import rules
import traffic
from programs import ROOT, Missing, Program, find, free_port, wait_until
from stack import MONITORING, Stack

FASTER = 15
LOAD_S = 60
ALERTS_S = 75
RULES = MONITORING / "prometheus" / "rules"
DASHBOARDS = MONITORING / "grafana" / "dashboards"
# What Grafana would fill in for a dashboard of the last minute, in faster time.
GRAFANA = {
    "__rate_interval": "20s", "__interval": "5s", "__range": f"{LOAD_S}s", "__interval_ms": "5000",
    "__range_s": str(LOAD_S), "__range_ms": str(LOAD_S * 1000),
}
CONNECTIONS_MAX = 64
# Small limits, so that a few threads of Python are an overload; of the rest, what panels would be empty without.
SERVICE_CONFIG = {
    "workers": 2,
    "http": {"connections_max": CONNECTIONS_MAX},
    "batching": {"max_queue_rows": 48, "max_batch_rows": 16},
    "queues": {"digits": {"target_p99": "100ms"}, "rsi": {"max_delay": "1ms"}},
    "scheduling": {"refuse_late": False},  # deadlines are missed rather than refused
    "drain": {"delay": 0},
}
CHANGED_CONFIG = {**SERVICE_CONFIG, "queues": {"digits": {"target_p99": "100ms"}, "rsi": {"max_delay": "2ms"}}}


class Failed(Exception):
    """The check has found something; the text says what."""


_began = time.monotonic()


def say(text):
    print(f"[{time.monotonic() - _began:5.1f} s] {text}", flush=True)


# --- the files by themselves


def run(*command):
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if result.returncode not in (0, 77):
        raise Failed(f"{' '.join(map(str, command))} ended with {result.returncode}:\n{result.stdout}{result.stderr}")
    return result


def check_dashboards():
    script = MONITORING / "grafana" / "check"
    if not script.exists():
        return "SKIPPED: there are no dashboards"
    result = run(script)
    return (result.stdout.strip().splitlines() or ["done"])[-1]


def check_compose():
    """`docker compose config`, where the client has that command; otherwise at least YAML with all its services."""
    for command in (["docker", "compose"], ["docker-compose"]):
        version = shutil.which(command[0]) and subprocess.run([*command, "version"], capture_output=True, text=True)
        if version and version.returncode == 0 and " v1" not in version.stdout and "version 1." not in version.stdout:
            run(*command, "--profile", "load", "--profile", "scale", "config", "--quiet")
            return f"{' '.join(command)} config"
    yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return "SKIPPED: no docker compose here; read as YAML only"


def check_files():
    promtool, amtool = find("promtool"), find("amtool")
    run(promtool, "check", "config", MONITORING / "prometheus" / "prometheus.yml")
    tests = sorted((MONITORING / "prometheus" / "tests").glob("*.yml"))
    run(promtool, "test", "rules", *tests)
    cases = sum(len(yaml.safe_load(path.read_text())["tests"]) for path in tests)
    say(f"promtool: configuration and rules are good, {cases} rule tests pass")
    run(amtool, "check-config", MONITORING / "alertmanager" / "alertmanager.yml")
    say("amtool: configuration is good")
    say(f"dashboards: {check_dashboards()}")
    say(f"docker-compose.yml: {check_compose()}")


# --- what runs


class Service:
    """jitney on ports of its own, with a model more than the bundled ones, which is broken."""

    def __init__(self, folder, binary, models):
        self.address = f"127.0.0.1:{free_port()}"
        self._folder, self._binary = Path(folder), binary
        self._program = None
        (self._folder / "models" / "broken" / "1").mkdir(parents=True)
        (self._folder / "models" / "broken" / "1" / "model.onnx").write_bytes(b"no model")
        for model in Path(models).iterdir():
            shutil.copytree(model, self._folder / "models" / model.name)
        self._write_config(json.dumps(SERVICE_CONFIG))

    def _write_config(self, text):
        (self._folder / "jitney.json").write_text(text)

    def start(self):
        # JITNEY_* of whoever runs the check is not for this one.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("JITNEY_")}
        command = [
            self._binary, "--listen", self.address, "--admin-listen", "127.0.0.1:0", "--config", self._folder / "jitney.json",
            "--models", self._folder / "models",
        ]
        self._program = Program(self._folder, "jitney", command, f"http://{self.address}/v2/health/ready", environment)
        self._program.wait_ready()
        return self

    def reload(self, text):
        """With another configuration file."""
        self._write_config(text)
        self._program.signal(signal.SIGHUP)

    def kill(self):
        if self._program is not None:
            self._program.kill()

    __enter__ = start

    def __exit__(self, *_):
        self.kill()


def faster_rules(folder):
    """The folder of the sped-up rules."""
    made = Path(folder) / "rules"
    made.mkdir()
    for path in RULES.glob("*.yml"):
        (made / path.name).write_text(rules.speed_up_rules(path.read_text(), FASTER))
    return made


def fetch(url, **parameters):
    """The JSON of an answer, or Failed with what the server said."""
    if parameters:
        url += "?" + urllib.parse.urlencode(parameters)
    try:
        with urllib.request.urlopen(url, timeout=20) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        raise Failed(f"{error.read().decode(errors='replace')[:300]}") from None


# --- queries


def is_empty(data):
    """Without a single number."""
    if data["resultType"] in ("scalar", "string"):
        return False
    return not any(
        value != "NaN" for series in data["result"] for _, value in series.get("values", [series.get("value")])
    )


class Queries:
    """Executes queries against Prometheus and keeps what is wrong with them."""

    def __init__(self, prometheus):
        self._api = f"{prometheus}/api/v1"
        self.executed = 0
        self.wrong = []
        self.excused = 0

    def execute(self, what, expr, reason=None, instant=True, may_be_empty=False):
        """`reason`: why it may be empty, from may_be_empty.yml."""
        self.executed += 1
        now = time.time()
        try:
            if instant:
                data = fetch(f"{self._api}/query", query=expr)["data"]
            else:
                data = fetch(f"{self._api}/query_range", query=expr, start=now - LOAD_S, end=now, step=5)["data"]
        except Failed as error:
            self.wrong.append(f"{what}: {error}\n    {expr}")
            return
        if is_empty(data) and not may_be_empty:
            if reason is None:
                self.wrong.append(f"{what} is empty\n    {expr}")
            else:
                self.excused += 1


def excuses(section, *keys):
    """{(dashboard, panel, metric): reason} of one section of may_be_empty.yml."""
    document = yaml.safe_load((MONITORING / "may_be_empty.yml").read_text())
    return {tuple(entry[key] for key in keys): entry["reason"] for entry in document[section] or []}


def check_panels(queries):
    found = dashboards.read_queries(DASHBOARDS, GRAFANA)
    allowed = excuses("panels", "dashboard", "panel", "metric")
    unused = set(allowed)
    for query in found:
        names = {(query.dashboard, query.panel, rules.metric(selector)) for selector in rules.selectors(query.expr)}
        excused = names & allowed.keys()
        unused -= excused
        reason = "; ".join(allowed[name] for name in excused) or None
        queries.execute(f"panel {query.dashboard} / {query.panel}", query.expr, reason, query.instant)
    queries.wrong += [f"may_be_empty.yml excuses what no panel asks for: {name}" for name in unused if found]
    return len(found)


def check_rules(queries, folder):
    """Records must have values. Alerts may be quiet, but not for lack of something to look at."""
    allowed = excuses("metrics", "metric")
    every = rules.read_rules(folder)
    asked = set()
    for rule in every:
        name = rule.get("record") or rule["alert"]
        queries.execute(f"rule {name}", rule["expr"], may_be_empty="alert" in rule)
        for selector in rules.selectors(rule["expr"]):
            if selector not in asked:
                asked.add(selector)
                queries.execute(f"{selector} of {name}", selector, allowed.get((rules.metric(selector),)))
    return len(every), len(asked)


def check_evaluation(stack, expected):
    """What Prometheus itself says of its rules and targets."""
    groups = fetch(f"{stack.url('prometheus')}/api/v1/rules")["data"]["groups"]
    loaded = [rule for group in groups for rule in group["rules"]]
    if len(loaded) != expected:
        raise Failed(f"Prometheus has {len(loaded)} rules of {expected}")
    broken = [f"{rule['name']}: {rule.get('lastError')}" for rule in loaded if rule["health"] != "ok"]
    if broken:
        raise Failed("rules that Prometheus cannot evaluate:\n" + "\n".join(broken))
    targets = fetch(f"{stack.url('prometheus')}/api/v1/targets")["data"]["activeTargets"]
    down = [f"{target['scrapeUrl']}: {target['lastError']}" for target in targets if target["health"] != "up"]
    if down:
        raise Failed("targets that cannot be scraped:\n" + "\n".join(down))
    return len(targets)


def check_queries(stack, folder):
    queries = Queries(stack.url("prometheus"))
    panels = check_panels(queries)
    panel_excused, queries.excused = queries.excused, 0
    rule_count, asked = check_rules(queries, folder)
    targets = check_evaluation(stack, rule_count)
    if queries.wrong:
        raise Failed(f"{len(queries.wrong)} of {queries.executed} queries:\n" + "\n".join(queries.wrong))
    say(f"{queries.executed} queries executed, 0 errors: {panels} of panels and annotations ({panel_excused} empty as declared), "
        f"{rule_count} rules, {asked} selectors of rules ({queries.excused} empty as declared); {targets} targets up")
    return queries.executed, rule_count


# --- faults and alerts


class Alerts:
    """What has been seen firing in Alertmanager, {name: [labels, ...]}."""

    def __init__(self, alertmanager):
        self._url = f"{alertmanager}/api/v2/alerts"
        self.seen = {}

    def look(self):
        for alert in fetch(self._url):
            labels, annotations = alert["labels"], alert["annotations"]
            # What a template says when it fails.
            for text in annotations.values():
                if "<no value>" in text or "<error" in text or "error executing template" in text:
                    raise Failed(f"{labels['alertname']} says: {text}")
            known = self.seen.setdefault(labels["alertname"], [])
            if labels not in known:
                known.append(labels)

    def has(self, name, **wanted):
        return any(wanted.items() <= labels.items() for labels in self.seen.get(name, []))

    def wait(self, fault, *expected):
        """For (name, labels) each."""
        began = time.monotonic()

        def missing():
            self.look()
            return [(name, labels) for name, labels in expected if not self.has(name, **labels)]

        try:
            wait_until(lambda: not missing(), "alerts", ALERTS_S)
        except TimeoutError:
            raise Failed(f"{fault}: not seen firing within {ALERTS_S} s: {missing()}") from None
        say(f"{fault}: {', '.join(name for name, _ in expected)} after {time.monotonic() - began:.0f} s")


def overload(service, alerts, wide_inputs):
    mixture = traffic.bad(wide_inputs) + [(4, request) for _, request in traffic.overload(wide_inputs)]
    # All but a few of the connections, and the few that ask.
    service.reload("{ this is no configuration")
    with traffic.idle_connections(service.address, CONNECTIONS_MAX - 14), \
            traffic.Traffic(service.address, mixture, threads=12):
        alerts.wait(
            "overload, nonsense, idle connections and a bad configuration",
            ("LoadShedding", {"model": "wide"}), ("HighErrorRate", {}), ("ErrorBudgetBurnFast", {"slo": "availability"}),
            ("ComputeErrorsHigh", {"error_type": "invalid_json"}), ("DeadlinesMissed", {"model": "wide"}),
            ("HighConnectionUsage", {}), ("ConfigReloadFailed", {}),
        )
    service.reload(json.dumps(SERVICE_CONFIG))


def crash(service, stack, alerts):
    service.kill()
    stack.programs["node"].stop()
    alerts.wait("a service and a node exporter that are killed", ("ServiceDown", {}), ("TargetDown", {"job": "node"}))
    for _ in range(3):
        service.start()
        began = time.time()
        # Scraped at least once, or Prometheus knows nothing of this start.
        wait_until(lambda: last_scrape(stack) > began, "a scrape", 20)
        service.kill()
    service.start()
    alerts.wait("a service that starts again and again", ("ServiceRestarting", {}))


def last_scrape(stack):
    """When what the service says was last read. Of anything but a bare selector timestamp() would be now."""
    query = 'timestamp(process_start_time_seconds{job="jitney"})'
    found = fetch(f"{stack.url('prometheus')}/api/v1/query", query=query)["data"]["result"]
    return float(found[0]["value"][1]) if found else 0


def check_running(binary, models):
    with tempfile.TemporaryDirectory(prefix="jitney-monitoring-") as folder:
        made = faster_rules(folder)
        with Service(folder, binary, models) as service, \
                Stack(folder, service.address, made, lambda config: rules.speed_up_config(config, FASTER)) as stack:
            say(f"jitney, Prometheus, Alertmanager and node exporter run; {LOAD_S} s of mixed load")
            wide_inputs = traffic.shape_of(service.address, "wide")
            mixture = traffic.good(wide_inputs) + traffic.bad(wide_inputs)
            alerts = Alerts(stack.url("alertmanager"))
            with traffic.Traffic(service.address, mixture, pause_s=0.002, leaving=0.02) as load:
                time.sleep(LOAD_S / 2)
                service.reload(json.dumps(CHANGED_CONFIG))  # dashboards mark such changes
                time.sleep(LOAD_S / 2)
                statuses = ", ".join(f"{count} x {status or 'left'}" for status, count in sorted(load.statuses.items()))
                say(f"answers: {statuses}")
                executed, rule_count = check_queries(stack, made)
            alerts.wait("no fault at all, and a broken model", ("Watchdog", {}), ("ErrorsLogged", {}))
            overload(service, alerts, wide_inputs)
            crash(service, stack, alerts)
            return executed, rule_count, alerts.seen


def parse_arguments():
    parser = argparse.ArgumentParser(prog="script/monitoring check", description=__doc__.splitlines()[0])
    parser.add_argument("--jitney", required=True, help="the server's binary")
    parser.add_argument("--models", required=True, help="the folder of the bundled models")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    check_files()
    executed, rule_count, seen = check_running(arguments.jitney, arguments.models)
    say(f"done: {executed} queries, {rule_count} rules, {len(seen)} alerts seen in Alertmanager ({', '.join(sorted(seen))})")


if __name__ == "__main__":
    try:
        main()
    except Missing as error:
        print(f"SKIPPED: {error}")
        sys.exit(77)
    except (Failed, RuntimeError) as error:
        sys.exit(f"FAILED: {error}")
