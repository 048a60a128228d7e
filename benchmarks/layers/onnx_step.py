"""One recurrent step in ONNX Runtime with I/O binding: the rival of a compiled step object."""

from __future__ import annotations

from importlib import import_module
from itertools import cycle
from typing import Any

import numpy as np
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

onnxruntime: Any = import_module("onnxruntime")  # comes without types

# Blocks of rows in ONNX's order and in torch.nn's; docs/gates.md.
ORDERS = {"GRU": ("zrn", "rzn"), "LSTM": ("iofg", "ifgo")}
STATES = {"GRU": ("h",), "LSTM": ("h", "c")}
OPSET, IR_VERSION = 14, 8


class OnnxStep:
    """A cell of torch.nn's as an ONNX node of one step, batch 1; each call goes on from the last one's state.

    Input and states stay in memory that is bound once: two bindings whose states change places in turn.
    """

    def __init__(self, cell: torch.nn.Module, x: Tensor, state: tuple[Tensor, ...], threads: int) -> None:
        """x (1, I); state: h, and c for an LSTM, (1, H) each."""
        kind = type(cell).__name__.removesuffix("Cell")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        model = _model(kind, cell).SerializeToString()
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        value = onnxruntime.OrtValue.ortvalue_from_numpy
        given = value(x.numpy()[None])
        here, there = ([value(s.numpy()[None].copy()) for s in state] for _ in range(2))
        self._bindings = [self._bound(kind, given, *pair) for pair in ((here, there), (there, here))]
        self._turns = cycle(zip(self._bindings, (there, here), strict=True))
        self._last = here

    def _bound(self, kind: str, x: Any, before: list[Any], after: list[Any]) -> Any:
        binding = self._session.io_binding()
        binding.bind_ortvalue_input("x", x)
        for name, old, new in zip(STATES[kind], before, after, strict=True):
            binding.bind_ortvalue_input(f"{name}_0", old)
            binding.bind_ortvalue_output(f"{name}_n", new)
        return binding

    def __call__(self) -> None:
        binding, self._last = next(self._turns)
        self._session.run_with_iobinding(binding)

    def h(self) -> Tensor:
        """The state after the last call, (1, H)."""
        return torch.from_numpy(self._last[0].numpy()[0].copy())


def _model(kind: str, cell: Any) -> Any:
    onnx_order, torch_order = ORDERS[kind]

    def blocks(weight: Tensor) -> Tensor:
        parts = weight.detach().chunk(len(torch_order))
        return torch.cat([parts[torch_order.index(gate)] for gate in onnx_order])

    weights = {
        "W": blocks(cell.weight_ih)[None],
        "R": blocks(cell.weight_hh)[None],
        "B": torch.cat([blocks(cell.bias_ih), blocks(cell.bias_hh)])[None],
    }
    units, inputs = cell.hidden_size, cell.input_size
    before = [f"{name}_0" for name in STATES[kind]]
    after = [f"{name}_n" for name in STATES[kind]]
    attributes: dict[str, Any] = {"hidden_size": units}
    if kind == "GRU":
        attributes["linear_before_reset"] = 1
    node = helper.make_node(kind, ["x", "W", "R", "B", "", *before], ["", *after], **attributes)
    graph = helper.make_graph(
        [node],
        "step",
        [_info("x", [1, 1, inputs]), *(_info(name, [1, 1, units]) for name in before)],
        [_info(name, [1, 1, units]) for name in after],
        [numpy_helper.from_array(np.ascontiguousarray(w.numpy()), name) for name, w in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


def _info(name: str, sizes: list[int]) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes)
