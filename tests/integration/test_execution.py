"""Where batches run: on the loop that read the requests, or on a worker."""
from concurrent.futures import ThreadPoolExecutor

import pytest

from jitney_client import Connection, ask
from test_deadline import BUSY_BODY, keep_busy

PREDICT = "/v1/models/digits:predict"
WIDE = "/v1/models/wide:predict"


def batches(server, place, model="digits"):
    return server.metric("batcher_batches_total", model=model, place=place)


def test_a_brief_batch_runs_on_the_loop(start, digit):
    server = start()
    for _ in range(5):
        assert server.ask("POST", PREDICT, {"instances": [digit]}).status == 200
    assert (batches(server, "loop"), batches(server, "worker")) == (5, 0)
    assert server.metric("compute_worker_busy_seconds_total") == 0
    assert server.metric("compute_tasks_total") == 5


def test_a_long_batch_runs_on_a_worker(start):
    server = start()
    assert server.ask("POST", WIDE, BUSY_BODY).status == 200
    assert (batches(server, "loop", "wide"), batches(server, "worker", "wide")) == (0, 1)
    assert server.metric("compute_worker_busy_seconds_total") > 0


def test_a_brief_batch_does_not_wait_for_busy_workers(start, digit):
    """The deadline is far shorter than what keeps the only worker busy."""
    server = start(config={"workers": 1})
    with keep_busy(server) as busy, server.connect() as connection:
        answer = connection.ask("POST", PREDICT, {"instances": [digit]}, {"X-Request-Timeout-Ms": "50"})
        assert answer.status == 200
        assert busy.read_response().status == 200
    assert batches(server, "loop") == 1


@pytest.mark.parametrize("execution, place, other", [("workers", "worker", "loop"), ("loops", "loop", "worker")])
def test_an_operator_may_say_where(start, digit, execution, place, other):
    server = start(config={"execution": execution})
    assert server.ask("POST", PREDICT, {"instances": [digit]}).status == 200
    assert server.ask("POST", WIDE, BUSY_BODY).status == 200
    for model in ("digits", "wide"):
        assert (batches(server, place, model), batches(server, other, model)) == (1, 0)


@pytest.mark.parametrize("execution", ["auto", "loops", "workers"])
def test_loops_share_queues_and_lose_nothing(start, digit, execution):
    """With several loops one may run what another has read."""
    server = start(config={"io_threads": 3, "execution": execution})

    def ask_many(_):
        with server.connect() as connection:
            return [connection.ask("POST", PREDICT, {"instances": [digit]}).json()["labels"] for _ in range(50)]

    with ThreadPoolExecutor(8) as pool:
        answers = [label for labels in pool.map(ask_many, range(8)) for label in labels]
    assert answers == [["0"]] * 400
    server.wait_metric(400, "batcher_requests_total", model="digits", status="success")
    assert server.metric("batcher_batch_size_sum", model="digits") == 400


def test_loops_share_the_connections_of_a_unix_socket(start, digit):
    """One loop that wakes first would else take all of them, and do all of the work."""
    server = start(unix=True, config={"io_threads": 2, "execution": "loops"})
    connections = [Connection(server.unix_path) for _ in range(16)]
    for connection in connections:
        connection.assert_open()
    for connection in connections:
        for _ in range(20):
            assert connection.ask("POST", PREDICT, {"instances": [digit]}).status == 200
    recent = ask(server.admin_address, "GET", "/v1/batching/digits/recent?limit=256").json()["batches"]
    by_loop = [sum(batch["loop"] == loop for batch in recent) for loop in (0, 1)]
    assert min(by_loop) >= sum(by_loop) // 4, by_loop
