"""What Prometheus gets: parsed strictly, and adding up."""
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from jitney_client import assert_error, request

PREDICT = "/v1/models/digits:predict"
TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
# What Prometheus 3.5 sends.
PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)

_LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
_SAMPLE = re.compile(rf"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{{({_LABEL}(?:,{_LABEL})*)\}})? (\S+)")
_NUMBER = re.compile(r"[+-]?Inf|NaN|-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def promtool():
    """From the folder that script/setup unpacks tools into, or installed."""
    unpacked = Path(__file__).resolve().parents[2] / "build" / "tools" / "usr" / "bin" / "promtool"
    return str(unpacked) if unpacked.exists() else shutil.which("promtool")


def exercise(server, digit):
    """Some of everything: answers, refusals, and requests that no route takes."""
    for _ in range(20):
        assert server.ask("POST", PREDICT, {"instances": [digit] * 3}).status == 200
    for indicator in ("sma", "ema", "rsi"):
        body = {"prices": [1, 2, 3, 4], "period": 2}
        assert server.ask("POST", f"/v1/indicators/{indicator}", body).status == 200
    assert_error(server.ask("POST", "/v1/indicators/rsi", {"prices": [], "period": 2}), 400, "empty_input")
    assert_error(server.ask("GET", "/nowhere"), 404, "not_found")
    with server.connect() as connection:
        connection.send(b"NOT HTTP\r\n\r\n")
        assert connection.read_response().status == 400


@pytest.fixture(scope="module")
def exercised(shared):
    exercise(shared, [0.25] * 64)
    return shared


def scrape(server, accept=None):
    response = server.ask("GET", "/metrics", headers={"Accept": accept} if accept else {})
    assert response.status == 200
    return response.headers["content-type"], response.body.decode()


# --- the formats


def families_of(text):
    """Reads format 0.0.4 more strictly than Prometheus does: {name: (type, [(sample, labels, value)])}."""
    assert text.endswith("\n") and "\r" not in text and "\n\n" not in text
    families, current = {}, None
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            name, text_of_help = line[7:].split(" ", 1)
            assert name not in families, f"{name} stands in two places"
            assert text_of_help.strip()
            families[name] = current = {"name": name, "type": None, "samples": []}
        elif line.startswith("# TYPE "):
            name, kind = line[7:].split(" ")
            assert name == current["name"] and current["type"] is None and not current["samples"]
            assert kind in ("counter", "gauge", "histogram", "summary")
            current["type"] = kind
        else:
            match = _SAMPLE.fullmatch(line)
            assert match, f"not a sample: {line!r}"
            assert _NUMBER.fullmatch(match[3]), line
            labels = dict(re.findall(r'([a-zA-Z0-9_]+)="((?:[^"\\]|\\.)*)"', match[2] or ""))
            assert_belongs(match[1], current)
            current["samples"].append((match[1], labels, float(match[3])))
    return families


def assert_belongs(sample, family):
    suffixes = {"counter": [""], "gauge": [""], "histogram": ["_bucket", "_sum", "_count"],
                "summary": ["_sum", "_count"]}
    wanted = [family["name"] + suffix for suffix in suffixes[family["type"]]]
    assert sample in wanted, f"{sample} in the family {family['name']}"
    assert family["type"] != "counter" or sample.endswith("_total")


def test_the_text_format_is_strict(exercised):
    kind, text = scrape(exercised)
    assert kind == TEXT
    families = families_of(text)
    assert len(families) > 40
    for family in families.values():
        keys = [(name, tuple(sorted(labels.items()))) for name, labels, _ in family["samples"]]
        assert len(keys) == len(set(keys)), f"a series twice in {family['name']}"
        assert not any({"job", "instance"} & set(labels) for _, labels, _ in family["samples"])
        assert family["type"] != "counter" or all(value >= 0 for _, _, value in family["samples"])


def test_histograms_are_cumulative_and_end_in_their_count(exercised):
    for family in families_of(scrape(exercised)[1]).values():
        if family["type"] != "histogram":
            continue
        series = {}
        for name, labels, value in family["samples"]:
            key = tuple(sorted((k, v) for k, v in labels.items() if k != "le"))
            series.setdefault(key, []).append((name[len(family["name"]):], labels.get("le"), value))
        for samples in series.values():
            buckets = [(float(le), value) for suffix, le, value in samples if suffix == "_bucket"]
            count = [value for suffix, _, value in samples if suffix == "_count"]
            assert buckets == sorted(buckets) and buckets[-1][0] == float("inf")
            assert [value for _, value in buckets] == sorted(value for _, value in buckets)
            assert count == [buckets[-1][1]], family["name"]
            assert sum(suffix == "_sum" for suffix, _, _ in samples) == 1


def test_other_parsers_read_the_same(exercised):
    theirs = {family.name: family for family in text_string_to_metric_families(scrape(exercised)[1])}
    kind, text = scrape(exercised, OPENMETRICS)
    assert kind == OPENMETRICS
    assert text.endswith("# EOF\n") and text.count("# EOF") == 1
    open_families = {family.name: family for family in openmetrics.text_string_to_metric_families(text)}
    # An info family keeps its name in the text format, and loses "_info" in OpenMetrics.
    as_text = {name + "_info" if family.type == "info" else name for name, family in open_families.items()}
    assert as_text == set(theirs)
    for name, family in open_families.items():
        if family.type == "counter":
            got = {(s.name, tuple(sorted(s.labels.items()))) for s in family.samples}
            assert got == {(s.name, tuple(sorted(s.labels.items()))) for s in theirs[name].samples}


@pytest.mark.parametrize(
    "accept, kind",
    [
        (None, TEXT),
        ("*/*", TEXT),
        ("text/plain", TEXT),
        ("text/plain;version=0.0.4;q=0.3,*/*;q=0.2", TEXT),
        ("text/html", TEXT),
        ("application/openmetrics-text", OPENMETRICS),
        ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.6", TEXT),
        (PROMETHEUS, OPENMETRICS),
    ],
)
def test_the_accept_header_chooses(exercised, accept, kind):
    assert scrape(exercised, accept)[0] == kind


@pytest.mark.skipif(promtool() is None, reason="promtool is not there: run script/setup test")
def test_promtool_has_nothing_to_say(exercised):
    text = scrape(exercised)[1]
    check = subprocess.run([promtool(), "check", "metrics"], input=text, text=True, capture_output=True, timeout=60)
    assert (check.returncode, check.stdout, check.stderr) == (0, "", "")


# --- what the code, the manual and the exposition say of it

ROOT = Path(__file__).resolve().parents[2]
TYPES = {"COUNTER": "counter", "TOTAL": "counter", "GAUGE": "gauge", "HISTOGRAM": "histogram", "SUMMARY": "summary",
         "INFO": "info"}


def families_in_the_code():
    """{name: (type, help)} of metrics_table.h, in its order."""
    table = (ROOT / "service/metrics/metrics_table.h").read_text()
    table = re.sub(r"\s*\\\n\s*", " ", table[table.index("#define METRICS_FAMILY_MAP"):])
    rows = re.findall(r'X\([A-Z0-9_]+, "([a-z0-9_]+)", ([A-Z]+), [A-Z_, ]+, ((?:"[^"]+" ?)+)\)', table)
    assert len(rows) == len(re.findall(r'X\([A-Z0-9_]+, "', table))
    return {name: (TYPES[kind], "".join(re.findall('"([^"]+)"', text))) for name, kind, text in rows}


def families_in_the_manual():
    """{name: (type, help, [(label, values or None)], bounds or None)} of docs/metrics.md."""
    page = (ROOT / "docs/metrics.md").read_text()
    rows = {cells[0]: cells for cells in
            ([cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("|"))}
    families = {}
    for cells in rows.values():
        if len(cells) != 6 or not cells[0].startswith("`"):
            continue
        name, kind, labels, _, buckets, text = cells
        families[name.strip("`")] = (kind.rstrip(" *"), text, [label_of(one, rows) for one in labels.split("; ") if one],
                                     rows[buckets][1].split() if buckets else None)
    return families


def label_of(text, rows):
    name = re.match("`([a-z_]+)`", text)[1]
    if "](#label-values)" in text:
        return name, rows[f"`{name}`"][1].split(", ")
    return name, text.split(" = ")[1].split(", ") if " = " in text else None


def test_the_code_the_manual_and_the_exposition_have_the_same_families(exercised):
    code, manual = families_in_the_code(), families_in_the_manual()
    assert len(code) > 60
    assert {name: (kind, text) for name, (kind, text, _, _) in manual.items()} == code
    shown = families_of(scrape(exercised)[1])
    assert list(shown) == list(code), "the exposition is in the order of the table"
    for name, family in shown.items():
        assert family["type"] == code[name][0].replace("info", "gauge"), name
    help_texts = dict(re.findall(r"# HELP ([a-z0-9_]+) (.*)", scrape(exercised)[1]))
    assert help_texts == {name: text.replace("\\", "\\\\") for name, (_, text) in code.items()}


def label_sets(labels, known):
    sets = [()]
    for name, values in labels:
        sets = [one + ((name, value),) for one in sets for value in values or known[name]]
    return {tuple(sorted(one)) for one in sets}


def test_every_label_set_is_there_from_the_start(start):
    """Each family of the manual, with each combination of the values that the manual lists, and no other."""
    known = {"model": ["digits", "wide", "sma", "ema", "rsi"], "tenant": ["shared"]}
    shown = families_of(scrape(start())[1])
    for name, (kind, _, labels, bounds) in families_in_the_manual().items():
        samples = shown[name]["samples"]
        if kind == "info":
            assert len(samples) == 1
            continue
        got = {tuple(sorted((k, v) for k, v in labels.items() if k != "le")) for _, labels, _ in samples}
        wanted = label_sets(labels, known)
        if name == "http_requests_total":
            assert got <= wanted and len(got) >= 2 * 5
            continue
        assert got == wanted, name
        if kind == "histogram":
            les = [labels["le"] for sample, labels, _ in samples if sample.endswith("_bucket")]
            assert les == bounds * len(wanted), name


# --- what it counts


def test_series_are_there_before_anything_has_happened(start):
    metrics = start().metrics()
    names = [name for name in metrics if name.startswith("batcher_requests_total{")]
    for status in ("success", "error", "timeout", "rejected", "cancelled"):
        for model in ("digits", "wide", "sma", "ema", "rsi"):
            series = [name for name in names if f'model="{model}"' in name and f'status="{status}"' in name]
            assert len(series) == 1, (model, status)
            assert metrics[series[0]] == 0


def test_names_of_the_build_are_there(exercised):
    info = [name for name in exercised.metrics() if name.startswith("compute_info{")]
    assert len(info) == 1
    assert re.search(r'version="[^"]+"', info[0]) and re.search(r'simd_isa="(avx512|avx2|neon|scalar)"', info[0])


def test_a_request_is_counted_once_by_route_and_code(start, digit):
    server = start()
    exercise(server, digit)
    predict, indicator = "/v1/models/{model}:predict", "/v1/indicators/{indicator}"
    count = server.metric
    assert count("http_requests_total", route=predict, method="POST", code="200") == 20
    assert count("http_requests_total", route=indicator, method="POST", code="200") == 3
    assert count("http_requests_total", route=indicator, method="POST", code="400") == 1
    assert count("http_requests_total", route="other", code="404") == 1
    assert count("http_request_duration_seconds_count", route=predict) == 20
    assert count("http_protocol_errors_total") == 1
    assert count("compute_requests_total", action="predict", status="success") == 20
    assert count("compute_requests_total", action="compute_rsi", status="success") == 1
    assert count("compute_errors_total", error_type="empty_input") == 1
    assert count("batcher_rows_total", model="digits", kind="real") == 60


def test_stages_are_those_of_server_timing(start, digit):
    """Each answered request once in each stage; refused ones are in none."""
    server = start()
    told = dict.fromkeys(("parse", "queue", "compute", "write"), 0.0)
    for _ in range(10):
        timing = server.ask("POST", PREDICT, {"instances": [digit]}).headers["server-timing"]
        for stage, milliseconds in re.findall(r"(\w+);dur=([\d.]+)", timing):
            told[stage] += float(milliseconds) / 1000
    assert server.ask("POST", PREDICT, {"instances": []}).status == 400
    for stage, seconds in told.items():
        labels = {"model": "digits", "stage": stage}
        assert server.metric("compute_request_stage_seconds_count", **labels) == 10
        # Server-Timing is cut to whole microseconds.
        assert 0 <= server.metric("compute_request_stage_seconds_sum", **labels) - seconds <= 10 * 1e-6 + 1e-9, stage


def test_unknown_paths_make_no_series(start):
    server = start()
    before = len(server.metrics())
    for i in range(50):
        server.ask("GET", f"/nowhere/{i}")
        server.ask("POST", f"/v1/models/absent{i}:predict", {"instances": []})
    assert len(server.metrics()) <= before + 10


def test_at_rest_every_request_has_one_outcome(start, digit):
    """Served, refused, late and abandoned, and the counters know which."""
    config = {"queues": {"digits": {"max_queue_rows": 20, "max_batch_rows": 20, "max_delay": "300ms", "max_idle_delay": "300ms"}}}
    server = start(config=config)
    ask = request("POST", PREDICT, {"instances": [digit]})
    late = request("POST", PREDICT, {"instances": [digit]}, {"X-Request-Timeout-Ms": "30"})
    three_rows = request("POST", PREDICT, {"instances": [digit] * 3})
    sent, statuses = 0, []

    gone = [server.connect() for _ in range(5)]
    for connection in gone:
        connection.send(ask)
        sent += 1
    server.wait_metric(5, "batcher_queue_size", model="digits")
    for connection in gone:
        connection.reset()
    server.wait_metric(5, "batcher_requests_total", model="digits", status="cancelled")

    for piece in (ask, late, three_rows):
        connections = [server.connect() for _ in range(30)]
        for connection in connections:
            connection.send(piece)
            sent += 1
        for connection in connections:
            statuses.append(connection.read_response().status)
            connection.close()
    assert set(statuses) <= {200, 503, 504}

    server.wait_metric(0, "batcher_queue_size", model="digits")
    server.wait_metric(0, "batcher_inflight_batches", model="digits")
    outcomes = {
        status: server.metric("batcher_requests_total", model="digits", status=status)
        for status in ("success", "error", "timeout", "rejected", "cancelled")
    }
    assert sum(outcomes.values()) == sent, outcomes
    assert outcomes["cancelled"] == 5
    assert outcomes["error"] == 0
    # A request may be late only after it was computed: then it counts as the batcher saw it.
    assert outcomes["success"] + outcomes["timeout"] == statuses.count(200) + statuses.count(504), (outcomes, statuses)
    assert outcomes["rejected"] == statuses.count(503)
    assert server.metric("batcher_batch_size_sum", model="digits") >= outcomes["success"]


def test_a_scrape_does_not_stop_requests(exercised, digit):
    with exercised.connect() as scraping, exercised.connect() as asking:
        for _ in range(20):
            scraping.send(request("GET", "/metrics"))
            assert asking.ask("POST", PREDICT, {"instances": [digit]}).status == 200
            assert scraping.read_response().status == 200
