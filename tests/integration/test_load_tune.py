"""jitney-load tune: settings are tried on the live server, the best is told, and what held before holds again."""
import json
import os
import re
import signal
import subprocess

import pytest

import jitney_client
from jitney_load import RUN_S, url
from jitney_server import clean_environment, wait_until

QUICK = ["--model", "digits", "--slo", "p99=200ms", "--connections", "8", "--budget", "5s"]
FIELDS = ("max_batch_rows", "max_delay", "max_inflight_batches", "target_p99")


def admin_url(server):
    host, port = server.admin_address
    return f"http://{host}:{port}"


def command(server, *arguments):
    return [os.environ["JITNEY_LOAD"], "tune", *map(str, arguments), "--admin", admin_url(server), url(server)]


def finish(process, status):
    try:
        stdout, stderr = process.communicate(timeout=RUN_S)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    assert process.returncode == status, f"exit status {process.returncode}:\n{stdout}{stderr}"
    return stdout, stderr


def begin(words):
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean_environment())


def tune(server, *arguments, status=0):
    return finish(begin(command(server, *arguments)), status)


def ask_admin(server, method, path, body=None):
    answer = jitney_client.ask(server.admin_address, method, path, body)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def settings_of(server, queue="digits"):
    return ask_admin(server, "GET", f"/v1/batching/{queue}")["settings"]


def values(settings):
    return {name: settings[name]["value"] for name in FIELDS}


@pytest.mark.measured
def test_it_chooses_and_puts_back_and_the_server_takes_what_it_prints(start, tmp_path):
    server = start(config={"queues": {"digits": {"max_batch_rows": 3}}})
    ask_admin(server, "PATCH", "/v1/batching/digits", {"max_delay": "70us"})
    before = settings_of(server)
    path = tmp_path / "tune.json"
    stdout, stderr = tune(server, *QUICK, "--json", path)
    assert stderr == ""
    assert settings_of(server) == before  # sources too: what came from the file comes from there again

    told = json.loads(path.read_text())
    assert told["end"] in ("done", "out of time") and told["put_back"] and not told["kept"]
    assert told["before"]["patch"] == values(before)
    assert told["chosen"]["within"] and told["chosen"]["limited_ms"] <= 200
    assert told["chosen"]["throughput"] >= 0.9 * told["before"]["throughput"]
    assert 8 < told["measurements"] <= sum(one["samples"] for one in told["settings"])
    assert server.metric("batcher_config_changes_total", model="digits") > 8

    for word in ("requests/s", "p50", "p99", "CPU", "batch", "chosen", "batches as before"):
        assert word in stdout, stdout
    patch = json.loads(re.search(r"--json '(\{.*?\})'", stdout)[1])
    applied = ask_admin(server, "PATCH", "/v1/batching/digits", patch)
    assert values(applied["settings"]) == told["chosen"]["patch"]
    other = start(config=json.loads(re.search(r'^ *(\{"queues".*)$', stdout, re.M)[1]))
    assert values(settings_of(other)) == told["chosen"]["patch"]
    assert settings_of(other)["max_batch_rows"]["source"] == "file"


@pytest.mark.measured
def test_it_keeps_the_choice_when_told_to(start, tmp_path):
    server = start(config={"queues": {"wide": {"max_batch_rows": 1, "max_inflight_batches": 1}}})
    path = tmp_path / "tune.json"
    stdout, _ = tune(server, "--model", "wide", "--slo", "p99=1s", "--connections", "16", "--budget", "6s",
                     "--keep", "--json", path)
    told = json.loads(path.read_text())
    assert told["kept"] and not told["put_back"], stdout
    assert told["chosen"]["throughput"] >= 0.9 * told["before"]["throughput"]
    if not os.environ["JITNEY_SANITIZE"]:  # with a sanitizer reading takes longer than computing, batch or not
        assert told["chosen"]["patch"]["max_batch_rows"] > 1
    assert values(settings_of(server, "wide")) == told["chosen"]["patch"]
    assert "It holds now" in stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_puts_back_and_tells_the_results_so_far(start, number):
    server = start()
    before = settings_of(server)
    process = begin(command(server, *QUICK, "--budget", "60s"))
    wait_until(lambda: server.metric("batcher_config_changes_total", model="digits") >= 4, "some settings tried")
    process.send_signal(number)
    stdout, stderr = finish(process, 128 + number)
    assert "Interrupted after" in stdout and "requests/s" in stdout, stdout
    assert stderr == ""
    assert settings_of(server) == before


@pytest.mark.measured
def test_a_limit_out_of_reach_is_told_with_the_closest(start):
    server = start()
    before = settings_of(server)
    stdout, _ = tune(server, "--model", "wide", "--slo", "p50=100us", "--connections", "32", "--budget", "5s",
                     "--keep", status=1)
    assert "No setting keeps p50 within 100 us with 32 connections. The closest: " in stdout
    assert "curl" not in stdout
    assert settings_of(server) == before


def test_a_server_that_dies_is_told(start):
    server = start()
    process = begin(command(server, *QUICK, "--budget", "60s"))
    wait_until(lambda: server.metric("batcher_config_changes_total", model="digits") >= 4, "some settings tried")
    server.kill()
    stdout, stderr = finish(process, 4)
    assert "these are the results so far" in stdout
    assert "could not be put back" in stderr


def test_somebody_else_who_changes_the_queue_is_not_overruled(start):
    server = start()
    process = begin(command(server, *QUICK, "--budget", "60s"))
    wait_until(lambda: server.metric("batcher_config_changes_total", model="digits") >= 4, "some settings tried")
    ask_admin(server, "PATCH", "/v1/batching/digits", {"max_batch_rows": 7})
    stdout, stderr = finish(process, 2)
    assert "somebody else has changed" in stderr
    assert settings_of(server)["max_batch_rows"]["value"] == 7


def test_a_wrong_token_and_a_missing_admin_listener_are_told(start, tmp_path):
    token, wrong = tmp_path / "token", tmp_path / "wrong"
    token.write_text("right\n")
    wrong.write_text("left\n")
    server = start(config={"admin_token_file": str(token)})
    assert "wants another token" in tune(server, *QUICK, status=2)[1]
    assert "wants another token" in tune(server, *QUICK, "--admin-token-file", wrong, status=2)[1]
    stdout, _ = tune(server, *QUICK, "--admin-token-file", token)
    assert f"Bearer $(cat {token})" in stdout
    stderr = finish(begin([os.environ["JITNEY_LOAD"], "tune", *QUICK, "--admin", "http://127.0.0.1:1", url(server)]), 3)[1]
    assert "connection refused" in stderr and "is --admin http://127.0.0.1:1 it?" in stderr
    stderr = finish(begin([os.environ["JITNEY_LOAD"], "tune", *QUICK, "--admin", url(server), url(server)]), 3)[1]
    assert "404" in stderr and f"is --admin {url(server)} it?" in stderr


def test_a_model_that_is_not_there_is_told(shared):
    assert "nope" in tune(shared, "--model", "nope", "--slo", "p99=10ms", status=3)[1]


@pytest.mark.parametrize("arguments, complaint", [
    ([], "--slo is missing"),
    (["--slo", "10ms"], "--slo 10ms: not a percentile"),
    (["--slo", "p99=10"], "not a percentile and its limit"),
    (["--slo", "mean=10ms"], "not a percentile"),
    (["--slo", "p99=10us"], "less than 100us"),
    (["--slo", "p99=10ms", "--budget", "1s"], "less than 5s"),
    (["--slo", "p99=10ms", "--rate", "5"], "--rate: no such option"),
    (["--slo", "p99=10ms", "--model", "digits", "--model", "wide"], "one model or indicator"),
    (["--slo", "p99=10ms", "--get", "/health"], "a GET has no queue"),
    (["--slo", "p99=10ms", "--json", "/nowhere/x"], "/nowhere/x cannot be written"),
])
def test_wrong_arguments_are_told(shared, arguments, complaint):
    assert complaint in tune(shared, *arguments, status=2)[1]


def test_help_is_no_mistake():
    done = subprocess.run([os.environ["JITNEY_LOAD"], "tune", "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and "--slo" in done.stdout and done.stderr == ""
    assert max(map(len, done.stdout.splitlines())) <= 90
