"""ONNX: bundles, torch modules and bare layers, each proved in ONNX Runtime before it is written.

export_onnx  a module, or a lone recurrent layer, as a graph
export_bundle  a bundle as a folder of graphs, with reader.json and reader.py
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recurra.export.bundles import ExportedBundle, export_bundle
    from recurra.export.modules import Written, export_onnx

__all__ = ["ExportedBundle", "Written", "export_bundle", "export_onnx"]

# What needs torch and onnx comes when it is asked for: recurra.export.reader needs neither.
_PLACES = {
    "ExportedBundle": "bundles",
    "export_bundle": "bundles",
    "Written": "modules",
    "export_onnx": "modules",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'recurra.export' has no attribute {name!r}")
    return getattr(import_module(f"recurra.export.{_PLACES[name]}"), name)
