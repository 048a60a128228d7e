"""An ONNX graph, built node by node, whose values add and multiply like arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.errors import ConfigError

if TYPE_CHECKING:
    from onnx import ModelProto

Array = np.ndarray[Any, np.dtype[Any]]
Axis = int | str | None  # a size, or the name of one that is free

# Reductions with axes as an input and bitwise operators are new in 18; runtimes since 2023 have it.
OPSET, IR = 18, 8
BOOL, INT, FLOAT, DOUBLE = (np.dtype(kind) for kind in (np.bool_, np.int64, np.float32, np.float64))
UINT8 = np.dtype(np.uint8)
# Constants of at most so many bytes are written once for all that use them.
SMALL = 1024
TRUTHS = {"Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "IsNaN", "And", "Or", "Not"}


def need_onnx() -> Any:
    """The package onnx. Raises ConfigError where it is absent."""
    try:
        import onnx  # noqa: PLC0415
        import onnx.helper  # noqa: PLC0415
        import onnx.numpy_helper  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(
            "expected the packages onnx and onnxruntime, which export needs, got an install without them. "
            "Install recurra[export]."
        ) from error
    return onnx


class Value:
    """What a node gives: an array that is not known yet. dtype: of its elements."""

    __slots__ = ("dtype", "graph", "name")

    def __init__(self, graph: Graph, name: str, dtype: np.dtype[Any]) -> None:
        self.graph, self.name, self.dtype = graph, name, dtype

    def __add__(self, other: Any) -> Value:
        return self.graph.op("Add", self, other)

    def __sub__(self, other: Any) -> Value:
        return self.graph.op("Sub", self, other)

    def __rsub__(self, other: Any) -> Value:
        return self.graph.op("Sub", self.graph.constant(other, self.dtype), self)

    def __mul__(self, other: Any) -> Value:
        return self.graph.op("Mul", self, other)

    def __truediv__(self, other: Any) -> Value:
        return self.graph.op("Div", self, other)

    def __mod__(self, other: Any) -> Value:
        """The remainder with the divisor's sign, as Python has it."""
        return self.graph.op("Mod", self, other)

    def __matmul__(self, other: Any) -> Value:
        return self.graph.op("MatMul", self, other)

    def __neg__(self) -> Value:
        return self.graph.op("Neg", self)

    __radd__, __rmul__ = __add__, __mul__

    def cast(self, dtype: Any) -> Value:
        """The same numbers as another type."""
        kind = np.dtype(dtype)
        if kind == self.dtype:
            return self
        to = need_onnx().helper.np_dtype_to_tensor_dtype(kind)
        return self.graph.op("Cast", self, dtype=kind, to=to)

    def __repr__(self) -> str:
        return f"<{self.name}: {self.dtype}>"


class Graph:
    """Inputs, constants, nodes and outputs, in the order in which they are named."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._helper, self._numpy = need_onnx().helper, need_onnx().numpy_helper
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self._known: dict[Any, Value] = {}
        self._taken: Counter[str] = Counter()

    def input(self, name: str, dtype: Any, shape: Sequence[Axis]) -> Value:
        """What is given at each call."""
        self._inputs.append(self._described(name, np.dtype(dtype), shape))
        return Value(self, name, np.dtype(dtype))

    def output(self, name: str, value: Value, shape: Sequence[Axis]) -> None:
        """What is answered."""
        self._nodes.append(self._helper.make_node("Identity", [value.name], [name]))
        self._outputs.append(self._described(name, value.dtype, shape))

    def constant(self, array: Any, dtype: Any = None, name: str = "constant") -> Value:
        """Numbers that are part of the graph."""
        array = np.ascontiguousarray(np.asarray(array, dtype=dtype)).reshape(np.shape(array))
        key = (array.dtype, array.shape, array.tobytes()) if array.nbytes <= SMALL else None
        if key in self._known:
            return self._known[key]
        value = Value(self, self._fresh(name), array.dtype)
        self._constants.append(self._numpy.from_array(array, value.name))
        if key is not None:
            self._known[key] = value
        return value

    def op(self, kind: str, *operands: Any, dtype: Any = None, **attributes: Any) -> Value:
        """A node with one result. Numbers among the operands are of the first value's type."""
        return self.ops(kind, 1, *operands, dtype=dtype, **attributes)[0]

    def ops(self, kind: str, many: int, *operands: Any, dtype: Any = None, **attributes: Any) -> list[Value]:
        """A node with several results. An operand None is left out."""
        first = next(one for one in operands if isinstance(one, Value))
        given = [self._named(one, first.dtype) for one in operands]
        found = BOOL if kind in TRUTHS else first.dtype if dtype is None else np.dtype(dtype)
        names = [self._fresh(kind.lower()) for _ in range(many)]
        domain = attributes.pop("domain", None)
        self._nodes.append(
            self._helper.make_node(kind, given, names, name=self._fresh(kind), domain=domain, **attributes)
        )
        return [Value(self, name, found) for name in names]

    def reduce(self, how: str, x: Value, axes: Sequence[int], keep: bool = False) -> Value:
        """Sum, Max, Min or Mean over some axes."""
        return self.op(f"Reduce{how}", x, self.constant(axes, INT), keepdims=int(keep))

    def concat(self, parts: Sequence[Value], axis: int) -> Value:
        """Arrays one after the other."""
        return parts[0] if len(parts) == 1 else self.op("Concat", *parts, axis=axis)

    def slice(self, x: Value, axis: int, begin: Any, end: Any) -> Value:
        """Those from begin to end along an axis; negative ones count from its end."""
        first, last = (one if isinstance(one, Value) else self.constant([one], INT) for one in (begin, end))
        return self.op("Slice", x, first, last, self.constant([axis], INT))

    def transpose(self, x: Value, *axes: int) -> Value:
        """The axes in another order."""
        return self.op("Transpose", x, perm=list(axes))

    def unsqueeze(self, x: Value, *axes: int) -> Value:
        """With axes of size 1 more."""
        return self.op("Unsqueeze", x, self.constant(axes, INT))

    def squeeze(self, x: Value, *axes: int) -> Value:
        """Less these axes of size 1."""
        return self.op("Squeeze", x, self.constant(axes, INT))

    def gather(self, x: Value, at: Value, axis: int = 0) -> Value:
        """Those at these places along an axis."""
        return self.op("Gather", x, at, axis=axis)

    def where(self, condition: Value, x: Any, y: Any) -> Value:
        """x where the condition holds, else y."""
        kind = next(one.dtype for one in (x, y) if isinstance(one, Value))
        chosen = [one if isinstance(one, Value) else self.constant(one, kind) for one in (x, y)]
        return self.op("Where", condition, *chosen, dtype=kind)

    def size(self, x: Value, axis: int) -> Value:
        """(1,) int64, how long an axis is."""
        end = {} if axis == -1 else {"end": axis + 1}
        return self.op("Shape", x, dtype=INT, start=axis, **end)

    def reshape(self, x: Value, *shape: int | Value) -> Value:
        """The same in another shape, of numbers and of sizes (1,); 0 stands for no elements."""
        if not any(isinstance(one, Value) for one in shape):
            return self.op("Reshape", x, self.constant(shape, INT), allowzero=1)
        parts = [one if isinstance(one, Value) else self.constant([one], INT) for one in shape]
        return self.op("Reshape", x, self.concat(parts, 0), allowzero=1)

    def expand(self, x: Value, *shape: int | Value) -> Value:
        """x as often as the shape, of numbers and of sizes (1,), has room for it."""
        parts = [one if isinstance(one, Value) else self.constant([one], INT) for one in shape]
        return self.op("Expand", x, self.concat(parts, 0))

    def range(self, end: Value) -> Value:
        """(n,) int64, 0, 1, … below end (1,)."""
        zero, one = self.constant(0, INT), self.constant(1, INT)
        return self.op("Range", zero, self.squeeze(end, 0), one)

    def model(self) -> ModelProto:
        """The whole graph, checked."""
        onnx = need_onnx()
        graph = self._helper.make_graph(
            self._nodes, self.name, self._inputs, self._outputs, initializer=self._constants
        )
        model: ModelProto = self._helper.make_model(
            graph,
            producer_name="recurra",
            ir_version=IR,
            opset_imports=[self._helper.make_opsetid("", OPSET)],
        )
        onnx.checker.check_model(model, full_check=True)
        return model

    def _described(self, name: str, dtype: np.dtype[Any], shape: Sequence[Axis]) -> Any:
        kind = self._helper.np_dtype_to_tensor_dtype(dtype)
        return self._helper.make_tensor_value_info(name, kind, list(shape))

    def _named(self, operand: Any, dtype: np.dtype[Any]) -> str:
        if operand is None:
            return ""
        if isinstance(operand, Value):
            return operand.name
        return self.constant(operand, dtype).name

    def _fresh(self, name: str) -> str:
        """A name that no input and no output can have."""
        self._taken[name] += 1
        return f"/{name}_{self._taken[name]}"
