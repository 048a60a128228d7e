"""Some recordings in the report: what they look like, what was said in them, and what was heard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from recurra.decode.wordtimes import Word
from recurra.report.numbers import count, percent
from recurra.report.page import Figure, Page
from recurra.tasks.transcribe import pictures
from recurra.tasks.transcribe.metrics import LEFT_OUT, PUT_IN, RIGHT, SUBSTITUTED, Edit

if TYPE_CHECKING:
    from recurra.tasks.transcribe.evaluate import Detail

# Recordings of each kind that are shown.
BEST, WORST, DRAWN = 2, 4, 2
# Strengths of colour behind what was said and not heard, and heard and not said.
MISSED, WRONG = 2, -3
NOTHING = "(nothing)"
# Letters of a recording's name that is shown whole.
LONGEST_NAME = 40


def write(page: Page, detail: Detail, seed: int, *, drawn: bool) -> None:
    """Add the section."""
    page.section("Some recordings")
    single = detail.metric == "words" and drawn
    told = []
    if drawn:
        told.append(
            "Each picture shows how loud a recording is, to the right with time and upwards with frequency. "
            "Above it stand the words that the model wrote, each where it heard it; those with"
            f"{pictures.WRONG} are wrong."
        )
    if not single:
        told.append(
            "What was said is blue where the model missed it, and what it wrote orange, with dots below, "
            "where it is wrong."
        )
    page.text(" ".join(told))
    for title, rows in chosen(detail, seed):
        page.heading(title)
        if single:
            page.gallery([_short(detail, n) for n in rows])
            continue
        for n in rows:
            _texts(page, detail, n)
            if drawn:
                page.figure(_picture(detail, n, "", wide=True), wide=True)


def chosen(detail: Detail, seed: int) -> list[tuple[str, list[int]]]:
    """The best, the worst and some other recordings, no text twice where there are others."""
    aligned = detail.aligned
    share = aligned.wrong / np.maximum(aligned.said, 1)
    orders = (
        ("The best", np.lexsort([-aligned.said, share]), BEST),
        ("The worst", np.lexsort([-aligned.wrong, -share]), WORST),
        ("By chance", np.random.default_rng(seed).permutation(len(share)), DRAWN),
    )
    taken: set[int] = set()
    texts: set[str] = set()
    found = []
    for title, order, many in orders:
        rows = [int(n) for n in order if int(n) not in taken]
        if title == "The worst":
            rows = [n for n in rows if aligned.wrong[n]]
        # Of the same texts, one; others come after all else.
        first: list[int] = []
        for n in rows:
            if detail.texts[n] not in texts and len(first) < many:
                first.append(n)
                texts.add(detail.texts[n])
        some = [*first, *(n for n in rows if n not in first)][:many]
        taken.update(some)
        if some:
            found.append((title, some))
    return found


def _texts(page: Page, detail: Detail, n: int) -> None:
    """What was said and heard, one below the other."""
    wrong, said = int(detail.aligned.wrong[n]), int(detail.aligned.said[n])
    seconds = detail.recordings.recordings.lengths[n] / detail.recordings.recordings.rate
    told = f"{_name(detail, n)}, {seconds:.1f} s: "
    told += f"{wrong:,} wrong of {count(said, detail.token)}" if wrong else "all right"
    pieces, hints = marked(detail.aligned.edits[n], "" if detail.token == "character" else " ")
    words = f"In words: {detail.texts[n]}" if detail.token == "phone" else ""
    page.marked(told, pieces, words, hints)


def marked(edits: Sequence[Edit], joint: str) -> tuple[list[tuple[str, int]], list[str]]:
    """Pieces of what was said, and below of what was heard, with their colours and hints."""
    pieces: list[tuple[str, int]] = []
    hints: list[str] = []
    for name, strength, missing in (("Said", MISSED, LEFT_OUT), ("Heard", WRONG, PUT_IN)):
        pieces.append((f"{name}: ", 0))
        hints.append("")
        texts = []
        for edit in edits:
            own, other = (edit.said, edit.heard) if name == "Said" else (edit.heard, edit.said)
            if not own:
                continue
            hint = ""
            if edit.kind == SUBSTITUTED:
                hint = f"{'heard' if name == 'Said' else 'said'}: {joint.join(other)}"
            elif edit.kind == missing:
                hint = "left out" if name == "Said" else "put in"
            texts.append((joint.join(own), strength if edit.kind != RIGHT else 0, hint))
        for place, (text, colour, hint) in enumerate(texts):
            if place and joint:
                pieces.append((joint, 0))
                hints.append("")
            pieces.append((text, colour))
            hints.append(hint)
        pieces.append(((NOTHING if not texts else "") + ("\n" if name == "Said" else ""), 0))
        hints.append("")
    return pieces, hints


def _name(detail: Detail, n: int) -> str:
    """What a recording is called, of a long path the end."""
    name = detail.recordings.recordings.names[n]
    return name if len(name) <= LONGEST_NAME else "…/" + "/".join(name.replace("\\", "/").split("/")[-2:])


def _short(detail: Detail, n: int) -> Figure:
    """A recording of a word."""
    said, heard = detail.texts[n], detail.methods[0].texts[n]
    name = _name(detail, n)
    sure = [word.confidence for word in detail.transcripts[n].words]
    told = (
        f"{name}: “{said}” was said, “{heard}” heard"
        if heard
        else f"{name}: “{said}” was said, nothing heard"
    )
    return _picture(detail, n, told + (f", {percent(min(sure))} sure." if sure else "."), wide=False)


def _picture(detail: Detail, n: int, caption: str, *, wide: bool) -> Figure:
    recordings = detail.recordings.recordings
    words = [
        Word(detail.cutter.word(word.text), word.begin, word.end, word.confidence)
        for word in detail.transcripts[n].words
    ]
    wrong = [edit.kind != RIGHT for edit in detail.words.edits[n] for _ in edit.heard]
    if len(wrong) != len(words):  # where several of the text's words have one time
        wrong = [False] * len(words)
    return pictures.spectrogram(
        np.asarray(recordings.samples(n)), recordings.rate, words, wrong, caption, wide=wide
    )
