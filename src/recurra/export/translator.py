"""Translates with the graphs of a folder, as the bundle does: reader.py, which lies beside it, loads them.

It needs numpy, Python's own library and writer.py beside it. One text is translated after the other, all its
beams at once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

# Inside recurra, or wherever the folder has been taken.
if TYPE_CHECKING or __package__:
    from recurra.export.writer import UNKNOWN, Text, bytes_of, first_states, found_by, joined, words_of
else:
    from writer import UNKNOWN, Text, bytes_of, first_states, found_by, joined, words_of

Array = np.ndarray[Any, np.dtype[Any]]


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
        best = []
        if source:
            memory, states = self._read(source)
            best = found_by(self.model, memory, states, beam, min(limit, most or limit))
        found = [(score, self._written(text, source, one)) for score, one in best]
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
        return memory, first_states(self.model, found)

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
