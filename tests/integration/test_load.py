"""jitney-load: what it reports is what happened, also to those who had to wait."""
import json
import os
import pty
import signal
import subprocess

import pytest

import jitney_load
from jitney_load import report, run, run_with, url
from jitney_server import wait_until

PREDICT = "/v1/models/{model}:predict"
QUICK = ["--warmup", "0", "--duration", "500ms", "--rate", "400"]
SMA = ["--indicator", "sma", "--points", "20", "--period", "3"]


# --- the truth about latency


@pytest.mark.measured
def test_a_stall_is_seen_by_an_open_loop_and_hidden_by_a_closed_one():
    """100 ms in each second: a tenth of all requests wait, the unluckiest for all of it."""
    load = [*SMA, "--warmup", "0", "--duration", "3s"]
    with jitney_load.StallingServer(stall_s=0.1, period_s=1) as server:
        opened = report(*load, "--rate", "300", "--arrivals", "uniform", server.url)["measured"]
        closed = report(*load, "--connections", "4", server.url)["measured"]
    assert opened["failed"] == 0
    assert opened["latency"]["max_ms"] >= 95, opened["latency"]
    assert opened["latency"]["p99_ms"] >= 75, opened["latency"]
    assert closed["latency"]["max_ms"] >= 95, closed["latency"]
    assert closed["latency"]["p99_ms"] < opened["latency"]["p99_ms"] / 2, closed["latency"]


@pytest.mark.measured
def test_waiting_for_the_only_connection_counts():
    """What the server sees of each request is short; what the client waited for is not."""
    load = [*SMA, "--warmup", "0", "--duration", "1500ms", "--rate", "200", "--connections", "1"]
    with jitney_load.StallingServer(stall_s=0.2, period_s=1) as server:
        whole = report(*load, server.url)
    told = whole["measured"]
    assert whole["client"]["connections_exhausted"]
    assert told["connection_wait"]["max_ms"] >= 100, told["connection_wait"]
    assert told["latency"]["p95_ms"] >= 50, told["latency"]
    assert told["latency_from_send"]["p95_ms"] < told["latency"]["p95_ms"] / 2


# --- counts


def both(told, name):
    """Warm-up and measured part together, as a server that knows of neither counts."""
    sums = {}
    for part in (told["warmup"], told["measured"]):
        for key, count in part[name].items():
            sums[key] = sums.get(key, 0) + count
    return sums


def total(told, name):
    return told["warmup"][name] + told["measured"][name]


def assert_all_settled(told):
    for part in (told["warmup"], told["measured"]):
        outcomes = ("answered", "lost", "abandoned", "unanswered", "unsent")
        assert part["due"] == sum(part[outcome] for outcome in outcomes), part


# More than one worker can do, short deadlines, and a short queue: every outcome happens.
CROWDED = {"workers": 1, "queues": {"wide": {"max_queue_rows": 192, "max_batch_rows": 64}}}
CROWD = ["--model", "wide=9", "--model", "digits", "--rows", "8", "--timeout", "60ms",
         "--invalid", "5%", "--rate", "6000", "--connections", "128",
         "--warmup", "300ms", "--duration", "1200ms", "--grace", "20s"]


def test_counts_equal_those_of_the_server_outcome_by_outcome(start):
    server = start(config=CROWDED)
    told = report(*CROWD, url(server))
    assert_all_settled(told)
    assert total(told, "lost") == total(told, "unanswered") == total(told, "abandoned") == 0
    statuses, codes = both(told, "statuses"), both(told, "codes")
    assert {"200", "400"} < set(statuses), statuses
    assert {"503", "504"} & set(statuses), statuses
    # Some wrong ones were refused before anybody looked into them.
    assert 0 < statuses["400"] <= total(told, "invalid")
    for status, count in statuses.items():
        server.wait_metric(count, "http_requests_total", route=PREDICT, code=status)
    server.wait_metric(total(told, "answered"), "http_requests_total", route=PREDICT)
    for code, count in codes.items():
        server.wait_metric(count, "compute_errors_total", error_type=code)
    server.wait_metric(statuses["200"], "batcher_requests_total", status="success")
    # The batcher refuses for two reasons: no room (503), and no hope to be in time (504).
    late = server.metric("batcher_requests_total", status="timeout")
    hopeless = server.metric("batcher_rejections_total", reason="deadline_unmeetable")
    assert statuses.get("504", 0) == late + hopeless
    full = server.metric("batcher_rejections_total", reason="queue_full")
    assert statuses.get("503", 0) == full


def test_errors_timeouts_refusals_and_clients_that_leave_add_up_to_what_was_due(start):
    """Whoever leaves may have been answered just then, so those are one sum; all others are told outcome by outcome."""
    server = start(config=CROWDED)
    told = report(*CROWD, "--abandon", "5%", "--abandon-after", "5ms", url(server))
    assert_all_settled(told)
    assert total(told, "abandoned") > 0
    assert {"200", "400"} < set(both(told, "statuses"))
    due = total(told, "due")
    server.wait_metric(due, "http_requests_total", route=PREDICT)
    outcomes = sum(server.metric("batcher_requests_total", status=status)
                   for status in ("success", "error", "timeout", "rejected", "cancelled"))
    assert outcomes == server.metric("batcher_submitted_total")
    never_submitted = due - outcomes
    assert never_submitted >= both(told, "statuses")["400"]
    answered = sum(server.metric("http_requests_total", route=PREDICT, code=code) for code in both(told, "statuses"))
    left = server.metric("http_requests_total", route=PREDICT, code="499")
    assert answered + left == due
    assert total(told, "answered") <= answered <= total(told, "answered") + total(told, "abandoned")


def test_the_batches_that_it_saw_are_those_of_the_server(start):
    server = start()
    told = report("--connections", "16", "--warmup", "0", "--duration", "500ms", url(server))
    answers = told["measured"]["batch_size"]["answers"]
    batches = sum(count / int(size) for size, count in answers.items())
    server.wait_metric(round(batches), "batcher_batches_total", model="digits")
    assert told["measured"]["batch_size"]["mean"] == pytest.approx(told["measured"]["ok"] / batches)


def test_abandoned_requests_are_cancelled_on_the_server(start):
    server = start(config={"batching": {"max_idle_delay": "10s"}})
    # All of them together are too few for a full batch.
    told = report("--rate", "20", "--arrivals", "uniform", "--warmup", "0", "--duration", "1s",
                  "--abandon", "100%", "--abandon-after", "50ms", url(server))
    assert_all_settled(told)
    assert told["measured"]["abandoned"] == told["measured"]["due"] == 20
    server.wait_metric(told["measured"]["due"], "batcher_requests_total", status="cancelled")


def test_a_mix_is_told_by_kind(shared):
    told = report(*QUICK, *SMA, "--model", "digits=3", url(shared))["measured"]
    kinds = told["kinds"]
    assert kinds["sma"]["due"] + kinds["digits"]["due"] == told["due"]
    assert kinds["digits"]["ok"] > kinds["sma"]["ok"] > 0
    assert told["failed"] == 0


@pytest.mark.measured
def test_the_parts_of_the_latency_are_told(shared):
    told = report(*QUICK, url(shared))["measured"]
    for part in ("parse", "queue", "compute", "write"):
        assert told["server_timing"][part]["count"] == told["ok"]
    inside = sum(told["server_timing"][part]["mean_ms"] for part in told["server_timing"])
    assert 0 < inside < told["latency"]["mean_ms"]


# --- arrivals


@pytest.mark.measured
def test_the_rate_is_what_was_asked_for(shared):
    told = report("--rate", "1000", "--arrivals", "uniform", "--warmup", "200ms",
                  "--duration", "1s", url(shared))
    assert told["warmup"]["due"] == 200
    assert told["measured"]["due"] == 1000


def test_a_trace_is_played_and_ends_the_run(shared, tmp_path):
    trace = tmp_path / "trace"
    trace.write_text("".join(f"{i / 100}\n" for i in range(50)))
    told = report("--arrivals", "trace", trace, "--warmup", "0", "--duration", "60s", url(shared))
    assert told["measured"]["due"] == told["measured"]["ok"] == 50
    assert 0.49 <= told["measured"]["seconds"] < 30


def test_a_rate_beyond_the_server_is_told_as_what_it_is(start):
    """What was due and never sent is counted, and does not vanish from the report."""
    server = start(config={"workers": 1})
    told = report("--model", "wide", "--rows", "32", "--rate", "20k", "--connections", "4",
                  "--warmup", "0", "--duration", "500ms", "--grace", "100ms", url(server))
    assert_all_settled(told)
    assert 9000 < told["measured"]["due"] < 11000
    assert told["measured"]["unsent"] > 1000
    assert told["client"]["connections_exhausted"]


def test_inputs_come_from_a_file(start, digit, tmp_path):
    server = start()
    inputs = tmp_path / "inputs.json"
    inputs.write_text(json.dumps({"instances": [digit, digit, digit]}))
    told = report(*QUICK, "--inputs", inputs, "--rows", "2", url(server))
    assert told["measured"]["failed"] == 0
    rows = 2 * told["measured"]["ok"]
    server.wait_metric(rows, "batcher_rows_total", model="digits", kind="real")


def test_inputs_of_an_indicator_are_sent_as_they_are(start, tmp_path):
    server = start()
    inputs = tmp_path / "inputs.jsonl"
    inputs.write_text('{"prices":[1,2,4],"period":2,"decimals":1}\n{"prices":[1,2],"period":3}\n')
    told = report(*QUICK, "--indicator", "ema", "--inputs", inputs, url(server))["measured"]
    assert told["statuses"].keys() == {"200", "400"}, told["statuses"]


def test_a_path_is_asked_for(start):
    server = start()
    told = report(*QUICK, "--get", "/health", url(server))
    assert told["measured"]["failed"] == 0
    assert list(told["measured"]["kinds"]) == ["/health"]
    answered = told["warmup"]["answered"] + told["measured"]["answered"]
    server.wait_metric(answered, "http_requests_total", route="/health", code="200")


# --- the ways it ends


def test_it_fails_by_thresholds(shared):
    done = run(*QUICK, "--fail-if", "p50>0.001ms", "--fail-if", "errors>50%", url(shared), status=1)
    assert "failed by p50>0.001ms: it is " in done.stderr
    assert "errors" not in done.stderr
    run(*QUICK, "--fail-if", "p50>20s", "--fail-if", "throughput<1", url(shared), status=0)


def test_what_is_no_terminal_gets_a_table_and_no_progress(shared):
    done = run(*QUICK, url(shared))
    assert done.stderr == ""
    for word in ("answered 200", "p99.99", "server: queue", "batches: mean", "throughput"):
        assert word in done.stdout, done.stdout
    assert "\r" not in done.stdout


def test_a_terminal_sees_the_progress(shared):
    ours, its = pty.openpty()
    command = jitney_load.command("--rate", "100", "--warmup", "0", "--duration", "1500ms", url(shared))
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=its)
    os.close(its)
    seen = os.read(ours, 4096)
    assert process.wait(jitney_load.RUN_S) == 0
    os.close(ours)
    assert b"1.0 s  " in seen and b"/s ok" in seen and b"in flight" in seen, seen


def test_files_are_written(shared, tmp_path):
    names = ("json", "csv", "histogram")
    flags = [word for name in names for word in (f"--{name}", tmp_path / name)]
    run("--rate", "200", "--warmup", "500ms", "--duration", "1500ms", "--quiet", *flags, url(shared))
    told = json.loads((tmp_path / "json").read_text())
    head, *rows = [line.split(",") for line in (tmp_path / "csv").read_text().splitlines()]
    sent = sum(int(row[head.index("sent")]) for row in rows)
    assert sent == told["warmup"]["due"] + told["measured"]["due"]
    assert {row[head.index("phase")] for row in rows} >= {"warmup", "measured"}
    assert f"#[Total count = {told['measured']['ok']}]" in (tmp_path / "histogram").read_text()


def test_a_unix_socket_is_a_target_too(start):
    server = start(unix=True)
    told = report(*QUICK, f"unix:{server.unix_path}")
    assert told["measured"]["failed"] == 0 < told["measured"]["ok"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_the_results_so_far(start, tmp_path, number):
    server = start()
    path = tmp_path / "report.json"
    some_were_answered = lambda: wait_until(
        lambda: server.metric("http_requests_total", route=PREDICT) > 20, "some answers")
    status, stdout, stderr = run_with(
        ["--rate", "200", "--warmup", "0", "--duration", "60s", "--json", path, url(server)],
        some_were_answered, number)
    assert status == 128 + number, stderr
    assert "Interrupted after" in stdout
    told = json.loads(path.read_text())
    assert told["end"] == "interrupted"
    assert_all_settled(told)
    assert told["measured"]["ok"] == server.metric("http_requests_total", route=PREDICT)
    assert told["measured"]["seconds"] < 30


def test_a_server_that_dies_is_told(start, tmp_path):
    server = start()
    path = tmp_path / "report.json"

    def kill():
        wait_until(lambda: server.metric("http_requests_total", route=PREDICT) > 20, "some answers")
        server.kill()

    status, stdout, stderr = run_with(
        ["--rate", "200", "--warmup", "0", "--duration", "60s", "--json", path, url(server)], kill)
    assert status == 4, stdout + stderr
    assert "went away: connection refused" in stderr
    told = json.loads(path.read_text())
    assert told["end"] == "died"
    assert told["measured"]["ok"] > 20
    assert_all_settled(told)


def test_a_server_that_is_not_there_is_told(tmp_path):
    assert "cannot be asked: connection refused" in run("127.0.0.1:1", status=3).stderr
    assert "cannot be reached: " in run(*SMA, "127.0.0.1:1", status=3).stderr
    assert "cannot be reached: " in run(*SMA, f"unix:{tmp_path}/none", status=3).stderr


def test_a_model_that_is_not_there_is_told(shared):
    assert "404 about the model nope" in run("--model", "nope", url(shared), status=3).stderr


@pytest.mark.parametrize("arguments, complaint", [
    (["--rate", "fast"], "--rate fast: not a number"),
    (["--rate"], "--rate: no value"),
    (["--duration", "10"], "--duration 10: not a duration"),
    (["--duration", "0"], "nothing would be measured"),
    (["--connections", "0"], "--connections 0: not a whole number from 1"),
    (["--invalid", "150%"], "--invalid 150%: not a share"),
    (["--arrivals", "uniform"], "--arrivals needs --rate"),
    (["--arrivals", "trace"], "no file"),
    (["--arrivals", "trace", "/nowhere"], "/nowhere cannot be opened"),
    (["--priority", "first"], "not interactive or batch"),
    (["--tenant", "two words"], "the tenant is not"),
    (["--timeout", "1us"], "not whole milliseconds"),
    (["--indicator", "macd"], "not sma, ema or rsi"),
    (["--get", "health"], "not a path"),
    (["--model", "digits=0"], "the weight is not"),
    (["--inputs", "/nowhere"], "/nowhere cannot be opened"),
    (["--json", "/nowhere/x"], "/nowhere/x cannot be written"),
    (["--fail-if", "p99=1ms"], "is not FIGURE>VALUE"),
    (["--faster"], "--faster: no such option"),
    (["https://localhost"], "TLS is not spoken"),
    (["http://localhost/v1"], "a target has no path"),
    (["a:1", "b:1"], "one target is enough"),
])
def test_wrong_arguments_are_told(shared, arguments, complaint):
    target = [] if "://" in arguments[-1] or "a:1" in arguments else [url(shared)]
    if arguments[-1] in ("--rate", "trace"):
        target = []  # nothing stands behind it
    done = run(*SMA, *arguments, *target, status=2) if "--inputs" not in arguments else run(
        *arguments, *target, status=2)
    assert complaint in done.stderr, done.stderr
    assert done.stdout == ""


def test_help_is_no_mistake():
    done = run("--help")
    assert "--rate N" in done.stdout
    assert done.stderr == ""
    assert max(map(len, done.stdout.splitlines())) <= 90


def test_what_is_no_subcommand_is_told():
    done = run(subcommand="walk", status=2)
    assert done.stdout == ""
    for name in ("run", "sweep", "compare"):
        assert f"  {name} " in done.stderr
    assert run(subcommand="--help").stdout == done.stderr
