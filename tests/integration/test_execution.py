"""Where batches run: on the loop that read the requests, or on a worker."""
import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from jitney_client import Connection, ask, request
from test_deadline import BUSY_BODY, keep_busy

PREDICT = "/v1/models/digits:predict"
WIDE = "/v1/models/wide:predict"
WIDE_BODY = b'{"instances":[[' + b",".join([b"0.5"] * 1024) + b"]]}"


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


def misbehave(server, body, seed, until):
    """Some requests whole, some pipelined, some cut off, some not waited for; by either socket."""
    chance = random.Random(seed)
    requests = [request("POST", PREDICT, body), request("POST", WIDE, WIDE_BODY), request("GET", "/health")]
    while time.monotonic() < until:
        with Connection(chance.choice([server.address, server.unix_path])) as connection:
            for _ in range(chance.randrange(1, 10)):
                piece = b"".join(chance.choices(requests, k=chance.randrange(1, 4)))
                fate = chance.random()
                connection.send(piece[:chance.randrange(len(piece))] if fate < 0.1 else piece)
                if fate < 0.2:
                    break
                assert connection.read_response().status == 200
                if piece.count(b"HTTP/1.1\r\n") > 1:
                    break


@pytest.mark.parametrize("execution", ["auto", "loops"])
def test_loops_survive_clients_that_leave(start, digit, execution):
    server = start(unix=True, config={"io_threads": 3, "execution": execution})
    until = time.monotonic() + 1
    with ThreadPoolExecutor(12) as pool:
        for done in [pool.submit(misbehave, server, {"instances": [digit]}, seed, until) for seed in range(12)]:
            done.result()
    server.wait_metric(0, "batcher_queue_size", model="digits")
    submitted = sum(server.metric("batcher_submitted_total", model=model) for model in ("digits", "wide"))
    server.wait_metric(submitted, "batcher_requests_total")
    server.stop()
