"""From files to pictures and the tokens of their captions that train, validate and test."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.data.media.drawn import drawn
from recurra.data.media.problems import Problems
from recurra.data.parts import PARTS, check_parts
from recurra.errors import DataError
from recurra.tasks.caption import found as told
from recurra.tasks.caption.columns import Columns
from recurra.tasks.caption.config import MOST, SHARE
from recurra.tasks.caption.encoded import Encoded, encode, written
from recurra.tasks.caption.eyes import Eyes, eyes_for, eyes_of
from recurra.tasks.caption.medium import PICTURES
from recurra.tasks.caption.pictures import Pictures
from recurra.tasks.caption.schema import Schema
from recurra.tasks.caption.seeing import see
from recurra.tasks.caption.shape import sizes
from recurra.tasks.caption.sources import read_like, read_sources
from recurra.tasks.caption.texts import choose_unit, fit_texts, normal, tell_sides

if TYPE_CHECKING:
    from recurra.data.tokens import Tokens
    from recurra.tasks.caption.config import CaptionConfig

# Tokens of a caption that are learnt from; longer ones are cut there, and counted.
LONGEST = 100
# Of the captions, the share that is no longer than the schema says.
NEARLY_ALL = 0.995


@dataclass(frozen=True)
class CaptionData:
    """What reading gives. remarks: what had to be assumed or left out; they stand in `found`, too.

    backbone: the bytes of the network that is read through, where there is one.
    """

    schema: Schema
    found: tuple[str, ...]
    sha256: str
    train: Encoded
    valid: Encoded
    test: Encoded
    remarks: tuple[str, ...] = ()
    backbone: bytes = b""


def read_pictures(config: CaptionConfig, source: Any) -> CaptionData:
    """Read pictures, split them, fit the tokens on the training part. Raises DataError, ConfigError."""
    problems = Problems(PICTURES)
    sources = read_sources(config, source, problems)
    every = [text for one in sources.parts["train"] for text in one.captions]
    unit, reason = choose_unit(config, every)
    eyes = eyes_for(config, sources.parts["train"], [normal(text, unit, config.lower) for text in every])
    given = see(sources.parts, eyes, problems)
    given = {part: written(one, unit, config.lower, problems) for part, one in given.items()}
    left_out = problems.settle(config.skip)
    digest = _digest(given, eyes.backbone)
    parts, how = _split(config, given)
    check_parts(parts, "pictures", tested=config.test != 0)
    tokens = fit_texts([text for one in parts["train"].captions for text in one], unit, config.vocabulary)
    encoded = {name: encode(part, tokens) for name, part in parts.items()}
    encoded["train"], cut = encoded["train"].cut(LONGEST)
    remarks = [*sources.remarks, *left_out, *told.leaks(parts), *told.cut(cut, LONGEST)]
    schema = _schema(config, tokens, encoded["train"], eyes)
    lines = told.describe(encoded, schema, reason=reason, how=how, remarks=remarks)
    return CaptionData(
        schema,
        tuple(lines),
        digest,
        encoded["train"],
        encoded["valid"],
        encoded["test"],
        tuple(remarks),
        eyes.backbone,
    )


def read_later(schema: Schema, source: Any, alone: bool = False) -> CaptionData:
    """Read other pictures with the tokens that were fitted; all are the test part. Raises DataError.

    alone: pictures without captions will do.
    """
    problems = Problems(PICTURES)
    pictures, remarks = read_like(schema.columns, source, alone, problems)
    part = see({"test": pictures}, eyes_of(schema), problems)["test"]
    if not alone:
        part = written(part, schema.tokens.unit, schema.lower, problems)
    problems.settle(None, alone)
    if not len(part):
        raise DataError("expected pictures, got none. Look at the files.")
    test = encode(part, schema.tokens)
    none = test.take(np.zeros(0, dtype=np.int64))
    lines = [told.pictures([part]), *remarks]
    return CaptionData(schema, tuple(lines), _digest({"test": part}), none, none, test, tuple(remarks))


def _split(config: CaptionConfig, parts: Mapping[str, Pictures]) -> tuple[dict[str, Pictures], str]:
    """Parts that have no pictures of their own are drawn, files that are the same together."""
    train = parts["train"]
    shares = {
        name: share
        for name, share in (("valid", config.valid), ("test", config.test))
        if name not in parts and not isinstance(share, str)
    }
    numbers = drawn(shares, train.digests, np.random.default_rng(config.seed), usual=SHARE, most=MOST)
    found = {name: train.take(np.flatnonzero(numbers == n)) for n, name in enumerate(("train", *shares))}
    found |= {name: part for name, part in parts.items() if name != "train"}
    names = [name for name in shares if len(found[name])]
    return {name: found.get(name, train.take([])) for name in PARTS}, " and ".join(names)


def _digest(parts: Mapping[str, Pictures], backbone: bytes = b"") -> str:
    """sha256 of names, captions and files, part by part, and of what they are read through."""
    digest = hashlib.sha256()
    for name, part in sorted(parts.items()):
        digest.update(f"{name}\0{len(part)}\0".encode())
        for n, one in enumerate(part.names):
            texts = "\0".join(part.captions[n])
            digest.update(f"{one}\0{texts}\0".encode(errors="surrogatepass") + part.digests[n])
    digest.update(backbone)
    return digest.hexdigest()


def _schema(config: CaptionConfig, tokens: Tokens, train: Encoded, eyes: Eyes) -> Schema:
    lengths = train.target.lengths
    return Schema(
        tokens=tokens,
        columns=Columns(path=config.path, text=config.text),
        lower=config.lower,
        mirror=not tell_sides([text for some in train.pictures.captions for text in some])
        if config.mirror is None
        else config.mirror,
        longest=int(np.ceil(np.quantile(lengths, NEARLY_ALL))),
        backbone=eyes.record,
        shape=sizes(
            config.model_copy(update={"side": eyes.side or None}),
            vocabulary=len(tokens),
            pictures=len(train),
            captions=len(lengths),
            tokens=int(lengths.sum()) + len(lengths),
            largest=eyes.side,
            features=eyes.features,
        ),
    )
