"""From texts to translations: tokens in, the search, text out, and which words come from which."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from recurra.data.frequency import Array
from recurra.data.ragged import Ragged
from recurra.data.tokens import UNKNOWN, Tokens
from recurra.decode.beam import Beam, Hypothesis
from recurra.tasks.base import Translation
from recurra.tasks.translate.data import decode_text, encode_text
from recurra.tasks.translate.decoding import translated
from recurra.tasks.translate.model import Translator
from recurra.tasks.translate.schema import Schema


def translate(
    model: Translator,
    schema: Schema,
    texts: Sequence[str],
    beam: Beam,
    told: Callable[[int, str], None] | None = None,
) -> list[list[Translation]]:
    """The best translations of each text, the best first.

    told: is told of each piece of the best one's text, as soon as it is certain.
    """
    sources = Ragged.of(
        [encode_text(text, schema.source) for text in texts], like=np.zeros(0, dtype=np.int32)
    )
    decoders: dict[int, _Pieces] = {}

    def progress(number: int, tokens: list[int]) -> None:
        pieces = decoders.setdefault(number, _Pieces(schema.target))
        if told is not None and (piece := pieces.feed(tokens)):
            told(number, piece)

    # A word that is copied is known with what was attended to, at the end alone.
    early = None if told is None or schema.target.unit == "words" else progress
    found = translated(model, schema, sources, beam, early)
    answers = [[written(schema, text, sources[n], one) for one in found[n]] for n, text in enumerate(texts)]
    if told is not None:
        for n, of in enumerate(answers):
            rest = decoders[n].rest(of[0].text) if n in decoders else of[0].text
            if rest:
                told(n, rest)
    return answers


def written(schema: Schema, text: str, source: Array, found: Hypothesis) -> Translation:
    """A translation from its tokens."""
    heads = found.attention.argmax(1) if len(found.tokens) else np.zeros(0, dtype=np.int64)
    if schema.target.unit == "words" and UNKNOWN in found.tokens:
        words = text.split()
        target = " ".join(
            words[heads[n]] if token == UNKNOWN and heads[n] < len(words) else schema.target.tokens[token]
            for n, token in enumerate(found.tokens)
        )
    else:
        target = decode_text(found.tokens, schema.target)
    return Translation(target, found.score, alignment(schema, source, found))


def alignment(schema: Schema, source: Array, found: Hypothesis) -> tuple[tuple[int, int], ...]:
    """For each word of the target, the word of the source that its pieces attended to most in sum."""
    if not len(found.tokens):
        return ()
    rows = words_of(schema.target, found.tokens)
    columns = words_of(schema.source, source.tolist())
    weights = np.zeros((rows[-1] + 1, columns[-1] + 1))
    np.add.at(weights, (np.array(rows)[:, None], np.array(columns)[None]), found.attention)
    return tuple((int(of), n) for n, of in enumerate(weights.argmax(1)))


def words_of(tokens: Tokens, numbers: Sequence[int]) -> list[int]:
    """Which word each token is of, from 0; each is one of its own unless words are cut into pieces.

    Pieces that are white space alone are of the word after them.
    """
    if tokens.unit != "bpe":
        return list(range(len(numbers)))
    found, last, apart = [], -1, True
    for number in numbers:
        raw = tokens.bytes_of(number)
        apart = apart or raw[:1].isspace()
        last += apart and bool(raw.strip())
        apart = apart and not raw.strip()
        found.append(last + apart)
    return [max(0, min(word, last)) for word in found]


class _Pieces:
    """The text of tokens as they come, without the space before the first."""

    def __init__(self, tokens: Tokens) -> None:
        self._decoder, self._told, self._held = tokens.decoder(), "", ""

    def feed(self, tokens: list[int]) -> str:
        """The text that is certain with these tokens, less white space that may be at the end."""
        text = self._held + "".join(self._decoder.feed(token) for token in tokens)
        text = text if self._told else text.lstrip()
        piece = text.rstrip()
        self._held = text[len(piece) :]
        self._told += piece
        return piece

    def rest(self, text: str) -> str:
        """What is left of the whole text."""
        return text.removeprefix(self._told)
