"""The digits model over the wire: right answers, alone and in batches."""
import json
import re
import threading
from pathlib import Path

import pytest

from jitney_client import assert_error

PREDICT = "/v1/models/digits:predict"
DIGITS = Path(__file__).resolve().parent.parent / "data" / "digits_test.json"
CONNECTIONS = 64

_TIMING = re.compile(r"(parse|queue|compute|write);dur=([0-9]+(?:\.[0-9]+)?)")


@pytest.fixture(scope="module")
def images():
    """The held-out images: pixels from 0 to 1, the label, and the probabilities computed offline."""
    with open(DIGITS) as file:
        data = json.load(file)
    return [
        ([pixel / 16 for pixel in image["pixels"]], str(image["label"]), image["probabilities"])
        for image in data["images"]
    ]


def assert_close(got, wanted):
    assert len(got) == len(wanted)
    worst = max(abs(a - b) for a, b in zip(got, wanted))
    assert worst <= 1e-5, f"off by {worst}: {got} for {wanted}"


def assert_timed(response):
    """The stages, in order and in milliseconds, and the size of the batch."""
    stages = _TIMING.findall(response.headers["server-timing"])
    assert [name for name, _ in stages] == ["parse", "queue", "compute", "write"]
    assert all(0 <= float(duration) < 60000 for _, duration in stages)
    assert int(response.headers["x-batch-size"]) >= 1


def test_one_digit(shared, images):
    pixels, label, probabilities = images[0]
    response = shared.ask("POST", PREDICT, {"instances": [pixels]})
    assert response.status == 200
    assert response.headers["content-type"].startswith("application/json")
    answer = response.json()
    assert set(answer) == {"predictions", "labels"}
    assert answer["labels"] == [label]
    assert_close(answer["predictions"][0], probabilities)
    assert abs(sum(answer["predictions"][0]) - 1) < 1e-5
    assert_timed(response)


def test_many_digits_in_one_request(shared, images):
    """All of them: more rows than a batch may have, so it runs alone, in pieces."""
    response = shared.ask("POST", PREDICT, {"instances": [pixels for pixels, _, _ in images]})
    assert response.status == 200
    answer = response.json()
    assert len(answer["predictions"]) == len(answer["labels"]) == len(images)
    for prediction, (_, _, probabilities) in zip(answer["predictions"], images):
        assert_close(prediction, probabilities)
    assert_timed(response)


def ask_all(server, images):
    """One request for each image, over concurrent connections; answers in the order of the images."""
    answers = [None] * len(images)
    faults = []
    begin = threading.Barrier(CONNECTIONS)

    def client(first):
        try:
            with server.connect() as connection:
                begin.wait(20)
                for i in range(first, len(images), CONNECTIONS):
                    answers[i] = connection.ask("POST", PREDICT, {"instances": [images[i][0]]})
        except Exception as fault:  # told by the main thread
            faults.append(fault)

    threads = [threading.Thread(target=client, args=(i,)) for i in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults, faults
    return answers


def test_the_held_out_set_in_batches_of_many_clients(start, images):
    """A little delay in the queue makes sure that requests meet there, on any machine."""
    server = start(config={"queues": {"digits": {"max_delay": "20ms", "max_idle_delay": "20ms"}}})
    answers = ask_all(server, images)
    right = 0
    for response, (_, label, probabilities) in zip(answers, images):
        assert response.status == 200, response
        answer = response.json()
        assert_close(answer["predictions"][0], probabilities)
        right += answer["labels"] == [label]
        assert_timed(response)
    assert right / len(images) >= 0.97, right

    batches = server.metric("batcher_batch_size_count", model="digits")
    requests = server.metric("batcher_batch_size_sum", model="digits")
    assert requests == len(images)
    assert requests / batches > 1
    assert server.metric("batcher_requests_total", model="digits", status="success") == len(images)
    assert server.metric("batcher_requests_total", model="digits") == len(images)
    assert server.metric("batcher_rows_total", model="digits", kind="real") == len(images)
    assert max(int(response.headers["x-batch-size"]) for response in answers) > 1


def test_a_batch_never_exceeds_its_limit(start, images):
    server = start(config={"queues": {"digits": {"max_delay": "20ms", "max_idle_delay": "20ms", "max_batch_rows": 4}}})
    answers = ask_all(server, images[:CONNECTIONS])
    assert max(int(response.headers["x-batch-size"]) for response in answers) <= 4
    assert [response.status for response in answers] == [200] * CONNECTIONS


def test_an_answer_does_not_depend_on_its_batch(start, images):
    """Alone, in one request with others, and in a batch of many requests."""
    server = start(config={"queues": {"digits": {"max_delay": "20ms", "max_idle_delay": "20ms", "max_batch_rows": 64}}})
    chosen = images[:CONNECTIONS]
    together = server.ask("POST", PREDICT, {"instances": [pixels for pixels, _, _ in chosen]}).json()["predictions"]
    batched = [response.json()["predictions"][0] for response in ask_all(server, chosen)]
    for (pixels, _, _), one, other in zip(chosen, together, batched):
        alone = server.ask("POST", PREDICT, {"instances": [pixels]}).json()["predictions"][0]
        assert_close(one, alone)
        assert_close(other, alone)


def test_a_version_may_be_named(shared, images):
    pixels, label, _ = images[0]
    response = shared.ask("POST", "/v1/models/digits/versions/1:predict", {"instances": [pixels]})
    assert response.json()["labels"] == [label]
    refused = shared.ask("POST", "/v1/models/digits/versions/2:predict", {"instances": [pixels]})
    assert_error(refused, 404, "model_not_found")


def test_the_wide_model_answers(shared):
    response = shared.ask("POST", "/v1/models/wide:predict", {"instances": [[0.5] * 1024]})
    assert response.status == 200
    answer = response.json()
    assert len(answer["predictions"]) == 1
    assert "labels" not in answer
    assert_timed(response)


def layers_of(server, model):
    return server.ask("GET", f"/v1/models/{model}").json()["layers"]


def test_a_model_says_how_its_layers_are_computed(shared, start):
    sizes = [(64, 128), (128, 64), (64, 10)]
    measured = layers_of(shared, "digits")
    assert [(layer["in"], layer["out"]) for layer in measured] == sizes
    assert all(re.fullmatch("plain|openblas|packed (avx2|avx512)", layer["kernel"]) for layer in measured)
    plain = layers_of(start(config={"isa": "scalar"}), "digits")
    assert plain == [{"in": ins, "out": outs, "kernel": "plain"} for ins, outs in sizes]


def test_what_is_not_finite_is_null(shared):
    """Numbers that are fine alone and overflow inside the model."""
    response = shared.ask("POST", "/v1/models/wide:predict", {"instances": [[3e38] * 1024]})
    assert response.status == 200
    assert all(value is None or isinstance(value, (int, float)) for value in response.json()["predictions"][0])


def test_models_are_listed(shared):
    listed = shared.ask("GET", "/v1/models").json()["models"]
    names = [entry if isinstance(entry, str) else entry["name"] for entry in listed]
    assert sorted(names) == ["digits", "wide"]


def test_a_model_tells_its_state(shared):
    answer = shared.ask("GET", "/v1/models/digits").json()
    assert answer["name"] == "digits"
    assert answer["ready"] is True
    assert [(v["version"], v["state"]) for v in answer["model_version_status"]] == [("1", "AVAILABLE")]
    assert_error(shared.ask("GET", "/v1/models/absent"), 404, "model_not_found")


def test_health_tells_that_it_is_well(shared):
    health = shared.ask("GET", "/health").json()
    assert health["status"] == "ok"
    assert health["active_connections"] >= 1
    for probe in ("/v2/health/live", "/v2/health/ready"):
        assert shared.ask("GET", probe).status == 200
