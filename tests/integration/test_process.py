"""The process and its surroundings: files, signals, locale, pipes, sockets, threads."""
import fcntl
import json
import os
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from jitney_client import Closed, Connection, ask, assert_error, request
from jitney_server import wait_until

PREDICT = "/v1/models/digits:predict"
SMA = {"prices": [1, 2], "period": 2}


# --- methods


@pytest.mark.parametrize(
    "path", ["/health", "/metrics", "/v1/models", "/v1/models/digits", "/nowhere", "/v2/health/live"]
)
def test_head_is_get_without_a_body(shared, path):
    with shared.connect() as connection:
        got = connection.ask("GET", path)
        head = connection.ask("HEAD", path)
        assert head.status == got.status
        assert head.headers.get("content-type") == got.headers.get("content-type")
        assert (int(head.headers["content-length"]) > 0) == (len(got.body) > 0)
        connection.assert_open()


ALLOWED = {
    "/health": {"GET", "HEAD"},
    "/metrics": {"GET", "HEAD"},
    "/v1/models": {"GET", "HEAD"},
    "/v1/models/digits": {"GET", "HEAD"},
    "/v2/health/ready": {"GET", "HEAD"},
    PREDICT: {"POST"},
    "/v1/indicators/sma": {"POST"},
}


@pytest.mark.parametrize("path, allowed", ALLOWED.items(), ids=ALLOWED.keys())
def test_another_method_is_told_what_is_allowed(shared, path, allowed):
    with shared.connect() as connection:
        for method in {"GET", "POST", "PUT", "DELETE", "PATCH", "TRACE"} - allowed:
            refused = connection.ask(method, path, b"{}" if method == "POST" else None)
            assert_error(refused, 405, "method_not_allowed")
            assert allowed <= {name.strip() for name in refused.headers["allow"].split(",")}
        options = connection.ask("OPTIONS", path)
        assert options.status in (200, 204, 405)
        assert allowed <= {name.strip() for name in options.headers["allow"].split(",")}
        connection.assert_open()


def test_no_header_says_who_we_are_or_lets_strangers_in(shared):
    headers = shared.ask("GET", "/health", headers={"Origin": "http://evil.test"}).headers
    assert "access-control-allow-origin" not in headers
    assert not any(character.isdigit() for character in headers.get("server", ""))


# --- listeners and loops


def test_a_unix_socket_serves_what_a_port_serves(start, digit):
    server = start(unix=True)
    with Connection(server.unix_path) as connection:
        connection.assert_open()
        response = connection.ask("POST", PREDICT, {"instances": [digit]})
        assert response.status == 200
        assert response.body == server.ask("POST", PREDICT, {"instances": [digit]}).body


def test_two_loops_share_the_work(start, digit):
    server = start(flags={"--io-threads": "2"})
    alone = server.ask("POST", PREDICT, {"instances": [digit]}).json()["predictions"][0]
    connections = [server.connect() for _ in range(64)]
    for _ in range(5):
        for connection in connections:
            connection.send(request("POST", PREDICT, {"instances": [digit]}))
        for connection in connections:
            # The last digits may depend on the batch.
            prediction = connection.read_response().json()["predictions"][0]
            assert max(abs(a - b) for a, b in zip(prediction, alone)) < 1e-5
    for connection in connections:
        connection.close()
    assert server.metric("batcher_requests_total", model="digits", status="success") == 321
    server.wait_metric(1, "compute_active_connections")


def test_two_loops_share_the_limit_of_connections(start):
    server = start(flags={"--io-threads": "2"}, config={"http": {"connections_max": 10}})
    connections = [server.connect() for _ in range(10)]
    for connection in connections:
        connection.assert_open()
    with server.connect() as excess:
        assert_error(excess.read_response(), 503, "too_many_connections")
    for connection in connections:
        connection.close()


def test_two_loops_end_together(start, digit):
    server = start(flags={"--io-threads": "2"}, config={"batching": {"max_delay": "5s", "max_idle_delay": "5s", "max_batch_rows": 64}})
    connections = [server.connect() for _ in range(32)]
    for connection in connections:
        connection.send(request("POST", PREDICT, {"instances": [digit]}))
    server.wait_metric(32, "batcher_queue_size", model="digits")
    begin = time.monotonic()
    server.signal(signal.SIGTERM)
    assert [connection.read_response().status for connection in connections] == [200] * 32
    assert server.wait_exit() == 0
    assert time.monotonic() - begin < 4.5, "the drain waited for the batch's delay"


def test_after_a_kill_the_same_port_serves_again(start):
    first = start()
    host, port = first.address
    with first.connect() as connection:
        connection.assert_open()
        first.kill()
    second = start(listen=f"{host}:{port}")
    assert second.address == (host, port)
    assert second.ask("GET", "/health").status == 200


# --- what the system may do to a process


def cpu_seconds(server):
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_for_selftest(server):
    """The measurement of the kernels at the start takes a moment of CPU."""
    wait_until(lambda: server.metric("compute_selftest_timestamp_seconds") > 0, "the self-test to end")


@pytest.mark.measured
def test_running_out_of_files_is_survived_without_spinning(start):
    server = start(rlimits={resource.RLIMIT_NOFILE: 64})
    wait_for_selftest(server)
    connections = [server.connect() for _ in range(100)]
    connections[0].assert_open()
    before, begin = cpu_seconds(server), time.monotonic()
    time.sleep(0.5)  # the time over which it must not spin
    spent = (cpu_seconds(server) - before) / (time.monotonic() - begin)
    assert spent < 0.5, f"{spent:.0%} of a core while there is nothing to do"
    connections[0].assert_open()
    for connection in connections:
        connection.close()

    def serves():
        try:
            return ask(server.address, "GET", "/health").status == 200
        except (OSError, Closed, AssertionError):  # still full: refused or cut off
            return False

    wait_until(serves, "the server to serve again")


@pytest.mark.measured
def test_an_idle_server_uses_no_cpu(start):
    server = start()
    server.ask("POST", "/v1/indicators/sma", SMA)
    wait_for_selftest(server)
    before, begin = cpu_seconds(server), time.monotonic()
    time.sleep(1)
    assert (cpu_seconds(server) - before) / (time.monotonic() - begin) < 0.1


def test_a_stopped_server_goes_on(start, digit):
    server = start()
    with server.connect() as known:
        known.assert_open()
        server.signal(signal.SIGSTOP)
        with server.connect() as new:
            for connection in (known, new):
                connection.send(request("POST", PREDICT, {"instances": [digit]}))
            server.signal(signal.SIGCONT)
            for connection in (known, new):
                assert connection.read_response().status == 200


def test_a_broken_pipe_signal_is_ignored(start):
    server = start()
    with server.connect() as connection:
        connection.assert_open()
        server.signal(signal.SIGPIPE)
        connection.assert_open()


def german(folder):
    """The environment of a locale that writes 1,5: an installed one, or one made for the test."""
    installed = subprocess.run(["locale", "-a"], capture_output=True, text=True).stdout.split()
    for name in installed:
        if name.lower().replace("-", "") == "de_de.utf8":
            return {"LC_ALL": name}
    if shutil.which("localedef") is None or not Path("/usr/share/i18n/locales/de_DE").exists():
        return None
    made = subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", str(folder / "de_DE.UTF-8")], capture_output=True)
    return {"LC_ALL": "de_DE.UTF-8", "LOCPATH": str(folder)} if made.returncode == 0 else None


def test_a_decimal_comma_in_the_locale_changes_nothing(start, tmp_path):
    environment = german(tmp_path)
    if environment is None:
        pytest.skip("no German locale, and none can be made")
    server = start(env=environment, config={"log": {"access": True}})
    response = server.ask("POST", "/v1/indicators/sma", {"prices": [1.5, 2], "period": 2})
    assert response.json()["values"] == [None, 1.75]
    assert "," not in response.headers["server-timing"].replace(", ", "")
    assert server.metric("http_request_duration_seconds_sum") >= 0
    text = server.ask("GET", "/metrics").body.decode()
    assert 'le="0.0001"' in text or 'le="0.00025"' in text


# --- the log


def read_until(reader, server, marker):
    """Into the file where the server's log is looked for, until it holds the marker."""
    text = b""
    while marker not in text:
        piece = os.read(reader, 4096)
        assert piece, text
        text += piece
    server.log_path.write_bytes(text)


@pytest.mark.parametrize("reader_does", ["block", "leave"])
def test_a_log_that_nobody_takes_holds_up_nothing(start, reader_does):
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    server = start(ready=False, stderr=writer, flags={"--log-level": "debug"}, config={"log": {"access": True}})
    os.close(writer)
    read_until(reader, server, b"msg=ready")
    if reader_does == "leave":
        os.close(reader)
    with server.connect() as connection:
        for _ in range(2000):
            connection.assert_open()
    server.signal(signal.SIGTERM)
    assert server.wait_exit() == 0
    if reader_does == "block":
        os.close(reader)


def test_every_line_of_a_json_log_is_json(start):
    server = start(ready=False, flags={"--log-format": "json"}, config={"log": {"access": True}})
    wait_until(lambda: '"msg":"ready"' in server.log().replace(": ", ":"), "ready in the log")
    address = next(
        line["address"] for line in map(json.loads, server.log().splitlines())
        if line["msg"] == "listening" and str(line["admin"]).lower() == "false"
    )
    host, port = address.rsplit(":", 1)
    assert ask((host, int(port)), "GET", '/no"where\\').status == 404
    server.stop()
    for line in server.log().splitlines():
        entry = json.loads(line)
        assert {"ts", "level", "msg"} <= set(entry), entry


def test_a_log_line_is_one_line_whatever_was_asked(start):
    server = start(config={"log": {"access": True}})
    server.ask("GET", '/"quoted"%0Alevel=error')
    server.ask("POST", "/v1/indicators/sma", {"forged\nlevel=error msg=forged": 1})
    server.stop()
    for line in server.log().splitlines():
        assert line.startswith("ts="), line
        assert not line.startswith("level=error"), line
