"""Beam search with the one-step graph of a decoder, and texts of tokens; for the readers that lie beside it.

It needs numpy and Python's own library.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

NEXT = "next_"
UNKNOWN = 1
LEAST = 1e-9  # attention of which a logarithm is taken


class Text(NamedTuple):
    """The beginning of a text: tokens, the logarithm of its chance, (T, S) what was attended to."""

    tokens: tuple[int, ...] = ()
    logarithm: float = 0.0
    attention: tuple[Array, ...] = ()


def found_by(
    model: Any, memory: Mapping[str, Array], states: dict[str, Array], beam: Mapping[str, Any], limit: int
) -> list[tuple[float, Text]]:
    """The best texts of one input, with their scores.

    memory: what the step graph attends to.  states: of one row.  limit: tokens of a text at most.
    """
    search = Search(beam, limit, model.record["border"])
    while not search.done:
        logs, attention, states = _step(model, search.live, memory, states)
        rows = search.extend(logs, attention)
        states = {name: one[rows] for name, one in states.items()}
    return search.best()


def _step(
    model: Any, live: Sequence[Text], memory: Mapping[str, Array], states: Mapping[str, Array]
) -> tuple[Array, Array, dict[str, Array]]:
    """Of each beginning, logarithms of the chances of the next token, what it attends to, the states."""
    tokens = np.array([one.tokens[-1] if one.tokens else model.record["border"] for one in live])
    found = model.step(tokens=tokens, **memory, **states)
    logs = found["log_probabilities"].astype(np.float64)
    logs[:, model.record["never"]] = -math.inf
    return logs, found["attention"], {name: found[NEXT + name] for name in states}


def first_states(model: Any, found: Mapping[str, Array]) -> dict[str, Array]:
    """The states of one row before its first token: what the encoder has found, else as reader.json says."""
    zeros = {name: np.zeros((1, *one["shape"]), one["dtype"]) for name, one in model.record["states"].items()}
    return {name: found.get(name, one) for name, one in zeros.items()}


class Search:
    """A beam search for one input, as recurra.decode.beam has it.

    live: the likeliest beginnings.  ended, cut: score and text of those that have ended, and of those that
    were cut at the limit.
    """

    def __init__(self, beam: Mapping[str, Any], limit: int, end: int) -> None:
        self.width, self.wanted = beam["width"], beam["best"]
        self.alpha, self.beta = beam["length_penalty"], beam["coverage_penalty"]
        self.limit, self.end = limit, end
        self.live, self.ended = [Text()], list[tuple[float, Text]]()
        self.cut = list[tuple[float, Text]]()
        self.done = limit <= 0

    def extend(self, logs: Array, attention: Array) -> list[int]:
        """Take the chances (K, V) of the next token after each beginning; the rows that go on."""
        which = np.argsort(-logs, axis=1, kind="stable")[:, : self.width + 1]
        total = np.array([one.logarithm for one in self.live])[:, None] + np.take_along_axis(logs, which, 1)
        live: list[Text] = []
        rows: list[int] = []
        for place in np.argsort(-total, axis=None, kind="stable"):
            row, column = divmod(int(place), total.shape[1])
            before, token = self.live[row], int(which[row, column])
            if total[row, column] == -math.inf or len(live) == self.width:
                break
            seen = (*before.attention, attention[row])
            if token != self.end:
                live.append(Text((*before.tokens, token), float(total[row, column]), seen))
                rows.append(row)
            else:
                score = self.score(float(total[row, column]), len(seen), seen)
                self.ended.append((score, Text(before.tokens, float(total[row, column]), before.attention)))
        self.live, self.done = live, self._is_done(live)
        return rows

    def _is_done(self, live: list[Text]) -> bool:
        if not live:
            return True
        first = live[0]
        if len(first.tokens) >= self.limit:
            # What could not be ended is taken as it is, after what could.
            for one in live:
                score = self.score(one.logarithm, len(one.tokens) + 1, one.attention)
                self.cut.append((score, one))
            return True
        if len(self.ended) < self.wanted:
            return False
        worst = sorted(score for score, _ in self.ended)[-self.wanted]
        return len(self.ended) >= self.width or bool(first.logarithm / self._penalty(self.limit) <= worst)

    def score(self, logarithm: float, length: int, attention: Sequence[Array]) -> float:
        """With the penalties of Wu et al. (2016), eq. 14."""
        score = logarithm / self._penalty(length)
        if self.beta:
            covered = np.sum(attention, 0, dtype=np.float64)
            score += self.beta * float(np.log(np.clip(covered, LEAST, 1.0)).sum())
        return score

    def _penalty(self, length: int) -> float:
        return float(((5 + length) / 6) ** self.alpha)

    def best(self) -> list[tuple[float, Text]]:
        """The best texts, with their scores: those that have ended, then those that were cut."""
        ended, cut = (sorted(some, key=lambda one: -one[0]) for some in (self.ended, self.cut))
        return (ended + cut)[: self.wanted]


def bytes_of(tokens: Any, number: int) -> bytes:
    """What a token stands for: of a piece of a word, bytes that need not be whole characters."""
    if tokens.unit != "bpe" or number <= UNKNOWN:
        return "\ufffd".encode() if number == UNKNOWN else str(tokens.tokens[number]).encode()
    return bytes(tokens.byte_of[one] for one in tokens.tokens[number])


def joined(words: Sequence[str]) -> str:
    """Words with a space between two, but none about the end of a line."""
    text = " ".join(words)
    return text.replace(" \n ", "\n").replace(" \n", "\n").replace("\n ", "\n").strip()


def words_of(tokens: Any, numbers: Sequence[int]) -> list[int]:
    """Which word each token is of, from 0; each is one of its own unless words are cut into pieces."""
    if tokens.unit != "bpe":
        return list(range(len(numbers)))
    found, last, apart = [], -1, True
    for number in numbers:
        raw = bytes_of(tokens, number)
        apart = apart or raw[:1].isspace()
        last += apart and bool(raw.strip())
        apart = apart and not raw.strip()
        found.append(last + apart)
    return [max(0, min(word, last)) for word in found]
