"""What surprise shows: a typical passage, the oddest lines, rare tokens, and what a short memory costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from recurra.data.tokens import BORDER, Tokens
from recurra.tasks.language.stepping import at_rest

if TYPE_CHECKING:
    from recurra.tasks.language.model import LanguageModel

Array = np.ndarray[Any, np.dtype[Any]]

# Tokens of the training part that are counted, and counted at once.
COUNTED, PIECE = 20_000_000, 1_000_000
# Bands of tokens by how often they occur in training, by powers of this; tokens of the test that a band has.
POWER, FEWEST = 10, 200
# Streams that start from nothing side by side, and the tokens that each reads, fewer of a short text; of how
# many a text has room at least, and how many losses make a mean.
STREAMS, STEPS, SHORT_STEPS, LEAST = 96, 256, 64, 12
# Chances of tokens that are worked out at once.
CHANCES = 1 << 22


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some tokens in a row.  nats: the mean of them."""

    begin: int
    end: int
    nats: float


def typical(tokens: Array, nats: Array, length: int, newline: int) -> Stretch:
    """The passage of so many tokens (T,) that is as surprising as half of all passages, no more and no less.

    nats: (T - 1,) of tokens[1:].
    """
    begins, ends = passages(tokens, length, newline)
    sums, many = _sums(tokens, nats, begins, ends)
    means = sums / np.maximum(1, many)
    place = int(np.argsort(means, kind="stable")[(len(means) - 1) // 2])
    return Stretch(int(begins[place]), int(ends[place]), float(means[place]))


def passages(tokens: Array, length: int, newline: int) -> tuple[Array, Array]:
    """Where passages of so many tokens begin and end, each with a line, where lines are short enough."""
    last = max(1, len(tokens) - length)
    grid = np.arange(1, last + 1, length)
    after_end = (tokens[:-1] == newline) | (tokens[:-1] == BORDER)
    lines = np.flatnonzero(after_end & (tokens[1:] != newline) & (tokens[1:] != BORDER)) + 1
    after = np.append(lines, len(tokens))[np.searchsorted(lines, grid)]
    begins = np.unique(np.where((after - grid < length // 2) & (after <= last), after, grid))
    return begins, np.minimum(begins + length, len(tokens))


def oddest(tokens: Array, nats: Array, newline: int, most: int, average: float) -> list[Stretch]:
    """Different lines that were most surprising for their length; none where a text is a few lines in all.

    average: tokens that each line is taken to be longer than it is, as surprising as the text on average.
    """
    lines = np.flatnonzero((tokens[:-1] == newline) | (tokens[1:] == BORDER)) + 1
    begins = np.unique(np.concatenate([[0], lines]))
    begins = begins[begins < len(tokens)]
    ends = np.append(begins[1:], len(tokens))
    if len(begins) < 2 * most:
        return []
    sums, many = _sums(tokens, nats, begins, ends)
    mean = sums.sum() / max(1, many.sum())
    oddity = np.where(many > 0, (sums + average * mean) / (many + average), -np.inf)
    found: dict[bytes, Stretch] = {}  # lines that say the same are shown once
    for i in np.argsort(-oddity, kind="stable"):
        line = Stretch(int(begins[i]), int(ends[i]), float(sums[i] / max(1, many[i])))
        said = np.asarray(tokens[line.begin : line.end])
        found.setdefault(said[said != BORDER].tobytes(), line)
        if len(found) == most:
            break
    return list(found.values())


def _sums(tokens: Array, nats: Array, begins: Array, ends: Array) -> tuple[Array, Array]:
    """Sums of nats of the tokens begin to end, and how many count; the first token of all does not."""
    whole = np.concatenate([[0.0, 0.0], np.cumsum(nats, dtype=np.float64)])
    many = np.concatenate([[0, 0], np.cumsum(np.asarray(tokens[1:]) != BORDER)])
    return whole[ends] - whole[begins], many[ends] - many[begins]


def spelled(tokens: Tokens, numbers: Array) -> tuple[list[str], Array]:
    """The pieces that tokens (T,) add to a text, and for each the place of the token that it ends with.

    A token that adds none, such as the first bytes of a character, belongs to the next that does.
    """
    pieces = tokens.pieces(numbers)
    ends = np.flatnonzero([bool(piece) for piece in pieces])
    return [pieces[end] for end in ends], ends


@dataclass(frozen=True, slots=True)
class Band:
    """Tokens that training had about as often.

    least, most: how often, most None for no limit.  kinds: how many there are.  share: of the text that was
    judged.  nats: mean of each method.
    """

    least: int
    most: int | None
    kinds: int
    share: float
    nats: tuple[float, ...]


def count_tokens(train: Array, size: int) -> Array:
    """(V,) how often each token is in the training part, or in the beginning of a long one."""
    counts = np.zeros(size, dtype=np.int64)
    for begin in range(0, min(len(train), COUNTED), PIECE):
        counts += np.bincount(train[begin : begin + PIECE], minlength=size)
    return counts


def bands(counts: Array, tokens: Array, nats: Sequence[Array]) -> list[Band]:
    """How surprising frequent and rare tokens are to each method, the most frequent first.

    counts: (V,) in training.  tokens: (T,).  nats: (T - 1,) of tokens[1:] for each method.
    """
    real = np.asarray(tokens[1:]) != BORDER
    often = counts[np.asarray(tokens[1:])[real]]
    given = [np.asarray(one)[real] for one in nats]
    highest = int(counts.max(initial=1))
    top = int(np.log10(max(1, highest)))
    found: list[Band] = []
    most: int | None = None
    for least in [*(POWER**power for power in range(top, -1, -1)), 0]:
        upper = highest if most is None else most
        at = (often >= least) & (often <= upper)
        rest = int((often < least).sum())
        # Too few are joined with those that are rarer; and what would leave too few of these, with them.
        if rest and (at.sum() < FEWEST or rest < FEWEST):
            continue
        if at.any():
            kinds = int(((counts[1:] >= least) & (counts[1:] <= upper)).sum())
            means = tuple(float(one[at].mean(dtype=np.float64)) for one in given)
            found.append(Band(least, most, kinds, float(at.mean()), means))
        most = least - 1
    return found


@dataclass(frozen=True, slots=True)
class Memory:
    """What it costs to have read only so many tokens.  read: (K,), excess: (K,) mean nats a token more."""

    read: Array
    excess: Array


def memory(model: LanguageModel, tokens: Array, nats: Array) -> Memory | None:
    """How much more a model is surprised that has read only the last few tokens; None of a short text.

    tokens: (T,).  nats: (T - 1,) of tokens[1:], given all those before.
    """
    many = len(tokens) - 1
    steps = STEPS if many >= LEAST * STEPS else SHORT_STEPS
    if many < LEAST * steps:
        return None
    begins = np.linspace(0, many - steps, min(STREAMS, many // steps)).astype(np.int64)
    at = begins + np.arange(steps + 1)[:, None]
    read = np.asarray(tokens[at], dtype=np.int64)
    excess = _side_by_side(model, read) - nats[at[:-1]]
    # From a border on, nobody knows more.
    same = np.maximum.accumulate(read == BORDER, axis=0)[1:]
    ends = 2 ** np.arange(int(np.log2(steps)) + 1)
    parts = [(end // 2, end, ~same[end // 2 : end]) for end in ends]
    kept = [(end, excess[begin:end][use].mean()) for begin, end, use in parts if use.sum() >= LEAST]
    return Memory(*(np.array(side) for side in zip(*kept, strict=True))) if len(kept) > 2 else None


def _side_by_side(model: LanguageModel, read: Array) -> Array:
    """(T - 1, B) nats of tokens (T, B), each stream from nothing."""
    size = max(1, CHANCES // (read.shape[1] * model.words.tokens))
    found, state = [], None
    with at_rest(model):
        for begin in range(0, len(read) - 1, size):
            nats, state = model.surprise(torch.from_numpy(read[begin : begin + size + 1]), state)
            found.append(nats.cpu().numpy())
    return np.concatenate(found)
