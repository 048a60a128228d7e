"""Proof that a graph gives what the model gives: both are run on the same inputs and compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.errors import ConfigError, ExportError
from recurra.onnxgraph.network import Feeds, Network, Run, Trials

if TYPE_CHECKING:
    from onnx import ModelProto

# Largest relative difference that is put down to the order of float32 sums.
LIMIT = 1e-5
SEED = 0
# Results smaller than this are compared as they are: relative to nothing everything is far.
LEAST = 1e-6


def runner(model: ModelProto | bytes | str) -> Run:
    """A graph in ONNX Runtime, one thread, ready to be called."""
    runtime = need_onnxruntime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3  # it warns of initializers that nothing uses
    content = model if isinstance(model, str | bytes) else model.SerializeToString()
    session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_outputs()]

    def run(feeds: Feeds) -> Feeds:
        return dict(zip(names, session.run(names, dict(feeds)), strict=True))

    return run


def worst(run: Run, trials: Trials) -> tuple[float, int]:
    """The largest relative difference over all trials, and how many of them there were."""
    largest, many = 0.0, 0
    for expected, found in trials(run, np.random.default_rng(SEED)):
        many += 1
        largest = max(largest, *(difference(expected[name], found[name]) for name in expected))
    return largest, many


def proved(network: Network) -> float:
    """The largest relative difference of a graph. Raises ExportError where it is beyond LIMIT."""
    largest, _ = worst(runner(network.model), network.trials)
    if not largest <= LIMIT:
        raise ExportError(
            f"expected ONNX Runtime to give what the model gives to {LIMIT:g}, got a relative difference of "
            f"{largest:.2g} in {network.name}. Nothing was written; please report it."
        )
    return largest


def difference(expected: Any, found: Any) -> float:
    """The largest difference, in parts of the largest value expected; infinite where shapes differ."""
    a, b = (np.asarray(one, dtype=np.float64) for one in (expected, found))
    if a.shape != b.shape:
        return float("inf")
    if not a.size:
        return 0.0
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    finite = np.isfinite(a)
    with np.errstate(invalid="ignore"):  # of infinity less infinity
        apart = np.where(same, 0.0, np.where(finite & np.isfinite(b), np.abs(a - b), np.inf))
    scale = max(float(np.abs(a[finite]).max(initial=0.0)), LEAST)
    return float(apart.max()) / scale


def need_onnxruntime() -> Any:
    """The package onnxruntime. Raises ConfigError where it is absent."""
    try:
        import onnxruntime  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(
            "expected the package onnxruntime, which proves what is exported, got an install without it. "
            "Install recurra[export]."
        ) from error
    return onnxruntime
