"""The compiled core: whether it is there, and whether it is worth using on this machine."""

from __future__ import annotations

import os
import platform
import warnings
from importlib import import_module
from typing import Any

import torch

from recurra.errors import EngineError

core: Any  # the module recurra._core; ask `unusable` before using it
try:
    core = import_module("recurra._core")
except ImportError as error:
    core, _missing = None, str(error)

X86 = ("x86_64", "amd64", "i386", "i686")


# The answer, once it was asked for; torch.compile reads this list rather than the question.
_answer: list[str | None] = []


def unusable() -> str | None:
    """Why nothing can run on the compiled core here, as a clause; None if it can. Warns if it is missing."""
    if not _answer:
        _answer.append(_asked())
    return _answer[0]


def _asked() -> str | None:
    if core is None:
        warnings.warn(
            f"Expected Recurra's compiled core beside the package, got none ({_missing}): layers run through "
            "PyTorch, more slowly. Install Recurra from a wheel, or where there is a C++ compiler.",
            RuntimeWarning,
            stacklevel=2,
        )
        return "the compiled core is missing"
    try:
        core.instructions()
    except ValueError as error:
        raise EngineError(str(error)) from error
    # Arm's portable build has fused multiply-adds; on x86 they would be calls of a function.
    slow = core.available() == ["portable"] and platform.machine().lower() in X86
    if slow and not os.environ.get("RECURRA_INSTRUCTIONS"):
        return (
            "this CPU has no fused multiply-add, without which PyTorch is faster; "
            "RECURRA_INSTRUCTIONS=portable makes it run all the same"
        )
    return None


def described() -> str:
    """What the engine runs on, in words."""
    reason = unusable()
    if reason is not None:
        return f"cpu cannot run: {reason}"
    threads = torch.get_num_threads()
    return (
        f"cpu runs on {core.instructions()} instructions (this machine has {', '.join(core.available())}), "
        f"{threads} thread{'' if threads == 1 else 's'}"
    )
