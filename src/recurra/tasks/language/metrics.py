"""How surprised a method was by a text, in the units that are usual.

Everything follows from the mean nats a token. Perplexity is their exponential: so many tokens, all equally
likely, would be as hard to choose among. Bits a character and bits a byte share the whole surprise out among
what the text is made of, whatever its tokens are, and can be compared from one vocabulary to another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from recurra.data.tokenfile import Counts

Array = np.ndarray[Any, np.dtype[Any]]

NAMES = {
    "perplexity": "Perplexity",
    "nats_per_token": "Nats per token",
    "bits_per_token": "Bits per token",
    "bits_per_character": "Bits per character",
    "bits_per_byte": "Bits per byte",
    "unknown": "Share of unknown tokens",
}
LOWER_IS_BETTER = frozenset(NAMES)
# What methods are compared by; perplexities of pieces mean little, since their length is a matter of taste.
COMPARED = {
    "words": "perplexity",
    "bpe": "bits_per_character",
    "characters": "bits_per_character",
    "bytes": "bits_per_byte",
}


def measure(nats: Array, counts: Counts) -> dict[str, Array]:
    """The metrics that depend on the method, for each of some mean nats a token, of any shape."""
    nats = np.asarray(nats, dtype=np.float64)
    bits = nats / np.log(2)
    with np.errstate(over="ignore"):
        perplexity = np.exp(nats)
    return {
        "perplexity": perplexity,
        "nats_per_token": nats,
        "bits_per_token": bits,
        "bits_per_character": bits * _share(counts.tokens, counts.characters),
        "bits_per_byte": bits * _share(counts.tokens, counts.bytes),
    }


def metrics(nats: Array, counts: Counts) -> dict[str, float]:
    """Every metric of a method from the nats (N,) of each token; NaN where it is not defined."""
    mean = np.asarray(nats, dtype=np.float64).sum(keepdims=True) / max(1, len(nats))
    found = {name: float(value[0]) for name, value in measure(mean, counts).items()}
    return found | {"unknown": _share(counts.unknown, counts.tokens)}


def _share(part: int, whole: int) -> float:
    """part / whole, NaN where there is nothing to share."""
    return part / whole if whole else float("nan")
