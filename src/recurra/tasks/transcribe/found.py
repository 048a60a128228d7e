"""What was found in the recordings, in plain words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from recurra.data.tables import listed
from recurra.data.tokens import LOST, UNKNOWN
from recurra.report.numbers import count, percent
from recurra.tasks.transcribe.recordings import Recordings
from recurra.tasks.transcribe.texts import encode_text

if TYPE_CHECKING:
    from recurra.data.tokens import Tokens
    from recurra.tasks.transcribe.data import Encoded
    from recurra.tasks.transcribe.phones import Pronounced
    from recurra.tasks.transcribe.schema import Schema
    from recurra.tasks.transcribe.sounds import Heard

WORDS = {"train": "training", "valid": "validation", "test": "test"}
# Characters that are told one by one.
TOLD = 12


def describe(
    parts: Mapping[str, Encoded],
    schema: Schema,
    heard: Heard,
    *,
    reason: str,
    how: str,
    remarks: Sequence[str],
) -> list[str]:
    """One line for each thing that the user may want to check."""
    train = parts["train"].recordings
    return [
        recordings([part.recordings for part in parts.values()]),
        _example(train),
        _rate(heard),
        *_speakers([part.recordings for part in parts.values()]),
        _unit(schema, reason),
        *([] if schema.language is None else [f"language model: {schema.language.about}"]),
        _split(parts, how),
        *remarks,
    ]


def recordings(parts: Iterable[Recordings]) -> str:
    """How many there are, and how long."""
    some = list(parts)
    return f"recordings: {sum(map(len, some)):,}, {duration(sum(part.seconds for part in some))}"


def duration(seconds: float) -> str:
    """As in `42 seconds`, `12.3 minutes`, `20.5 hours`."""
    if seconds < 60:
        return f"{seconds:.1f} seconds"
    return f"{seconds / 60:.1f} minutes" if seconds < 3600 else f"{seconds / 3600:,.1f} hours"


def _example(part: Recordings) -> str:
    text = (part.texts or [""])[0]
    return f"texts: such as “{text if len(text) <= 60 else text[:59] + '…'}” ({part.names[0]})"


def _rate(heard: Heard) -> str:
    """`sound: 16,000 Hz, of 900 FLAC and 48 WAV; resampled: 12 at 8,000 Hz; mixed to one channel: 3`."""
    kinds = " and ".join(f"{many:,} {kind}" for kind, many in heard.kinds.most_common())
    told = [f"sound: {heard.rate:,} Hz, of {kinds}"]
    other = Counter({rate: many for rate, many in heard.rates.items() if rate != heard.rate})
    if other:
        rates = ", ".join(f"{many:,} at {rate:,} Hz" for rate, many in other.most_common())
        told.append(f"resampled: {rates}")
    mixed = sum(many for channels, many in heard.channels.items() if channels > 1)
    if mixed:
        told.append(f"mixed to one channel: {mixed:,}")
    return "; ".join(told)


def raised(heard: Heard) -> list[str]:
    """Recordings that have no high notes, whatever their samples say."""
    low = sum(many for rate, many in heard.rates.items() if rate < heard.rate)
    if not low or low == heard.rates.total():
        return []
    return [
        f"rates: {count(low, 'recording')} below {heard.rate:,} Hz, which {'has' if low == 1 else 'have'} no "
        "high notes; where there are many, set rate to the lowest"
    ]


def clipped(heard: Heard) -> list[str]:
    """Recordings that were made too loud."""
    if not heard.clipped:
        return []
    place, share = heard.clipped[0]
    return [
        f"clipped: {count(len(heard.clipped), 'recording')}, made too loud; the first is {place} "
        f"({percent(share)} of its samples)"
    ]


def _speakers(parts: Sequence[Recordings]) -> list[str]:
    if any(part.speakers is None for part in parts):
        return []
    return [f"speakers: {len({one for part in parts for one in part.speakers or []}):,}"]


def _unit(schema: Schema, reason: str) -> str:
    if schema.phones is not None:
        return f"unit: phones, {len(schema.tokens) - 4:,}, of {len(schema.phones):,} words"
    what = {"bpe": "pieces of words (bpe)"}.get(schema.tokens.unit, schema.tokens.unit)
    why = f" (chosen: {reason})" if reason else ""
    return f"unit: {what}, {len(schema.tokens) - 3:,}{why}"


def _split(parts: Mapping[str, Encoded], how: str) -> str:
    train, valid, test = (len(parts[name]) for name in ("train", "valid", "test"))
    tested = f"test {test:,}" if test else "no test"
    return f"split: train {count(train, 'recording')}, valid {valid:,}, {tested}{f' ({how})' if how else ''}"


def leaks(parts: Mapping[str, Recordings]) -> list[str]:
    """Recordings of the other parts that are in the training part, too."""
    learnt = {*parts["train"].digests}
    lines = []
    for name in ("valid", "test"):
        twice = [n for n, digest in enumerate(parts[name].digests) if digest in learnt]
        if twice:
            lines.append(
                f"twice: {count(len(twice), 'recording')} of the {WORDS[name]} part "
                f"{'is' if len(twice) == 1 else 'are'} in the training part, too; the first is "
                f"{parts[name].places[twice[0]]}"
            )
    return lines


def shared(parts: Mapping[str, Recordings]) -> list[str]:
    """Speakers of the test part that were listened to, too."""
    learnt, test = parts["train"].speakers, parts["test"].speakers
    if learnt is None or not test:
        return []
    known = {*learnt} & {*test}
    if not known:
        return []
    are = "is" if len(known) == 1 else "are"
    return [
        f"speakers: {len(known):,} of the {len({*test}):,} in the test part {are} in the training part, too; "
        "others will be understood less well"
    ]


def unknown(part: Recordings, name: str, tokens: Tokens) -> list[str]:
    """Characters, or words, of a part that training did not show; they can never be written."""
    texts = part.texts or []
    if tokens.unit == "bpe":
        return []
    lost: Counter[str] = Counter()
    first = ""
    for n, text in enumerate(texts):
        numbers = encode_text(text, tokens)
        if (numbers == UNKNOWN).any():
            first = first or part.places[n]
            pieces = tokens.split(text)
            lost.update(pieces[at].strip() or pieces[at] for at, one in enumerate(numbers) if one == UNKNOWN)
    if not lost:
        return []
    told = " ".join(one for one, _ in lost.most_common(TOLD))
    more = f" and {len(lost) - TOLD:,} more" if len(lost) > TOLD else ""
    what = "character" if tokens.unit == "characters" else "word"
    return [
        f"unknown: {count(len(lost), what)} of the {WORDS[name]} part that training does not show: "
        f"{told}{more}; the first is in {first}"
    ]


def unpronounced(part: Recordings, pronounced: Pronounced) -> list[str]:
    """Words of later texts that have no phones, and are not listened for."""
    words = Counter(word for text in part.texts or [] for word in pronounced.missing(text))
    if not words:
        return []
    some = listed([repr(word) for word, _ in words.most_common()])
    return [f"pronunciation: none of {count(len(words), 'word')}, {some}; counted as if they were not there"]


def damaged_texts(parts: Mapping[str, Recordings]) -> list[str]:
    """Texts with a sign that stands for lost bytes."""
    odd = [
        part.places[n] for part in parts.values() for n, text in enumerate(part.texts or []) if LOST in text
    ]
    return [f"damaged: {count(len(odd), 'text')} with lost characters; the first is {odd[0]}"] if odd else []
