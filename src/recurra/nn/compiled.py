"""torch.compile takes in the layers that run as operators, though they are torch.nn's by type.

Dynamo leaves every torch.nn.RNN, GRU and LSTM out of its graphs, since it would unroll their loop over time,
and it goes by the type alone. Ours are of that type; where one runs as an operator there is no loop to
unroll, and Dynamo is told so for that layer. Dynamo is large and is not loaded for this: the telling waits
until torch.compile loads it. Where a version of PyTorch has no such place, the layers stay out, as torch.nn's
do.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

BUILDER = "torch._dynamo.variables.builder"


def admit(admitted: Callable[[object], bool]) -> None:
    """Let torch.compile trace the modules that `admitted` says yes to."""
    if BUILDER in sys.modules:
        _tell(sys.modules[BUILDER], admitted)
    else:
        sys.meta_path.insert(0, _Waiting(admitted))


class _Waiting(MetaPathFinder):
    """Finds no module; sees Dynamo's builder being looked for."""

    def __init__(self, admitted: Callable[[object], bool]) -> None:
        self.admitted = admitted

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != BUILDER:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(fullname)
        if spec is None or spec.loader is None:
            return None
        load = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            load(module)
            _tell(module, self.admitted)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _tell(builder: ModuleType, admitted: Callable[[object], bool]) -> None:
    try:
        wrap, patch = builder.VariableBuilder.wrap_module, builder.config.patch
    except AttributeError:
        return

    def wrap_module(self: Any, value: object) -> Any:
        if not admitted(value):
            return wrap(self, value)
        with patch(allow_rnn=True):
            return wrap(self, value)

    builder.VariableBuilder.wrap_module = wrap_module
