"""Nested containers of tensors: what batches and carried states are made of."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from recurra.errors import TrainingError


def pack(tree: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """Put the tree's tensors into `tensors` under `name`…; returns JSON for `unpack`."""
    if isinstance(tree, Tensor):
        tensors[name] = tree.detach().contiguous().clone()
        return {"tensor": name}
    if isinstance(tree, dict):
        return {"dict": [[key, pack(value, f"{name}.{key}", tensors)] for key, value in tree.items()]}
    if type(tree) in (list, tuple):
        return {type(tree).__name__: [pack(value, f"{name}.{i}", tensors) for i, value in enumerate(tree)]}
    if tree is None or isinstance(tree, bool | int | float | str):
        return tree
    raise TrainingError(
        f"expected tensors, numbers, text and dicts, lists, tuples of them in {name}, "
        f"got {type(tree).__name__}. Return one of these as the state that a loss carries on."
    )


def unpack(packed: Any, tensors: dict[str, Tensor]) -> Any:
    """The tree that `pack` took apart."""
    if not isinstance(packed, dict):
        return packed
    ((kind, value),) = packed.items()
    if kind == "tensor":
        return tensors[value]
    if kind == "dict":
        return {key: unpack(item, tensors) for key, item in value}
    items = [unpack(item, tensors) for item in value]
    return tuple(items) if kind == "tuple" else items


def detach(tree: Any) -> Any:
    """The same tree with no gradient reaching back."""
    if isinstance(tree, Tensor):
        return tree.detach()
    if isinstance(tree, dict):
        return {key: detach(value) for key, value in tree.items()}
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*map(detach, tree))
    if isinstance(tree, list | tuple):
        return type(tree)(map(detach, tree))
    return tree
