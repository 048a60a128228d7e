"""From files or frames to labelled sequences, split for training and test."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.data.frequency import Array
from recurra.data.ragged import Ragged
from recurra.errors import ConfigError, DataError
from recurra.tasks.classify import found as told
from recurra.tasks.classify.encode import encode_sequences, fit_schema, usual_length
from recurra.tasks.classify.labels import encode_labels, find_classes
from recurra.tasks.classify.raw import TEST, VALID, Raw
from recurra.tasks.classify.schema import Schema
from recurra.tasks.classify.shape import NETWORKS, shape_of
from recurra.tasks.classify.sources import (
    known,
    read_known,
    read_source,
    read_unlabelled,
    refuse_unlabelled,
)
from recurra.tasks.classify.split import TEST_SHARE, fold_parts, strata_of, stratified

if TYPE_CHECKING:
    from recurra.tasks.classify.config import ClassifyConfig
    from recurra.tasks.classify.roles import Roles

__all__ = ["ClassifyData", "Examples", "Schema", "read_examples", "read_later"]


@dataclass(slots=True)
class Examples:
    """N labelled sequences as numbers.

    x: tokens (S,) int32, or features (S, width) float32 without NaN; at least one step each.
    y: (N,) int64 class numbers, -1 where unknown; (N, K) float32 of 0 and 1, NaN where unknown, if several
    may hold.  names: a row's number or id.  texts: as read; events are joined by spaces; None for numbers.
    unseen: labels that training did not have, with how often they occur.
    """

    x: Ragged
    y: Array
    names: list[str]
    texts: list[str] | None
    unseen: dict[str, int]


@dataclass
class ClassifyData:
    """What reading gives: examples, and the numbers of those that train, validate and test.

    valid: empty where the user gave none.  folds: the parts of cross-validation, of everything but the test.
    unlabelled: sequences without a label to learn the language from; None where there are none.
    """

    schema: Schema
    found: tuple[str, ...]
    sha256: str
    examples: Examples
    train: Array
    valid: Array
    test: Array
    folds: list[Array] | None = None
    unlabelled: Ragged | None = None
    source: Source | None = field(default=None, repr=False)
    judged: Array | None = None  # (N, K) what models fitted without each fold said of it

    @cached_property
    def left_out(self) -> Array:
        """(N,) int64, for each example the number of the network that is not trained on it; -1 for none."""
        found = np.full(len(self.examples.names), -1, dtype=np.int64)
        if not len(self.valid):
            strata = strata_of(self.examples.y[self.train])
            for number, part in enumerate(fold_parts(strata, NETWORKS, np.random.default_rng(NETWORKS))):
                found[self.train[part]] = number
        return found

    def fold(self, k: int) -> ClassifyData:
        """The data with fold k as the test part; scales and vocabulary are learnt from the others alone."""
        if self.folds is None or self.source is None:
            raise ConfigError("expected folds, got data without any. Read it with folds.")
        test = self.folds[k]
        rest = np.sort(np.concatenate([one for at, one in enumerate(self.folds) if at != k]))
        return self.source.data(rest, np.zeros(0, dtype=np.int64), test, self.schema.classes)


@dataclass(frozen=True, slots=True)
class Source:
    """What was read, from which data for any split is made."""

    config: ClassifyConfig
    roles: Roles
    raw: Raw
    unlabelled: tuple[str, ...]

    def data(self, train: Array, valid: Array, test: Array, classes: tuple[str, ...]) -> ClassifyData:
        """Everything that is learnt from data is learnt from `train` and the unlabelled texts."""
        schema, reason = fit_schema(
            self.config, self.roles, self.raw, train=train, classes=classes, unlabelled=self.unlabelled
        )
        examples = _examples(schema, self.raw)
        schema = schema.model_copy(update={"length": usual_length(examples.x.lengths[train])})
        # A model that reads from both ends would see the word that it is to foretell.
        texts = () if self.config.bidirectional else self.unlabelled
        schema = schema.model_copy(update={"shape": shape_of(self.config, schema, len(texts))})
        unlabelled = None
        if texts and schema.vocabulary is not None:
            unlabelled = schema.vocabulary.encode_all(texts).cut(schema.longest)
        data = ClassifyData(
            schema, (), _sha256(self.raw), examples, train, valid, test, None, unlabelled, self
        )
        return replace(data, found=told.describe(self.roles, self.raw, data, reason))


def read_examples(config: ClassifyConfig, source: Any) -> ClassifyData:
    """Read files or a frame, find what the user does not name, and split. Raises DataError, ConfigError."""
    raw, roles = read_source(config, source)
    refuse_unlabelled(config, raw)
    if raw.labels is None:
        raise DataError(
            "expected the class of each sequence, got a file whose @classLabel names none. "
            "Give one with `@classLabel true` and the classes.",
            file=raw.problem("", 0, None).file,
        )
    if raw.empty == len(raw):
        raise DataError(
            f"expected something in the texts or sequences, got {len(raw):,} empty ones. Name other columns.",
            file=raw.problem("", 0, None).file,
        )
    labelled = known(raw)
    part = np.zeros(len(raw), dtype=np.int8) if raw.part is None else raw.part
    classes = find_classes(raw, labelled[part[labelled] != TEST])
    texts = _unlabelled(config, roles, raw)
    train, valid, test = _split(config, raw, labelled, part, classes)
    made = Source(config, roles, raw, tuple(texts)).data(train, valid, test, classes)
    if config.folds is None:
        return made
    pool = np.sort(np.concatenate([train, valid]))
    return replace(made, folds=_folds(config, pool, made.examples.y))


def _split(
    config: ClassifyConfig, raw: Raw, labelled: Array, part: Array, classes: tuple[str, ...]
) -> tuple[Array, Array, Array]:
    """Numbers of the examples that train, validate and test, each ascending."""
    strata = _strata(raw, classes)
    rng = np.random.default_rng(config.seed)
    train, valid, test = (labelled[part[labelled] == one] for one in (0, VALID, TEST))
    for name, share, given in (("test", config.test, test), ("valid", config.valid, valid)):
        if isinstance(share, float) and share > 0 and len(given):
            raise ConfigError(
                f"expected a {name} share or data that says what is for {name}, got both. Leave {name} out."
            )
    if not len(test) and not isinstance(config.test, str) and not (config.test is None and config.folds):
        share = TEST_SHARE if config.test is None else float(config.test)
        test = train[stratified(strata[train], share, rng)]
        train = np.setdiff1d(train, test)
    if config.test == 0:
        test = test[:0]
    if not len(valid) and isinstance(config.valid, float) and config.valid > 0:
        valid = train[stratified(strata[train], config.valid, rng)]
        train = np.setdiff1d(train, valid)
    if not len(train):
        raise DataError(
            f"expected examples to learn from, got none beside {len(valid):,} to validate and {len(test):,} "
            "to test. Mark some as train.",
            file=raw.problem("", 0, None).file,
        )
    return train, valid, test


def _strata(raw: Raw, classes: tuple[str, ...]) -> Array:
    """A number for each set of labels, (N,) int64."""
    assert raw.labels is not None
    place: dict[object, int] = {(one,): at for at, one in enumerate(classes)}
    return np.array([place.setdefault(said, len(place)) for said in raw.labels.sets], dtype=np.int64)


def _folds(config: ClassifyConfig, pool: Array, y: Array) -> list[Array]:
    assert config.folds is not None
    if config.folds > len(pool):
        raise ConfigError(
            f"expected at most {len(pool)} folds, one for each example, got {config.folds}. Ask for fewer."
        )
    rng = np.random.default_rng([config.seed, config.folds])
    return [pool[part] for part in fold_parts(strata_of(y[pool]), config.folds, rng)]


def _unlabelled(config: ClassifyConfig, roles: Roles, raw: Raw) -> list[str]:
    """Texts of the files that are named, and of rows without a label."""
    if raw.texts is None or raw.labels is None:
        return []
    named = read_unlabelled(roles.text, config.unlabelled) if config.unlabelled else []
    rows = [text for text, said in zip(raw.texts, raw.labels.sets, strict=True) if said is None]
    return [text for text in (*named, *rows) if text.strip()]


def _examples(schema: Schema, raw: Raw) -> Examples:
    y, unseen = encode_labels(schema, raw)
    texts = raw.texts
    if schema.kind == "events" and raw.steps is not None:
        cells = raw.steps.cells[schema.channels[0].name].fill_null("").str.replace_all(r"\s", "_").to_list()
        texts = [" ".join(cells[a:b]) for a, b in pairwise(raw.steps.offsets.tolist())]
    return Examples(encode_sequences(schema, raw), y, raw.names, texts, unseen)


def _sha256(raw: Raw) -> str:
    """Of the content; of several sources, of their sums."""
    return raw.sha256 if "+" not in raw.sha256 else hashlib.sha256(raw.sha256.encode()).hexdigest()


def read_later(schema: Schema, source: Any, *, labels: bool) -> ClassifyData:
    """A later file as the schema says: examples with a label are test data, those of unseen labels too."""
    raw = read_known(schema, source, labels=labels)
    test = known(raw) if raw.labels is not None else np.zeros(0, dtype=np.int64)
    none = np.zeros(0, dtype=np.int64)
    examples = _examples(schema, raw)
    data = ClassifyData(schema, (), _sha256(raw), examples, none, none, test)
    return replace(data, found=(*raw.notes, *told.describe_later(raw, data)))
