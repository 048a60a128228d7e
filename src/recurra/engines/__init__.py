"""The ways to run a cell over time, and the one place where one of them is chosen."""

from __future__ import annotations

import os

from recurra.engines import cpu, reference, torch_native
from recurra.engines.explanation import Explained, Explanation
from recurra.engines.request import MEMORY, Engine, Request, Requesting, transformed
from recurra.errors import EngineError

# The first that can run a request is chosen.
ENGINES: tuple[Engine, ...] = (
    cpu,
    torch_native,
    reference,
)
# For single steps: the core would lay out the weights anew at each, which takes longer than the step.
FOR_ONE_STEP: tuple[Engine, ...] = (
    torch_native,
    cpu,
    reference,
)


# A list, since torch.compile notices when what is in it changes.
_forced: list[str | None] = [os.environ.get("RECURRA_ENGINE") or None]


def forced() -> str | None:
    """The name of the engine that is forced, or None."""
    return _forced[0]


class use_engine:
    """Force an engine by name, here and from now on, or inside `with use_engine(name):` alone.

    name: as in ENGINES; None: let `choose` choose. RECURRA_ENGINE in the environment sets the first value.
    It holds for the whole process. A layer that the engine cannot run raises EngineError: nothing steps in.
    """

    def __init__(self, name: str | None) -> None:
        if name is not None:
            _named(name)
        self._before = forced()
        _forced[:] = [name]

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        _forced[:] = [self._before]


def choose(request: Request) -> Engine:
    """The engine that runs the request: the forced one, or the first that can."""
    name = forced()
    if name is not None:
        engine = _named(name)
        reason = engine.why_not(request)
        if reason is not None:
            raise EngineError(
                f"Engine should be one that can run {request.cell}, got {engine.NAME!r}: {reason}. "
                "Force another with recurra.use_engine, or none."
            )
        return engine
    # The last engine, the reference, runs everything.
    engines = FOR_ONE_STEP if request.one_step else ENGINES
    return next(engine for engine in engines if engine.why_not(request) is None)


def _named(name: str) -> Engine:
    for engine in ENGINES:
        if name == engine.NAME:
            return engine
    names = ", ".join(repr(engine.NAME) for engine in ENGINES)
    raise EngineError(
        f"Engine should be one of {names}, got {name!r}. "
        "Name one of these in recurra.use_engine or RECURRA_ENGINE."
    )


__all__ = [
    "ENGINES",
    "MEMORY",
    "Engine",
    "EngineError",
    "Explained",
    "Explanation",
    "Request",
    "Requesting",
    "choose",
    "forced",
    "transformed",
    "use_engine",
]
