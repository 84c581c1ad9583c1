"""The families that exist and their labels: the service's from docs/metrics.md, the recording rules', and others'."""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[3]

# What Prometheus adds to every series, and what programs other than jitney export. None: any label.
TARGET_LABELS = {"job", "instance"}
OTHERS = {
    "up": set(), "scrape_duration_seconds": set(), "scrape_samples_post_metric_relabeling": set(), "ALERTS": None,
    "node_cpu_seconds_total": {"cpu", "mode"},
    "node_memory_MemAvailable_bytes": set(), "node_memory_MemTotal_bytes": set(),
    "node_filesystem_avail_bytes": {"device", "fstype", "mountpoint"},
    "node_filesystem_size_bytes": {"device", "fstype", "mountpoint"},
    "node_network_receive_bytes_total": {"device"}, "node_network_transmit_bytes_total": {"device"},
    "prometheus_tsdb_head_series": set(), "prometheus_tsdb_storage_blocks_bytes": set(),
    "prometheus_tsdb_retention_limit_bytes": set(),
    "prometheus_rule_group_last_duration_seconds": {"rule_group"},
    "prometheus_rule_evaluation_failures_total": {"rule_group"},
    "ci_benchmark_seconds": {"benchmark"}, "ci_benchmark_baseline_seconds": {"benchmark"},
    "test_performance_score": set(),
    "alertmanager_notifications_total": {"integration"}, "alertmanager_notifications_failed_total": {"integration"},
}

_ROW = re.compile(r"\| `(\w+)` \| (\w+)(?: \*)? \| (.*?) \|")  # *: with exemplars


def families(text=None):
    """{family: (type, {label, ...})} of docs/metrics.md."""
    text = text or (ROOT / "docs" / "metrics.md").read_text()
    return {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in _ROW.findall(text)}


def samples(text=None):
    """{sample: labels or None, ...} of everything that a query may name; a sample of a histogram has its suffix."""
    known = {name: None if labels is None else labels | TARGET_LABELS for name, labels in OTHERS.items()}
    for name, (kind, labels) in families(text).items():
        labels = labels | TARGET_LABELS
        if kind == "histogram":
            known[name + "_bucket"] = labels | {"le"}
        if kind in ("histogram", "summary"):
            known[name + "_sum"] = known[name + "_count"] = labels
        else:
            known[name] = labels
    for rules in sorted((ROOT / "monitoring" / "prometheus" / "rules").glob("*.yml")):
        for name in re.findall(r"^\s*- record: (\S+)", rules.read_text(), re.MULTILINE):
            known[name] = None
    return known
