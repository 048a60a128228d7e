"""How surprising each token of a text is, and each line."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from recurra.data.tokens import BORDER
from recurra.report.signature import signature
from recurra.tasks.base import Surprise
from recurra.tasks.language import verdict
from recurra.tasks.language.adapt import adapted
from recurra.tasks.language.data import LanguageData
from recurra.tasks.language.lines import frames
from recurra.tasks.language.metrics import metrics
from recurra.tasks.language.model import LanguageModel, State
from recurra.tasks.language.stepping import at_rest

Array = np.ndarray[Any, np.dtype[Any]]

# A text is read in at most so many streams side by side, each of at least so many tokens, and each after it
# has read the tokens before it: what stands further back hardly matters to what comes next.
STREAMS, STREAM, WARM_UP = 16, 4_000, 400
# Chances that are worked out at once, and the most steps.
CHANCES, STEPS = 1 << 22, 512


def score(
    model: LanguageModel,
    data: LanguageData,
    *,
    by: Literal["token", "line"] = "token",
    adapt: bool = False,
    seed: int = 0,
) -> Surprise:
    """The surprise of the test part of data that holds nothing else, by line, and by token too if asked.

    adapt: a copy of the model learns on while it reads. seed: for the signature alone.
    """
    part, counts, tokens = data.parts["test"], data.counts, data.schema.tokens
    nats = surprise_of(model, part.tokens, adapt=adapt)
    lines, pieces = frames(part, nats, data.schema, by_token=by == "token")
    told = nats[np.asarray(part.tokens[1:]) != BORDER]
    found = metrics(told, counts)
    label = signature(
        "language",
        sha256=data.sha256,
        seed=seed,
        dtype=str(next(model.parameters()).dtype).removeprefix("torch."),
        unit=tokens.unit,
        vocabulary=len(tokens),
        documents=data.schema.documents,
        tokens=counts.tokens,
        **({"adapt": "yes"} if adapt else {}),
    )
    return Surprise(lines, pieces, found, (*data.remarks, *verdict.unknown(found["unknown"])), label)


def surprise_of(model: LanguageModel, tokens: Array, *, adapt: bool = False) -> Array:
    """Nats (T - 1,) float32 of tokens[1:], (T,), each given those before it; 0 for a BORDER.

    adapt: a copy of the model learns on while it reads, in one stream.
    """
    if adapt:
        learnt: Array = adapted(model, tokens).numpy()
        return learnt
    found = np.zeros(max(0, len(tokens) - 1), dtype=np.float32)
    if not len(found):
        return found
    streams = int(np.clip(len(found) // STREAM, 1, STREAMS))
    length = -(-len(found) // streams)
    # Each stream reads from here, and foretells the tokens after it up to where the next one begins.
    begins = length * np.arange(streams)
    most = int(np.clip(CHANCES // (streams * model.words.tokens), 1, STEPS))
    with at_rest(model):
        state = _warm(model, tokens, begins[1:])
        for at in range(0, length, most):
            steps = min(most, length - at)
            nats, state = model.surprise(_side_by_side(tokens, begins + at, steps + 1), state)
            for begin, row in zip(begins + at, nats.T.numpy(), strict=True):
                room = found[begin : begin + steps]
                room[:] = row[: len(room)]
    return found


def _warm(model: LanguageModel, tokens: Array, begins: Array) -> State | None:
    """The state of a first stream that has read nothing, and of others that have read what is before them."""
    if not len(begins):
        return None
    _, state = model(_side_by_side(tokens, begins - WARM_UP, WARM_UP))
    return [tuple(map(_and_zeros, one)) if isinstance(one, tuple) else _and_zeros(one) for one in state]


def _and_zeros(state: Tensor) -> Tensor:
    """(1, B + 1, H) from (1, B, H), zeros first."""
    return pad(state, (0, 0, 1, 0))


def _side_by_side(tokens: Array, begins: Array, steps: int) -> Tensor:
    """(T, B) tokens from each of these places on; BORDERs beyond the end."""
    found = np.full((steps, len(begins)), BORDER, dtype=np.int64)
    for stream, begin in enumerate(begins):
        piece = tokens[begin : begin + steps]
        found[: len(piece), stream] = piece
    return torch.from_numpy(found)
