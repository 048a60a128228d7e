"""The sections of a captioner's report."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from recurra.data.images import is_image, read_image
from recurra.errors import DataError
from recurra.report import methods, run
from recurra.report.numbers import count
from recurra.report.page import Page
from recurra.report.run import Record
from recurra.tasks.caption.captioning import by_words
from recurra.tasks.caption.evaluate import METRIC, told
from recurra.tasks.caption.looking import looked
from recurra.tasks.caption.metrics import NAMES

if TYPE_CHECKING:
    from recurra.data.frequency import Array
    from recurra.tasks.base import Evaluation
    from recurra.tasks.caption.config import CaptionConfig
    from recurra.tasks.caption.data import CaptionData
    from recurra.tasks.caption.evaluate import Detail
    from recurra.tasks.caption.pictures import Pictures
    from recurra.tasks.caption.schema import Schema

# Pictures of each kind that are shown.
SHOWN = 4
# Pixels of a side of those that are opened again, as the model reads features of them.
SIDE = 128
# Metrics that stand beside the gain; the others have a table of their own.
FIRST = ("cider", "bleu4", "bleu1", "rouge")


def write(
    page: Page,
    config: CaptionConfig,
    data: CaptionData,
    evaluation: Evaluation,
    records: Sequence[Record] = (),
) -> None:
    """Write the task's sections. records: of the run's log, for what the model wrote while it was trained."""
    detail: Detail | None = evaluation.detail
    page.section("The verdict")
    run.verdict(page, evaluation.words)
    if detail is not None:
        _scores(page, detail)
        _pictures(page, data.schema, detail, config.seed)
    _samples(page, data, records)
    page.section("What was found in the data")
    page.lines(list(data.found))
    _use(page)
    page.footer(evaluation.signature)


def _scores(page: Page, detail: Detail) -> None:
    columns = [methods.Column(name, NAMES[name], partial(_told, name), np.nanmax) for name in FIRST]
    which = "test" if detail.part == "test" else "validation"
    captions = sum(map(len, detail.judged.pictures.captions))
    methods.table(
        page,
        detail.methods,
        columns,
        methods.Gain(METRIC, f"Gain in {NAMES[METRIC]}", _signed),
        f"{count(len(detail.judged), 'picture')} of the {which} part with {count(captions, 'caption')}; "
        "below each score its 95 % interval, by a bootstrap over the pictures.",
    )
    rest = [name for name in NAMES if name not in FIRST]
    rows = [(one.name, *(_told(name, one.metrics[name]) for name in rest)) for one in detail.methods]
    page.table(("Method", *(NAMES[name] for name in rest)), rows, ours={0})
    page.text(
        "Higher is better. BLEU-n is the share of runs of one to n words that stand in one of a picture's "
        "captions, too; CIDEr-D weighs such runs by how much they tell of this picture rather than of any, "
        "from 0 to 10; ROUGE-L is the longest run of words in the same order. The gain is how far a "
        "method is behind the model: above zero, the model is better. The last row are the model's captions "
        "with pictures that they were not written for: what it says without looking."
    )


def _pictures(page: Page, schema: Schema, detail: Detail, seed: int) -> None:
    """The best, the worst and some others."""
    order = np.argsort(-detail.each, kind="stable")
    rest = (
        np.random.default_rng(seed).permutation(order[SHOWN:-SHOWN]) if len(order) > 2 * SHOWN else order[:0]
    )
    page.section("Pictures and captions")
    page.text(
        "Beside a picture stands each word that the model wrote, with what it looked at bright and the rest "
        "in the dark; where it looked at everything alike, all is bright. Below stands what people wrote."
    )
    chosen = (
        ("By chance", rest[:SHOWN]),
        ("The best", order[:SHOWN]),
        ("The worst", order[SHOWN:][::-1][:SHOWN]),
    )
    for title, rows in chosen:
        if not len(rows):
            continue
        page.heading(title)
        for n in rows:
            _one(page, schema, detail, int(n))


def _one(page: Page, schema: Schema, detail: Detail, n: int) -> None:
    pictures, text = detail.judged.pictures, detail.methods[0].texts[n]
    score = f"{NAMES[METRIC]} {told(float(detail.each[n]))}"
    people = " / ".join(pictures.captions[n])
    seen = _shown(pictures, n)
    if seen is None:
        page.table((pictures.names[n], score), [("Model", text), ("People", people)], words=True)
        return
    words, weights = by_words(schema, detail.hypotheses[n])
    caption = f"Model: {text or '(nothing)'}\nPeople: {people}\n{pictures.names[n]}, {score}"
    page.figure(looked(seen, words, weights.reshape(-1, *schema.shape.grid), caption))


def _shown(pictures: Pictures, n: int) -> Array | None:
    """Pixels of a picture, those of its file where features are read; None where there is none."""
    seen: Array = pictures.look(np.array([n]))[0]
    if seen.dtype == np.uint8:
        return seen
    if not is_image(pictures.paths[n]):
        return None
    try:
        return read_image(pictures.paths[n], SIDE).pixels
    except DataError:  # it may have been taken away since
        return None


def _samples(page: Page, data: CaptionData, records: Sequence[Record]) -> None:
    """What the model said of one picture while it was trained."""
    if len(data.valid):
        pictures = data.valid.pictures
        of = f"Of {pictures.names[0]}, of which people say “{pictures.captions[0][0]}”:"
        run.samples(page, records, "caption", of, "Caption")


def _use(page: Page) -> None:
    page.section("How to use it")
    page.text("Caption all pictures of a folder:")
    page.code(f"recurra predict {page.bundle} pictures/ --out captions.csv")
    page.text("Judge it on others, beside what people say of them:")
    page.code(f"recurra evaluate {page.bundle} pictures/ captions.tsv")
    page.text("Try it in a browser: drop a picture, and see where each word looks:")
    page.code(f"recurra serve {page.bundle}")
    page.text("From Python:")
    page.code(
        f'import recurra\n\nbundle = recurra.load("{page.bundle}")\n'
        'print(bundle.caption(["photo.jpg"])[0][0].text)'
    )


def _told(metric: str, value: float) -> str:
    return told(value) if metric == METRIC else f"{value:.1f}".replace("-", "−")


def _signed(value: float) -> str:
    if not np.isfinite(value):
        return "–"
    return ("+" if value > 0 else "") + told(value)
