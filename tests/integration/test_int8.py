"""A model in int8: nearly as right as in float32, with its error shown; refused beyond its bound."""
import json
from pathlib import Path

import pytest

from jitney_client import assert_error

DIGITS = Path(__file__).resolve().parent.parent / "data" / "digits_test.json"
INT8 = {"precision": "int8"}
TOO_STRICT = {"precision": "int8", "int8_max_error": 1e-7}


@pytest.fixture(scope="module")
def images():
    with open(DIGITS) as file:
        data = json.load(file)["images"]
    return [([pixel / 16 for pixel in image["pixels"]], str(image["label"])) for image in data]


def predict(server, model, images):
    response = server.ask("POST", f"/v1/models/{model}:predict", {"instances": [pixels for pixels, _ in images]})
    assert response.status == 200, response
    return response.json()


def share_right(answer, images):
    assert len(answer["labels"]) == len(images)
    return sum(got == label for got, (_, label) in zip(answer["labels"], images)) / len(images)


def test_the_held_out_set_is_classified_as_well_as_in_float32(start, images, digits_as):
    server = start(flags={"--models": digits_as(plain={}, whole=INT8)})
    plain, whole = predict(server, "plain", images), predict(server, "whole", images)
    in_float32, in_int8 = share_right(plain, images), share_right(whole, images)
    assert in_float32 >= 0.97
    assert abs(in_int8 - in_float32) <= 0.005, f"int8 {in_int8}, float32 {in_float32}"
    assert whole["predictions"] != plain["predictions"], "both computed the same: is that int8?"


def test_a_row_is_the_same_alone_and_in_a_batch(start, images, digits_as):
    server = start(flags={"--models": digits_as(whole=INT8)})
    together = predict(server, "whole", images[:40])["predictions"]
    alone = [predict(server, "whole", [image])["predictions"][0] for image in images[:40]]
    assert alone == together


def test_the_model_tells_its_precision_and_error(start, digits_as):
    server = start(flags={"--models": digits_as(plain={}, whole=INT8)})
    about = server.ask("GET", "/v1/models/whole").json()
    assert about["ready"] is True
    assert about["precision"] == "int8"
    assert 0 < about["int8_error"] <= about["int8_max_error"] == 0.01
    assert about["int8_samples"] == {"rows": 50, "from": "samples.json"}
    assert len(about["layers"]) == 3
    assert all(layer["kernel"].startswith("int8 ") for layer in about["layers"])
    assert 'msg="model computes in int8" model=whole version=1 int8_error=0.00' in server.log()
    plain = server.ask("GET", "/v1/models/plain").json()
    assert plain["precision"] == "float32"
    assert not any(key.startswith("int8") for key in plain)


def test_a_model_without_samples_is_tried_with_made_up_ones(start, digits_as):
    models = digits_as(whole={**INT8, "int8_max_error": 0.2})
    (Path(models) / "whole" / "samples.json").unlink()
    about = start(flags={"--models": models}).ask("GET", "/v1/models/whole").json()
    assert about["int8_samples"] == {"rows": 32, "from": "made up"}
    assert 0 < about["int8_error"] <= 0.2


def test_a_model_beyond_its_bound_is_refused_and_the_others_serve(start, images, digits_as):
    server = start(flags={"--models": digits_as(plain={}, strict=TOO_STRICT)})
    about = server.ask("GET", "/v1/models/strict").json()
    assert about["ready"] is False
    status = about["model_version_status"][0]
    assert status["state"] == "END"
    reason = status["status"]["error_message"]
    assert reason.startswith("in int8 outputs are off by up to ")
    assert reason.endswith(" of the largest for 50 rows of samples.json; int8_max_error in config.json is 1e-07")
    assert reason in server.log()
    refused = server.ask("POST", "/v1/models/strict:predict", {"instances": [images[0][0]]})
    assert_error(refused, 503, "model_not_ready")
    assert predict(server, "plain", images[:1])["labels"] == [images[0][1]]


def test_samples_that_do_not_fit_are_told(start, digits_as):
    models = digits_as(whole=INT8)
    (Path(models) / "whole" / "samples.json").write_text('{"instances": [[1, 2]]}')
    about = start(flags={"--models": models}).ask("GET", "/v1/models/whole").json()
    assert about["model_version_status"][0]["status"]["error_message"] == (
        "samples.json: instances[0] must be 64 numbers")


def test_metrics_tell_int8_from_float32(start, images, digits_as):
    server = start(flags={"--models": digits_as(plain={}, whole=INT8)})
    predict(server, "whole", images[:2])
    assert server.metric("compute_indicator_time_seconds_count", indicator="matmul_int8") == 1
    assert server.metric("compute_indicator_time_seconds_count", indicator="matmul") == 0
    assert server.metric("compute_kernel_flops_total", indicator="matmul_int8") > 2 * 2 * 64 * 128
    predict(server, "plain", images[:2])
    assert server.metric("compute_indicator_time_seconds_count", indicator="matmul") == 1
