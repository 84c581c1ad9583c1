"""jitney-load compare: it sees what differs and no more, and leaves the server as it was."""
import functools
import json
import signal

import pytest

import jitney_load
from jitney_client import ask
from jitney_load import SlowServer, admin_url, url
from jitney_server import wait_until

run = functools.partial(jitney_load.run, subcommand="compare")
report = functools.partial(jitney_load.report, subcommand="compare")
run_with = functools.partial(jitney_load.run_with, subcommand="compare")

SMA = ["--indicator", "sma", "--points", "20", "--period", "3"]
BRIEF = ["--warmup", "50ms", "--duration", "150ms"]
WIDE = "/v1/batching/wide"


def settings(server):
    shown = ask(server.admin_address, "GET", WIDE).json()["settings"]
    return {name: (said["value"], said["source"]) for name, said in shown.items()}


def patch(server, body):
    answer = ask(server.admin_address, "PATCH", WIDE, body)
    assert answer.status == 200, answer.body


def changes(server):
    return server.metric("batcher_config_changes_total")


# --- what it sees


@pytest.mark.measured
def test_a_target_does_not_differ_from_itself(shared):
    told = report(*SMA, *BRIEF, "--confidence", "99%", url(shared), url(shared))
    assert [round["first"] for round in told["rounds"]] == ["a", "b"] * 4 + ["a"]
    for figure in ("throughput", "p50"):
        ratio = told["ratios"][figure]
        assert ratio["pairs"] == 9
        assert ratio["confidence"] == pytest.approx(0.99609375)
        # 0.4 % of such intervals do not hold 1; none is far from it.
        assert ratio["low"] <= 1.1 and ratio["high"] >= 0.9, told["ratios"]


@pytest.mark.measured
def test_a_server_twice_as_fast_is_seen_to_be():
    with SlowServer(service_s=0.01) as a, SlowServer(service_s=0.005) as b:
        load = [*SMA, *BRIEF, "--connections", "4", "--rounds", "3"]
        done = run(*load, a.url, b.url)
        told = report(*load, a.url, b.url)
    assert "By throughput: B is faster" in done.stdout, done.stdout
    assert "so few rounds are no more than 75 % sure; 95 % were wished for" in done.stdout
    assert "server CPU" not in done.stdout  # neither tells
    throughput, p50 = told["ratios"]["throughput"], told["ratios"]["p50"]
    assert 1.3 <= throughput["ratio"] <= 3 and throughput["verdict"] == "b is better"
    assert 0.3 <= p50["ratio"] <= 0.8 and p50["verdict"] == "b is better"
    assert throughput["confidence"] == 0.75
    assert "cpu" not in told["ratios"]


@pytest.mark.measured
def test_batching_is_seen_to_help_and_settings_are_put_back(start):
    """One row a batch against 32: so much cheaper that the busiest machine shows it."""
    server = start(config={"workers": 1, "queues": {"wide": {"max_inflight_batches": 3}}})
    patch(server, {"max_batch_rows": 48})
    before = settings(server)
    assert before["max_batch_rows"] == (48, "api")
    done = run("--model", "wide", *BRIEF, "--admin", admin_url(server), "--a", "max_batch_rows=1",
               "--b", "max_batch_rows=32,max_delay=0", "--fail-if", "batch>3", "--fail-if", "cpu>0.9",
               "--fail-if", "throughput<0.9", url(server), status=1)
    assert settings(server) == before
    assert done.stderr.startswith("jitney-load: failed by batch>3: B/A is ")
    assert done.stderr.count("\n") == 1
    assert "server CPU a request" in done.stdout and "B is cheaper" in done.stdout, done.stdout
    assert "A: max_batch_rows=1\nB: max_batch_rows=32,max_delay=0\n" in done.stdout


@pytest.mark.measured
def test_one_side_may_be_the_queue_as_it_is(start):
    server = start()
    before = settings(server)
    told = report("--model", "wide", *BRIEF, "--rounds", "2", "--admin", admin_url(server), "--b", "max_batch_rows=1",
                  url(server))
    assert told["compare"]["a"] == "as it is" and told["compare"]["queue"] == "wide"
    for round in told["rounds"]:
        assert round["b"]["batch_mean"] == 1 < round["a"]["batch_mean"], told
    assert settings(server) == before
    # B A to warm up, then A B and B A: twice to B, twice back, and then it is as it was.
    assert changes(server) == 4


# --- who may, and who else does


def test_a_token_is_sent_when_there_is_one(start, tmp_path):
    (tmp_path / "token").write_text("s3cret-and-long-enough\n")
    (tmp_path / "other").write_text("another-token-than-that\n")
    server = start(config={"admin_token_file": str(tmp_path / "token")})
    load = [*BRIEF, "--model", "wide", "--rounds", "1", "--admin", admin_url(server), "--b", "max_batch_rows=1"]
    assert "wants another token: --admin-token-file" in run(*load, url(server), status=2).stderr
    assert "another token" in run(*load, "--admin-token-file", tmp_path / "other", url(server), status=2).stderr
    run(*load, "--admin-token-file", tmp_path / "token", url(server))


def test_a_setting_that_cannot_be_is_refused_before_anything_is_changed(start):
    server = start()
    load = ["--model", "wide", "--admin", admin_url(server), "--a", "max_batch_rows=4", url(server)]
    assert "max_batch_rows" in run(*load, "--b", "max_batch_rows=-1", status=2).stderr
    assert "max_speed" in run(*load, "--b", "max_speed=8", status=2).stderr
    assert "about the queue narrow" in run(*load, "--queue", "narrow", status=3).stderr
    assert "cannot be asked" in run(*load, "--admin", "127.0.0.1:1", status=3).stderr
    assert changes(server) == 0


def test_what_somebody_else_changes_meanwhile_is_told_and_stays(start):
    server = start()

    def change():
        wait_until(lambda: changes(server) >= 4, "some changes of A and B")
        patch(server, {"max_queue_rows": 2000})

    status, stdout, stderr = run_with(
        ["--model", "wide", *BRIEF, "--rounds", "200", "--admin", admin_url(server), "--a", "max_batch_rows=4",
         "--b", "max_batch_rows=8", url(server)], change)
    assert status == 2, stdout + stderr
    assert "somebody else has changed the queue wide meanwhile" in stderr
    assert "these are the results so far" in stdout
    assert settings(server)["max_queue_rows"] == (2000, "api")
    assert settings(server)["max_batch_rows"] == (64, "model")


# --- the ways it ends


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_puts_settings_back_and_shows_the_rounds_so_far(start, tmp_path, number):
    server = start()
    path = tmp_path / "report.json"
    before = settings(server)
    # B A to warm up, then A B, B A: with the fourth change, the first round is over.
    one_round = lambda: wait_until(lambda: changes(server) >= 4, "a round")
    status, stdout, stderr = run_with(
        ["--model", "wide", *BRIEF, "--rounds", "200", "--json", path, "--admin", admin_url(server),
         "--a", "max_batch_rows=4", "--b", "max_batch_rows=8", url(server)], one_round, number)
    assert status == 128 + number, stdout + stderr
    assert stderr == ""
    assert settings(server) == before
    told = json.loads(path.read_text())
    assert told["end"] == "interrupted"
    assert 1 <= len(told["rounds"]) < 200
    assert f"Interrupted after {len(told['rounds'])} of 200 rounds; these are the results so far." in stdout


def test_a_side_that_dies_is_told():
    with SlowServer(service_s=0.001) as a, SlowServer(service_s=0.001) as b:
        status, stdout, stderr = run_with(
            [*SMA, "--warmup", "0", "--duration", "1s", "--rounds", "200", a.url, b.url], b.stop)
    assert status in (3, 4), stdout + stderr  # it may be gone before anything was asked of it
    assert f"{b.url} " in stderr and "connection refused" in stderr


def test_a_side_that_is_not_there_is_told(shared):
    done = run(*SMA, *BRIEF, url(shared), "127.0.0.1:1", status=3)
    assert "127.0.0.1:1 cannot be reached: connection refused" in done.stderr
    done = run("127.0.0.1:1", url(shared), status=3)
    assert "127.0.0.1:1 cannot be asked: connection refused" in done.stderr


@pytest.mark.parametrize("arguments, complaint", [
    ([], "two targets are needed, or settings of one: --a or --b"),
    (["a:1"], "two targets are needed"),
    (["a:1", "b:1", "c:1"], "c:1: two targets are enough"),
    (["a:1", "b:1", "--a", "max_delay=1ms"], "leave out the second"),
    (["a:1", "b:1", "--queue", "wide"], "--queue goes with --a and --b"),
    (["--a", "max_delay"], "is not SETTING=VALUE"),
    (["--a", "max_delay=1ms", "--queue", "x y"], "not a queue's name"),
    (["--a", "max_delay=1ms", "--indicator", "ema"], "--queue: which of the models and indicators?"),
    (["--a", "max_delay=1ms", "--admin-token-file", "/nowhere"], "/nowhere cannot be opened"),
    (["--rounds", "0"], "--rounds 0: not a whole number from 1 to 200"),
    (["--confidence", "100%"], "--confidence 100%: not a share"),
    (["--fail-if", "p99>5ms"], "is not a ratio B/A, as 1.05"),
    (["--csv", "x"], "--csv: no such option"),
])
def test_wrong_arguments_are_told(shared, arguments, complaint):
    target = [url(shared)] if "--admin-token-file" in arguments else []
    done = run(*SMA, *arguments, *target, status=2)
    assert complaint in done.stderr, done.stderr
    assert done.stdout == ""


def test_help_is_no_mistake():
    done = run("--help")
    assert "--a SETTINGS" in done.stdout and "--model NAME" in done.stdout
    assert done.stderr == ""
    assert max(map(len, done.stdout.splitlines())) <= 92
