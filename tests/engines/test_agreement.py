"""Every engine against the rows of a batch run one by one, stretch by stretch, on the reference equations."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from recurra import nn
from recurra.engines import ENGINES, MEMORY, use_engine

STEPS, ROWS, INPUTS, UNITS = 7, 5, 3, 4
LENGTHS = torch.tensor([4, 7, 0, 1, 6])


def resets() -> Tensor:
    reset = torch.rand(ROWS, STEPS) < 0.3
    reset[:, 0] = torch.tensor([True, False, True, False, False])
    reset[0] = True  # also beyond its length, where it must not matter
    return reset


def each_alone(
    layer: Any, x: Tensor, state: Any, lengths: Tensor, reset: Tensor
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """y (T, B, ·) and the last states, from each row's stretches between resets, run alone."""
    states = (state,) if isinstance(state, Tensor) else state
    directions = 2 if layer.bidirectional else 1
    forward = torch.arange(len(states[0])) % directions == 0
    ys, finals = [], []
    for b in range(x.shape[1]):
        length = int(lengths[b])
        starts = sorted({0, *(t for t in range(length) if reset[b, t])})
        carried = [s[:, b : b + 1] for s in states]
        final, parts = list(carried), []
        for start, end in zip(starts, [*starts[1:], length], strict=True):
            if start == end:
                continue
            enters_forward = start == 0 and not reset[b, 0]
            enters = forward & enters_forward | ~forward & (end == length)
            h = tuple(torch.where(enters[:, None, None], s, 0) for s in carried)
            y, new = layer(x[start:end, b : b + 1], h if len(h) > 1 else h[0])
            new = (new,) if isinstance(new, Tensor) else new
            leaves = forward & (end == length) | ~forward & (start == 0)
            final = [torch.where(leaves[:, None, None], n, f) for n, f in zip(new, final, strict=True)]
            parts.append(y)
        width = (layer.proj_size or layer.hidden_size) * directions
        ys.append(torch.cat([*parts, x.new_zeros(x.shape[0] - length, 1, width)]))
        finals.append(final)
    return torch.cat(ys, 1), tuple(torch.cat(s, 1) for s in zip(*finals, strict=True))


@pytest.mark.parametrize("ragged", ["whole", "lengths", "reset", "both"])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["forward", "both_ways"])
@pytest.mark.parametrize("layers", [1, 2])
def test_rows_do_not_see_each_other(
    *,
    case: Any,
    dtype: torch.dtype,
    layers: int,
    bidirectional: bool,
    ragged: str,
    assert_close: Any,
    random_state: Any,
) -> None:
    layer = case(INPUTS, UNITS, num_layers=layers, bidirectional=bidirectional, dtype=dtype)
    lengths = LENGTHS if ragged in ("lengths", "both") else torch.full((ROWS,), STEPS)
    reset = resets() if ragged in ("reset", "both") else torch.zeros(ROWS, STEPS, dtype=torch.bool)
    told: dict[str, Tensor] = {"lengths": lengths} if ragged in ("lengths", "both") else {}
    told |= {"reset": reset} if ragged in ("reset", "both") else {}

    x = torch.randn(STEPS, ROWS, INPUTS, dtype=dtype)
    # What lies in the padding must not matter, not even to the gradients.
    x = torch.where((torch.arange(STEPS)[:, None] < lengths)[..., None], x, torch.nan).requires_grad_()
    state = random_state(layer, ROWS)
    leaves = [x, *((state,) if isinstance(state, Tensor) else state), *layer.parameters()]
    for leaf in leaves:
        leaf.requires_grad_()

    def gradients(y: Tensor, new: Any) -> tuple[Tensor, ...]:
        torch.manual_seed(1)
        outputs = [y, *((new,) if isinstance(new, Tensor) else new)]
        total = sum((out * torch.randn_like(out)).sum() for out in outputs)
        grads = torch.autograd.grad(total, leaves, allow_unused=True)  # type: ignore[arg-type]
        return tuple(torch.zeros_like(p) if g is None else g for p, g in zip(leaves, grads, strict=True))

    y, new = layer(x, state, **told)
    with use_engine("reference"):
        y_alone, new_alone = each_alone(layer, x, state, lengths, reset)
        alone = gradients(y_alone, new_alone)
    assert_close(y, y_alone)
    assert_close((new,) if isinstance(new, Tensor) else new, new_alone)
    assert_close(gradients(y, new), alone, "gradient")
    assert not y[torch.arange(STEPS)[:, None] >= lengths].any()


def test_all_rows_empty(case: Any, random_state: Any) -> None:
    layer = case(INPUTS, UNITS, num_layers=2, bidirectional=True)
    state = random_state(layer, 2)
    y, new = layer(torch.full((3, 2, INPUTS), torch.nan), state, lengths=[0, 0])
    assert not y.any()
    torch.testing.assert_close(new, state, rtol=0, atol=0)


def test_no_rows(case: Any) -> None:
    layer = case(INPUTS, UNITS)
    lengths, reset = torch.zeros(0, dtype=torch.int64), torch.zeros(0, 3, dtype=torch.bool)
    for told in ({}, {"lengths": lengths}, {"reset": reset}):
        y, _ = layer(torch.randn(3, 0, INPUTS), **told)
        assert y.shape[:2] == (3, 0)


# Around the widths of vectors, and the rows and units that a kernel takes at once.
EDGES = st.one_of(st.integers(1, 9), st.sampled_from([15, 16, 17, 24, 31, 32, 33, 40, 48, 49, 65]))


@st.composite
def batches(draw: st.DrawFn) -> tuple[Tensor, bool, dict[str, Tensor]]:
    """An input of any strides, whether its rows come first, and perhaps lengths and resets."""
    steps, rows, inputs = draw(st.integers(1, 9)), draw(EDGES), draw(EDGES)
    torch.manual_seed(draw(st.integers(0, 1000)))
    rows_first = draw(st.booleans())
    shape = (rows, steps, inputs) if rows_first else (steps, rows, inputs)
    order = draw(st.permutations(range(3)))
    x = torch.randn([2 * shape[d] for d in order], dtype=torch.float64)[::2, ::2, ::2]
    x = x.permute(*(order.index(d) for d in range(3)))
    given = {}
    if draw(st.booleans()):
        given["lengths"] = torch.randint(0, steps + 1, (rows,))
    if draw(st.booleans()):
        given["reset"] = torch.rand(rows, steps) < draw(st.floats(0, 1))
    return x, rows_first, given


@st.composite
def layers(draw: st.DrawFn) -> dict[str, Any]:
    """What kind of layer, and its options."""
    kind = draw(st.sampled_from([nn.RNN, nn.GRU, nn.LSTM]))
    units = draw(EDGES)
    options: dict[str, Any] = {
        "kind": kind,
        "hidden_size": units,
        "num_layers": draw(st.integers(1, 3)),
        "bidirectional": draw(st.booleans()),
        "bias": draw(st.booleans()),
        "memory": draw(st.sampled_from(MEMORY)),
    }
    if kind is nn.RNN:
        options["nonlinearity"] = draw(st.sampled_from(["tanh", "relu"]))
    if kind is nn.GRU:
        options["reset_after"] = draw(st.booleans())
    if kind is nn.LSTM:
        options["peephole"] = draw(st.booleans())
        options["proj_size"] = draw(st.integers(0, units - 1))
    return options


@given(batches(), layers())
@settings(max_examples=60, deadline=None)
def test_engines_agree_on_any_batch(
    batch: tuple[Tensor, bool, dict[str, Tensor]], options: dict[str, Any]
) -> None:
    x, rows_first, ragged = batch
    kind = options.pop("kind")
    layer = kind(x.shape[-1], **options, batch_first=rows_first, dtype=torch.float64)
    x.requires_grad_()
    leaves = [x, *layer.parameters()]
    results, dy = {}, None
    for engine in ENGINES:
        if engine.why_not(layer.request()) is not None:
            continue
        with use_engine(engine.NAME):
            y, new = layer(x, **ragged)
        dy = torch.randn_like(y) if dy is None else dy
        grads: Any = [torch.zeros_like(leaf) for leaf in leaves]
        if y.requires_grad:  # PyTorch's kernels leave out of the graph what no step has gone into
            grads = torch.autograd.grad(y, leaves, dy, materialize_grads=True)
        results[engine.NAME] = [y, *((new,) if isinstance(new, Tensor) else new), *grads]
    expected = results.pop("reference")
    for name, found in results.items():
        for one, other in zip(found, expected, strict=True):
            atol = 1e-13 * max(1.0, float(other.detach().abs().max()))
            torch.testing.assert_close(one, other, rtol=0, atol=atol, msg=lambda m, n=name: f"{n}: {m}")
