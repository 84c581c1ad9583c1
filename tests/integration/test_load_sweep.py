"""jitney-load sweep: it finds the knee, shows it, and ends well whatever happens."""
import csv
import functools
import json
import os
import shutil
import signal

import pytest

import jitney_load
from jitney_load import SlowServer, url
from jitney_server import wait_until

run = functools.partial(jitney_load.run, subcommand="sweep")
report = functools.partial(jitney_load.report, subcommand="sweep")
run_with = functools.partial(jitney_load.run_with, subcommand="sweep")

SMA = ["--indicator", "sma", "--points", "20", "--period", "3"]
BRIEF = ["--warmup", "100ms", "--duration", "400ms"]
RATES = [*BRIEF, "--from", "50", "--to", "150", "--steps", "3"]
needs_gnuplot = pytest.mark.skipif(not shutil.which("gnuplot"), reason="no gnuplot (script/setup bench)")


# --- the knee


@pytest.mark.measured
def test_it_finds_the_capacity_of_a_server_that_it_knows_nothing_of():
    """One answer every 10 ms: no more than 100 a second, and not much less."""
    with SlowServer(service_s=0.01) as server:
        told = report(*SMA, *BRIEF, "--steps", "6", "--connections", "16", "--arrivals", "uniform", server.url)
    assert 50 <= told["closed_loop_throughput"] <= 110
    assert 60 <= told["knee"] <= 125, told
    assert not told["knee_is_bound"]
    rates = [step["rate"] for step in told["steps"]]
    assert rates == sorted(rates) and rates[0] < 20
    failed = [step for step in told["steps"] if step["verdict"] != "follows"]
    assert failed and all(step["attempts"] == 2 for step in failed)


@pytest.mark.measured
def test_an_slo_that_cannot_be_kept_has_no_knee():
    with SlowServer(service_s=0.02) as server:
        done = run(*SMA, *BRIEF, "--arrivals", "uniform", "--from", "20", "--to", "40", "--slo", "5ms", server.url)
    assert "No knee: in no step were 99 % answered within 5.00 ms." in done.stdout
    assert "slow; again:" in done.stdout


@pytest.mark.measured
def test_a_server_that_follows_every_rate_has_no_knee_yet(shared):
    told = report(*SMA, *BRIEF, "--from", "20", "--to", "60", "--steps", "3", url(shared))
    assert [step["rate"] for step in told["steps"]] == [20, 40, 60]
    assert told["knee"] == 60 and told["knee_is_bound"]
    for step in told["steps"]:
        assert 0 < step["p50_ms"] <= step["p99_ms"]
        assert step["cpu_us"] > 0


@pytest.mark.measured
def test_closed_loops_over_more_and_more_connections():
    """One or two at a time fill it: more only wait for each other."""
    with SlowServer(service_s=0.01) as server:
        told = report(*SMA, *BRIEF, "--connections", "1,2,8", server.url)
    _, two, eight = told["steps"]
    assert [step["connections"] for step in told["steps"]] == [1, 2, 8]
    assert eight["p50_ms"] > 2 * two["p50_ms"] > 0
    assert eight["throughput"] <= 110
    enough = 0.95 * max(step["throughput"] for step in told["steps"])
    assert told["knee"] == next(step["connections"] for step in told["steps"] if step["throughput"] >= enough)


# --- what it shows


def test_table_and_chart_are_printed(shared):
    done = run(*SMA, *RATES, url(shared), env={"LC_ALL": "C.UTF-8"})
    for word in (": sma\nopen loops (poisson)", "answered", "50/s", "100/s", "150/s", "latency ○ p50  ● p99",
                 "┤", "└┬", "Knee: 150/s", "no higher step has failed"):
        assert word in done.stdout, done.stdout
    assert done.stderr == ""
    assert max(map(len, done.stdout.splitlines())) <= 110


def test_without_unicode_the_chart_is_ascii(shared):
    done = run(*SMA, *RATES, url(shared), env={"LC_ALL": "C"})
    assert done.stdout.isascii()
    assert "latency o p50  * p99" in done.stdout


@needs_gnuplot
def test_files_are_written(shared, tmp_path):
    paths = {name: tmp_path / f"it's.{name}" for name in ("png", "svg", "json", "csv")}
    done = run(*SMA, *RATES, "--quiet", "--plot", paths["png"], "--plot", paths["svg"], "--json", paths["json"],
               "--csv", paths["csv"], url(shared))
    assert done.stdout == done.stderr == ""
    assert paths["png"].read_bytes().startswith(b"\x89PNG") and paths["png"].stat().st_size > 5000
    picture = paths["svg"].read_text()
    assert "</svg>" in picture and "p99" in picture and "knee 150/s" in picture
    told = json.loads(paths["json"].read_text())
    rows = list(csv.DictReader(paths["csv"].open()))
    assert [float(row["rate"]) for row in rows] == [step["rate"] for step in told["steps"]] == [50, 100, 150]
    assert [float(row["p99_ms"]) for row in rows] == pytest.approx([step["p99_ms"] for step in told["steps"]])
    assert {row["verdict"] for row in rows} == {step["verdict"] for step in told["steps"]}


def test_a_plot_without_gnuplot_is_refused_before_anything_is_measured(shared, tmp_path):
    before = shared.metric("http_requests_total")
    done = run(*SMA, *RATES, "--plot", tmp_path / "x.png", url(shared), status=2, env={"PATH": str(tmp_path)})
    assert "gnuplot was not found" in done.stderr
    assert not (tmp_path / "x.png").exists()
    assert shared.metric("http_requests_total") - before <= 1  # the question itself


# --- the ways it ends


def some_steps(server):
    """Answers to the 50/s of the first step, and to some of the second."""
    return lambda: wait_until(lambda: server.metric("http_requests_total", route="/v1/indicators/{indicator}") > 60, "two steps")


LONG = [*SMA, "--warmup", "0", "--duration", "1s", "--from", "50", "--to", "51", "--steps", "50"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_the_steps_so_far(start, tmp_path, number):
    server = start()
    path = tmp_path / "report.json"
    status, stdout, stderr = run_with([*LONG, "--json", path, url(server)], some_steps(server), number)
    assert status == 128 + number, stdout + stderr
    assert "Interrupted; these are the results so far." in stdout
    assert stderr == ""
    told = json.loads(path.read_text())
    assert told["end"] == "interrupted"
    assert 1 <= len(told["steps"]) < 10


def test_a_server_that_dies_is_told(start, tmp_path):
    server = start()
    path = tmp_path / "report.json"

    def kill():
        some_steps(server)()
        server.kill()

    status, stdout, stderr = run_with([*LONG, "--json", path, url(server)], kill)
    assert status == 4, stdout + stderr
    assert "went away: connection refused" in stderr
    assert "The server went away; these are the results so far." in stdout
    told = json.loads(path.read_text())
    assert told["end"] == "died" and told["steps"]


def test_a_server_that_is_not_there_is_told():
    assert "cannot be asked: connection refused" in run("127.0.0.1:1", status=3).stderr
    assert "cannot be reached: " in run(*SMA, "127.0.0.1:1", status=3).stderr


def test_a_server_that_refuses_everything_is_told(shared):
    done = run(*SMA, *BRIEF, "--invalid", "100%", url(shared), status=3)
    assert "with 2xx" in done.stderr


@pytest.mark.parametrize("arguments, complaint", [
    (["--rate", "100"], "--rate: no such option"),
    (["--fail-if", "p99>1ms"], "--fail-if: no such option"),
    (["--from", "100"], "--from needs a --to that is larger"),
    (["--to", "100"], "--to needs --from"),
    (["--from", "100", "--to", "50"], "--from needs a --to that is larger"),
    (["--from", "fast"], "--from fast: not a number"),
    (["--steps", "0"], "--steps 0: not a whole number from 1 to 100"),
    (["--connections", "1,,2"], "--connections : not a whole number"),
    (["--connections", "1,2", "--from", "1", "--to", "2"], "a list of --connections has no rates"),
    (["--arrivals", "trace", "x"], "only `run` plays one"),
    (["--plot", "x.pdf"], "x.pdf: a plot's name ends in .png or .svg"),
    (["--csv", "/nowhere/x"], "/nowhere/x cannot be written"),
    (["--duration", "0"], "nothing would be measured"),
    (["a:1", "b:1"], "b:1: one target is enough"),
])
def test_wrong_arguments_are_told(arguments, complaint):
    done = run(*SMA, *arguments, status=2)
    assert complaint in done.stderr, done.stderr
    assert done.stdout == ""


def test_help_is_no_mistake():
    done = run("--help")
    assert "--from N --to N" in done.stdout and "--model NAME" in done.stdout
    assert done.stderr == ""
    assert max(map(len, done.stdout.splitlines())) <= 92
