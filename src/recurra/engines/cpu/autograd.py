"""Derivatives of the layer's operator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import _C, Tensor

from recurra.engines import reference
from recurra.engines.cpu import ops
from recurra.engines.cpu.arrays import CELLS, Given, layout
from recurra.engines.request import Request, transformed

PLAIN = {_C._dispatch_keys(torch.empty(0)).raw_repr()}
with torch.inference_mode():
    PLAIN.add(_C._dispatch_keys(torch.empty(0)).raw_repr())


def watched(tensors: Sequence[Tensor]) -> bool:
    """Whether PyTorch must see the operator: it traces or profiles, or tensors are more than memory."""
    return (
        torch.compiler.is_compiling()
        or _C._len_torch_dispatch_stack() > 0
        or _C._len_torch_function_stack() > 0
        or _C._get_tracing_state() is not None
        or _C._autograd._profiler_enabled()
        or (
            torch.is_grad_enabled()
            and _C._dispatch_tls_is_dispatch_key_excluded(_C.DispatchKey.AutogradFunctionality)
        )
        or not PLAIN.issuperset([_C._dispatch_keys(tensor).raw_repr() for tensor in tensors])
    )


def directly(given: Given, *room: Any) -> list[Tensor]:
    """What the operator `layer` does, without the dispatcher, which costs more than a short sequence."""
    if torch.is_grad_enabled() and _C._any_requires_grad(given.x, given.h, given.c, *given.weights):
        return _with_gradients(ops.layer_with_what_is_saved, given, room)
    return ops.run(given, room[0])


def layer(keyset: Any, *args: Any) -> list[Tensor]:
    """The operator above autograd."""
    given, room = Given(*args[:8]), args[8:]
    if torch.is_grad_enabled() and _C._any_requires_grad(given.x, given.h, given.c, *given.weights):
        return _with_gradients(_saving, given, room)
    with _C._AutoDispatchBelowAutograd():
        results: list[Tensor] = ops.OPS.layer.default.redispatch(keyset & _C._after_autograd_keyset, *args)
        return results


def _saving(*args: Any) -> list[Tensor]:
    with _C._AutoDispatchBelowAutograd():
        results: list[Tensor] = ops.OPS.layer_saving.default(*args)
        return results


def _with_gradients(saving: Callable[..., list[Tensor]], given: Given, room: Sequence[Any]) -> list[Tensor]:
    x, h, c, weights, *rest = given
    results: tuple[Tensor, ...] = Layer.apply(x, h, c, (saving, *rest, *room), *weights)  # type: ignore[no-untyped-call]
    return list(results)


class Layer(torch.autograd.Function):
    """One layer in both directions."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, h: Tensor | None, c: Tensor | None, options: tuple[Any, ...], *weights: Tensor
    ) -> tuple[Tensor, ...]:
        saving, lengths, reset, kind, both_ways, *room = options
        *results, saved = saving(x, h, c, weights, lengths, reset, kind, both_ways, *room)
        ctx.set_materialize_grads(False)
        ctx.options = (kind, both_ways, room)
        y = None if room[2] == "checkpointed" else results[0]
        # torch.nn lets y be changed in place. So it is kept beside what autograd watches over, and computed
        # anew if `backward` finds it changed. Hooks on saved tensors, though, are to have it.
        hooked = _C._autograd._top_saved_tensors_default_hooks(True) is not None
        ctx.beside = None if hooked or y is None else (y.detach(), y._version)
        ctx.save_for_backward(x, h, c, lengths, reset, saved, y if hooked else None, *weights)
        return tuple(results)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor | None, ...]:
        x, h, c, lengths, reset, saved, y, *weights = ctx.saved_tensors
        kind, both_ways, room = ctx.options
        given = Given(x, h, c, weights, lengths, reset, kind, both_ways)
        of_x, of_h, of_c, _, *of_weights = ctx.needs_input_grad
        wanted = [of_x, of_h, of_c, *of_weights]
        if torch.is_grad_enabled() or transformed() or any(map(_batched, grads)):
            found = _through_equations(given, wanted, grads)
        else:
            if ctx.beside is not None:
                y, version = ctx.beside
                if y._version != version:
                    y = ops.OPS.layer.default(*given, *room)[0]
            dy, dh, dc = (*grads, None)[:3]
            tensors = [t for t in (x, h, c, y, saved, dy, dh, dc, lengths, reset, *weights) if t is not None]
            backward = ops.OPS.layer_backward.default if watched(tensors) else ops.layer_backward
            some = iter(backward(*given, room[2], y, saved, dy, dh, dc, wanted))
            found = [next(some) if is_wanted else None for is_wanted in wanted]
        if not _C._autograd._get_current_graph_task_keep_graph():
            ctx.beside = None  # as autograd frees what it watches over
        return (*found[:3], None, *found[3:])


def _batched(grad: Tensor | None) -> bool:
    """Whether this is a batch of gradients in one (is_grads_batched)."""
    return grad is not None and torch._C._functorch.is_legacy_batchedtensor(grad)


def _through_equations(
    given: Given, wanted: Sequence[bool], grads: Sequence[Tensor | None]
) -> list[Tensor | None]:
    """The gradients by way of the reference, whose every operation can be differentiated again."""
    again = torch.is_grad_enabled()
    with torch.enable_grad():
        # Aliases, so that where one input was computed from another each gets its own share alone.
        leaves = [_leaf(t, is_wanted) for t, is_wanted in zip(_tensors(given), wanted, strict=True)]
        x, h, c, *weights = leaves
        results = _by_reference(given._replace(x=x, h=h, c=c, weights=weights))  # type: ignore[arg-type]
        pairs = [(y, g) for y, g in zip(results, grads, strict=True) if g is not None and y.requires_grad]
        into = [leaf for leaf, is_wanted in zip(leaves, wanted, strict=True) if is_wanted]
        if not pairs:
            return [None] * len(wanted)
        outputs, given_grads = zip(*pairs, strict=True)
        found = iter(torch.autograd.grad(outputs, into, given_grads, create_graph=again, allow_unused=True))  # type: ignore[arg-type]
    return [next(found) if is_wanted else None for is_wanted in wanted]


def _tensors(given: Given) -> tuple[Tensor | None, ...]:
    return (given.x, given.h, given.c, *given.weights)


def _leaf(tensor: Tensor | None, is_wanted: bool) -> Tensor | None:
    if tensor is None:
        return None
    alias = tensor.view_as(tensor)
    return alias if alias.requires_grad or not is_wanted else alias.requires_grad_()


def _by_reference(given: Given) -> list[Tensor]:
    """The operator's results from the cell's equations."""
    x, h, c, weights, lengths, reset, kind, both_ways = given
    _, units, outputs, places, arranged = layout(kind, both_ways, tuple(w.shape for w in weights))
    directions = len(arranged)
    request = Request(
        cell=CELLS[kind],
        input_size=x.shape[2],
        hidden_size=units,
        num_layers=1,
        bidirectional=both_ways,
        bias=2 in places,
        proj_size=outputs if outputs != units else 0,
        dtype=x.dtype,
        device=x.device,
        one_step=False,
        transformed=transformed(),
    )
    zeros = [x.new_zeros(directions, x.shape[1], size) for size in (outputs, units)]
    state = [z if s is None else s for s, z in zip((h, c), zeros, strict=True)][: len(request.cell.states)]
    y, final = reference.run(request, x, tuple(state), weights, lengths=lengths, reset=reset)
    return [y, *final]


ops.LIBRARY.impl("layer", layer, "Autograd", with_keyset=True)
