"""Configuration: what is wrong is told before anything starts, and where everything came from."""
import json
import os
import socket
import subprocess

import pytest

from jitney_client import Connection, ask, assert_error
from jitney_server import binary, clean_environment

GOOD = """{
  // Comments are allowed.
  "listen": ["127.0.0.1:0"],
  "http": { "body_bytes_max": "1MiB", "request_timeout": "5s" },
  /* So are these. */
  "queues": { "digits": { "max_batch_rows": 64 } }
}
"""


def run(*flags, env=None):
    return subprocess.run(
        [binary(), *flags], env=clean_environment(env), capture_output=True, text=True, timeout=30,
        stdin=subprocess.DEVNULL,
    )


def check(tmp_path, text, *flags, env=None):
    path = tmp_path / "jitney.json"
    path.write_text(text)
    return run("--config", str(path), "--check-config", *flags, env=env)


def assert_wrong(result, *words):
    """It ends by itself, not well, and names what is wrong."""
    assert result.returncode > 0, result
    said = result.stderr + result.stdout
    for word in words:
        assert word in said, f"{word!r} is missing in: {said}"


# --- checking


def test_a_good_file_passes(tmp_path):
    result = check(tmp_path, GOOD)
    assert result.returncode == 0, result


def test_checking_starts_nothing(tmp_path):
    """Not even a listener on a port that is taken."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert check(tmp_path, f'{{"listen": ["127.0.0.1:{port}"]}}').returncode == 0


WRONG_FILES = {
    "an unknown key": ('{\n  "workres": 2\n}', 2, "workres"),
    "an unknown key in a section": ('{\n  "http": {\n    "body_max": 1\n  }\n}', 3, "body_max"),
    "an unknown key of a queue": ('{\n  "queues": {"digits": {"rows": 1}}\n}', 2, "rows"),
    "a string for a number": ('{\n\n  "workers": "many"\n}', 3, "workers"),
    "a number for a section": ('{\n  "http": 1\n}', 2, "http"),
    "too small": ('{\n  "io_threads": 0\n}', 2, "io_threads"),
    "too large": ('{\n  "http": {"connections_max": 99999999}\n}', 2, "connections_max"),
    "negative": ('{\n  "workers": -1\n}', 2, "workers"),
    "a fraction": ('{\n  "workers": 1.5\n}', 2, "workers"),
    "no duration": ('{\n  "drain": {"delay": "soon"}\n}', 2, "delay"),
    "an unknown choice": ('{\n  "log": {"level": "loud"}\n}', 2, "level"),
    "a repeated key": ('{\n  "workers": 1,\n  "workers": 2\n}', 3, "workers"),
    "an address without port": ('{\n  "listen": ["127.0.0.1"]\n}', 2, "listen"),
    "not JSON": ('{\n  "workers": 1,,\n}', 2, ""),
    "cut off": ('{\n  "workers": 1\n', None, ""),
    "an array": ("[]", None, ""),
    "empty": ("", None, ""),
}


@pytest.mark.parametrize("text, line, key", WRONG_FILES.values(), ids=WRONG_FILES.keys())
def test_a_wrong_file_is_refused_with_file_line_and_key(tmp_path, text, line, key):
    where = f"jitney.json:{line}" if line else "jitney.json"
    assert_wrong(check(tmp_path, text), where, key)


@pytest.mark.parametrize(
    "flags, word",
    [
        (["--workres", "2"], "--workres"),
        (["--workers"], "--workers"),
        (["--workers", "x"], "--workers"),
        (["--workers", "99999"], "--workers"),
        (["--drain-delay", "5 parsecs"], "--drain-delay"),
        (["--listen", "localhost"], "--listen"),
        (["--listen", "127.0.0.1:99999"], "--listen"),
        (["--config", "/does/not/exist.json"], "/does/not/exist.json"),
        (["models"], "models"),
    ],
)
def test_wrong_flags_are_refused_by_name(flags, word):
    assert_wrong(run(*flags, "--check-config"), word)


@pytest.mark.parametrize(
    "name, value", [("JITNEY_WORKERS", "x"), ("JITNEY_WORKRES", "1"), ("JITNEY_LOG_LEVEL", "loud")]
)
def test_wrong_variables_are_refused_by_name(name, value):
    assert_wrong(run("--check-config", env={name: value}), name)


def test_help_and_version_go_to_standard_output():
    for flag in ("--help", "--version"):
        result = run(flag)
        assert (result.returncode, result.stderr) == (0, ""), result
        assert "jitney" in result.stdout
    for flag in ("--config", "--listen", "--models", "--workers", "--drain-delay", "--check-config"):
        assert flag in run("--help").stdout


# --- listening


def test_a_port_in_use_is_told(start):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = start(ready=False, listen=f"127.0.0.1:{port}")
        assert server.wait_exit() > 0
        assert f"127.0.0.1:{port}" in server.log()


def test_an_address_that_is_not_ours_is_told(start):
    server = start(ready=False, listen="192.0.2.1:0")
    assert server.wait_exit() > 0
    assert "192.0.2.1" in server.log()


def test_a_stale_unix_socket_is_replaced(start, tmp_path):
    folder = tmp_path / "server0"
    stale = socket.socket(socket.AF_UNIX)
    (tmp_path / "old").mkdir()
    path = str(tmp_path / "old" / "jitney.sock")
    stale.bind(path)
    stale.close()
    assert os.path.exists(path) and not folder.exists()
    start(listen=f"unix:{path}")
    assert ask(path, "GET", "/health").status == 200


def test_a_live_unix_socket_is_left_alone(start):
    first = start(unix=True)
    second = start(ready=False, listen=f"unix:{first.unix_path}")
    assert second.wait_exit() > 0
    assert first.unix_path in second.log()
    assert ask(first.unix_path, "GET", "/health").status == 200


def test_a_file_in_the_place_of_the_socket_is_not_removed(start, tmp_path):
    path = tmp_path / "precious"
    path.write_text("data")
    server = start(ready=False, listen=f"unix:{path}")
    assert server.wait_exit() > 0
    assert path.read_text() == "data"


# --- the admin listener


def test_the_effective_configuration_tells_where_it_came_from(start):
    server = start(
        flags={"--workers": "1"},
        env={"JITNEY_LOG_LEVEL": "debug", "JITNEY_WORKERS": "2"},
        config={"workers": 3, "http": {"connections_max": 77}, "log": {"level": "warn", "format": "logfmt"}},
    )
    response = ask(server.admin_address, "GET", "/v1/config")
    assert response.status == 200
    settings = response.json()["settings"]
    told = {key: (settings[key]["value"], settings[key]["source"]) for key in settings}
    assert told["workers"] == (1, "flag")
    assert told["log.level"] == ("debug", "environment")
    assert told["http.connections_max"] == (77, "file")
    assert told["http.headers_max"] == (100, "default")
    assert settings["http.connections_max"]["default"] == 1024


def test_the_admin_listener_serves_health_and_metrics_too(shared):
    for path in ("/health", "/metrics"):
        assert ask(shared.admin_address, "GET", path).status == 200


def test_a_reachable_admin_listener_needs_a_token(start, tmp_path):
    server = start(ready=False, flags={"--admin-listen": "0.0.0.0:0"})
    assert server.wait_exit() > 0
    assert "admin_token_file" in server.log()


def test_the_token_opens_the_admin_listener(start, tmp_path):
    token = tmp_path / "token"
    token.write_text("correct horse battery staple\n")
    token.chmod(0o600)
    server = start(flags={"--admin-listen": "0.0.0.0:0"}, config={"admin_token_file": str(token)})
    address = ("127.0.0.1", server.admin_address[1])
    with Connection(address) as connection:
        assert_error(connection.ask("GET", "/v1/config"), 401, "unauthorized")
        wrong = {"Authorization": "Bearer correct horse battery stapl"}
        assert_error(connection.ask("GET", "/v1/config", headers=wrong), 401, "unauthorized")
        right = {"Authorization": "Bearer correct horse battery staple"}
        response = connection.ask("GET", "/v1/config", headers=right)
        assert response.status == 200
        assert "correct horse" not in json.dumps(response.json())


def test_the_limits_of_a_queue_may_differ(start, digit):
    server = start(config={"batching": {"max_batch_rows": 8}, "queues": {"digits": {"max_batch_rows": 5}}})
    assert server.metric("batcher_max_batch_size", model="digits") == 5
    assert server.metric("batcher_max_batch_size", model="sma") == 8
