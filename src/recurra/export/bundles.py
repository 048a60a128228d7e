"""A bundle as a folder of ONNX graphs, with what a reader of them must know, and a reader."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import recurra
from recurra import sealed
from recurra.errors import ConfigError
from recurra.export import captioner, reader, recogniser, translator, writer
from recurra.export.int8 import rounded
from recurra.export.prove import proved, runner, worst
from recurra.onnxgraph.graph import need_onnx
from recurra.onnxgraph.network import Exported, Network
from recurra.tasks.base import Exports

if TYPE_CHECKING:
    from recurra.bundle import Bundle

FORMAT = 1
RECORD = "reader.json"
# Of a task whose reader needs more than reader.py has.
BESIDE = {
    "translate": (translator, writer),
    "transcribe": (recogniser,),
    "caption": (captioner, writer),
}


@dataclass(frozen=True, slots=True)
class ExportedBundle:
    """What was written.

    difference: the largest between ONNX Runtime and the bundle, of each graph, in parts of the largest value.
    loss: the same of the graphs with weights of eight bits; empty without them.  words: the same in words.
    """

    path: Path
    difference: dict[str, float]
    loss: dict[str, float]
    words: tuple[str, ...]


def export_bundle(
    bundle: Bundle,
    folder: str | os.PathLike[str] | None = None,
    *,
    int8: bool = False,
    overwrite: bool = False,
) -> ExportedBundle:
    """Write a bundle's graphs, reader.json and its reader into a folder that is whole or not there.

    Each graph is proved before anything is written. int8: each once more, with weights of eight bits.
    Raises ConfigError, also for a bundle of a task that does not export, and ExportError.
    """
    if not isinstance(bundle.task, Exports):
        raise ConfigError(
            f"expected a bundle of a task that exports, got {bundle.path}, of the task {bundle.task.name!r}. "
            "Export its layers: recurra.export_onnx(layer)."
        )
    target = bundle.path / "onnx" if folder is None else Path(folder)
    _check_free(target, overwrite)
    exported = bundle.task.exported(bundle.model, bundle.config, bundle.schema)
    difference = {one.name: proved(one) for one in exported.networks}
    models = {f"{one.name}.onnx": one.model for one in exported.networks}
    loss: dict[str, float] = {}
    if int8:
        for one in exported.networks:
            small = models[f"{one.name}.int8.onnx"] = rounded(one.model)
            loss[one.name] = worst(runner(small), one.trials)[0]
    files = {name: model.SerializeToString() for name, model in models.items()}
    words = tuple(_words(exported, difference, loss, {name: len(one) for name, one in files.items()}))
    record = _record(bundle, exported, difference, loss)
    files[RECORD] = json.dumps(record, ensure_ascii=False, indent=1, allow_nan=False).encode() + b"\n"
    modules = (reader, *BESIDE.get(bundle.task.name, ()))
    files |= {Path(str(one.__file__)).name: Path(str(one.__file__)).read_bytes() for one in modules}
    try:
        _write(target, files)
    except OSError as error:
        raise ConfigError(
            f"expected to write {target}, got {error.strerror}. Name another folder."
        ) from error
    return ExportedBundle(target, difference, loss, words)


def _check_free(target: Path, overwrite: bool) -> None:
    """Raises ConfigError where there is something that is not to be lost."""
    if not target.exists():
        return
    if not target.is_dir() or (any(target.iterdir()) and not (target / RECORD).exists()):
        raise ConfigError(
            f"expected a new folder, got {target}, which holds something else. Name another folder."
        )
    if any(target.iterdir()) and not overwrite:
        raise ConfigError(
            f"expected a new folder, got {target}, which holds an export. Add --overwrite, or name another."
        )


def _write(target: Path, files: dict[str, bytes]) -> None:
    """All files in a folder beside the target, which then takes its place."""
    new, old = (target.with_name(f".{target.name}.{end}") for end in ("new", "old"))
    target.parent.mkdir(parents=True, exist_ok=True)
    for folder in (new, old):
        shutil.rmtree(folder, ignore_errors=True)
    new.mkdir()
    for name, content in files.items():
        sealed.write_here(new / name, content)
    sealed.sync(new)
    if target.exists():
        os.replace(target, old)
    os.replace(new, target)
    sealed.sync(target.parent)
    shutil.rmtree(old, ignore_errors=True)


def _record(
    bundle: Bundle, exported: Exported, difference: dict[str, float], loss: dict[str, float]
) -> dict[str, Any]:
    """What reader.json holds."""
    networks = {}
    for one in exported.networks:
        files: dict[str, Any] = {"float32": {"file": f"{one.name}.onnx", "difference": difference[one.name]}}
        if one.name in loss:
            files["int8"] = {"file": f"{one.name}.int8.onnx", "difference": loss[one.name]}
        networks[one.name] = {"about": one.about, **_ports(one), **files}
    return {
        "format": FORMAT,
        "task": bundle.task.name,
        "recurra": recurra.__version__,
        "weights": bundle.record["files"]["weights.safetensors"],
        "networks": networks,
        **({"outside": exported.outside} if exported.outside else {}),
        **exported.reader,
    }


def _ports(network: Network) -> dict[str, Any]:
    """Names, types and shapes of a graph's inputs and outputs."""
    helper = need_onnx().helper

    def described(ports: Any) -> list[dict[str, Any]]:
        kinds = [(port.name, port.type.tensor_type) for port in ports]
        return [
            {
                "name": name,
                "dtype": helper.tensor_dtype_to_np_dtype(kind.elem_type).name,
                "shape": [size.dim_param or size.dim_value for size in kind.shape.dim],
            }
            for name, kind in kinds
        ]

    return {"inputs": described(network.model.graph.input), "outputs": described(network.model.graph.output)}


def _words(
    exported: Exported, difference: dict[str, float], loss: dict[str, float], sizes: dict[str, int]
) -> Iterator[str]:
    for one in exported.networks:
        yield (
            f"{one.name}.onnx ({sizes[f'{one.name}.onnx']:,} bytes) {one.about}. ONNX Runtime gives what the "
            f"bundle gives: largest relative difference {difference[one.name]:.1e}."
        )
    for name, largest in loss.items():
        yield (
            f"{name}.int8.onnx ({sizes[f'{name}.int8.onnx']:,} bytes) has weights of eight bits, which "
            f"costs: largest relative difference {largest:.1e}."
        )
    if exported.outside:
        yield exported.outside
