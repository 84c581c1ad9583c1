"""Fixtures of every integration test: the real binary, and what it is asked."""
import csv
import json
import os
import shutil
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS / "support" / "python"))
sys.dont_write_bytecode = True

pytest.register_assert_rewrite("jitney_client", "jitney_server")

from jitney_server import Server  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "measured: judges times, of which another user of the machine can spoil some")


def pytest_collection_modifyitems(items):
    """One bad reading is no finding; three in a row are. Each is shown as a rerun."""
    for item in items:
        if item.get_closest_marker("measured"):
            item.add_marker(pytest.mark.flaky(reruns=2))


def pytest_sessionstart(session):
    missing = [name for name in ("JITNEY_BINARY", "JITNEY_MODELS") if name not in os.environ]
    if missing:
        pytest.exit(f"set {' and '.join(missing)} (ctest does)", returncode=4)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what its servers said."""
    report = (yield).get_result()
    setattr(item, f"report_{report.when}", report)
    if report.failed:
        for server in getattr(item, "servers", []):
            report.sections.append(("stderr of the server", server.log()[-8000:]))


@pytest.fixture
def start(request, tmp_path):
    """start(flags=..., config=..., ...) -> a Server that is ready; stopped when the test ends."""
    request.node.servers = servers = []

    def start_server(ready=True, **options):
        folder = tmp_path / f"server{len(servers)}"
        folder.mkdir()
        server = Server(folder, **options)
        servers.append(server)
        return server.wait_ready() if ready else server

    yield start_server
    call = getattr(request.node, "report_call", None)
    failed = call is None or call.failed
    for server in servers:
        server.kill() if failed else server.stop()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One server with default limits for all the tests of a file that leave no trace on it."""
    server = Server(tmp_path_factory.mktemp("shared"))
    try:
        yield server.wait_ready()
        server.stop()
    finally:
        server.kill()


@pytest.fixture(autouse=True)
def _show_shared(request):
    if "shared" in request.fixturenames and not hasattr(request.node, "servers"):
        request.node.servers = [request.getfixturevalue("shared")]


@pytest.fixture
def digits_as(tmp_path):
    """digits_as(NAME={...}, ...) -> a models folder: digits by each name, with these keys in its config.json."""

    def make(**models):
        folder = tmp_path / "models"
        for name, config in models.items():
            shutil.copytree(Path(os.environ["JITNEY_MODELS"]) / "digits", folder / name)
            config = {"labels": [str(digit) for digit in range(10)], **config}
            (folder / name / "config.json").write_text(json.dumps(config))
        return str(folder)

    return make


@pytest.fixture(scope="session")
def prices():
    """{"DAX": [...], ...}: see tests/data/README.md."""
    with open(TESTS / "data" / "eustockmarkets.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows] for name in rows[0]}


@pytest.fixture(scope="session")
def digit():
    """One instance for the digits model; what it shows does not matter."""
    return [i * 7 % 17 / 16 for i in range(64)]
