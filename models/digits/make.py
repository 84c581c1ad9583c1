#!/usr/bin/env python3
"""Trains the digits model and writes it as ONNX, with the images it was not trained on.

    /usr/bin/python3 models/digits/make.py

needs Debian's python3-sklearn and python3-onnx (script/setup train) and a few minutes. It writes

    models/digits/1/model.onnx     64 inputs (pixels / 16), ReLU layers, softmax over ten classes
    models/digits/samples.json     a few images it was trained on, to try it with
    tests/data/digits_test.json    the held-out images, their labels, and this model's probabilities

Everything random has a fixed seed. The size of the network, its weight decay and how many warped copies of
the images it learns from are chosen by cross-validation inside the training part; the held-out images take
no part in any choice. On another processor or BLAS the weights may differ in their last digits.
"""
import itertools
import json
import pathlib
import warnings

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from scipy import ndimage
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.neural_network import MLPClassifier

ROOT = pathlib.Path(__file__).resolve().parents[2]
SEED = 0
HELD_OUT = 360
SAMPLES = 50
HIDDEN = [(64,), (128,), (128, 64)]
WEIGHT_DECAY = [1e-4, 1e-2]
WARPED_COPIES = [0, 10, 20]


def warp(image, random):
    """The image turned by up to 12 degrees, stretched by up to 15 %, moved by up to 0.4 pixels."""
    angle = np.deg2rad(random.uniform(-12, 12))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.diag(np.exp(random.uniform(-0.15, 0.15, 2)))
    centre = np.array([3.5, 3.5])
    return ndimage.affine_transform(image, matrix, centre - matrix @ centre + random.uniform(-0.4, 0.4, 2), order=1)


def with_warped_copies(pixels, labels, copies):
    random = np.random.default_rng(SEED)
    images = pixels.reshape(-1, 8, 8)
    warped = [np.stack([warp(image, random) for image in images]).reshape(-1, 64) for _ in range(copies)]
    return np.concatenate([pixels, *warped]), np.tile(labels, copies + 1)


def train(pixels, labels, hidden, weight_decay, copies):
    pixels, labels = with_warped_copies(pixels, labels, copies)
    network = MLPClassifier(hidden, alpha=weight_decay, max_iter=40 if copies else 300, random_state=SEED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the number of epochs is a choice
        return network.fit(pixels / 16, labels)


def cross_validate(pixels, labels, *choice):
    folds = StratifiedKFold(5, shuffle=True, random_state=SEED)
    scores = []
    for fit, check in folds.split(pixels, labels):
        network = train(pixels[fit], labels[fit], *choice)
        scores.append(network.score(pixels[check] / 16, labels[check]))
    return np.mean(scores)


def choose(pixels, labels):
    best = None
    for choice in itertools.product(HIDDEN, WEIGHT_DECAY, WARPED_COPIES):
        score = cross_validate(pixels, labels, *choice)
        print(f"cross-validation: hidden {choice[0]}, decay {choice[1]}, warped copies {choice[2]}: {score:.4f}", flush=True)
        if best is None or score > best[0]:
            best = (score, choice)
    print(f"chosen: {best[1]}")
    return best[1]


def to_onnx(layers):
    """Gemm, Relu, ..., Gemm, Softmax."""
    nodes, tensors, value = [], [], "pixels"
    for i, (weights, bias) in enumerate(layers):
        last = i == len(layers) - 1
        tensors += [numpy_helper.from_array(weights, f"weights{i}"), numpy_helper.from_array(bias, f"bias{i}")]
        nodes.append(helper.make_node("Gemm", [value, f"weights{i}", f"bias{i}"], [f"sums{i}"], f"dense{i}"))
        value = "probabilities" if last else f"hidden{i}"
        nodes.append(helper.make_node("Softmax" if last else "Relu", [f"sums{i}"], [value], f"activation{i}"))
    graph = helper.make_graph(
        nodes, "digits",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["N", 64])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 10])], tensors)
    model = helper.make_model(graph, producer_name="jitney", ir_version=8,
                              opset_imports=[helper.make_opsetid("", 13)])
    onnx.checker.check_model(model)
    return model


def forward(layers, pixels):
    """The exported float32 weights, in float64."""
    x = pixels / 16
    for weights, bias in layers[:-1]:
        x = np.maximum(x @ weights.astype(np.float64) + bias.astype(np.float64), 0)
    x = x @ layers[-1][0].astype(np.float64) + layers[-1][1].astype(np.float64)
    x = np.exp(x - x.max(axis=1, keepdims=True))
    return x / x.sum(axis=1, keepdims=True)


def write_samples(path, pixels):
    """The body of a predict request."""
    rows = [json.dumps([float(f"{p:g}") if p % 1 else int(p) for p in image / 16], separators=(",", ":"))
            for image in pixels]
    path.write_text('{"instances":[\n' + ",\n".join(rows) + "\n]}\n")


def write_test_data(path, pixels, labels, probabilities, accuracy):
    rows = [json.dumps({"pixels": [int(p) for p in image], "label": int(label),
                        "probabilities": [float(f"{p:.9g}") for p in row]}, separators=(",", ":"))
            for image, label, row in zip(pixels, labels, probabilities)]
    about = json.dumps("Held-out images of the UCI handwritten digits: pixels 0 to 16 (divide by 16 for the model), and "
                       "the float64 probabilities of models/digits/1. Written by models/digits/make.py.")
    path.write_text(f'{{"about":{about},\n"accuracy":{accuracy:.6f},\n"images":[\n' + ",\n".join(rows) + "\n]}\n")


def main():
    digits = load_digits()
    pixels, labels = digits.data, digits.target
    train_pixels, test_pixels, train_labels, test_labels = train_test_split(
        pixels, labels, test_size=HELD_OUT, random_state=SEED, stratify=labels)
    network = train(train_pixels, train_labels, *choose(train_pixels, train_labels))
    layers = [(w.astype(np.float32), b.astype(np.float32)) for w, b in zip(network.coefs_, network.intercepts_)]
    probabilities = forward(layers, test_pixels)
    accuracy = np.mean(probabilities.argmax(axis=1) == test_labels)
    print(f"held out: {len(test_labels)} images, accuracy {accuracy:.4f}")
    model_path = ROOT / "models" / "digits" / "1" / "model.onnx"
    model_path.parent.mkdir(exist_ok=True)
    model_path.write_bytes(to_onnx(layers).SerializeToString())
    write_samples(ROOT / "models" / "digits" / "samples.json", train_pixels[:SAMPLES])
    write_test_data(ROOT / "tests" / "data" / "digits_test.json", test_pixels, test_labels, probabilities, accuracy)


if __name__ == "__main__":
    main()
