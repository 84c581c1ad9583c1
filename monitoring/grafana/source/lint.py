"""What is wrong with a dashboard: every rule is a function that yields sentences."""
import re

import promql

FIRST_BATCHER_PANELS = [
    "Request Rate", "Error Rate", "Request Latency", "Average Batch Size", "Queue Size", "Inflight Batches",
    "Batch Wait Time", "Inference Time", "Batch Size Distribution",
]
UNITS = {"none", "short", "s", "percentunit", "bytes", "Bps", "reqps", "ops", "cps", "rps", "flops", "currencyUSD",
         "bool_yes_no", "sci", "suffix:x"}
# Families of the service alone need no job; those that every process exports would mix without it.
FOREIGN = ("ci_benchmark_", "test_performance_score", "up", "scrape_", "ALERTS", "node_", "prometheus_", "alertmanager_")


def panels_of(dashboard):
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def queries_of(dashboard):
    """(where, expression) of every panel, annotation and variable query."""
    for panel in panels_of(dashboard):
        for target in panel["targets"]:
            yield f"{dashboard['uid']}: {panel['title']}", target["expr"]
    for annotation in dashboard["annotations"]["list"]:
        if "expr" in annotation:
            yield f"{dashboard['uid']}: annotation {annotation['name']}", annotation["expr"]


# --- across dashboards


def ids_are_unique(dashboards):
    seen = set()
    for dashboard in dashboards:
        if dashboard["uid"] in seen:
            yield f"{dashboard['uid']}: two dashboards with this uid; Grafana would stop updating both"
        seen.add(dashboard["uid"])
        ids = [panel["id"] for panel in dashboard["panels"]]
        if len(ids) != len(set(ids)):
            yield f"{dashboard['uid']}: a panel id is there twice"
        titles = [panel["title"] for panel in dashboard["panels"]]
        for title in sorted({title for title in titles if titles.count(title) > 1}):
            yield f"{dashboard['uid']}: two panels are called {title!r}"


def the_batcher_starts_with_the_nine(dashboards):
    for dashboard in dashboards:
        if dashboard["uid"] == "jitney-batcher":
            titles = [panel["title"] for panel in dashboard["panels"][:len(FIRST_BATCHER_PANELS)]]
            if titles != FIRST_BATCHER_PANELS:
                yield f"jitney-batcher: begins with {titles}"


# --- one dashboard


def variables_are_there(dashboard):
    variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
    for name in ("datasource", "job", "instance", "model"):
        if name not in variables:
            yield f"{dashboard['uid']}: no variable {name}"
    for name, variable in variables.items():
        if variable["type"] == "query" and variable["datasource"]["uid"] != "${datasource}":
            yield f"{dashboard['uid']}: variable {name} does not follow the data source"


def panels_are_whole(dashboard):
    for panel in panels_of(dashboard):
        where = f"{dashboard['uid']}: {panel['title']}"
        if panel["datasource"]["uid"] != "${datasource}" or any(
                target["datasource"]["uid"] != "${datasource}" for target in panel["targets"]):
            yield f"{where}: the data source is not the variable"
        if len(panel.get("description", "")) < 20:
            yield f"{where}: no description that explains it"
        if panel["fieldConfig"]["defaults"].get("unit") not in UNITS:
            yield f"{where}: unit {panel['fieldConfig']['defaults'].get('unit')!r} is none of {sorted(UNITS)}"
        if not panel["targets"]:
            yield f"{where}: no query"


def series_have_legends(dashboard):
    """A legend names each label by which the series differ, so that no two lines are called the same."""
    for panel in panels_of(dashboard):
        where = f"{dashboard['uid']}: {panel['title']}"
        legends = [target["legendFormat"] for target in panel["targets"]]
        if len(legends) != len(set(legends)):
            yield f"{where}: two queries with one legend"
        for target in panel["targets"]:
            labels = _series_labels(promql.parse(target["expr"]))
            named = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            if panel["type"] == "table" or target["format"] == "heatmap":
                continue
            if labels - {"job"} - named:
                yield f"{where}: series differ by {sorted(labels - named)}, legend {target['legendFormat']!r}"
            if panel["type"] in ("timeseries", "bargauge", "state-timeline") and target["legendFormat"] == "__auto":
                yield f"{where}: no legend"


def _series_labels(tree):
    """The labels that the outermost aggregation keeps; of two sides, those of the left."""
    if tree.kind == "aggregate":
        return _series_labels(tree.arguments[-1]) if tree.name in ("topk", "bottomk") else set(tree.labels)
    if tree.kind == "call" and tree.name == "histogram_quantile":
        return _series_labels(tree.arguments[1]) - {"le"}
    for argument in tree.arguments:
        if argument.kind not in ("number", "string"):
            return _series_labels(argument)
    return set()


def emptiness_is_declared(dashboard):
    """A panel that is empty when all is well says so: noValue is what it shows then, and why it may be empty."""
    for panel in panels_of(dashboard):
        if "noValue" not in panel["fieldConfig"]["defaults"] and all(_drops(target) for target in panel["targets"]):
            yield f"{dashboard['uid']}: {panel['title']} may be empty and has no noValue"


def _drops(target):
    tree = promql.parse(target["expr"])
    return tree.kind == "binary" and tree.name in ("==", "!=", "<", "<=", ">", ">=")


def panels_do_not_overlap(dashboard):
    taken = {}
    for panel in dashboard["panels"]:
        grid = panel["gridPos"]
        if grid["x"] + grid["w"] > 24:
            yield f"{dashboard['uid']}: {panel['title']} leaves the grid"
        for cell in ((x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])):
            if taken.setdefault(cell, panel["title"]) != panel["title"]:
                yield f"{dashboard['uid']}: {panel['title']} overlaps {taken[cell]}"
                break


# --- one query


def queries_name_what_exists(where, tree, samples):
    for node, parents in tree.walk():
        if node.kind != "vector":
            continue
        if node.name not in samples:
            yield f"{where}: {node.name} is not in docs/metrics.md, nor a recorded or a foreign family"
            continue
        known = samples[node.name]
        used = set(node.matchers) | {label for parent in parents if parent.kind == "aggregate" for label in parent.labels}
        if known is not None and not any(parent.name == "label_replace" for parent in parents):
            for label in sorted(used - known):
                yield f"{where}: {node.name} has no label {label}"


def queries_follow_the_variables(where, tree):
    for node, _ in tree.walk():
        if node.kind == "vector" and not node.name.startswith(FOREIGN):
            for label in ("job", "instance"):
                if node.matchers.get(label) != ("=~", f"${label}"):
                    yield f"{where}: {node.name} does not follow ${label}"


def counters_are_rated(where, tree):
    """A counter in rate() or increase(), over the interval that Grafana chooses; and nothing else in them."""
    for node, parents in tree.walk():
        if node.kind != "vector":
            continue
        counter = node.name.endswith(("_total", "_bucket", "_sum", "_count"))
        function = parents[-1].name if parents else ""
        if counter != (function in ("rate", "increase", "irate")):
            yield f"{where}: {node.name} in {function or 'no function'}"
        if function in ("rate", "irate") and node.range not in ("$__rate_interval", "$__range", "1h", "6h"):
            yield f"{where}: rate over [{node.range}], not [$__rate_interval]"


def rates_come_before_sums(where, tree):
    for node, parents in tree.walk():
        if node.kind == "call" and node.name in ("rate", "increase") and not any(p.kind == "aggregate" for p in parents):
            yield f"{where}: {node.name}() of single instances; aggregate it"


def ratios_are_aggregated(where, tree):
    """Both sides of a division by the same labels: or it divides series by themselves, or by nothing."""
    for node, _ in tree.walk():
        if node.kind != "binary" or node.name != "/":
            continue
        sides = [_aggregations(side) for side in node.arguments]
        if not all(_has_vector(side) for side in node.arguments):
            continue
        if not all(sides):
            yield f"{where}: one side of / is not aggregated"
        elif not node.matching and not sides[0] & sides[1]:
            yield f"{where}: the sides of / are aggregated by {sorted(map(sorted, sides[0] | sides[1]))}"


def _has_vector(tree):
    return any(node.kind == "vector" for node, _ in tree.walk())


def _aggregations(tree):
    """The label sets of the outermost aggregations; empty where a vector is under none."""
    found = set()
    for node, parents in tree.walk():
        above = [parent for parent in parents if parent.kind == "aggregate"]
        if node.kind == "vector":
            if not above:
                return set()
            found.add(frozenset(above[0].labels))
    return found


def quantiles_keep_le(where, tree):
    for node, _ in tree.walk():
        if node.kind == "call" and node.name == "histogram_quantile":
            if "le" not in getattr(node.arguments[1], "labels", ()):
                yield f"{where}: histogram_quantile() over something without le"


QUERY_RULES = [queries_follow_the_variables, counters_are_rated, rates_come_before_sums, ratios_are_aggregated,
               quantiles_keep_le]
DASHBOARD_RULES = [variables_are_there, panels_are_whole, series_have_legends, emptiness_is_declared,
                   panels_do_not_overlap]


def findings(dashboards, samples):
    for rule in (ids_are_unique, the_batcher_starts_with_the_nine):
        yield from rule(dashboards)
    for dashboard in dashboards:
        for rule in DASHBOARD_RULES:
            yield from rule(dashboard)
        for where, expression in queries_of(dashboard):
            tree = promql.parse(expression)
            yield from queries_name_what_exists(where, tree, samples)
            for rule in QUERY_RULES:
                yield from rule(where, tree)


def as_rules(dashboards):
    """A rules file with every query, variables filled in, for `promtool check rules`."""
    groups = ["groups:", "  - name: dashboards", "    rules:"]
    for i, (where, expression) in enumerate(q for dashboard in dashboards for q in queries_of(dashboard)):
        expression = fill_in(expression)
        groups += [f"      # {where}", f"      - record: dashboards:query:{i}", "        expr: |", f"          {expression}"]
    return "\n".join(groups) + "\n"


def fill_in(expression, values=None):
    """The query as Grafana would send it, by default with every variable at All."""
    values = {"$__rate_interval": "1m", "$__range": "30m", "$__interval": "15s", "$job": "jitney", "$instance": ".+",
              "$model": ".+", "$core_price": "0.04", "$memory_price": "0.005", **(values or {})}
    for name in sorted(values, key=len, reverse=True):
        expression = expression.replace(name, values[name])
    return expression
