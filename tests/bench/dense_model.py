"""A model of dense layers as an ONNX file, of random weights: for what only its size matters.

    dense_model.write(path, [784, 128, 10])     ReLU between the layers, softmax behind the last
"""
import array
import math
import random
import sys


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def number(field, value):
    return varint(field << 3) + varint(value)


def data(field, content):
    content = content.encode() if isinstance(content, str) else content
    return varint(field << 3 | 2) + varint(len(content)) + content


def tensor(name, dimensions, values):
    numbers = array.array("f", values)
    if sys.byteorder == "big":
        numbers.byteswap()
    return (b"".join(number(1, dimension) for dimension in dimensions) + number(2, 1)
            + data(8, name) + data(9, numbers.tobytes()))


def node(operator, inputs, output):
    return b"".join(data(1, name) for name in inputs) + data(2, output) + data(3, output) + data(4, operator)


def port(name, width):
    shape = data(1, data(2, "N")) + data(1, number(1, width))
    return data(1, name) + data(2, data(1, number(1, 1) + data(2, shape)))


def graph(widths, seed):
    """He's variance, so that the size of the numbers stays the same from layer to layer."""
    source = random.Random(seed)
    parts, before = [data(2, "dense")], "input"
    for layer, (inputs, outputs) in enumerate(zip(widths, widths[1:])):
        bound = math.sqrt(6 / inputs)
        weights = (source.uniform(-bound, bound) for _ in range(inputs * outputs))
        is_last = layer == len(widths) - 2
        after = "output" if is_last else f"hidden{layer}"
        parts += [data(5, tensor(f"weights{layer}", [inputs, outputs], weights)),
                  data(5, tensor(f"bias{layer}", [outputs], [0.01] * outputs)),
                  data(1, node("Gemm", [before, f"weights{layer}", f"bias{layer}"], f"sums{layer}")),
                  data(1, node("Softmax" if is_last else "Relu", [f"sums{layer}"], after))]
        before = after
    return b"".join(parts) + data(11, port("input", widths[0])) + data(12, port("output", widths[-1]))


def write(path, widths, seed=1):
    path.parent.mkdir(parents=True)
    path.write_bytes(number(1, 8) + data(7, graph(widths, seed)) + data(8, number(2, 13)))
