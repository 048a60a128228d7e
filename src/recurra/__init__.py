"""Recurrent neural networks for sequences: fast layers for PyTorch, and one command from files to a model.

model = recurra.accelerate(model)                            # torch.nn's layers in it become fast
layer = recurra.nn.GRU(64, 128, batch_first=True)            # torch.nn's, and more
bundle = recurra.fit("forecast", "load.csv", target="load", horizon=24, out="runs/load")
recurra.load("runs/load").predict("recent.csv")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from recurra import errors
from recurra.accelerate import accelerate
from recurra.fit import fit

if TYPE_CHECKING:
    from recurra import nn
    from recurra.bundle import Bundle, load
    from recurra.engines import use_engine
    from recurra.export import export_onnx
    from recurra.nn.explained import explain

__version__ = "0.1.0"
__all__ = [
    "Bundle",
    "__version__",
    "accelerate",
    "errors",
    "explain",
    "export_onnx",
    "fit",
    "load",
    "nn",
    "use_engine",
]

# Names whose modules load torch come when they are asked for, so that `recurra --help` is quick.
_LATER = {
    "Bundle": "recurra.bundle",
    "explain": "recurra.nn.explained",
    "export_onnx": "recurra.export",
    "load": "recurra.bundle",
    "use_engine": "recurra.engines",
}


def __getattr__(name: str) -> Any:
    if name == "nn":
        return import_module("recurra.nn")
    if name not in _LATER:
        raise AttributeError(f"module 'recurra' has no attribute {name!r}")
    value = getattr(import_module(_LATER[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
