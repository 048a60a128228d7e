"""What the tests of the compiled core share: forms of cells, batches, whole outcomes, and their bits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from recurra import nn
from recurra.cells import CELLS
from recurra.engines import ENGINES, use_engine

MEMORY = ("stored", "recomputed", "checkpointed")
INSTRUCTIONS = ("avx512", "avx2", "portable")

# The names of what belongs to a row alone: its outputs, and the gradients by its input and its initial state.
OUTPUTS = ("y", "h_n", "c_n")
OF_A_ROW = ("x.grad", "h_0.grad", "c_0.grad")

Outcome = dict[str, Tensor]


@dataclass(frozen=True)
class Form:
    """One form of a cell that the core knows."""

    layer: type[Any]
    options: dict[str, Any] = field(default_factory=dict)
    projected: bool = False

    def __call__(self, inputs: int, units: int, **options: Any) -> Any:
        """A layer; a projected one has half as many outputs as units, unless options say otherwise."""
        if self.projected:
            options = {"proj_size": max(1, units // 2)} | options
        return self.layer(inputs, units, **self.options, **options)


FORMS = {
    "rnn": Form(nn.RNN),
    "rnn_relu": Form(nn.RNN, {"nonlinearity": "relu"}),
    "gru": Form(nn.GRU),
    "gru_reset_before": Form(nn.GRU, {"reset_after": False}),
    "lstm": Form(nn.LSTM),
    "lstm_projected": Form(nn.LSTM, projected=True),
    "lstm_peephole": Form(nn.LSTM, {"peephole": True}),
    "lstm_peephole_projected": Form(nn.LSTM, {"peephole": True}, projected=True),
}
assert {type(form(2, 3).cell) for form in FORMS.values()} == set(CELLS.values())


@dataclass(frozen=True)
class Batch:
    """An input, an initial state, and a gradient for each output. Rows are dimension 1 of each."""

    x: Tensor  # (T, B, I)
    state: tuple[Tensor, ...]
    dy: Tensor
    dnew: tuple[Tensor, ...]

    def map(self, change: Callable[[Tensor], Tensor]) -> Batch:
        """The batch with every tensor in it changed."""
        state, dnew = (tuple(change(s) for s in part) for part in (self.state, self.dnew))
        return Batch(change(self.x), state, change(self.dy), dnew)

    def rows(self, which: Any) -> Batch:
        return self.map(lambda tensor: tensor[:, which])


def batch(layer: Any, steps: int, rows: int, seed: int = 0) -> Batch:
    """Random numbers for a layer, in its precision."""
    dice = torch.Generator().manual_seed(seed)
    like = layer.weight_ih_l0

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=dice, dtype=torch.float64).to(like)

    directions = 2 if layer.bidirectional else 1
    outputs = layer.proj_size or layer.hidden_size
    widths = {"h": outputs, "c": layer.hidden_size}
    shapes = [(layer.num_layers * directions, rows, widths[name]) for name in layer.cell.states]
    return Batch(
        draw(steps, rows, layer.input_size),
        tuple(draw(*shape) for shape in shapes),
        draw(steps, rows, directions * outputs),
        tuple(draw(*shape) for shape in shapes),
    )


def outcome(layer: Any, given: Batch, *, backward: bool = True, **told: Any) -> Outcome:
    """All that a layer gives: outputs, last states, and the gradients by input, state and every weight."""
    x = given.x.detach()
    state = tuple(s.detach() for s in given.state)
    if backward:
        x.requires_grad_()
        state = tuple(s.requires_grad_() for s in state)
    y, new = layer(x, state if len(state) > 1 else state[0], **told)
    new = (new,) if isinstance(new, Tensor) else new
    found = {"y": y} | {f"{name}_n": s for name, s in zip(layer.cell.states, new, strict=True)}
    if not backward:
        return detached(found)
    leaves = {"x.grad": x} | {f"{n}_0.grad": s for n, s in zip(layer.cell.states, state, strict=True)}
    leaves |= {f"{name}.grad": p for name, p in layer.named_parameters()}
    # PyTorch's kernels leave out of the graph what no step has gone into; its gradients are zeros.
    ends = [(end, d) for end, d in zip((y, *new), (given.dy, *given.dnew), strict=True) if end.requires_grad]
    outputs, gradients = zip(*ends, strict=True)
    grads = torch.autograd.grad(outputs, list(leaves.values()), gradients, materialize_grads=True)
    return detached(found | dict(zip(leaves, grads, strict=True)))


def detached(found: Outcome) -> Outcome:
    return {name: part.detach() for name, part in found.items()}


def only(found: Outcome, names: Iterable[str]) -> Outcome:
    return {name: found[name] for name in names if name in found}


def joined(outcomes: Iterable[Outcome], names: Iterable[str]) -> Outcome:
    """The rows of several outcomes side by side."""
    several = list(outcomes)
    return {name: torch.cat([o[name] for o in several], dim=1) for name in names if name in several[0]}


def bits(tensor: Tensor) -> Tensor:
    """The numbers' bits, so that -0.0 is not 0.0 and a NaN equals itself."""
    as_integers = {4: torch.int32, 8: torch.int64}[tensor.element_size()]
    return tensor.detach().contiguous().view(as_integers)


def same_bits(actual: Outcome, expected: Outcome, where: Any = "") -> None:
    """Assert that two outcomes have the same parts, bit for bit."""
    assert list(actual) == list(expected)
    for name, part in expected.items():
        found = actual[name]
        assert (found.shape, found.dtype) == (part.shape, part.dtype), f"{where} {name}"
        wrong = (bits(found) != bits(part)).nonzero()
        if len(wrong):
            at = tuple(wrong[0].tolist())
            pair = f"{found[at].item()!r} for {part[at].item()!r}"
            raise AssertionError(f"{where} {name}{list(at)}: {pair}, {len(wrong)} of {part.numel()} differ")


def right(layer: Any, given: Batch, **told: Any) -> Outcome:
    """What a layer should give, in float64, by PyTorch's kernels or, where it has none, by the reference."""
    wide = deepcopy(layer).double()
    others = [engine for engine in ENGINES if engine.NAME != "cpu"]
    engine = next(engine for engine in others if engine.why_not(wide.request()) is None)
    with use_engine(engine.NAME):
        return outcome(wide, given.map(Tensor.double), **told)


def close(actual: Outcome, expected: Outcome, where: Any = "") -> None:
    """Assert that an outcome is right, to within so many eps of the largest number expected."""
    assert list(actual) == list(expected)
    for name, part in expected.items():
        eps = torch.finfo(actual[name].dtype).eps
        bound = 64 if name.endswith(".grad") else 16
        scale = max(1.0, float(part.abs().max())) if part.numel() else 1.0
        found = actual[name].double()
        torch.testing.assert_close(
            found, part, rtol=0, atol=bound * eps * scale, msg=lambda m, n=name: f"{where} {n}: {m}"
        )


@contextmanager
def threads(count: int) -> Iterator[None]:
    """So many threads, inside the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def each_instruction_set() -> Iterator[str]:
    """Each that this machine has, in use while its turn lasts; afterwards the one from before."""
    core = import_module("recurra._core")
    before = core.instructions()
    try:
        for name in core.available():
            core.use_instructions(name)
            yield name
    finally:
        core.use_instructions(before)
