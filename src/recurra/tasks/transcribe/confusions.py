"""Which words are taken for which, left out and put in; and how errors depend on who speaks, and how long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recurra.data.frequency import Array
from recurra.tasks.transcribe.metrics import LEFT_OUT, PUT_IN, SUBSTITUTED, Aligned, Edit, rate

# Different words of which there is a table of all pairs.
MOST_WORDS = 30
# Groups of recordings by length, and recordings of each at least.
GROUPS, FEWEST = 5, 10
# Seconds up to which hundredths of one tell groups apart.
SHORT = 3.0


@dataclass(frozen=True, slots=True)
class Confused:
    """A token that was taken for another so many times, of so many that it was said."""

    said: str
    heard: str
    times: int
    of: int


@dataclass(frozen=True, slots=True)
class Lost:
    """A token that was left out, or put in, so many times; and how often it was said."""

    token: str
    left_out: int
    put_in: int
    of: int


@dataclass(frozen=True, slots=True)
class Group:
    """Some recordings, their tokens, and errors for each of these."""

    name: str
    recordings: int
    tokens: int
    rate: float


def confused(aligned: Aligned) -> list[Confused]:
    """Pairs of tokens, those taken for each other most often first."""
    pairs: Counter[tuple[str, str]] = Counter()
    for edit in _edits(aligned, SUBSTITUTED):
        pairs.update(zip(edit.said, edit.heard, strict=True))
    said = spoken(aligned)
    found = [Confused(a, b, times, said[a]) for (a, b), times in pairs.items()]
    return sorted(found, key=lambda one: (-one.times, one.of, one.said, one.heard))


def lost(aligned: Aligned) -> list[Lost]:
    """Tokens that were left out or put in, those most often first."""
    out = Counter(token for edit in _edits(aligned, LEFT_OUT) for token in edit.said)
    put = Counter(token for edit in _edits(aligned, PUT_IN) for token in edit.heard)
    said = spoken(aligned)
    found = [Lost(token, out[token], put[token], said[token]) for token in out.keys() | put.keys()]
    return sorted(found, key=lambda one: (-one.left_out - one.put_in, one.of, one.token))


def spoken(aligned: Aligned) -> Counter[str]:
    """How often each token was said."""
    return Counter(token for edits in aligned.edits for edit in edits for token in edit.said)


def _edits(aligned: Aligned, kind: int) -> list[Edit]:
    return [edit for edits in aligned.edits for edit in edits if edit.kind == kind]


def single(said: Sequence[str]) -> list[str] | None:
    """The different texts, where all are one word, and two to MOST_WORDS of them are different."""
    kinds = sorted(set(said))
    one = all(len(text.split()) == 1 for text in said)
    return kinds if one and 2 <= len(kinds) <= MOST_WORDS else None


def matrix(said: Sequence[str], heard: Sequence[str], kinds: Sequence[str]) -> Array:
    """(K, K + 2) how often each text was taken for each; in the last columns, for another or none."""
    number = {text: n for n, text in enumerate(kinds)}
    table = np.zeros((len(kinds), len(kinds) + 2), dtype=np.int64)
    for a, b in zip(said, heard, strict=True):
        table[number[a], number.get(b, len(kinds) if b else len(kinds) + 1)] += 1
    return table


def by_length(aligned: Aligned, seconds: Array) -> list[Group]:
    """Recordings in groups of about the same size, the short ones first; seconds: (N,)."""
    cuts = np.unique(np.quantile(seconds, np.linspace(0, 1, GROUPS + 1)[1:-1]))
    group = np.searchsorted(cuts, seconds, side="right")
    digits = 2 if len(cuts) and cuts[-1] < SHORT else 1
    found = []
    for n in range(len(cuts) + 1):
        rows = np.flatnonzero(group == n)
        if len(rows) >= FEWEST:
            name = f"{seconds[rows].min():.{digits}f}–{seconds[rows].max():.{digits}f}"
            found.append(_group(name, aligned, rows))
    return found


def by_speaker(aligned: Aligned, speakers: Sequence[str]) -> list[Group]:
    """Recordings of each speaker, those with most errors first."""
    who = np.array(speakers, dtype=object)
    found = [
        _group(name or "not told", aligned, np.flatnonzero(who == name)) for name in sorted(set(speakers))
    ]
    return sorted(found, key=lambda one: -one.rate)


def _group(name: str, aligned: Aligned, rows: Array) -> Group:
    counts = aligned.counts[rows].sum(0)
    return Group(name, len(rows), int(aligned.said[rows].sum()), float(rate(counts)))
