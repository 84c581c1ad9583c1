"""SIGHUP: the configuration is read again while the server runs."""
import json
import re
import signal
import time

import pytest

from jitney_client import assert_error
from jitney_server import wait_until
from test_batching_api import DIGITS, PREDICT, admin, patch, settings


def hang_up(server, config):
    """Writes the configuration (or a text that is none), and waits until the server has read it."""
    text = config if isinstance(config, str) else json.dumps(config)
    (server.folder / "jitney.json").write_text(text)
    read = re.compile("the configuration was read again|the configuration is wrong")
    before = len(read.findall(server.log()))
    server.signal(signal.SIGHUP)
    wait_until(lambda: len(read.findall(server.log())) > before, "the configuration to be read again")


def test_a_hang_up_reads_the_file_again(start, digit):
    server = start(config={"batching": {"max_delay": "1ms"}})
    before = server.metric("service_config_last_reload_success_timestamp_seconds")
    with server.connect() as connection:
        hang_up(server, {"batching": {"max_delay": "2ms"}, "queues": {"sma": {"max_batch_rows": 3}}})
        assert connection.ask("POST", PREDICT, {"instances": [digit]}).status == 200
    assert settings(server)["max_delay"] == (0.002, "file")
    assert settings(server, "sma")["max_batch_rows"] == (3, "file")
    shown = admin(server, "GET", "/v1/config").json()["settings"]
    assert shown["batching.max_delay"]["value"] == 0.002
    assert shown["queues.sma.max_batch_rows"]["value"] == 3
    assert server.metric("service_config_last_reload_successful") == 1
    assert server.metric("service_config_last_reload_success_timestamp_seconds") > before
    assert server.metric("batcher_config_changes_total", source="file") == 5
    assert server.metric("batcher_config_changes_total", source="api") == 0


def test_flags_and_environment_still_beat_the_file(start):
    server = start(env={"JITNEY_BATCHING_MAX_DELAY": "7ms"}, config={})
    hang_up(server, {"batching": {"max_delay": "2ms", "max_batch_rows": 8}})
    assert settings(server)["max_delay"] == (0.007, "environment")
    assert settings(server)["max_batch_rows"] == (8, "file")


def test_what_the_api_has_set_stays_until_it_is_taken_back(start):
    server = start(config={"batching": {"max_delay": "1ms"}})
    patch(server, {"max_delay": "5ms"})
    etag = admin(server, "GET", DIGITS).headers["etag"]
    hang_up(server, {"batching": {"max_delay": "2ms", "max_batch_rows": 8}})
    assert settings(server)["max_delay"] == (0.005, "api")
    assert settings(server)["max_batch_rows"] == (8, "file")
    assert settings(server, "sma")["max_delay"] == (0.002, "file")
    assert_error(patch(server, {"max_delay": None}, If_Match=etag), 412, "precondition_failed")
    patch(server, {"max_delay": None})
    assert settings(server)["max_delay"] == (0.002, "file")


@pytest.mark.parametrize("text", ["{", '{"batching": {"max_delay": "soon"}}', '{"workres": 1}', ""])
def test_a_wrong_file_changes_nothing(start, text):
    server = start(config={"batching": {"max_delay": "1ms"}})
    before = admin(server, "GET", DIGITS)
    success_s = server.metric("service_config_last_reload_success_timestamp_seconds")
    hang_up(server, text)
    after = admin(server, "GET", DIGITS)
    assert after.json()["settings"] == before.json()["settings"]
    assert after.headers["etag"] == before.headers["etag"]
    assert server.metric("service_config_last_reload_successful") == 0
    assert server.metric("service_config_last_reload_success_timestamp_seconds") == success_s
    assert "level=error" in server.log() and "jitney.json" in server.log()
    hang_up(server, {"batching": {"max_delay": "3ms"}})
    assert server.metric("service_config_last_reload_successful") == 1
    assert settings(server)["max_delay"] == (0.003, "file")


def test_a_missing_file_changes_nothing(start):
    server = start(config={"batching": {"max_delay": "1ms"}})
    (server.folder / "jitney.json").unlink()
    server.signal(signal.SIGHUP)
    wait_until(lambda: "the configuration is wrong" in server.log(), "the file to be missed")
    assert settings(server)["max_delay"] == (0.001, "file")


def test_what_needs_a_restart_is_named(start):
    server = start(config={"workers": 1})
    hang_up(server, {"workers": 2, "http": {"body_bytes_max": "1MiB"}, "tenants": {"a": {}}})
    named = set(re.findall(r'level=warn msg="a changed setting needs a restart" key=(\S+)', server.log()))
    assert named == {"workers", "http.body_bytes_max", "tenants"}
    assert admin(server, "GET", "/v1/config").json()["settings"]["workers"]["value"] == 1


def test_a_server_without_a_file_survives_a_hang_up(start):
    server = start()
    server.signal(signal.SIGHUP)
    wait_until(lambda: "the configuration was read again" in server.log(), "the hang-up")
    assert server.metric("batcher_config_changes_total") == 0
    assert server.ask("GET", "/health").status == 200


def test_a_hang_up_while_draining_is_harmless(start):
    server = start(flags={"--drain-delay": "1s"}, config={})
    begin = time.monotonic()
    server.signal(signal.SIGTERM)
    wait_until(lambda: "msg=draining" in server.log(), "the drain")
    server.signal(signal.SIGHUP)
    assert server.wait_exit() == 0
    assert time.monotonic() - begin < 10
