"""The kinds of requests that script/bench service measures, as jitney-load sends them.

Of each with numbers there are some dozens of bodies, so that no branch predictor learns them by heart.
"""
import dataclasses
import json
import pathlib
import random
import shutil

import dense_model
from servers import ROOT

VARIANTS = 64
MLP = [784, 128, 10]


@dataclasses.dataclass(frozen=True)
class Kind:
    name: str
    title: str
    path: str
    flags: tuple  # of jitney-load
    bodies: tuple = (None,)

    def request_bytes(self):
        """Of the bodies, in the mean."""
        return sum(len(body or b"") for body in self.bodies) / len(self.bodies)


# What is measured, in the order of the table; B waits for tensors in binary.
TITLES = {
    "GET": "GET /health",
    "S": "POST 64 numbers, a digit",
    "M": "POST 784 numbers, " + "-".join(map(str, MLP)),
    "B": "POST 3136 bytes of numbers",
    "P": "POST 1000 prices, EMA",
    "P6": "P with 6 decimals",
}
INDICATORS = ("P", "P6")
SKIPPED = {"B": "no V2 yet"}


def digits():
    return json.loads((ROOT / "models/digits/samples.json").read_text())["instances"][:VARIANTS]


def pictures():
    source = random.Random(1)
    return [[round(source.random(), 3) for _ in range(MLP[0])] for _ in range(VARIANTS)]


def walk(source):
    price, prices = 100.0, []
    for _ in range(1000):
        price += source.uniform(-1, 1) + (100 - price) * 0.01
        prices.append(round(price, 2))
    return prices


def series(**more):
    source = random.Random(1)
    return [{"prices": walk(source), "period": 20, **more} for _ in range(VARIANTS)]


def posted(name, folder, path, flags, bodies):
    lines = [json.dumps(body, separators=(",", ":")) for body in bodies]
    inputs = pathlib.Path(folder, f"{name}.jsonl")
    inputs.write_text("\n".join(lines))
    return Kind(name, TITLES[name], path, (*flags, "--inputs", str(inputs)), tuple(line.encode() for line in lines))


def make(name, folder):
    if name == "GET":
        return Kind(name, TITLES[name], "/health", ("--get", "/health"))
    if name == "S":
        return posted(name, folder, "/v1/models/digits:predict", ("--model", "digits"),
                      [{"instances": [row]} for row in digits()])
    if name == "M":
        return posted(name, folder, "/v1/models/mlp:predict", ("--model", "mlp"),
                      [{"instances": [row]} for row in pictures()])
    more = {"decimals": 6} if name == "P6" else {}
    return posted(name, folder, "/v1/indicators/ema", ("--indicator", "ema"), series(**more))


def make_models(folder, build):
    """The models folder of a server that is to answer all of them."""
    models = pathlib.Path(folder, "models")
    shutil.copytree(ROOT / build / "models/digits", models / "digits")
    dense_model.write(models / "mlp/1/model.onnx", MLP)
    return models
