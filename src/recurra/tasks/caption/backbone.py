"""An ONNX network of pictures that somebody else has trained, whose features are read in place of pixels."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from recurra.data.frequency import Array
from recurra.errors import ConfigError
from recurra.tasks.caption.schema import Backbone

# Pixels of a side where the network takes any.
SIDE = 224
# What networks of pictures are trained on: red, green and blue from 0 to 1, less their mean over ImageNet,
# in parts of their deviation.
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CORRECT = "Give a network of pictures (batch, 3, height, width) in float32, such as one without its head."


class Network:
    """Features of pictures. record: what is known of it; grid: rows, columns and channels of its features.

    Of several outputs the first that has a place for each part of the picture is read, (B, C, h, w); else
    the first with a row for each, (B, R, C); else the first, (B, C), which says all in one. Raises
    ConfigError.
    """

    def __init__(self, raw: bytes, name: str, record: Backbone | None = None) -> None:
        self.raw = raw
        self._session = _opened(raw, name)
        given = self._session.get_inputs()
        if len(given) != 1 or len(given[0].shape) != 4 or "float" not in given[0].type:
            told = "; ".join(f"{one.name} {one.shape} {one.type}" for one in given)
            raise ConfigError(f"expected a backbone that reads pictures, got {name} with {told}. {CORRECT}")
        side = given[0].shape[-1] if isinstance(given[0].shape[-1], int) else SIDE
        self._input = given[0].name
        self._output = record.output if record else _output(self._session.get_outputs())
        self.record = record or Backbone(
            size=len(raw),
            sha256=hashlib.sha256(raw).hexdigest(),
            side=side,
            input=self._input,
            output=self._output,
        )
        try:
            self.grid = self._grid(name)
        except Exception as error:
            if isinstance(error, ConfigError):
                raise
            reason = " ".join(str(error).split())[:200]
            raise ConfigError(
                f"expected a backbone that can be run, got {name} ({reason}). {CORRECT}"
            ) from error

    def features(self, pixels: Array) -> Array:
        """(R, C) float32 of a picture (S, S, 3) uint8."""
        found = self._run(pixels)
        return np.ascontiguousarray(found.reshape(-1, found.shape[-1]))

    def _run(self, pixels: Array) -> Array:
        """(rows, columns, channels)."""
        x = (pixels / 255 - np.array(MEAN)) / np.array(DEVIATION)
        feed = {self._input: np.ascontiguousarray(x.transpose(2, 0, 1)[None], dtype=np.float32)}
        found: Array = self._session.run([self._output], feed)[0][0].astype(np.float32)
        if found.ndim == 3:
            return found.transpose(1, 2, 0)
        return found[None] if found.ndim == 2 else found[None, None]

    def _grid(self, name: str) -> tuple[int, int, int]:
        side = self.record.side
        found = self._run(np.zeros((side, side, 3), dtype=np.uint8))
        if not found.size or not np.isfinite(found).all():
            raise ConfigError(f"expected features that are finite, got others from {name}. {CORRECT}")
        rows, columns, channels = found.shape
        return rows, columns, channels


def read_backbone(path: str) -> Network:
    """The network of a file. Raises ConfigError."""
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(
            f"expected an ONNX file as the backbone, got {path} ({error.strerror}). Check the path."
        ) from error
    return Network(raw, Path(path).name)


def _opened(raw: bytes, name: str) -> Any:
    try:
        import onnxruntime  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(
            "expected the package onnxruntime, which runs the backbone, got an install without it. "
            "Install recurra[export]."
        ) from error
    options = onnxruntime.SessionOptions()
    # One thread, so that the bits do not depend on how many there are; pictures are read side by side.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(raw, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(
            f"expected an ONNX network as the backbone, got {name}, which is none ({reason}). {CORRECT}"
        ) from error


def _output(given: Any) -> str:
    for dimensions in (4, 3):
        for one in given:
            if len(one.shape) == dimensions:
                return str(one.name)
    return str(given[0].name)
