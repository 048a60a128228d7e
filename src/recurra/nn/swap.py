"""A torch.nn layer becomes ours where it stands: its class changes, and nothing else."""

from __future__ import annotations

import types
from functools import cache
from typing import Any

import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from recurra.nn.gru import GRU
from recurra.nn.lstm import LSTM
from recurra.nn.recurrent import Recurrent
from recurra.nn.rnn import RNN
from recurra.nn.steps import GRUCell, LSTMCell, RNNCell, Step

TWINS: dict[Any, Any] = {
    nn.RNN: RNN,
    nn.GRU: GRU,
    nn.LSTM: LSTM,
    nn.RNNCell: RNNCell,
    nn.GRUCell: GRUCell,
    nn.LSTMCell: LSTMCell,
}
NAMES = {kind.__name__ for kind in TWINS}


def swap(module: nn.Module) -> None:
    """Make a module ours, unless `left_alone` says why not."""
    if _base(type(module)) and left_alone(module) is None:
        module.__class__ = twin(module)


def left_alone(module: nn.Module) -> str | None:
    """Why a module stays what it is, as a clause; None if it need not."""
    kind: Any = type(module)
    base = _base(kind)
    if isinstance(module, (Recurrent, Step)):
        return "it is Recurra's"
    if isinstance(module, torch.jit.ScriptModule):
        return "TorchScript has it in a form of its own"
    if base is None:
        return "it is quantized" if kind.__module__.startswith("torch.ao.") else "it is none of torch.nn's"
    if kind.forward is not base.forward:
        return f"{kind.__name__} has a forward of its own"
    theirs = {*vars(module), *module._parameters, *module._buffers, *module._modules}
    theirs |= {name for one in kind.__mro__[: kind.__mro__.index(base)] for name in vars(one)}
    taken = sorted(theirs & (set(dir(TWINS[base])) - set(dir(base))))
    return f"{kind.__name__} has a {taken[0]!r} of its own" if taken else None


def twin(module: nn.Module) -> Any:
    """Our class for a module of torch.nn's, of a user's kind of one, or for a parametrized one."""
    kind: Any = type(module)
    if not is_parametrized(module):
        return _twin(kind)
    # PyTorch made this class for the module alone, and takes its first base when it is done with it.
    own = {name: value for name, value in vars(kind).items() if name not in ("__dict__", "__weakref__")}
    return types.new_class(kind.__name__, (_twin(kind.__bases__[0]),), {}, lambda space: space.update(own))


@cache
def _twin(kind: Any) -> Any:
    if kind in TWINS:
        return TWINS[kind]
    base = _base(kind)
    assert base is not None
    own: dict[str, Any] = {name: getattr(kind, name) for name in ("__module__", "__qualname__", "__doc__")}
    if kind.__reduce_ex__ is object.__reduce_ex__ and kind.__reduce__ is object.__reduce__:
        own["__reduce_ex__"] = _reduce
    # First the user's methods, then ours, then torch.nn's.
    return types.new_class(kind.__name__, (kind, TWINS[base]), {}, lambda space: space.update(own))


def _base(kind: Any) -> Any:
    return next((base for base in TWINS if issubclass(kind, base)), None)


def _reduce(self: Any, _protocol: Any) -> tuple[Any, ...]:
    """Pickled by the user's class, since the one made from it has no place of its own."""
    return _blank, (type(self).__bases__[0],), self.__getstate__()


def _blank(kind: Any) -> Any:
    made = _twin(kind)
    return made.__new__(made)
