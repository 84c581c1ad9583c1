"""The queries of Grafana's dashboards, with its variables filled in as Grafana would."""
import json
import re
from collections import namedtuple
from pathlib import Path

# `instant`: one value of now rather than a line over time.
PanelQuery = namedtuple("PanelQuery", "dashboard panel expr instant")


def _panels(panels):
    for panel in panels:
        yield panel
        yield from _panels(panel.get("panels", []))


def _value(variable):
    """What a variable stands for when everything is chosen."""
    value = variable.get("current", {}).get("value", "")
    if isinstance(value, list):
        value = value[0] if value else ""
    if value == "$__all":
        return variable.get("allValue") or ".*"
    return str(value)


def fill_in(expr, variables):
    """$job, ${job} and ${job:regex}; the longest name first, so that $job does not spoil $jobs."""
    for name in sorted(variables, key=len, reverse=True):
        expr = re.sub(rf"\$\{{{name}(:\w+)?\}}|\${name}\b", lambda _: variables[name], expr)
    return expr


def read_queries(folder, built_in):
    """Every query of every panel and annotation; `built_in` are Grafana's own variables: {"__rate_interval": "1m"}."""
    queries = []
    for path in sorted(Path(folder).glob("*.json")):
        dashboard = json.loads(path.read_text())
        variables = {variable["name"]: _value(variable) for variable in dashboard.get("templating", {}).get("list", [])}
        variables.update(built_in)
        for panel in _panels(dashboard["panels"]):
            for target in panel.get("targets", []):
                expr = fill_in(target["expr"], variables)
                queries.append(PanelQuery(dashboard["title"], panel["title"], expr, bool(target.get("instant"))))
        for annotation in dashboard.get("annotations", {}).get("list", []):
            if "expr" in annotation:
                expr = fill_in(annotation["expr"], variables)
                queries.append(PanelQuery(dashboard["title"], f"annotation {annotation['name']}", expr, False))
    return queries
