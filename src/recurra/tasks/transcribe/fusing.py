"""What texts are likely: an n-gram model of the training texts, or one that is given, in the beam search."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from recurra.data.textreader import TextReader
from recurra.data.tokens import BORDER, FIRST, UNKNOWN, Tokens
from recurra.decode.arpa import read_arpa
from recurra.decode.fusion import Characters, Fusion
from recurra.decode.kneser_ney import KneserNey
from recurra.decode.lexicon import Words, letters_of, spellings
from recurra.decode.ngrams import Backoff
from recurra.errors import ConfigError
from recurra.tasks.transcribe.texts import encode_text

if TYPE_CHECKING:
    from recurra.tasks.transcribe.config import TranscribeConfig
    from recurra.tasks.transcribe.model import Recogniser
    from recurra.tasks.transcribe.schema import Schema

Array = np.ndarray[Any, np.dtype[Any]]

# How long n-grams are, of tokens and of words.
ORDERS = {"tokens": 7, "words": 3}
# Texts whose words were nearly all said in training are best searched word by word.
KNOWN = 0.97
# What ends a text.
END = "\n"
ARPA = (".arpa", ".arpa.gz", ".lm", ".lm.gz")
# What a language model counts, and each word, before they are found on the validation part.
WEIGHT, BONUS = 0.5, 0.5


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


def fit_language(
    config: TranscribeConfig,
    tokens: Tokens,
    *,
    texts: Sequence[str],
    held_back: Sequence[str],
    targets: Sequence[Array],
    phones: Mapping[str, Sequence[str]] | None,
) -> tuple[Language, dict[str, Array]] | None:
    """The language model that the options ask for, or that suits the texts. Raises DataError, ConfigError.

    texts, targets: of the training part, the latter as tokens.  held_back: of the validation part.
    """
    if config.lm == "none":
        return None
    path = Path(config.lm) if config.lm not in (None, "characters", "words") else None
    if path is not None and path.name.lower().endswith(ARPA):
        arpa = read_arpa(path)
        return _kept("words", arpa.model, tuple(arpa.words), path.name)
    more = [
        *(_lines(path, config.lower) if path is not None else ()),
        *(_lines(Path(config.extra), config.lower) if config.extra is not None else ()),
    ]
    source = "the training texts" if path is None else path.name
    source += f" and {Path(config.extra).name}" if config.extra is not None else ""
    if _kind(config, texts, more, held_back, phones is not None) == "words":
        lines = [text.split() for text in ([*texts, *more] if path is None else more)]
        words = (*FIRST, END, *sorted(Counter(word for line in lines for word in line)))
        numbers = {word: number for number, word in enumerate(words) if number >= len(FIRST)}
        found = [np.array([numbers[word] for word in line], dtype=np.int32) for line in lines]
        return _kept("words", _counted(found, "words", numbers[END], len(words)), words, source)
    found = [*(targets if path is None else ()), *(encode_text(line, tokens) for line in more)]
    return _kept("tokens", _counted(found, "tokens", tokens.newline, len(tokens)), (), source)


def _kind(
    config: TranscribeConfig,
    texts: Sequence[str],
    more: Sequence[str],
    held_back: Sequence[str],
    phones: bool,
) -> Literal["tokens", "words"]:
    if config.lm in ("characters", "words"):
        return "words" if config.lm == "words" else "tokens"
    if phones:
        return "words"
    known = {word for text in (*texts, *more) for word in text.split()}
    said = [word for text in held_back for word in text.split()]
    return "words" if sum(word in known for word in said) >= KNOWN * len(said) else "tokens"


def _counted(texts: Sequence[Array], kind: Literal["tokens", "words"], end: int, size: int) -> Backoff:
    """Counted n-grams of texts, each with a BORDER before it and `end` after it."""
    border, last = np.array([BORDER], dtype=np.int32), np.array([end], dtype=np.int32)
    whole = np.concatenate([part for text in texts for part in (border, text, last)] or [border])
    return Backoff.of(KneserNey.fit(whole, ORDERS[kind], size), end=end)


def _kept(
    kind: Literal["tokens", "words"], model: Backoff, words: tuple[str, ...], source: str
) -> tuple[Language, dict[str, Array]]:
    arrays = model.arrays()
    sizes = {name: len(array) for name, array in arrays.items()}
    order = f"up to {model.order} {'words' if kind == 'words' else 'tokens'}"
    return Language(kind=kind, words=words, arrays=sizes, about=f"n-grams of {order}, from {source}"), arrays


def _lines(path: Path, lower: bool) -> Iterable[str]:
    if not path.is_file():
        raise ConfigError(f"expected a file of text, got nothing at {str(path)!r}. Check the path.")
    text = " ".join if not lower else (lambda words: " ".join(words).lower())
    for line in "".join(TextReader(path)).splitlines():
        if line.strip():
            yield text(line.split())


def fusion(model: Recogniser, schema: Schema) -> Fusion | None:
    """The language model as the search asks it, with the weights that were found."""
    weight, bonus = model.fused.tolist()
    return (
        None if schema.language is None else weighted(backoff(model, schema.language), schema, weight, bonus)
    )


def backoff(model: Recogniser, language: Language) -> Backoff:
    """The n-grams among a model's weights."""
    return Backoff.from_arrays({name: getattr(model, f"language_{name}").numpy() for name in language.arrays})


def weighted(model: Backoff, schema: Schema, weight: float, bonus: float) -> Fusion:
    """A language model that counts so much, and each word, or token, so much."""
    assert schema.language is not None
    tokens, words = schema.tokens, schema.language.words
    if schema.language.kind == "tokens":
        return Characters(model, weight, bonus)
    spell = spellings(words, tokens) if schema.phones is None else _pronounced(words, tokens, schema.phones)
    closed = schema.phones is not None
    return Words(model, words, spell, letters_of(tokens), weight=weight, bonus=bonus, closed=closed)


def _pronounced(
    words: Sequence[str], tokens: Tokens, phones: Mapping[str, Sequence[str]]
) -> dict[tuple[int, ...], list[int]]:
    """The numbers of words by their phones, each way that they are said."""
    numbers = {phone: number for number, phone in enumerate(tokens.tokens) if number > UNKNOWN}
    found: dict[tuple[int, ...], list[int]] = {}
    for number, word in enumerate(words[len(FIRST) :], len(FIRST)):
        for way in phones.get(word, ()):
            letters = tuple(numbers.get(phone, UNKNOWN) for phone in way.split())
            if UNKNOWN not in letters:
                found.setdefault(letters, []).append(number)
    return found
