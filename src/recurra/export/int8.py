"""Weights of eight bits: a quarter of the space, read back as float32 when the graph is loaded.

ONNX Runtime's dynamic quantization knows no GRU and no RNN, and rounds what flows through the nodes as well;
here only weights are rounded, of every kind of node alike, each row with a scale of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.onnxgraph.graph import need_onnx

if TYPE_CHECKING:
    from onnx import ModelProto

# Along which axis of its weights a node's results lie: these have a scale each.
ROWS = {"RNN": 1, "GRU": 1, "LSTM": 1, "Gather": 0, "Conv": 0, "Transpose": 0, "MatMul": 1}
# Weights that share a scale, at least; of fewer the scales would take more room than the rounding saves.
SHARED = 8
MOST = 127


def rounded(model: ModelProto) -> ModelProto:
    """The same graph with weights of eight bits."""
    onnx = need_onnx()
    copy: ModelProto = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    rows = {
        name: ROWS[node.op_type] for node in graph.node if node.op_type in ROWS for name in node.input if name
    }
    kept, nodes = [], []
    for one in graph.initializer:
        weight = onnx.numpy_helper.to_array(one)
        if one.name not in rows or not _worth(weight, rows[one.name]):
            kept.append(one)
            continue
        axis = rows[one.name]
        small, scale = _rounded(weight, axis)
        names = f"{one.name}_int8", f"{one.name}_scale"
        kept += [onnx.numpy_helper.from_array(a, name) for a, name in zip((small, scale), names, strict=True)]
        nodes.append(onnx.helper.make_node("DequantizeLinear", names, [one.name], axis=axis))
    nodes += list(graph.node)
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)
    onnx.checker.check_model(copy, full_check=True)
    return copy


def _worth(weight: Any, axis: int) -> bool:
    return bool(weight.dtype == np.float32 and weight.ndim > 1 and weight.size >= SHARED * weight.shape[axis])


def _rounded(weight: Any, axis: int) -> tuple[Any, Any]:
    """int8 weights, and the scale of each row."""
    others = tuple(at for at in range(weight.ndim) if at != axis)
    largest = np.abs(weight).max(axis=others)
    scale = np.where(largest > 0, largest / MOST, 1.0).astype(np.float32)
    shape = [-1 if at == axis else 1 for at in range(weight.ndim)]
    return np.rint(weight / scale.reshape(shape)).astype(np.int8), scale
