"""What the classifier counts, n-grams and shapes, as ONNX nodes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recurra.nn.causal import flat
from recurra.onnxgraph import layers
from recurra.onnxgraph.graph import DOUBLE, FLOAT, INT, Graph, Value
from recurra.onnxgraph.states import States
from recurra.tasks.classify.grams import SPREAD, Grams
from recurra.tasks.classify.shape import TAPS
from recurra.tasks.classify.shapes import KERNELS, Shapes

TINY = 1e-12
# Codes are below 2**40. Products with SPREAD are made in two halves, so that none leaves 64 bits.
CODES, HALF = 2**40, 2**16


def whole(graph: Graph, counted: Grams | Shapes, x: Value, lengths: Value, within: Value) -> Value:
    """Logits (B, K) of tokens (B, T) or series (B, T, C), both 0 beyond their lengths."""
    if isinstance(counted, Shapes):
        return _shares(graph, counted, x, lengths, within)
    most, steps = max(counted.orders), graph.size(x, 1)
    begin = graph.expand(graph.constant(counted.begin, INT), graph.size(x, 0), 1)
    empty = graph.expand(graph.constant(0, INT), graph.size(x, 0), most - 1)
    padded = graph.concat([empty, begin, x], 1)
    back = [graph.slice(padded, 1, most - n, steps + (most - n)) for n in range(most)]
    groups, closing = _places(graph, counted, back)
    last = graph.unsqueeze(lengths - 1, 1)
    ends = graph.op("GatherND", closing, last, batch_dims=1)
    parts = []
    for places in groups:
        score, norm = _scored(graph, counted, places)
        parts.append([graph.reduce("Sum", one, [1]) for one in (score, norm)])
    return _logits(graph, counted, parts, ends)


def step(graph: Graph, states: States, counted: Grams | Shapes, x: Value, steps: Value) -> Value:
    """Logits (B, K) after one more token (B,) or values (B, C)."""
    if isinstance(counted, Shapes):
        return _shares_so_far(graph, states, counted, x, steps)
    most = max(counted.orders)
    initial = [0] * (most - 1)
    initial[-1:] = [counted.begin] if initial else []
    tokens = graph.unsqueeze(x, 1)
    if most > 1:
        tokens = graph.concat([states.take("latest", INT, [most - 1], initial), tokens], 1)
        states.give("latest", graph.slice(tokens, 1, 1, most))
    back = [graph.slice(tokens, 1, most - 1 - n, most - n) for n in range(most)]
    groups, closing = _places(graph, counted, back)
    parts = []
    for number, places in enumerate(groups, 1):
        sums = []
        for name, one in zip(("score", "norm"), _scored(graph, counted, places), strict=True):
            shape = [counted.weight.shape[1]] if name == "score" else []
            total = states.take(f"{name}{number}", DOUBLE, shape) + graph.squeeze(one, 1).cast(DOUBLE)
            states.give(f"{name}{number}", total)
            sums.append(total.cast(FLOAT))
        parts.append(sums)
    return _logits(graph, counted, parts, graph.squeeze(closing, 1))


def _logits(graph: Graph, counted: Grams, parts: Sequence[Sequence[Value]], ends: Value) -> Value:
    """(B, K) of each group's sums, to the first of which the n-grams (B, n) that the end closes are added."""
    total = None
    more = _scored(graph, counted, ends)
    for number, sums in enumerate(parts):
        score, norm = (a + b for a, b in zip(sums, more, strict=True)) if number == 0 else sums
        root = graph.op("Sqrt", graph.op("Max", norm, TINY))
        part = score / graph.unsqueeze(root, 1)
        total = part if total is None else total + part
    assert total is not None
    return total + graph.constant(layers.array(counted.bias))


def _places(graph: Graph, counted: Grams, back: Sequence[Value]) -> tuple[list[Value], Value]:
    """Places of the n-grams that end at each step, for each group (B, T, n), and of those the end closes.

    back: the tokens so many steps ago, (B, T) each.
    """
    own, closing = [], []
    for order in counted.orders:
        own.append(_codes(graph, counted, list(reversed(back[:order])), order))
        if order > 1:
            closing.append(_codes(graph, counted, list(reversed(back[: order - 1])), order, counted.end))
    groups = [_stacked(graph, own)]
    if counted.inside.shape[1]:
        inside = counted.inside.numpy()
        # Worked out beforehand: which place each piece of each token has.
        places = np.where(inside > 0, 1 + (inside * SPREAD % CODES >> 7) % (counted.places - 1), 0)
        groups.append(graph.gather(graph.constant(places, INT, "inside"), back[0]))
    return groups, _stacked(graph, closing)


def _stacked(graph: Graph, parts: Sequence[Value]) -> Value:
    return graph.concat([graph.unsqueeze(one, 2) for one in parts], 2)


def _codes(
    graph: Graph, counted: Grams, tokens: Sequence[Value], order: int, last: int | None = None
) -> Value:
    """(B, T) places of the n-grams of these tokens, with `last` after them; 0 where one is missing."""
    code, whole = None, None
    for token in tokens:
        more = token * SPREAD + order
        code = (more if code is None else code * 1_000_003 + more) % CODES
        there = graph.op("Greater", token, 0)
        whole = there if whole is None else graph.op("And", whole, there)
    assert code is not None
    assert whole is not None
    if last is not None:
        code = (code * 1_000_003 + (last * SPREAD + order)) % CODES
    low = code * (SPREAD % HALF)
    high = code * (SPREAD // HALF) % (CODES // HALF) * HALF
    spread = (low + high) % CODES
    place = graph.op("Div", spread, 2**7) % (counted.places - 1) + 1
    return graph.where(whole, place, 0)


def _scored(graph: Graph, counted: Grams, places: Value) -> tuple[Value, Value]:
    """Sums over n-grams (..., n) of idf · weight, (..., K), and of idf², (...)."""
    idf = layers.array(counted.idf)
    weight = graph.constant(idf[:, None] * layers.array(counted.weight), name="weight")
    square = graph.constant(idf * idf, name="square")
    return graph.reduce("Sum", graph.gather(weight, places), [-2]), graph.reduce(
        "Sum", graph.gather(square, places), [-1]
    )


def _shares(graph: Graph, counted: Shapes, x: Value, lengths: Value, within: Value) -> Value:
    reach, steps = (TAPS - 1) * counted.dilations[-1], graph.size(x, 1)
    before = graph.constant([0, reach, 0, 0, 0, 0], INT)
    padded, windows = graph.op("Pad", x, before), []
    for dilation in counted.dilations:
        begins = [reach - (TAPS - 1 - tap) * dilation for tap in range(TAPS)]
        parts = [graph.slice(padded, 1, begin, steps + begin) for begin in begins]
        windows.append(graph.concat(parts, 2))
    within = graph.unsqueeze(within, 2, 3)
    above = graph.op("And", _above(graph, counted, windows), within)
    return _judged(graph, counted, graph.reduce("Sum", above.cast(FLOAT), [1]), lengths)


def _shares_so_far(graph: Graph, states: States, counted: Shapes, x: Value, steps: Value) -> Value:
    size, channels = (TAPS - 1) * counted.dilations[-1], int(counted.kernels.shape[1])
    seen = graph.concat([states.take("seen", FLOAT, [size, channels]), graph.unsqueeze(x, 1)], 1)
    states.give("seen", graph.slice(seen, 1, 1, size + 1))
    windows = []
    for dilation in counted.dilations:
        at = graph.constant(size - dilation * np.arange(TAPS - 1, -1, -1), INT)
        window = graph.gather(seen, at, axis=1)
        windows.append(graph.reshape(window, graph.size(x, 0), TAPS * channels))
    counts = states.take("counts", INT, counted.thresholds.shape)
    counts = counts + _above(graph, counted, windows).cast(INT)
    states.give("counts", counts)
    return _judged(graph, counted, counts.cast(FLOAT), steps)


def _above(graph: Graph, counted: Shapes, windows: Sequence[Value]) -> Value:
    """(..., shapes, thresholds) bool of the taps of each dilation, (..., taps · channels).

    As products and not as a convolution: then a runtime adds one tap after the other, as `causal` does, and
    an output that is a threshold, as those of training are, falls on the same side of it.
    """
    found, many = [], len(KERNELS)
    for n, window in enumerate(windows):
        kernels = layers.array(flat(counted.kernels[n * many : (n + 1) * many]))
        found.append(window @ graph.constant(kernels.T, name="kernels"))
    output = graph.unsqueeze(graph.concat(found, -1), -1)
    return graph.op("Greater", output, graph.constant(layers.array(counted.thresholds)))


def _judged(graph: Graph, counted: Shapes, counts: Value, steps: Value) -> Value:
    """(B, K) of how often each threshold was passed, (B, shapes, thresholds), in so many steps (B,)."""
    flat = graph.reshape(counts, graph.size(counts, 0), counted.weight.shape[0])
    share = flat / graph.unsqueeze(steps.cast(FLOAT), 1)
    mean, scale = (graph.constant(layers.array(one)) for one in (counted.mean, counted.scale))
    return (share - mean) / scale @ graph.constant(layers.array(counted.weight)) + graph.constant(
        layers.array(counted.bias)
    )
