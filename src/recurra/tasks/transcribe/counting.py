"""The language model of a fit: counted in texts, or read from an ARPA file."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from recurra.data.textreader import TextReader
from recurra.data.tokens import BORDER, FIRST, Tokens
from recurra.decode.arpa import COUNT, GZIP, read_arpa
from recurra.decode.kneser_ney import KneserNey
from recurra.decode.ngrams import Backoff
from recurra.errors import ConfigError
from recurra.report.numbers import count, percent
from recurra.tasks.transcribe.fusing import Language
from recurra.tasks.transcribe.phones import Pronounced, Ways
from recurra.tasks.transcribe.texts import encode_text, normal

if TYPE_CHECKING:
    from recurra.tasks.transcribe.config import TranscribeConfig

Array = np.ndarray[Any, np.dtype[Any]]

# How long n-grams are, of tokens and of words.
ORDERS = {"tokens": 7, "words": 3}
# Texts whose words were nearly all said in training are best searched word by word.
KNOWN = 0.97
# An ARPA file that knows fewer of the texts' words is of another spelling, or another language.
FEWEST = 0.5
# N-grams lie among the weights, some 20 bytes each, in memory a few times and in each checkpoint.
MOST = 20_000_000
# What ends a text.
END = "\n"
ARPA = (".arpa", ".arpa.gz", ".lm", ".lm.gz")
# What stands for a space among the characters of an ARPA file, and lines that may stand before its numbers.
SPACES, HEAD = ("<space>", "▁", "|"), 100


class Texts(NamedTuple):
    """What is said.  train, valid: texts of these parts.  targets: of the training part, as tokens."""

    train: Sequence[str]
    valid: Sequence[str]
    targets: Sequence[Array]


def fit_language(
    config: TranscribeConfig, tokens: Tokens, texts: Texts, ways: Ways | None
) -> tuple[Language, dict[str, Array]] | None:
    """The language model that the options ask for, or that suits the texts. Raises DataError, ConfigError.

    ways: how words are said, where phones are the tokens.
    """
    if config.lm == "none":
        return None
    path = _path(config)
    if path is not None and path.name.lower().endswith(ARPA):
        if config.extra is not None:
            raise ConfigError(
                f"expected extra text beside a language model that learns from it, got {path.name}, whose "
                "n-grams are counted already. Leave out extra, or lm."
            )
        return _read(path, tokens, texts)
    given = [] if path is None else _lines(path, config.lower)
    given += [] if config.extra is None else _lines(Path(config.extra), config.lower)
    source = "the training texts" if path is None else path.name
    source += "" if config.extra is None else f" and {Path(config.extra).name}"
    own = texts.train if path is None else ()
    if _kind(config, [*own, *given], texts.valid, ways is not None) == "words":
        lines = [text.split() for text in (*own, *given)]
        words = (*FIRST, END, *sorted({word for line in lines for word in line}))
        numbers = {word: number for number, word in enumerate(words) if number >= len(FIRST)}
        found = [np.array([numbers[word] for word in line], dtype=np.int32) for line in lines]
        model = _counted(found, "words", numbers[END], len(words))
        return _kept("words", model, words, source, _told(_share(words, texts.valid)))
    lost = 0
    if ways is not None:
        said, many = Pronounced(ways), len(given)
        given = [said.spell(line) for line in given if not said.missing(line)]
        lost = many - len(given)
    found = [*(texts.targets if path is None else ()), *(encode_text(line, tokens) for line in given)]
    model = _counted(found, "tokens", tokens.newline, len(tokens))
    told = f"; {count(lost, 'line')} with words that have no pronunciation left out" if lost else ""
    return _kept("tokens", model, (), source, told)


def language_files(config: TranscribeConfig) -> list[Path]:
    """Files beside the recordings that say how words are said and what texts are likely."""
    extra, phones = (None if one is None else Path(one) for one in (config.extra, config.phones))
    return [one for one in (phones, _path(config), extra) if one is not None]


def _path(config: TranscribeConfig) -> Path | None:
    return None if config.lm in (None, "none", "characters", "words") else Path(str(config.lm))


def _read(path: Path, tokens: Tokens, texts: Texts) -> tuple[Language, dict[str, Array]]:
    """The n-grams of an ARPA file: of characters where texts are spelt in these, else of words."""
    if path.is_file():
        _check(_announced(path), path.name)
    arpa = read_arpa(path)
    words = {word for word in arpa.words[len(FIRST) :] if word}
    single = all(len(word) == 1 or word in SPACES for word in words)
    # Digits or letters may be words, too.
    short = all(len(word) == 1 for text in texts.train for word in text.split())
    if tokens.unit != "characters" or not single or (short and not words & {*SPACES}):
        share = _share(arpa.words, texts.valid)
        _agree(share, path.name, "words")
        return _kept("words", arpa.model, tuple(arpa.words), path.name, _told(share))
    letters = Counter(letter for text in texts.valid for letter in text if letter != " ")
    share = sum(many for one, many in letters.items() if one in words) / max(1, letters.total())
    _agree(share if letters else None, path.name, "characters")
    space = next((one for one in SPACES if one in words), " ")
    numbers = {
        space if token == " " else token: n for n, token in enumerate(tokens.tokens) if n >= len(FIRST)
    }
    return _kept("tokens", read_arpa(path, numbers).model, (), path.name)


def _announced(path: Path) -> int:
    """N-grams that an ARPA file says it has; 0 where it does not, which is told when it is read."""
    with path.open("rb") as plain:
        packed = plain.read(len(GZIP)) == GZIP
        plain.seek(0)
        try:
            lines = [line.strip() for line in islice(gzip.GzipFile(fileobj=plain) if packed else plain, HEAD)]
        except (OSError, EOFError):
            return 0
    return sum(int(found[2]) for found in map(COUNT.fullmatch, lines) if found)


def _kind(
    config: TranscribeConfig, learnt: Sequence[str], held_back: Sequence[str], phones: bool
) -> Literal["tokens", "words"]:
    if config.lm in ("characters", "words"):
        return "words" if config.lm == "words" else "tokens"
    share = _share({word for text in learnt for word in text.split()}, held_back)
    return "words" if phones or share is None or share >= KNOWN else "tokens"


def _share(words: Iterable[str], texts: Sequence[str]) -> float | None:
    """Of the words of texts, those that are among others; None where there are none."""
    known, said = {*words}, [word for text in texts for word in text.split()]
    return sum(word in known for word in said) / len(said) if said else None


def _told(share: float | None) -> str:
    return "" if share is None else f"; it knows {percent(share)} of the words of the validation part"


def _agree(share: float | None, name: str, what: str) -> None:
    if share is not None and share < FEWEST:
        raise ConfigError(
            f"expected a language model that knows at least half of the {what} of the validation part, got "
            f"{name}, which knows {percent(share)}. Give one with the same spelling, capitals and small "
            "letters among it, or set lower."
        )


def _check(ngrams: int, name: str) -> None:
    if ngrams > MOST:
        raise ConfigError(
            f"expected a language model of at most {MOST:,} n-grams, which lie among the weights and in each "
            f"checkpoint, got {ngrams:,} from {name}. Prune it, or give less text."
        )


def _counted(texts: Sequence[Array], kind: Literal["tokens", "words"], end: int, size: int) -> Backoff:
    """Counted n-grams of texts, each with a BORDER before it and `end` after it."""
    border, last = np.array([BORDER], dtype=np.int32), np.array([end], dtype=np.int32)
    whole = np.concatenate([part for text in texts for part in (border, text, last)] or [border])
    return Backoff.of(KneserNey.fit(whole, ORDERS[kind], size), end=end)


def _kept(
    kind: Literal["tokens", "words"], model: Backoff, words: tuple[str, ...], source: str, told: str = ""
) -> tuple[Language, dict[str, Array]]:
    _check(len(model), source)
    arrays = model.arrays()
    sizes = {name: len(array) for name, array in arrays.items()}
    order = f"up to {model.order} {'words' if kind == 'words' else 'tokens'}"
    about = f"n-grams of {order}, from {source}{told}"
    return Language(kind=kind, words=words, arrays=sizes, about=about), arrays


def _lines(path: Path, lower: bool) -> list[str]:
    if not path.is_file():
        raise ConfigError(f"expected a file of text, got nothing at {str(path)!r}. Check the path.")
    lines = "".join(TextReader(path)).splitlines()
    return [normal(line, lower) for line in lines if line.strip()]
