"""What a dashboard is made of, as Grafana's JSON (schema version 42).

dashboards.py says what is shown; this file alone knows how Grafana wants it said. In queries

    <service>   stands for  job=~"$job", instance=~"$instance"
    <queue>     stands for  the same and model=~"$model"
    <rate>      stands for  $__rate_interval, as in [<rate>]
"""

SELECTORS = {
    "<service>": 'job=~"$job", instance=~"$instance"',
    "<queue>": 'job=~"$job", instance=~"$instance", model=~"$model"',
    "<rate>": "$__rate_interval",
}
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
GRID_COLUMNS = 24

# What has a meaning keeps its colour on every panel.
COLORS = {
    "success": "green", "2xx": "green", "up": "green", "interactive": "green", "pass": "green",
    "error": "red", "5xx": "red", "fail": "red", "critical": "red",
    "timeout": "orange", "4xx": "orange", "warning": "orange",
    "rejected": "purple", "cancelled": "#8e8e8e", "other": "#8e8e8e",
    "p50": "green", "p95": "yellow", "p99": "red", "mean": "blue",
    "parse": "yellow", "queue": "purple", "compute": "blue", "write": "green",
    "size": "blue", "idle": "green", "deadline": "orange", "drain": "#8e8e8e",
}
# A bound rather than a measurement: dashed, and no area under it.
BOUND = "limit|capacity|target|configured|predicted"


def expand(expression):
    for name, text in SELECTORS.items():
        expression = expression.replace(name, text)
    return " ".join(expression.split())


def query(expression, legend, exemplar=False):
    return {"expr": expand(expression), "legendFormat": legend or "__auto", "exemplar": exemplar}


def percentiles(histogram, selector, by=""):
    """p50, p95 and p99 of a histogram over everything, or by one label."""
    labels = f"le, {by}" if by else "le"
    return [
        query(f"histogram_quantile({share}, sum by ({labels}) (rate({histogram}_bucket{{{selector}}}[<rate>])))",
              f"{{{{{by}}}}} {name}" if by else name, exemplar=True)
        for share, name in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))
    ]


def mean(family, selector, by=""):
    """The mean of a histogram or a summary. Both sides are aggregated alike; no traffic is no value."""
    by = f" by ({by})" if by else ""
    return (f"sum{by} (rate({family}_sum{{{selector}}}[<rate>]))"
            f" / (sum{by} (rate({family}_count{{{selector}}}[<rate>])) > 0)")


# --- panels: a dict with the JSON, and how much of the grid it takes


def _thresholds(steps):
    steps = steps or [("green", None)]
    return {"mode": "absolute", "steps": [{"color": color, "value": value} for color, value in steps]}


def _targets(queries, instant, form):
    targets = []
    for i, wanted in enumerate(queries):
        target = {
            "refId": chr(ord("A") + i), "datasource": DATASOURCE, "editorMode": "code",
            "expr": wanted["expr"], "legendFormat": wanted["legendFormat"],
            "range": not instant, "instant": instant, "format": form,
        }
        if wanted["exemplar"]:
            target["exemplar"] = True
        targets.append(target)
    return targets


def _panel(kind, title, description, unit, queries, width, height, instant=False, form="time_series",
           thresholds=None, decimals=None, low=None, high=None, no_value=None, mappings=None, link=None):
    defaults = {"unit": unit, "thresholds": _thresholds(thresholds), "mappings": mappings or []}
    for key, value in (("decimals", decimals), ("min", low), ("max", high), ("noValue", no_value)):
        if value is not None:
            defaults[key] = value
    panel = {
        "type": kind, "title": title, "description": description, "datasource": DATASOURCE,
        "gridPos": {"w": width, "h": height},
        "targets": _targets(queries, instant, form),
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": {},
    }
    if link:
        panel["links"] = [{"title": "Details", "type": "link", "targetBlank": False,
                           "url": f"/d/{link}?${{datasource:queryparam}}&${{job:queryparam}}&${{__url_time_range}}"}]
    return panel


def _override(matcher, options, **properties):
    return {"matcher": {"id": matcher, "options": options},
            "properties": [{"id": name.replace("__", "."), "value": value} for name, value in properties.items()]}


def graph(title, description, unit, queries, width=8, height=8, stack=False, share=False, steps=False, bars=False,
          thresholds=None, high=None, log=False, no_value=None):
    """Lines over time. stack: areas that add up; share: to 100 %. thresholds are drawn as dashed lines. log: what lies
    decades apart, as a median and a 99th percentile do, on one scale; zeros are not drawn."""
    panel = _panel("timeseries", title, description, unit, queries, width, height,
                   thresholds=thresholds, low=None if log else 0, high=high, no_value=no_value)
    defaults = panel["fieldConfig"]["defaults"]
    defaults["color"] = {"mode": "palette-classic-by-name"}
    defaults["custom"] = {
        "drawStyle": "bars" if bars else "line", "lineInterpolation": "stepAfter" if steps else "linear",
        "lineWidth": 1 if stack or share else 2, "fillOpacity": 60 if stack or share or bars else 0 if log else 6,
        "gradientMode": "none", "showPoints": "never", "spanNulls": False, "axisBorderShow": False,
        "scaleDistribution": {"type": "log", "log": 10} if log else {"type": "linear"},
        "stacking": {"group": "A", "mode": "percent" if share else "normal" if stack else "none"},
        "thresholdsStyle": {"mode": "dashed" if thresholds else "off"},
    }
    panel["fieldConfig"]["overrides"] = [
        _override("byName", name, color={"mode": "fixed", "fixedColor": COLORS[name]})
        for name in sorted(COLORS) if _may_be_named(name, queries)
    ]
    if any(_is_bound(wanted["legendFormat"]) for wanted in queries):
        panel["fieldConfig"]["overrides"].append(_override(
            "byRegexp", f"/({BOUND})$/", custom__lineStyle={"fill": "dash", "dash": [8, 6]},
            custom__fillOpacity=0, custom__lineWidth=1, custom__stacking={"group": "A", "mode": "none"}))
    table = len(queries) > 1 or "{{" in queries[0]["legendFormat"]
    panel["options"] = {
        "legend": {"displayMode": "table" if table else "list", "placement": "bottom", "showLegend": True,
                   "calcs": ["lastNotNull", "max"] if table else []},
        "tooltip": {"mode": "multi", "sort": "desc", "hideZeros": False},
    }
    return panel


def _is_bound(legend):
    return legend.split(" ")[-1] in BOUND.split("|")


# The labels whose values have a colour of their own.
COLORED_LABELS = {
    "{{status}}": {"success", "error", "timeout", "rejected", "cancelled"},
    "{{class}}": {"2xx", "4xx", "5xx", "interactive"},
    "{{reason}}": {"size", "idle", "timeout", "deadline", "drain"},
    "{{stage}}": {"parse", "queue", "compute", "write"},
    "{{result}}": {"pass", "fail"},
    "{{level}}": {"error"},
    "{{severity}}": {"critical", "warning"},
}


def _may_be_named(name, queries):
    return any(wanted["legendFormat"] == name or name in COLORED_LABELS.get(wanted["legendFormat"], ())
               for wanted in queries)


def stat(title, description, unit, queries, width=3, height=4, thresholds=None, text="auto", spark=True, **more):
    panel = _panel("stat", title, description, unit, queries, width, height, instant=not spark,
                   thresholds=thresholds, **more)
    panel["fieldConfig"]["defaults"]["color"] = {"mode": "thresholds"}
    panel["options"] = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "value", "graphMode": "area" if spark else "none", "textMode": text, "justifyMode": "auto",
        "orientation": "auto", "wideLayout": True, "showPercentChange": False, "percentChangeColorMode": "standard",
    }
    return panel


def bars(title, description, unit, queries, width=8, height=8, thresholds=None, form="time_series", **more):
    """One bar for each series, as it is now."""
    panel = _panel("bargauge", title, description, unit, queries, width, height, instant=True, form=form,
                   thresholds=thresholds, low=0, **more)
    panel["fieldConfig"]["defaults"]["color"] = {"mode": "thresholds"}
    panel["options"] = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "displayMode": "gradient", "orientation": "horizontal", "showUnfilled": True, "valueMode": "color",
        "namePlacement": "auto", "sizing": "auto", "minVizWidth": 8, "minVizHeight": 16, "maxVizHeight": 300,
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False, "calcs": []},
    }
    return panel


def heatmap(title, description, unit, histogram, selector, cell="reqps", width=8, height=8, scheme="Blues"):
    """How often each bucket was hit, over time: shows the modes that percentiles hide."""
    queries = [query(f"sum by (le) (rate({histogram}_bucket{{{selector}}}[<rate>]))", "{{le}}")]
    panel = _panel("heatmap", title, description, unit, queries, width, height, form="heatmap")
    panel["options"] = {
        "calculate": False, "cellGap": 1, "showValue": "never", "cellValues": {"unit": cell},
        "color": {"mode": "scheme", "scheme": scheme, "scale": "exponential", "exponent": 0.5, "steps": 64,
                  "reverse": False, "fill": "blue"},
        "filterValues": {"le": 1e-9}, "rowsFrame": {"layout": "auto"},
        "yAxis": {"axisPlacement": "left", "unit": unit},
        "tooltip": {"mode": "single", "yHistogram": True, "showColorScale": False},
        "legend": {"show": True}, "exemplars": {"color": "rgba(255,0,255,0.7)"},
    }
    return panel


def table(title, description, columns, width=12, height=8, no_value=None):
    """columns: [(query, unit)]; a query's legend is its column's heading. Series meet by their labels."""
    queries = [wanted for wanted, _ in columns]
    panel = _panel("table", title, description, columns[0][1], queries, width, height, instant=True, form="table",
                   no_value=no_value)
    panel["fieldConfig"]["defaults"]["custom"] = {"align": "auto", "inspect": False}
    panel["fieldConfig"]["overrides"] = [
        _override("byName", wanted["legendFormat"], unit=unit) for wanted, unit in columns]
    value = [f"Value #{chr(ord('A') + i)}" if len(columns) > 1 else "Value" for i in range(len(columns))]
    panel["transformations"] = [
        {"id": "merge", "options": {}},
        {"id": "organize", "options": {
            "excludeByName": {name: True for name in ("Time", "__name__")},
            "renameByName": {value[i]: wanted["legendFormat"] for i, wanted in enumerate(queries)}}},
    ]
    panel["options"] = {"showHeader": True, "cellHeight": "sm", "frameIndex": 0}
    return panel


def states(title, description, queries, names, width=12, height=8, no_value=None):
    """One lane for each series. names: {value: (text, color)}."""
    mapping = {str(value): {"text": text, "color": color, "index": i}
               for i, (value, (text, color)) in enumerate(names.items())}
    panel = _panel("state-timeline", title, description, "none", queries, width, height,
                   mappings=[{"type": "value", "options": mapping}], no_value=no_value)
    defaults = panel["fieldConfig"]["defaults"]
    defaults["color"] = {"mode": "thresholds"}
    defaults["custom"] = {"fillOpacity": 70, "lineWidth": 0, "spanNulls": False}
    panel["options"] = {
        "mergeValues": True, "showValue": "never", "rowHeight": 0.85, "alignValue": "left",
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "single", "sort": "none"},
    }
    return panel


def row(title):
    return {"type": "row", "title": title, "gridPos": {"w": GRID_COLUMNS, "h": 1}, "collapsed": False, "panels": []}


# --- the dashboard around them


def _query_variable(name, label, values, all_value=".+"):
    return {
        "name": name, "label": label, "type": "query", "datasource": DATASOURCE, "query": values, "definition": values,
        "refresh": 2, "sort": 1, "multi": True, "includeAll": True, "allValue": all_value, "hide": 0, "regex": "",
        "skipUrlSync": False, "options": [], "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
    }


def number_variable(name, label, value):
    return {"name": name, "label": label, "type": "textbox", "query": value, "hide": 0, "skipUrlSync": False,
            "options": [{"selected": True, "text": value, "value": value}],
            "current": {"selected": True, "text": value, "value": value}}


DATASOURCE_VARIABLE = {
    "name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1, "hide": 0,
    "regex": "", "multi": False, "includeAll": False, "options": [],
    "current": {"selected": False, "text": "Prometheus", "value": "prometheus"},
}
VARIABLES = [
    DATASOURCE_VARIABLE,
    # All is the jobs that are jitney's: ".+" would take in the process_* families of Prometheus and others.
    _query_variable("job", "Job", "label_values(compute_info, job)", all_value=None),
    _query_variable("instance", "Instance", 'label_values(compute_info{job=~"$job"}, instance)'),
    _query_variable("model", "Model", expand("label_values(batcher_queue_size{<service>}, model)")),
]


def _annotation(name, color, expression, title, text="", **more):
    return {"name": name, "datasource": DATASOURCE, "enable": True, "hide": False, "iconColor": color,
            "expr": expand(expression), "step": "15s", "titleFormat": title, "textFormat": text, **more}


ANNOTATIONS = [
    {"builtIn": 1, "type": "dashboard", "name": "Annotations & Alerts", "enable": True, "hide": True,
     "iconColor": "rgba(0, 211, 255, 1)", "datasource": {"type": "grafana", "uid": "-- Grafana --"}},
    # A build that no instance has run in the day before.
    _annotation("Deployments", "purple",
                "max by (version, commit) (compute_info{<service>}) unless on (version, commit)"
                " max by (version, commit) (max_over_time(compute_info{<service>}[1d] offset 1m))",
                "deployed {{version}}", "commit {{commit}}"),
    # The value is the time of the start, so that the mark stands where it happened.
    _annotation("Restarts", "orange", "max by (instance) (process_start_time_seconds{<service>}) * 1000",
                "{{instance}} started", useValueForTime=True),
    _annotation("Batching changed", "blue",
                "sum by (model, source) (increase(batcher_config_changes_total{<service>}[1m])) > 0",
                "{{model}} batches differently", "changed by {{source}}"),
    {**_annotation("Critical alerts", "red",
                   'max by (alertname) (ALERTS{alertstate="firing", severity="critical"})', "{{alertname}}"),
     "enable": False},
]
LINKS = [{"type": "dashboards", "title": "jitney", "tags": ["jitney"], "asDropdown": True, "includeVars": True,
          "keepTime": True, "targetBlank": False, "icon": "external link", "tooltip": "", "url": ""}]


def _place(panels):
    """Left to right, a new line where the next one does not fit; ids are places in the list."""
    x = y = line_height = 0
    for i, panel in enumerate(panels, 1):
        grid = panel["gridPos"]
        if x + grid["w"] > GRID_COLUMNS or (panel["type"] == "row" and x > 0):
            x, y, line_height = 0, y + line_height, 0
        panel["id"] = i
        panel["gridPos"] = {"h": grid["h"], "w": grid["w"], "x": x, "y": y}
        x, line_height = x + grid["w"], max(line_height, grid["h"])
    return panels


def dashboard(uid, title, description, panels, variables=()):
    return {
        "uid": uid, "title": f"jitney / {title}", "description": description, "tags": ["jitney"],
        "schemaVersion": 42, "version": 1, "editable": False, "graphTooltip": 1, "fiscalYearStartMonth": 0,
        "timezone": "", "weekStart": "", "liveNow": False, "preload": False, "refresh": "15s",
        "time": {"from": "now-30m", "to": "now"}, "timepicker": {}, "links": LINKS,
        "templating": {"list": [*VARIABLES, *variables]}, "annotations": {"list": ANNOTATIONS},
        "panels": _place(panels),
    }
