"""What is learnt from the training part to read sequences with, and sequences as numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from recurra.data.columns import encode, fit_column
from recurra.data.frequency import Array
from recurra.data.ragged import Ragged, ends
from recurra.data.vocabulary import Unit, Vocabulary, choose_unit, fit_vocabulary
from recurra.tasks.classify.raw import Raw, Steps
from recurra.tasks.classify.roles import Roles
from recurra.tasks.classify.schema import Channel, Kind, Schema

if TYPE_CHECKING:
    from recurra.tasks.classify.config import ClassifyConfig

# Tokens that are told apart, at most.
MOST_TOKENS, MOST_PIECES, MOST_EVENTS = 20_000, 8_000, 20_000
# Encoded values are clipped here, as in forecasting: beyond it a value says no more than that it is far out.
FAR = 10.0


def fit_schema(
    config: ClassifyConfig,
    roles: Roles,
    raw: Raw,
    *,
    train: Array,
    classes: tuple[str, ...],
    unlabelled: Sequence[str],
) -> tuple[Schema, str]:
    """All that reading needs, from the training examples alone; and the unit of text with its reason."""
    vocabulary: Vocabulary | None = None
    channels: tuple[Channel, ...] = ()
    kind: Kind = "text"
    reason = ""
    if raw.texts is not None:
        vocabulary, reason = _fit_text(config, [*(raw.texts[n] for n in train), *unlabelled])
    else:
        assert raw.steps is not None
        channels = _fit_channels(raw.steps, train)
        kind = _kind(channels)
    assert raw.labels is not None
    schema = Schema(
        kind=kind,
        layout=roles.layout,
        label=roles.label,
        separator=roles.separator,
        several=raw.labels.several,
        classes=classes,
        text=roles.text,
        ids=roles.ids,
        time=roles.time,
        time_form=roles.time_form or "step",
        channels=channels,
        steps=roles.steps,
        vocabulary=vocabulary,
        examples=len(train),
        length=1,  # until they are encoded
        longest=config.longest,
    )
    return schema, reason


def usual_length(lengths: Array) -> int:
    """The length that 95 % of the sequences do not exceed."""
    return int(np.ceil(np.quantile(lengths, 0.95))) if len(lengths) else 1


def _kind(channels: tuple[Channel, ...]) -> Kind:
    return "events" if len(channels) == 1 and channels[0].kind == "categorical" else "series"


def _fit_text(config: ClassifyConfig, texts: list[str]) -> tuple[Vocabulary, str]:
    unit: Unit
    unit, reason = (config.unit, "as named") if config.unit else choose_unit(texts, len(texts))
    most = config.vocabulary or (MOST_PIECES if unit == "bpe" else MOST_TOKENS)
    # A word that occurs once tells nothing by itself, but the letters inside it do.
    return fit_vocabulary(texts, unit, most, 1), reason


def _fit_channels(steps: Steps, train: Array) -> tuple[Channel, ...]:
    chosen = np.zeros(len(steps.offsets) - 1, dtype=bool)
    chosen[train] = True
    rows = np.repeat(chosen, np.diff(steps.offsets))
    channels = []
    alone = len(steps.cells) == 1
    for name, cells in steps.cells.items():
        numeric = cells.dtype.is_numeric()
        value = cells.to_numpy() if numeric else None
        column = fit_column(name, cells.alias(name), value, rows, **({"most": MOST_EVENTS} if alone else {}))
        gone = np.isnan(value) if value is not None else cells.is_null().to_numpy()
        channels.append(Channel(**column.model_dump(), gaps=bool((gone & rows).any())))
    return tuple(channels)


def encode_sequences(schema: Schema, raw: Raw) -> Ragged:
    """Token numbers (S,) int32, or features (S, width) float32 without NaN; at least one step each.

    A value that is missing is zero, the training mean, and its flag is 1 where the schema has one.
    """
    if schema.vocabulary is not None:
        assert raw.texts is not None
        return _at_least_one(schema.vocabulary.encode_all(raw.texts), np.int32(1)).cut(schema.longest)
    assert raw.steps is not None
    if schema.kind == "events":
        return _encode_events(schema, raw.steps).cut(schema.longest)
    found, flags = [], []
    for channel in schema.channels:
        cells = raw.steps.cells[channel.name]
        value = cells.to_numpy() if channel.kind == "numeric" else None
        x = encode(channel, cells, value)
        gone = np.isnan(x[:, :1])
        found.append(bounded(x, gone))
        if channel.gaps:
            flags.append(gone)
    values = np.concatenate([*found, *flags], axis=1).astype(np.float32)
    # Of a sequence without steps everything is missing.
    nothing = np.zeros(values.shape[1], dtype=np.float32)
    nothing[values.shape[1] - len(flags) :] = 1.0
    return _at_least_one(Ragged(values, raw.steps.offsets), nothing).cut(schema.longest)


def _encode_events(schema: Schema, steps: Steps) -> Ragged:
    (channel,) = schema.channels
    numbers = list(map(places(channel), steps.cells[channel.name].to_list()))
    return _at_least_one(Ragged(np.array(numbers, dtype=np.int32), steps.offsets), np.int32(1))


def places(channel: Channel) -> Callable[[str | None], int]:
    """The number of an event; 1 for one that training did not show, and for a missing one."""
    place: dict[str | None, int] = {one: at for at, one in enumerate(channel.categories, 2)}
    return lambda event: place.get(event, 1)


def bounded(x: Array, gone: Array) -> Array:
    """Features as the model takes them: 0, the training mean, where a value is missing, and none far out."""
    return np.clip(np.where(gone, np.float32(0), x), -FAR, FAR)


def _at_least_one(x: Ragged, fill: Array | np.generic) -> Ragged:
    """Sequences without a step get this one."""
    lengths = x.lengths
    if (lengths > 0).all():
        return x
    values = np.insert(x.values, x.offsets[:-1][lengths == 0], fill, axis=0)
    return Ragged(values, ends(np.maximum(lengths, 1)))
