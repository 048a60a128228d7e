"""What texts are likely, in the beam search: the n-grams among a model's weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from recurra.data.tokens import FIRST, UNKNOWN, Tokens
from recurra.decode.fusion import Characters, Fusion
from recurra.decode.lexicon import Words, letters_of, spellings
from recurra.decode.ngrams import NEVER, Backoff
from recurra.decode.wordtree import Lexicon
from recurra.tasks.transcribe.phones import Pronounced

if TYPE_CHECKING:
    from recurra.tasks.transcribe.model import Recogniser
    from recurra.tasks.transcribe.schema import Schema

Array = np.ndarray[Any, np.dtype[Any]]

Weighing = Callable[[float, float], Fusion]


class Language(BaseModel):
    """Which language model there is; its arrays lie among the model's weights.

    kind: n-grams of the tokens themselves, or of words.  words: those that it knows, by their numbers.
    arrays: length of each.  about: what it is, in words.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["tokens", "words"]
    words: tuple[str, ...] = ()
    arrays: dict[str, int]
    about: str


def fusion(model: Recogniser, schema: Schema) -> Fusion | None:
    """The language model as the search asks it, with the weights that were found."""
    found = weighing(model, schema)
    return None if found is None else found(*model.fused.tolist())


def weighing(model: Recogniser, schema: Schema) -> Weighing | None:
    """Makes the language model count so much, and each word, or token, so much; None where there is none.

    What does not depend on that, a tree of all words, is made once for a model.
    """
    if model.weighing is None and schema.language is not None:
        arrays = {name: getattr(model, f"language_{name}").numpy() for name in schema.language.arrays}
        model.weighing = weighing_of(Backoff.from_arrays(arrays), schema)
    return model.weighing


def weighing_of(model: Backoff, schema: Schema) -> Weighing:
    """The same of counted n-grams."""
    assert schema.language is not None
    tokens, words = schema.tokens, schema.language.words
    if schema.language.kind == "tokens":
        return lambda weight, bonus: Characters(model, weight, bonus)
    spell = spellings(words, tokens)
    if schema.phones is not None:
        spell, others = _pronounced(words, tokens, schema.phones)
        model, words = _shared(model, len(others)), (*words, *others)
    lexicon, letters, closed = Lexicon(model, spell), letters_of(tokens), schema.phones is not None
    return lambda weight, bonus: Words(
        model, words, lexicon, letters, weight=weight, bonus=bonus, closed=closed
    )


def _pronounced(
    words: Sequence[str], tokens: Tokens, phones: Mapping[str, Sequence[str]]
) -> tuple[dict[tuple[int, ...], list[int]], list[str]]:
    """The numbers of words by their phones, each way that they are said, and the dictionary's other words.

    Those have the numbers after the language model's words. What is said as one of these is written as it;
    of others that sound alike, the first is.
    """
    numbers = {phone: number for number, phone in enumerate(tokens.tokens) if number > UNKNOWN}

    def letters_in_ways(ways: Sequence[str]) -> list[tuple[int, ...]]:
        found = [tuple(numbers.get(phone, UNKNOWN) for phone in way.split()) for way in ways]
        return [letters for letters in found if UNKNOWN not in letters]

    said = Pronounced(phones)
    found: dict[tuple[int, ...], list[int]] = {}
    for number, word in enumerate(words[len(FIRST) :], len(FIRST)):
        for letters in letters_in_ways(said.ways(word)):
            found.setdefault(letters, []).append(number)
    others: list[str] = []
    for word, ways in phones.items():
        new = [letters for letters in letters_in_ways(ways) if letters not in found]
        found.update((letters, [len(words) + len(others)]) for letters in new)
        others += [word] if new else []
    return found, others


def _shared(model: Backoff, others: int) -> Backoff:
    """The model in which so many words have an equal part of the unknown one's chance each."""
    if others < 2:
        return model
    unknown = model.keys % model.size == UNKNOWN
    log_p = np.where(unknown, np.maximum(model.log_p - np.float32(math.log(others)), -NEVER), model.log_p)
    return Backoff.from_arrays({**model.arrays(), "log_p": log_p.astype(np.float32)})
