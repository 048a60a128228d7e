"""A torch module as an ONNX graph: what its forward does is recorded by torch.fx and said node by node.

Recurrent layers become ONNX's own nodes, so batch and time stay free. What a forward does besides is taken
from operations.py; loops and choices that look at the values of tensors cannot be recorded.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, fx, nn

from recurra.errors import ConfigError
from recurra.nn.dropout import WeightDrop
from recurra.onnxgraph.graph import Axis, Graph
from recurra.onnxgraph.leaves import AS_OPERATIONS, LEAVES, leaf
from recurra.onnxgraph.operations import operation
from recurra.onnxgraph.traced import Traced, likes, paired

KINDS = (torch.float32, torch.int64, torch.bool)


def arguments(module: nn.Module, example: Any) -> dict[str, Any]:
    """The example as the forward's arguments by name. Raises ConfigError where they do not fit."""
    signature = inspect.signature(module.forward)
    try:
        if isinstance(example, Mapping):
            bound = signature.bind(**example)
        else:
            bound = signature.bind(*(example if isinstance(example, tuple) else (example,)))
    except TypeError as error:
        raise ConfigError(
            f"expected an example of {type(module).__name__}'s arguments {signature}, got {error}. "
            "Give a tensor, a tuple of arguments, or a dict of them by name."
        ) from error
    return {name: value for name, value in bound.arguments.items() if value is not None}


def flat(named: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments or results one by one; those of tuples by number: state_0, state_1."""
    found: dict[str, Any] = {}
    for name, value in named.items():
        if isinstance(value, Mapping):
            found |= flat({str(key): one for key, one in value.items()})
        elif isinstance(value, tuple | list):
            found |= flat({f"{name}_{at}": one for at, one in enumerate(value)})
        else:
            found[name] = value
    return found


def answers(found: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """What a forward returns, by the names that the graph's outputs have: none has an input's."""
    taken = flat(given)
    named = flat(found if isinstance(found, Mapping) else {"output": found})
    return {f"{name}_out" if name in taken else name: one for name, one in named.items()}


def translate(module: nn.Module, given: Mapping[str, Any]) -> Graph:
    """The graph of a module's forward for arguments like these. Raises ConfigError where ONNX lacks one."""
    graph = Graph(type(module).__name__)
    inputs = {name: _input(graph, name, one) for name, one in given.items()}
    with torch.no_grad():
        found = _said(graph, module, inputs)
    for name, one in answers(found, given).items():
        if not isinstance(one, Traced) or not isinstance(one.like, Tensor):
            raise ConfigError(
                f"expected a forward that returns tensors, got {type(getattr(one, 'like', one)).__name__}. "
                "Return tensors, or tuples and dicts of them."
            )
        graph.output(name, one.value, free(name, one.like))
    return graph


def free(name: str, like: Tensor) -> list[Axis]:
    """All axes free but the features, the last one of floats."""
    sizes: list[Axis] = [f"{name}_{axis}" for axis in range(like.dim())]
    if like.is_floating_point() and like.dim() > 1:
        sizes[-1] = like.size(-1)
    return sizes


def _input(graph: Graph, name: str, like: Any) -> Any:
    if isinstance(like, tuple | list):
        return tuple(_input(graph, f"{name}_{at}", one) for at, one in enumerate(like))
    if not isinstance(like, Tensor) or like.dtype not in KINDS:
        got = like.dtype if isinstance(like, Tensor) else type(like).__name__
        raise ConfigError(
            f"expected tensors of float32, int64 or bool in the example, got {got} for {name}. Convert it."
        )
    kind = np.dtype(str(like.dtype).removeprefix("torch."))
    return Traced(graph.input(name, kind, free(name, like)), like)


def _said(graph: Graph, module: nn.Module, inputs: Mapping[str, Any]) -> Any:
    """What the forward returns, of what was recorded, node by node."""
    if isinstance(module, LEAVES):
        return leaf(graph, module, inputs)
    recorded = _recorded(module, inputs)
    needed = _needed(recorded)
    names = inspect.signature(module.forward).parameters
    known: dict[fx.Node, Any] = {}
    for node in recorded.nodes:
        if node not in needed:
            continue
        args, kwargs = fx.node.map_arg((node.args, node.kwargs), known.__getitem__)
        if node.op == "placeholder":
            known[node] = inputs[str(node.target)] if node.target in names else None
        elif node.op == "get_attr":
            constant = cast(Tensor, _attribute(module, str(node.target)))
            known[node] = Traced(graph.constant(constant.detach().cpu().numpy()), constant)
        elif node.op == "call_module":
            inner = module.get_submodule(str(node.target))
            bound = inspect.signature(inner.forward).bind(*args, **kwargs).arguments
            known[node] = leaf(graph, inner, bound)
        elif node.op == "output":
            return args[0]
        else:
            known[node] = _called(graph, node, args, kwargs)
    raise AssertionError("a recorded forward ends with its output")


def _called(graph: Graph, node: fx.Node, args: Any, kwargs: Any) -> Any:
    """What a function or a method gives."""
    if node.op == "call_method":
        name = str(node.target)
        like = getattr(likes(args[0]), name)(*likes(args[1:]), **likes(kwargs))
    else:
        target: Any = node.target
        name = target.__name__
        like = target(*likes(args), **likes(kwargs))
    return paired(operation(name)(graph, *args, **kwargs), like)


class _Recorder(fx.Tracer):
    """Records calls of layers as such, and does not look into them."""

    def __init__(self) -> None:
        super().__init__(autowrap_modules=(torch.nn.utils.rnn,))

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, (*LEAVES, *AS_OPERATIONS, WeightDrop)) or super().is_leaf_module(
            m, module_qualified_name
        )


def _recorded(module: nn.Module, inputs: Mapping[str, Any]) -> fx.Graph:
    """The forward, called with these arguments and the others as by default."""
    others = {
        name: parameter.default
        for name, parameter in inspect.signature(module.forward).parameters.items()
        if name not in inputs and parameter.default is not inspect.Parameter.empty
    }
    try:
        return _Recorder().trace(module, others or None)
    except (fx.proxy.TraceError, TypeError, NotImplementedError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise ConfigError(
            f"expected a forward of {type(module).__name__} without loops and choices that look at tensors, "
            f"got one that torch.fx cannot record ({reason}). Export the layers inside it."
        ) from error


def _needed(recorded: fx.Graph) -> set[fx.Node]:
    """The nodes that the output is made from; not those that check what was not given."""
    (output,) = (node for node in recorded.nodes if node.op == "output")
    found, left = {output}, [output]
    while left:
        new = set(left.pop().all_input_nodes) - found
        found |= new
        left += new
    return found


def _attribute(module: nn.Module, name: str) -> Any:
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part)
    return found
