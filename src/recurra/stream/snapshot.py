"""A stream's state as bytes, in the safetensors format, with the bundle that it belongs to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from recurra.errors import StreamError

if TYPE_CHECKING:
    from recurra.bundle import Bundle

FORMAT = 1
KEY = "recurra stream"
LENGTH = 8  # bytes before the header that say how long it is
ACTION = "Give what `state()` of a stream of the same bundle has returned."


@dataclass(frozen=True, slots=True)
class Identity:
    """Of a bundle: its task, and the seal of its record, which covers weights, options and schema."""

    task: str
    seal: str

    @staticmethod
    def of(bundle: Bundle) -> Identity:
        """That of a bundle on disk."""
        return Identity(bundle.task.name, bundle.record["seal"])


def save(state: Mapping[str, Tensor], steps: int, identity: Identity) -> bytes:
    """A state as bytes. steps: how many observations it has seen."""
    about = {"format": FORMAT, "task": identity.task, "bundle": identity.seal, "steps": steps}
    parts = {name: part.contiguous() for name, part in state.items()}
    # One entry, since the library writes several in any order: the same state, the same bytes.
    return safetensors.torch.save(parts, {KEY: json.dumps(about)})


def load(content: bytes, identity: Identity, like: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], int]:
    """The state and the number of steps that `save` was given. like: a state of the same bundle.

    Raises StreamError for what is damaged, no state of a stream, or of another bundle.
    """
    about = _about(content)
    if about.get("format") != FORMAT:
        raise StreamError(
            f"expected a state of format {FORMAT}, got {about.get('format')}. Use the version that wrote it."
        )
    if (about.get("task"), about.get("bundle")) != (identity.task, identity.seal):
        raise StreamError(
            f"expected a state of this bundle ({identity.task}, {identity.seal[:12]}), got one of another "
            f"({about.get('task')}, {str(about.get('bundle'))[:12]}). {ACTION}"
        )
    try:
        state, steps = safetensors.torch.load(content), int(about["steps"])
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise StreamError(f"expected a whole state, got a damaged one ({error}). {ACTION}") from error
    forms = {name: (part.shape, part.dtype) for name, part in state.items()}
    if forms != {name: (part.shape, part.dtype) for name, part in like.items()}:
        raise StreamError(f"expected the parts of this bundle's states, got others. {ACTION}")
    return state, steps


def _about(content: bytes) -> dict[str, Any]:
    """What `save` said of the state, in the header; the library gives tensors alone."""
    try:
        size = int.from_bytes(content[:LENGTH], "little")
        about = json.loads(json.loads(content[LENGTH : LENGTH + size])["__metadata__"][KEY])
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise StreamError(f"expected the state of a stream, got other bytes. {ACTION}") from error
    return about if isinstance(about, dict) else {}
