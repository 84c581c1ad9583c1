"""Traffic that never stops while operators turn every knob: nothing is lost, everything adds up."""
import json
import os
import random
import signal
import threading

from jitney_client import Connection, request
from jitney_server import wait_until

PREDICT = "/v1/models/digits:predict"
CONNECTIONS = 8
PATCHES = 200
HANG_UPS = 20
KNOWN = {200, 503, 504}


def random_settings(rng):
    """Valid together: the queue holds at least a batch. Some fields are given, some given up."""
    rows = rng.choice([1, 2, 3, 8, 32, 100, 1000, 4096])
    patch = {"max_batch_rows": rows, "max_queue_rows": rng.choice([rows, 4096, 10000])}
    choices = {
        "max_delay": [0, 0.0001, 0.002, "300us", None],
        "max_idle_delay": [0, 0.0005, "1ms", None],
        "max_queue_bytes": ["1KiB", "1MiB", None],
        "max_inflight_batches": [0, 1, 2, None],
        "target_p99": [0, "1ms", "20ms", None],
    }
    for field in rng.sample(sorted(choices), rng.randrange(len(choices) + 1)):
        patch[field] = rng.choice(choices[field])
    return patch


class Client(threading.Thread):
    """Asks, waits for the answer, asks again."""

    def __init__(self, address, digit, seed, stop):
        super().__init__()
        self.rng = random.Random(seed)
        self.address, self.digit, self.stop = address, digit, stop
        self.statuses = {}
        self.error = None

    def ask(self, connection):
        if self.rng.random() < 0.5:
            body = {"instances": [self.digit] * self.rng.choice([1, 1, 2, 5, 50])}
            return connection.ask("POST", PREDICT, body)
        body = {"prices": [float(i) for i in range(self.rng.choice([2, 20, 500]))], "period": 2}
        return connection.ask("POST", "/v1/indicators/sma", body)

    def run(self):
        try:
            with Connection(self.address) as connection:
                while not self.stop.is_set():
                    response = self.ask(connection)
                    status = response.status
                    if status == 400 and response.json()["code"] == "too_many_rows":
                        status = 503  # more than the queue takes in bytes, for now
                    self.statuses[status] = self.statuses.get(status, 0) + 1
        except Exception as error:  # noqa: BLE001 - told by the test
            self.error = error


def leave_halfway(server, digit, rng):
    """A client that does not wait for its answer."""
    with server.connect() as connection:
        connection.send(request("POST", PREDICT, {"instances": [digit] * rng.choice([1, 3])}))


def turn_knobs(server, digit, rng):
    with Connection(server.admin_address) as admin:
        for turn in range(PATCHES):
            queue = rng.choice(["digits", "digits", "sma"])
            wanted = random_settings(rng)
            answer = admin.ask("PATCH", f"/v1/batching/{queue}", wanted)
            assert answer.status == 200, (wanted, answer.body)
            if turn % (PATCHES // HANG_UPS) == 0:
                file = {"batching": {"max_delay": rng.choice([0, 0.001]), "max_queue_rows": 10000}}
                (server.folder / "jitney.json").write_text(json.dumps(file))
                server.signal(signal.SIGHUP)
                leave_halfway(server, digit, rng)
            assert admin.ask("GET", f"/v1/batching/{queue}/recent?limit=8").status == 200


def outcomes(server, **labels):
    statuses = ("success", "error", "timeout", "rejected", "cancelled")
    return sum(server.metric("batcher_requests_total", status=name, **labels) for name in statuses)


def test_settings_change_under_traffic_and_nothing_is_lost(start, digit):
    seed = int(os.environ.get("JITNEY_TEST_SEED", random.randrange(1 << 30)))
    print(f"JITNEY_TEST_SEED={seed}")
    rng = random.Random(seed)
    server = start(flags={"--workers": "2"}, config={"batching": {"max_queue_rows": 10000}})
    stop = threading.Event()
    clients = [Client(server.address, digit, seed + i, stop) for i in range(CONNECTIONS)]
    for client in clients:
        client.start()
    try:
        turn_knobs(server, digit, rng)
    finally:
        stop.set()
        for client in clients:
            client.join()
    for client in clients:
        assert client.error is None, client.error
        assert set(client.statuses) <= KNOWN, client.statuses
        assert client.statuses.get(200, 0) > 0, client.statuses

    # Whoever left may be noticed a moment later.
    wait_until(lambda: server.metric("batcher_submitted_total") == outcomes(server), "everything to add up")
    submitted = server.metric("batcher_submitted_total")
    for queue in ("digits", "sma"):
        assert server.metric("batcher_submitted_total", model=queue) == outcomes(server, model=queue)
        server.wait_metric(0, "batcher_inflight_batches", model=queue)
        server.wait_metric(0, "batcher_queue_size", model=queue)
    assert server.metric("batcher_requests_total", status="error") == 0
    assert server.metric("batcher_config_changes_total", source="api") > PATCHES / 2
    answered = sum(sum(client.statuses.values()) for client in clients)
    assert answered <= submitted <= answered + HANG_UPS
