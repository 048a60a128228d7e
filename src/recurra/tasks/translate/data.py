"""From files to pairs of token sequences that train, validate and test."""

from __future__ import annotations

import hashlib
import importlib.util
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.data.frequency import Array
from recurra.data.parts import PARTS, check_parts
from recurra.data.ragged import Ragged
from recurra.data.textreader import LOST
from recurra.data.tokens import Tokens, Unit
from recurra.data.units import fit_tokens, most_tokens
from recurra.data.vocabulary import FEW_WORDS, MOSTLY, UNSPACED
from recurra.errors import DataError
from recurra.tasks.translate import found as told
from recurra.tasks.translate.config import MOST, SHARE
from recurra.tasks.translate.pairs import Pairs
from recurra.tasks.translate.schema import Schema
from recurra.tasks.translate.shape import sizes
from recurra.tasks.translate.sources import read_like, read_sources

if TYPE_CHECKING:
    from recurra.tasks.translate.config import TranslateConfig

# Tokens of a side that are learnt from; longer texts are left out, and counted.
LONGEST = 250
# One vocabulary for both sides, where so many of the running words of either are words of the other.
SHARED = 0.5
# Texts that are looked at to tell what they are.
SAMPLE = 2_000
# Of the pairs, the share whose target is no longer than the schema's ratio says.
NEARLY_ALL = 0.995


@dataclass(frozen=True)
class Encoded:
    """Pairs of a part, and their tokens. target: empty sequences where there is no text."""

    pairs: Pairs
    source: Ragged
    target: Ragged

    def __len__(self) -> int:
        return len(self.pairs)

    def take(self, rows: Array) -> Encoded:
        """Some of them."""
        return Encoded(self.pairs.take(rows), self.source.take(rows), self.target.take(rows))


@dataclass(frozen=True)
class TranslateData:
    """What reading gives. remarks: what had to be assumed or left out; they stand in `found`, too."""

    schema: Schema
    found: tuple[str, ...]
    sha256: str
    train: Encoded
    valid: Encoded
    test: Encoded
    remarks: tuple[str, ...] = ()


def read_pairs(config: TranslateConfig, source: Any) -> TranslateData:
    """Read pairs, split them, fit the tokens on the training part. Raises DataError, ConfigError."""
    found = read_sources(config, source)
    remarks = list(found.remarks)
    parts = {name: _usable(pairs, name, remarks) for name, pairs in found.parts.items()}
    given = [name for name in PARTS if name in parts]
    digest = hashlib.sha256(b"".join(parts[name].sha256 for name in given)).hexdigest()
    parts = _split(config, parts)
    check_parts(parts, "pairs", tested=config.test != 0, sources="files")
    train = parts["train"]
    assert train.target is not None
    unit, reason = (config.unit, "") if config.unit else _choose_unit(train)
    shared = _are_alike(train) if config.shared is None else config.shared
    tokens = _fit(config, train, unit, shared)
    encoded = {name: encode(pairs, *tokens) for name, pairs in parts.items()}
    encoded["train"] = _learnable(encoded["train"], remarks)
    remarks += told.leaks(parts)
    schema = _schema(config, found.names, tokens, shared, encoded["train"])
    lines = told.describe(encoded, schema, reason, given, remarks)
    return TranslateData(
        schema,
        tuple(lines),
        digest,
        encoded["train"],
        encoded["valid"],
        encoded["test"],
        tuple(remarks),
    )


def read_later(schema: Schema, source: Any, alone: bool = False) -> TranslateData:
    """Read other pairs with the tokens that were fitted; all are the test part. Raises DataError.

    alone: sources without targets will do, and texts without a character stay.
    """
    pairs, remarks = read_like(schema, source, alone)
    if not alone:
        pairs = _usable(pairs, "test", remarks)
        if not len(pairs):
            raise DataError("expected pairs of texts, got none that is whole. Look at the files.")
    none = pairs.take(np.zeros(0, dtype=np.int64))
    tokens = schema.source, schema.target
    empty, test = encode(none, *tokens), encode(pairs, *tokens)
    lines = [told.texts(test), *remarks]
    return TranslateData(schema, tuple(lines), pairs.sha256.hex(), empty, empty, test, tuple(remarks))


def encode(pairs: Pairs, source: Tokens, target: Tokens) -> Encoded:
    """Tokens of both sides."""
    targets = [""] * len(pairs) if pairs.target is None else pairs.target
    return Encoded(pairs, _encoded(pairs.source, source), _encoded(targets, target))


def _encoded(texts: Sequence[str], tokens: Tokens) -> Ragged:
    return Ragged.of([encode_text(text, tokens) for text in texts], like=np.zeros(0, dtype=np.int32))


def encode_text(text: str, tokens: Tokens) -> Array:
    """The tokens of one text (T,); a piece of a word at its beginning is the one that follows a space."""
    text = " ".join(text.split()) if tokens.unit == "words" else text.strip()
    return tokens.encode(" " + text if tokens.unit == "bpe" and text else text)


def decode_text(numbers: Iterable[int], tokens: Tokens) -> str:
    """The text of some tokens."""
    return tokens.decode(numbers).strip()


def _usable(pairs: Pairs, part: str, remarks: list[str]) -> Pairs:
    """Pairs of which both sides have a text, all of it sound; what is left out is counted."""
    targets = pairs.target or []
    empty = [not a.strip() or not b.strip() for a, b in zip(pairs.source, targets, strict=True)]
    damaged = [LOST in a or LOST in b for a, b in zip(pairs.source, targets, strict=True)]
    for flags, what in ((empty, "a side is empty"), (damaged, "a side is not UTF-8")):
        if any(flags):
            remarks.append(told.left_out(pairs, np.flatnonzero(flags), part, what))
    keep = ~(np.array(empty, dtype=bool) | np.array(damaged, dtype=bool))
    return pairs if keep.all() else pairs.take(np.flatnonzero(keep))


def _split(config: TranslateConfig, parts: dict[str, Pairs]) -> dict[str, Pairs]:
    """Parts that have no files of their own are drawn, all pairs of one source together."""
    train = parts["train"]
    keys: dict[str, int] = {}
    group = np.array([keys.setdefault(" ".join(text.split()), len(keys)) for text in train.source], dtype=int)
    order = np.random.default_rng(config.seed).permutation(len(keys))
    sizes_of = np.bincount(group, minlength=len(keys))[order]
    begins = np.cumsum(sizes_of) - sizes_of
    part_of = np.zeros(len(keys), dtype=int)
    at = 0
    for number, (name, share) in enumerate((("valid", config.valid), ("test", config.test)), 1):
        if name in parts or isinstance(share, str):
            continue
        size = min(MOST, round(SHARE * len(train))) if share is None else round(share * len(train))
        size = max(size, 1) if share != 0 else 0
        part_of[order[(begins >= at) & (begins < at + size)]] = number
        at += size
    which = part_of[group]
    drawn = {name: train.take(np.flatnonzero(which == n)) for n, name in enumerate(PARTS)}
    return drawn | {name: pairs for name, pairs in parts.items() if name != "train"}


def _choose_unit(train: Pairs) -> tuple[Unit, str]:
    """What to cut texts into, and why."""
    assert train.target is not None
    step = max(1, len(train) // SAMPLE)
    some = [*train.source[::step], *train.target[::step]]
    if float(np.median([len(text.split()) for text in some])) < FEW_WORDS:
        letters = sum(map(len, some))
        if sum(len(UNSPACED.findall(text)) for text in some) > MOSTLY * letters:
            return "characters", "no spaces between words"
        return "characters", "texts of a word or two"
    if importlib.util.find_spec("tokenizers") is None:
        return "words", "bpe needs the package tokenizers"
    return "bpe", "texts of several words"


def _are_alike(train: Pairs) -> bool:
    """Whether the two sides have most of their running words in common."""
    assert train.target is not None
    sides = [Counter(chain.from_iterable(map(str.split, texts))) for texts in (train.source, train.target)]
    shares = [
        sum(many for word, many in a.items() if word in b) / max(1, a.total())
        for a, b in (sides, sides[::-1])
    ]
    return min(shares) >= SHARED


def _fit(config: TranslateConfig, train: Pairs, unit: Unit, shared: bool) -> tuple[Tokens, Tokens]:
    assert train.target is not None

    def fitted(texts: Sequence[str]) -> Tokens:
        characters = sum(map(len, texts))
        blocks = (_block(texts[at : at + SAMPLE], unit) for at in range(0, len(texts), SAMPLE))
        return fit_tokens(blocks, unit, config.vocabulary or most_tokens(unit, characters), characters)

    if shared:
        both = fitted([*train.source, *train.target])
        return both, both
    return fitted(train.source), fitted(train.target)


def _block(texts: Sequence[str], unit: Unit) -> str:
    """Texts as they are encoded, a line each."""
    begin = " " if unit == "bpe" else ""
    return "".join(f"{begin}{text.strip()}\n" for text in texts)


def _learnable(train: Encoded, remarks: list[str]) -> Encoded:
    """The pairs that are not too long."""
    long = (train.source.lengths > LONGEST) | (train.target.lengths > LONGEST)
    if not long.any():
        return train
    remarks.append(
        told.left_out(train.pairs, np.flatnonzero(long), "train", f"a side has more than {LONGEST} tokens")
    )
    keep = np.flatnonzero(~long)
    if not len(keep):
        raise DataError(f"expected texts of at most {LONGEST} tokens, got none. Cut them into sentences.")
    return train.take(keep)


def _schema(
    config: TranslateConfig,
    names: tuple[str, str],
    tokens: tuple[Tokens, Tokens],
    shared: bool,
    train: Encoded,
) -> Schema:
    source, target = train.source.lengths, train.target.lengths
    return Schema(
        source=tokens[0],
        target=tokens[1],
        shared=shared,
        names=names,
        columns=_numbers(config),
        longest=int(max(source.max(), target.max())),
        ratio=float(np.quantile((target + 1) / (source + 1), NEARLY_ALL)),
        shape=sizes(
            config,
            tokens=len(tokens[1]),
            pairs=len(train),
            source_tokens=int(source.sum()) + len(train),
            target_tokens=int(target.sum()) + len(train),
        ),
    )


def _numbers(config: TranslateConfig) -> tuple[str, str] | None:
    """The options' columns, where they are numbers."""
    a, b = config.source, config.target
    return (a, b) if a is not None and b is not None and a.isdigit() and b.isdigit() else None
