"""Translates with the graphs of a folder, as the bundle does: reader.py, which lies beside it, loads them.

It needs numpy and Python's own library. One text is translated after the other, all beams of it at once.
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
    """The beginning of a translation: tokens, the logarithm of its chance, (T, S) what was attended to."""

    tokens: tuple[int, ...] = ()
    logarithm: float = 0.0
    attention: tuple[Array, ...] = ()


class Translator:
    """Texts in another form. model: the graphs `encoder` and `step`, and what reader.json says."""

    def __init__(self, model: Any, tokens: Any) -> None:
        self.model, self.record = model, model.record
        self.source = tokens(self.record["source"])
        self.target = tokens(self.record["target"]) if "target" in self.record else self.source

    def predict(self, texts: Sequence[str], **options: Any) -> list[dict[str, Any]]:
        """The best translation of each text: text, score, and which words come from which."""
        return [found[0] for found in self.translate(texts, **options)]

    def translate(
        self, texts: Sequence[str], *, most: int | None = None, **options: Any
    ) -> list[list[dict[str, Any]]]:
        """The `best` translations of each text, the best first.

        most: tokens at most.  options: width (1 is greedy), length_penalty, coverage_penalty, best; as the
        bundle was fitted where they are left out.
        """
        beam = {**self.record["beam"], **options}
        return [self._one(text, beam, most or beam["most"]) for text in texts]

    def _one(self, text: str, beam: Mapping[str, Any], most: int | None) -> list[dict[str, Any]]:
        source = self.encode(text)
        limit = math.ceil(self.record["ratio"] * (len(source) + 1)) + self.record["longer"]
        search = Search(beam, min(limit, most or limit), self.record["border"])
        if source:
            memory, states = self._read(source)
            while not search.done:
                logs, attention, states = self._step(search.live, memory, states)
                rows = search.extend(logs, attention)
                states = {name: one[rows] for name, one in states.items()}
        found = [(score, self._written(text, source, one)) for score, one in search.best()]
        return [{"text": said, "score": score, "alignment": pairs} for score, (said, pairs) in found] or [
            {"text": "", "score": 0.0, "alignment": []}
        ]

    def encode(self, text: str) -> list[int]:
        """The numbers of a text's tokens."""
        unit = self.source.unit
        text = " ".join(text.split()) if unit == "words" else text.strip()
        numbers: list[int] = self.source.encode(" " + text if unit == "bpe" and text else text)
        return numbers

    def _read(self, source: list[int]) -> tuple[dict[str, Array], dict[str, Array]]:
        """What is attended to, and the first states of one row."""
        lengths = np.array([len(source)])
        found = self.model.encoder(tokens=np.array([source]), lengths=lengths)
        memory = {"values": found["values"], "keys": found["keys"], "lengths": lengths}
        zeros = {
            name: np.zeros((1, *one["shape"]), one["dtype"]) for name, one in self.record["states"].items()
        }
        return memory, {name: found.get(name, one) for name, one in zeros.items()}

    def _step(
        self, live: Sequence[Text], memory: Mapping[str, Array], states: Mapping[str, Array]
    ) -> tuple[Array, Array, dict[str, Array]]:
        """Of each beginning, logarithms of the chances of the next token, what it attends to, the states."""
        tokens = np.array([one.tokens[-1] if one.tokens else self.record["border"] for one in live])
        found = self.model.step(tokens=tokens, **memory, **states)
        logs = found["log_probabilities"].astype(np.float64)
        logs[:, self.record["never"]] = -math.inf
        return logs, found["attention"], {name: found[NEXT + name] for name in states}

    def _written(self, text: str, source: list[int], found: Text) -> tuple[str, list[tuple[int, int]]]:
        """The text of a translation, and (source word, target word) pairs from 0."""
        if not found.tokens:
            return "", []
        attention = np.stack(found.attention)
        rows, columns = words_of(self.target, found.tokens), words_of(self.source, source)
        weights = np.zeros((rows[-1] + 1, columns[-1] + 1))
        np.add.at(weights, (np.array(rows)[:, None], np.array(columns)[None]), attention)
        pairs = [(int(of), n) for n, of in enumerate(weights.argmax(1))]
        if self.target.unit != "words":
            raw = b"".join(bytes_of(self.target, one) for one in found.tokens)
            return raw.decode("utf-8", "replace").strip(), pairs
        # A word that is not known is copied from where it was attended to.
        words, heads = text.split(), attention.argmax(1)
        copied = UNKNOWN in found.tokens
        said = [
            words[heads[n]] if token == UNKNOWN and heads[n] < len(words) else self.target.tokens[token]
            for n, token in enumerate(found.tokens)
        ]
        return " ".join(said) if copied else joined(said), pairs


class Search:
    """A beam search for one text, as recurra.decode.beam has it.

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
