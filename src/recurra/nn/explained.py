"""Module by module: which engine runs it, and why the others do not."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from recurra.engines import ENGINES, Explained, Explanation, Request, Requesting, choose, forced
from recurra.errors import EngineError
from recurra.nn.swap import NAMES, left_alone, twin


def explain(model: nn.Module) -> Explanation:
    """Say module by module which engine runs it and why the others do not. Print what it returns."""
    found = ((name, module) for name, module in model.named_modules() if _recurrent(module))
    return Explanation(tuple(_explain(name, module) for name, module in found))


def _explain(name: str, module: nn.Module) -> Explained:
    described = f"{type(module).__name__}({module.extra_repr()})"
    if not isinstance(module, Requesting):
        return Explained(name, described, None, _pytorch(module))
    request = module.request()
    try:
        chosen = choose(request).NAME
    except EngineError as error:
        return Explained(name, described, None, f"nothing runs it. {error}")
    is_forced = forced() is not None
    beaten = f"{chosen} is forced" if is_forced else f"could, but {chosen} comes first"
    others = {e.NAME: e.why_not(request) or beaten for e in ENGINES if chosen != e.NAME}
    return Explained(name, described, chosen, "forced" if is_forced else "", others)


def _pytorch(module: nn.Module) -> str:
    """What is said of a module that is not ours."""
    reason = left_alone(module)
    if reason is not None:
        return f"PyTorch runs it, and recurra.accelerate leaves it alone: {reason}"
    try:
        engine = choose(_request(module)).NAME
    except EngineError as error:
        return f"PyTorch runs it. After recurra.accelerate(model) nothing would: {error}"
    if engine == "torch_native":
        return "PyTorch runs it, and would after recurra.accelerate(model): it runs on torch_native"
    return f"PyTorch runs it: recurra.accelerate(model) makes it run on {engine}"


def _request(module: nn.Module) -> Request:
    """What the module would ask for if it were ours."""
    ours = twin(module)
    shadow: Any = ours.__new__(ours)
    shadow.__dict__ = module.__dict__
    request: Request = shadow.request()
    return request


def _recurrent(module: nn.Module) -> bool:
    if isinstance(module, (nn.RNNBase, nn.modules.rnn.RNNCellBase)):
        return True
    if isinstance(module, torch.jit.ScriptModule):
        return getattr(module, "original_name", None) in NAMES
    return type(module).__module__.startswith("torch.ao.") and type(module).__name__ in NAMES
