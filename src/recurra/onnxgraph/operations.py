"""What a forward does between its layers, by the names that torch has for it, as nodes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recurra.errors import ConfigError
from recurra.onnxgraph import layers
from recurra.onnxgraph.graph import FLOAT, INT, Graph, Value
from recurra.onnxgraph.traced import Packed, Traced

Operation = Callable[..., Any]


def operation(name: str) -> Operation:
    """How a function or method of torch is said. Raises ConfigError for one that has no form here."""
    found = OPERATIONS.get(name.strip("_"))
    if found is None:
        raise ConfigError(
            f"expected operations that have a form in ONNX here, got {name}. "
            "Export the module without it, or with torch.onnx.export."
        )
    return found


def value(graph: Graph, of: Any, dtype: Any = None) -> Any:
    """The graph's value of a tensor, a size or a number."""
    if isinstance(of, Traced):
        return of.value
    return graph.constant(of.detach().cpu().numpy()) if isinstance(of, Tensor) else of


def _pointwise(kind: str) -> Operation:
    def said(graph: Graph, x: Any, *others: Any, **_: Any) -> Value:
        operands = [x, *others]
        like = [one.like if isinstance(one, Traced) else one for one in operands]
        common = np.dtype(str(_common(like)).removeprefix("torch."))
        given = [value(graph, one) for one in operands]
        # A size is (1,); beside other sizes it stays one.
        return graph.op(
            kind,
            *(one.cast(common) if isinstance(one, Value) else graph.constant(one, common) for one in given),
        )

    return said


def _common(like: list[Any]) -> torch.dtype:
    found = like[0]
    for one in like[1:]:
        kind = torch.result_type(found, one)
        found = torch.zeros((2,) if isinstance(one, Tensor) or isinstance(found, Tensor) else (), dtype=kind)
    return torch.as_tensor(found).dtype


def _unary(kind: str, **fixed: Any) -> Operation:
    def said(graph: Graph, x: Traced, *_: Any, **__: Any) -> Value:
        return graph.op(kind, x.value, **fixed)

    return said


def _same(graph: Graph, x: Traced, *_: Any, **__: Any) -> Value:
    return x.value


def _over(kind: str) -> Operation:
    """Softmax and the like, along an axis."""

    def said(graph: Graph, x: Traced, dim: int = -1, **_: Any) -> Value:
        return graph.op(kind, x.value, axis=x.axis(dim))

    return said


def _reduced(how: str) -> Operation:
    def said(graph: Graph, x: Traced, dim: Any = None, keepdim: bool = False, **_: Any) -> Any:
        axes = range(x.rank) if dim is None else dim if isinstance(dim, tuple | list) else (dim,)
        return graph.reduce(how, x.value, [x.axis(one) for one in axes], keepdim)

    return said


def _max(graph: Graph, x: Traced, dim: Any = None, keepdim: bool = False) -> Any:
    top = _reduced("Max")(graph, x, dim, keepdim)
    if dim is None:
        return top
    if isinstance(dim, Traced):
        return _pointwise("Max")(graph, x, dim)
    return top, graph.op("ArgMax", x.value, dtype=INT, axis=x.axis(dim), keepdims=int(keepdim))


def _gelu(graph: Graph, x: Traced, approximate: str = "none") -> Value:
    if approximate == "tanh":
        cube = x.value * x.value * x.value
        return (
            x.value * (graph.op("Tanh", (x.value + cube * 0.044715) * float(np.sqrt(2 / np.pi))) + 1.0) * 0.5
        )
    return x.value * (graph.op("Erf", x.value * float(np.sqrt(0.5))) + 1.0) * 0.5


def _leaky(graph: Graph, x: Traced, negative_slope: float = 0.01, **_: Any) -> Value:
    return graph.op("LeakyRelu", x.value, alpha=negative_slope)


def _hardtanh(graph: Graph, x: Traced, min_val: float = -1.0, max_val: float = 1.0, **_: Any) -> Value:
    return graph.op("Clip", x.value, min_val, max_val)


def _clamp(graph: Graph, x: Traced, min: Any = None, max: Any = None) -> Value:
    return graph.op("Clip", x.value, value(graph, min), value(graph, max))


def _linear(graph: Graph, x: Traced, weight: Any, bias: Any = None) -> Value:
    own, more = (one.like if isinstance(one, Traced) else one for one in (weight, bias))
    return layers.linear(graph, x.value, own, more)


def _embedding(graph: Graph, x: Traced, weight: Any, *_: Any, **__: Any) -> Value:
    return layers.embedding(graph, x.value, weight.like if isinstance(weight, Traced) else weight)


def _layernorm(  # noqa: PLR0917, torch's own order
    graph: Graph, x: Traced, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Value:
    scale = torch.ones(tuple(normalized_shape)) if weight is None else weight
    given = [graph.constant(layers.array(one)) for one in (scale, bias) if one is not None]
    return graph.op("LayerNormalization", x.value, *given, axis=-len(tuple(normalized_shape)), epsilon=eps)


def _transpose(graph: Graph, x: Traced, a: int, b: int) -> Value:
    order = list(range(x.rank))
    order[x.axis(a)], order[x.axis(b)] = x.axis(b), x.axis(a)
    return graph.transpose(x.value, *order)


def _permute(graph: Graph, x: Traced, *dims: Any) -> Value:
    order = dims[0] if isinstance(dims[0], tuple | list) else dims
    return graph.transpose(x.value, *(x.axis(one) for one in order))


def _reshape(graph: Graph, x: Traced, *shape: Any) -> Value:
    wanted = shape[0] if isinstance(shape[0], tuple | list) else shape
    return graph.reshape(x.value, *(value(graph, one) for one in wanted))


def _expand(graph: Graph, x: Traced, *shape: Any) -> Value:
    wanted = shape[0] if isinstance(shape[0], tuple | list) else shape
    return graph.expand(x.value, *(1 if one == -1 else value(graph, one) for one in wanted))


def _flatten(graph: Graph, x: Traced, start_dim: int = 0, end_dim: int = -1) -> Value:
    first, last = x.axis(start_dim), x.axis(end_dim)
    sizes = [graph.size(x.value, axis) for axis in range(x.rank)]
    return graph.reshape(x.value, *sizes[:first], -1, *sizes[last + 1 :])


def _unflatten(graph: Graph, x: Traced, dim: int, sizes: Any) -> Value:
    at = x.axis(dim)
    whole = [graph.size(x.value, axis) for axis in range(x.rank)]
    return graph.reshape(x.value, *whole[:at], *(value(graph, one) for one in sizes), *whole[at + 1 :])


def _unsqueeze(graph: Graph, x: Traced, dim: int) -> Value:
    return graph.unsqueeze(x.value, dim % (x.rank + 1))


def _squeeze(graph: Graph, x: Traced, dim: int) -> Value:
    return graph.squeeze(x.value, x.axis(dim))


def _cat(graph: Graph, tensors: Any, dim: int = 0) -> Value:
    return graph.concat([value(graph, one) for one in tensors], tensors[0].axis(dim))


def _stack(graph: Graph, tensors: Any, dim: int = 0) -> Value:
    at = dim % (tensors[0].rank + 1)
    return graph.concat([graph.unsqueeze(one.value, at) for one in tensors], at)


def _chunk(graph: Graph, x: Traced, chunks: int, dim: int = 0) -> list[Value]:
    at = x.axis(dim)
    ends = np.cumsum([0, *(len(one) for one in torch.arange(x.like.size(at)).chunk(chunks))]).tolist()
    return [graph.slice(x.value, at, a, b) for a, b in pairwise(ends)]


def _size(graph: Graph, x: Traced, dim: int | None = None) -> Any:
    if dim is None:
        return [graph.size(x.value, axis) for axis in range(x.rank)]
    return graph.size(x.value, x.axis(dim))


def _getattr(graph: Graph, x: Traced, name: str) -> Any:
    if name == "shape":
        return _size(graph, x)
    if name in ("T", "mT"):
        return _transpose(graph, x, -1, -2)
    return operation(name)(graph, x)


def _where(graph: Graph, condition: Traced, x: Any, y: Any) -> Value:
    return graph.where(condition.value, value(graph, x), value(graph, y))


def _masked_fill(graph: Graph, x: Traced, mask: Traced, fill: Any) -> Value:
    return graph.where(mask.value, value(graph, fill), x.value)


def _arange(graph: Graph, end: Any, *more: Any, **_: Any) -> Value:
    if more or not isinstance(end, Traced):
        raise ConfigError("expected torch.arange of one size, got other arguments. Give the end alone.")
    return graph.range(end.value)


def _getitem(graph: Graph, x: Any, index: Any) -> Any:
    if not isinstance(x, Traced):
        return x[index]
    places = index if isinstance(index, tuple) else (index,)
    many = [isinstance(one, Traced) and isinstance(one.like, Tensor) for one in places]
    if any(many) and all(one or isinstance(place, int) for one, place in zip(many, places, strict=True)):
        return _picked(graph, places[many.index(True)], x, places)
    if Ellipsis in [one for one in places if not isinstance(one, Traced)]:
        at = [one is Ellipsis for one in places].index(True)
        named = sum(one is not None for one in places) - 1
        places = (*places[:at], *[slice(None)] * (x.rank - named), *places[at + 1 :])
    found, axis = x.value, 0
    gone: list[int] = []
    added: list[int] = []
    for place in places:
        if place is None:
            added.append(axis - len(gone) + len(added))
            continue
        if isinstance(place, slice):
            found = _sliced(graph, found, axis, place)
        elif isinstance(place, Traced) and place.rank == 1 and sum(many) == 1:
            found = graph.gather(found, place.value, axis)
        elif isinstance(place, Traced) and isinstance(place.like, Tensor):
            raise ConfigError(
                "expected one index tensor (N,) beside slices, got others. Use torch.gather, or reshape."
            )
        else:
            at = value(graph, place)
            one = at if isinstance(at, Value) else graph.constant([at], INT)
            found = graph.gather(found, one, axis)
            gone.append(axis)
        axis += 1
    found = graph.squeeze(found, *gone) if gone else found
    return graph.unsqueeze(found, *added) if added else found


def _sliced(graph: Graph, x: Value, axis: int, place: slice) -> Value:
    if place.step not in (None, 1):
        raise ConfigError(f"expected slices with step 1, got {place.step}. Use torch.flip or index_select.")
    if place.start is None and place.stop is None:
        return x
    begin, end = value(graph, place.start), value(graph, place.stop)
    return graph.slice(x, axis, 0 if begin is None else begin, np.iinfo(np.int64).max if end is None else end)


def _picked(graph: Graph, first: Traced, x: Traced, places: Any) -> Value:
    """One element for each row of index tensors (N,), and of numbers that stand for all rows."""
    given = [one.value if isinstance(one, Traced) else first.value * 0 + one for one in places]
    columns = [graph.unsqueeze(one, first.rank) for one in given]
    return graph.op("GatherND", x.value, graph.concat(columns, first.rank))


def _pack(graph: Graph, x: Traced, lengths: Any, batch_first: bool = False, *_: Any, **__: Any) -> Packed:
    ends = value(graph, lengths)
    rows = x.value if not batch_first else graph.transpose(x.value, 1, 0, 2)
    own = lengths.like if isinstance(lengths, Traced) else lengths
    like = torch.nn.utils.rnn.pack_padded_sequence(x.like, own, batch_first, enforce_sorted=False)
    return Packed(rows, ends, like)


def _pad(graph: Graph, x: Packed, batch_first: bool = False, *_: Any, **__: Any) -> tuple[Value, Value]:
    """As far as the longest row."""
    longest = graph.reshape(graph.reduce("Max", x.lengths, [0]), 1)
    y = graph.slice(x.x, 0, 0, longest)
    return graph.transpose(y, 1, 0, 2) if batch_first else y, x.lengths


def _to(graph: Graph, x: Traced, *kinds: Any, **_: Any) -> Value:
    kind = next((one for one in kinds if isinstance(one, torch.dtype)), None)
    return x.value if kind is None else x.value.cast(np.dtype(str(kind).removeprefix("torch.")))


OPERATIONS: dict[str, Operation] = {
    **{
        name: _pointwise(kind)
        for kind, names in {
            "Add": ("add",), "Sub": ("sub",), "Mul": ("mul",), "Div": ("truediv", "div"), "Pow": ("pow",),
            "MatMul": ("matmul", "mm", "bmm"), "Equal": ("eq",), "Less": ("lt",), "LessOrEqual": ("le",),
            "Greater": ("gt",), "GreaterOrEqual": ("ge",), "Max": ("maximum",), "Min": ("minimum",),
        }.items()
        for name in names
    },
    **{
        name: _unary(kind)
        for name, kind in {
            "relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid", "exp": "Exp", "log": "Log", "sqrt": "Sqrt",
            "abs": "Abs", "neg": "Neg", "softplus": "Softplus", "sin": "Sin", "cos": "Cos",
            "logical_not": "Not", "invert": "Not",
        }.items()
    },
    **dict.fromkeys(("contiguous", "clone", "detach", "dropout", "dropout1d", "cpu"), _same),
    "softmax": _over("Softmax"),
    "log_softmax": _over("LogSoftmax"),
    "mean": _reduced("Mean"),
    "sum": _reduced("Sum"),
    "amax": _reduced("Max"),
    "amin": _reduced("Min"),
    "max": _max,
    "silu": lambda graph, x, **_: x.value * graph.op("Sigmoid", x.value),
    "gelu": _gelu,
    "elu": lambda graph, x, alpha=1.0, **_: graph.op("Elu", x.value, alpha=alpha),
    **dict.fromkeys(("leakyrelu", "leaky_relu"), _leaky),
    "hardtanh": _hardtanh,
    "clamp": _clamp,
    "linear": _linear,
    "embedding": _embedding,
    "layernorm": _layernorm,
    "transpose": _transpose,
    "permute": _permute,
    "t": lambda graph, x: _transpose(graph, x, 0, 1),
    **dict.fromkeys(("reshape", "view"), _reshape),
    "expand": _expand,
    "flatten": _flatten,
    "unflatten": _unflatten,
    "unsqueeze": _unsqueeze,
    "squeeze": _squeeze,
    **dict.fromkeys(("cat", "concat"), _cat),
    "stack": _stack,
    "chunk": _chunk,
    "size": _size,
    "getattr": _getattr,
    "getitem": _getitem,
    "where": _where,
    "masked_fill": _masked_fill,
    "arange": _arange,
    "pack_padded_sequence": _pack,
    "pad_packed_sequence": _pad,
    "to": _to,
    "float": lambda graph, x: x.value.cast(FLOAT),
    "long": lambda graph, x: x.value.cast(INT),
}  # fmt: skip
