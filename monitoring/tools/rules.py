"""The rule files: what is in them, what they ask for, and the same rules for a check that cannot wait for hours."""
import re
from pathlib import Path

import yaml

UNITS_S = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}


def read_rules(folder):
    """Every rule of the folder, as a dict with "record" or "alert"."""
    return [
        rule for path in sorted(Path(folder).glob("*.yml"))
        for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]
    ]


# --- time

def seconds(duration):
    """"1h30m" -> 5400"""
    return sum(float(count) * UNITS_S[unit] for count, unit in re.findall(r"(\d+)(ms|[smhdwy])", duration))


def shorter(duration, times, least_s=0):
    return f"{max(round(seconds(duration) / times), least_s)}s"


# In [5m], [1h:1m] and behind offset; nowhere else does PromQL write a duration.
_DURATION = re.compile(r"(?<=\[)\s*\w+|(?<=:)\w+(?=\])|(?<=offset )\w+")


def speed_up_query(query, times):
    """The query over ranges that are `times` shorter. A rate needs some samples, so none is under four seconds."""
    return _DURATION.sub(lambda found: shorter(found.group().strip(), times, 4), query)


def speed_up_rules(text, times):
    """A rule file in which time runs faster: every range, offset, `for` and `interval` is shorter; thresholds, labels
    and what is said stay as they are."""
    document = yaml.safe_load(text)
    for group in document["groups"]:
        if "interval" in group:
            group["interval"] = shorter(group["interval"], times, 1)
        for rule in group["rules"]:
            rule["expr"] = speed_up_query(rule["expr"], times)
            if "for" in rule:
                rule["for"] = shorter(rule["for"], times)
    return yaml.safe_dump(document, sort_keys=False)


def speed_up_config(config, times):
    """The same for the configuration of Prometheus; scrapes come at least a second apart."""
    for part in [config["global"], *config["scrape_configs"]]:
        for key in ("scrape_interval", "evaluation_interval", "scrape_timeout"):
            if key in part:
                part[key] = shorter(part[key], times, 1)
    config["global"].setdefault("scrape_timeout", config["global"]["scrape_interval"])
    return config


# --- what a query asks for

_TOKEN = re.compile(
    r"""(?P<text>"(?:\\.|[^"])*"|'(?:\\.|[^'])*')|(?P<name>[a-zA-Z_:][\w:]*)|(?P<number>[\d.]\w*)|(?P<mark>[{}()\[\],]|[^\s\w])"""
)
_LISTS_OF_LABELS = {"by", "without", "on", "ignoring", "group_left", "group_right"}
_WORDS = {"and", "or", "unless", "bool", "offset", "inf", "nan", "atan2"}


def selectors(query):
    """The series that a query reads, as ['up{job="jitney"}', ...], without range and offset."""
    tokens = [(found.lastgroup, found.group()) for found in _TOKEN.finditer(query)]
    found, at = [], 0
    while at < len(tokens):
        kind, word = tokens[at]
        following = tokens[at + 1][1] if at + 1 < len(tokens) else ""
        at += 1
        if word == "[":
            at = _past(tokens, at, "]")
        elif kind == "name" and word in _LISTS_OF_LABELS:
            at = _past(tokens, at + 1, ")") if following == "(" else at
        elif kind == "name" and word not in _WORDS and following != "(" and following not in _LISTS_OF_LABELS:
            end = _past(tokens, at + 1, "}") if following == "{" else at
            found.append(word + "".join(text for _, text in tokens[at:end]))
            at = end
    return found


def _past(tokens, at, mark):
    while tokens[at][1] != mark:
        at += 1
    return at + 1


def metric(selector):
    return selector.split("{")[0]
