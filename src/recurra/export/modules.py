"""Torch modules and bare layers as ONNX files, each proved before it is written."""

from __future__ import annotations

import copy
import inspect
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from recurra import sealed
from recurra.accelerate import accelerate
from recurra.errors import ConfigError
from recurra.export.prove import proved
from recurra.onnxgraph import layers
from recurra.onnxgraph.graph import Array, Axis, Graph, Value
from recurra.onnxgraph.modules import answers, arguments, flat, translate
from recurra.onnxgraph.network import Feeds, Network, Run

if TYPE_CHECKING:
    from onnx import ModelProto

# Steps and rows of the trials: one step, one row, ragged rows, a long one.
SIZES = ((1, 1), (1, 4), (7, 3), (23, 1), (12, 5), (200, 2))
ROWS, STEPS = 3, 7  # of an example that nobody gave


@dataclass(frozen=True, slots=True)
class Written:
    """A graph that was proved: its largest relative difference from the module, and where it lies."""

    model: ModelProto
    difference: float
    path: Path | None


def export_onnx(
    module: nn.Module, example: Any = None, path: str | os.PathLike[str] | None = None
) -> Written:
    """Export a module as ONNX, with RNN, GRU and LSTM as ONNX's own nodes and with batch and time free.

    module   a recurrent layer of recurra.nn or torch.nn, or a module made of such layers and of others
    example  what the module is called with: a tensor, a tuple of arguments, or a dict of them by name. The
             graph has these inputs. Without one a recurrent layer has all of its own: input, h0 (c0), lengths
    path     file to write; without one the graph is only returned

    Inputs and outputs bear the names of the forward's arguments, and output; a lone layer's are input, h0,
    c0, lengths and output, hn, cn. The graph is run in ONNX Runtime beside the module on random inputs and
    on those at the edges before anything is written.
    Raises ConfigError for what ONNX cannot say, ExportError where the two do not give the same.
    """
    module = copy.deepcopy(module).eval()
    if isinstance(module, nn.RNNBase) and _batched(module, example):
        network = _of_layer(module, example)
    else:
        network = _of_module(module, example)
    difference = proved(network)
    where = None if path is None else Path(path)
    if where is not None:
        try:
            sealed.write(where, network.model.SerializeToString())
        except OSError as error:
            raise ConfigError(
                f"expected to write {where}, got {error.strerror}. Name another file."
            ) from error
    return Written(network.model, difference, where)


def _batched(layer: nn.RNNBase, example: Any) -> bool:
    """Whether the example is a batch, or none is given."""
    if example is None:
        return True
    x = next(iter(arguments(accelerate(layer), example).values()))
    return isinstance(x, Tensor) and x.dim() == 3


def _of_layer(layer: nn.RNNBase, example: Any) -> Network:
    """The graph of one recurrent layer, under names of its own."""
    layers.recurrent(Graph("what cannot be said is told before it is run"), layer, _some(layer))
    layer = accelerate(layer)
    given = {"input", "state", "lengths"} if example is None else set(arguments(layer, example))
    given = {"state" if name == "hx" else name for name in given}
    if "reset" in given:
        raise ConfigError(
            "expected a layer without resets, which ONNX's nodes do not know, got reset. "
            "Give each part of a row as a row of its own."
        )
    graph = Graph(type(layer).__name__)
    stacked, width = layer.num_layers * (1 + layer.bidirectional), layer.hidden_size
    shape: list[Axis] = ["batch", "time"] if layer.batch_first else ["time", "batch"]
    x = graph.input("input", np.float32, [*shape, layer.input_size])
    names = layers.cell_of(layer).states
    of_state: list[Axis] = [stacked, "batch", width]
    state = [graph.input(f"{name}0", np.float32, of_state) for name in names if "state" in given]
    lengths = graph.input("lengths", np.int64, ["batch"]) if "lengths" in given else None
    x = graph.transpose(x, 1, 0, 2) if layer.batch_first else x
    y, after = layers.recurrent(graph, layer, x, state=state, lengths=lengths)
    y = graph.transpose(y, 1, 0, 2) if layer.batch_first else y
    graph.output("output", y, [*shape, width * (1 + layer.bidirectional)])
    for name, one in zip(names, after, strict=True):
        graph.output(f"{name}n", one, of_state)

    def trials(run: Run, rng: np.random.Generator) -> Iterator[tuple[Feeds, Feeds]]:
        for steps, rows in SIZES:
            order = (rows, steps) if layer.batch_first else (steps, rows)
            feeds: dict[str, Array] = {"input": _normal(rng, *order, layer.input_size)}
            if state:
                feeds |= {f"{name}0": _normal(rng, stacked, rows, width) for name in names}
            if lengths is not None:
                feeds["lengths"] = rng.integers(0, steps + 1, rows)
                feeds["lengths"][0] = steps
            yield _run_layer(layer, feeds), run(feeds)

    return Network("layer", "", graph.model(), trials)


def _some(layer: nn.RNNBase) -> Value:
    return Graph("").input("input", np.float32, ["time", "batch", layer.input_size])


def _run_layer(layer: Any, feeds: Feeds) -> Feeds:
    given = {name: torch.from_numpy(one) for name, one in feeds.items()}
    state = tuple(given[f"{name}0"] for name in layer.cell.states if f"{name}0" in given)
    first = state[0] if len(state) == 1 else state or None
    with torch.no_grad():
        y, after = layer(given["input"], first, lengths=given.get("lengths"))
    after = after if isinstance(after, tuple) else (after,)
    found = zip(layer.cell.states, after, strict=True)
    return {"output": y.numpy(), **{f"{name}n": one.numpy() for name, one in found}}


def _normal(rng: np.random.Generator, *shape: int) -> Array:
    return rng.standard_normal(shape, dtype=np.float32)


def _of_module(module: nn.Module, example: Any) -> Network:
    """The graph of any module, tried on the example and on others like it."""
    given = arguments(module, _guessed(module) if example is None else example)
    with torch.no_grad():
        module(**given)  # what the module itself does not take is its own to say
    graph = translate(module, given)

    def trials(run: Run, rng: np.random.Generator) -> Iterator[tuple[Feeds, Feeds]]:
        for one in _alike(given, rng):
            try:
                with torch.no_grad():
                    found = answers(module(**one), one)
            except (RuntimeError, ValueError, IndexError):
                if one is given:
                    raise
                continue  # sizes that the module itself does not take
            expected = {name: value.numpy() for name, value in found.items()}
            yield expected, run({name: value.numpy() for name, value in flat(one).items()})

    return Network("module", "", graph.model(), trials)


def _alike(given: Mapping[str, Any], rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """The example, and others of other sizes: equal sizes in it stay equal, features keep theirs."""
    yield dict(given)
    inputs = flat(given)
    sizes = sorted({size for one in inputs.values() for size in _free_sizes(one)})
    for choices in ((1,), (2, 5), (9, 4), (40, 17)):
        new = {size: choices[at % len(choices)] for at, size in enumerate(sizes)}
        for kept in ({}, *({size: size} for size in sizes if len(sizes) > 1)):
            yield _resized(given, new | kept, rng)


def _free_sizes(one: Tensor) -> tuple[int, ...]:
    return tuple(one.shape[:-1] if one.is_floating_point() and one.dim() > 1 else one.shape)


def _resized(given: Mapping[str, Any], new: Mapping[int, int], rng: np.random.Generator) -> dict[str, Any]:
    """Random values like those of the example: normal ones, or some of its own."""

    def drawn(one: Any) -> Any:
        if isinstance(one, tuple | list):
            return tuple(map(drawn, one))
        kept = one.shape[len(_free_sizes(one)) :]
        shape = (*(new[size] for size in _free_sizes(one)), *kept)
        if one.is_floating_point():
            return torch.from_numpy(_normal(rng, *shape))
        values = torch.from_numpy(rng.choice(one.flatten().numpy(), shape))
        # Lengths, which may not be more than there are steps.
        return values if one.dim() > 1 or one.dtype is torch.bool else values.clamp(max=max(new.values()))

    return {name: drawn(one) for name, one in given.items()}


def _guessed(module: nn.Module) -> Tensor:
    """An input for the first layer of a module with one argument. Raises ConfigError."""
    parameters = inspect.signature(module.forward).parameters.values()
    needed = [one for one in parameters if one.default is one.empty and one.kind is not one.VAR_KEYWORD]
    first = next((one for one in module.modules() if not list(one.children())), module)
    if len(needed) <= 1:
        if isinstance(first, nn.Embedding):
            return torch.randint(0, first.num_embeddings, (ROWS, STEPS))
        if isinstance(first, nn.RNNBase):
            return torch.randn(ROWS, STEPS, first.input_size)
        if isinstance(first, nn.Linear):
            return torch.randn(ROWS, first.in_features)
        if isinstance(first, nn.modules.rnn.RNNCellBase):
            return torch.randn(ROWS, first.input_size)
    raise ConfigError(
        f"expected an example of what {type(module).__name__} is called with, got none. "
        "Give one: recurra.export_onnx(module, example)."
    )
