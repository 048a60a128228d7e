"""The sections of a translator's report."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from recurra.data.frequency import Array
from recurra.report import figures, methods, run
from recurra.report.numbers import count, number
from recurra.report.page import Page
from recurra.report.run import Record
from recurra.tasks.translate import pictures
from recurra.tasks.translate.metrics import NAMES, Judge
from recurra.tasks.translate.verdict import signed, told
from recurra.tasks.translate.writing import words_of

if TYPE_CHECKING:
    from recurra.decode.beam import Hypothesis
    from recurra.tasks.base import Evaluation
    from recurra.tasks.translate.config import TranslateConfig
    from recurra.tasks.translate.data import TranslateData
    from recurra.tasks.translate.evaluate import Detail
    from recurra.tasks.translate.schema import Schema

# The best and worst translations that are shown; attention maps, and the words of a source of which one is
# drawn.
EXTREMES, MAPS, MAPPED = 5, 4, (4, 22)
# Groups of sources by length, and pairs of each at least.
GROUPS, FEWEST = 5, 20


def write(
    page: Page,
    config: TranslateConfig,
    data: TranslateData,
    evaluation: Evaluation,
    records: Sequence[Record] = (),
) -> None:
    """Write the task's sections. records: of the run's log, for what the model wrote while it was trained."""
    detail: Detail | None = evaluation.detail
    page.section("The verdict")
    run.verdict(page, evaluation.words)
    lacking = figures.missing()
    if lacking:
        page.note(lacking)
    if detail is not None:
        _scores(page, detail)
        _by_length(page, detail, letters=data.schema.target.unit == "characters", drawn=lacking is None)
        if lacking is None:
            _attention(page, data.schema, detail)
        _extremes(page, detail)
    _samples(page, data, records)
    page.section("What was found in the data")
    page.lines(list(data.found))
    _use(page, data)
    page.footer(evaluation.signature)


def _scores(page: Page, detail: Detail) -> None:
    columns = [methods.Column(name, NAMES[name], partial(told, name), np.nanmax) for name in NAMES]
    metric = detail.metric
    which = "test" if detail.part == "test" else "validation"
    more = sum(len(texts) > 1 for texts in detail.references)
    several = f" ({more:,} with several references, any of which is right)" if more else ""
    methods.table(
        page,
        detail.methods,
        columns,
        methods.Gain(metric, f"Gain in {NAMES[metric]}", partial(signed, metric)),
        f"{count(len(detail.pairs), 'text')} of the {which} part{several}; below each score its 95 % "
        "interval, by a bootstrap over the texts.",
    )
    page.text(
        "Higher is better. BLEU is the share of runs of one to four words (characters, where texts are cut "
        "into those) that stand in the reference, too, chrF the same of characters, both from 0 to 100; just "
        "right are the translations that are the reference. The gain is how far a method is behind the "
        "model: above zero, the model is better."
    )


def _by_length(page: Page, detail: Detail, *, letters: bool, drawn: bool) -> None:
    source = detail.pairs.pairs.source
    lengths = np.array([len(text) if letters else len(text.split()) for text in source])
    cuts = np.unique(np.quantile(lengths, np.linspace(0, 1, GROUPS + 1)[1:-1], method="nearest"))
    group = np.searchsorted(cuts, lengths)
    names, scores = [], []
    for n in range(len(cuts) + 1):
        rows = np.flatnonzero(group == n)
        if len(rows) < FEWEST:
            continue
        low, high = int(lengths[rows].min()), int(lengths[rows].max())
        names.append(f"{low}–{high}" if low < high else str(low))
        judge = Judge([detail.references[row] for row in rows], letters=letters)
        scores.append(judge.metrics([detail.methods[0].texts[int(row)] for row in rows])["bleu"])
    if drawn and len(scores) > 1:
        page.gallery([pictures.by_length(names, scores, "BLEU", "characters" if letters else "words")])


def _attention(page: Page, schema: Schema, detail: Detail) -> None:
    """Of some translations, neither the best nor the worst."""
    texts, low, high = detail.pairs.pairs.source, *MAPPED
    fit = [
        n for n, text in enumerate(texts) if low <= len(text.split()) <= high and detail.hypotheses[n].tokens
    ]
    if schema.target.unit == "characters":
        fit = [n for n, text in enumerate(texts) if len(text) <= high and detail.hypotheses[n].tokens]
    if not fit:
        return
    order = sorted(fit, key=lambda n: float(detail.each[n]))
    chosen = [order[int(share * (len(order) - 1))] for share in np.linspace(0.2, 0.8, min(MAPS, len(order)))]
    page.section("What each word was made from")
    page.text(
        "For each word that was written, from above, the words of the source that the model attended to: the "
        "larger the mark, the more."
    )
    page.gallery(
        [
            pictures.attention(*words_attended(schema, detail.pairs.source[n], detail.hypotheses[n]))
            for n in dict.fromkeys(chosen)
        ]
    )


def words_attended(schema: Schema, source: Array, found: Hypothesis) -> tuple[list[str], list[str], Array]:
    """Words of both sides, and for each of the target what it attended to, (T, S), in shares."""
    rows, columns = words_of(schema.target, found.tokens), words_of(schema.source, source.tolist())
    weights = np.zeros((rows[-1] + 1, columns[-1] + 1))
    np.add.at(weights, (np.array(rows)[:, None], np.array(columns)[None]), found.attention)
    words = []
    for tokens, numbers, of in (
        (schema.source, source.tolist(), columns),
        (schema.target, found.tokens, rows),
    ):
        text = [""] * (of[-1] + 1)
        for place, piece in zip(of, tokens.pieces(numbers), strict=True):
            text[place] += piece
        words.append([one.strip() or "␣" for one in text])
    return words[0], words[1], weights / weights.sum(1, keepdims=True)


def _extremes(page: Page, detail: Detail) -> None:
    source, right_ones, texts = detail.pairs.pairs.source, detail.references, detail.methods[0].texts
    order = np.argsort(detail.each, kind="stable")
    wrong = [n for n in order[::-1] if texts[n].split() not in map(str.split, right_ones[n])]
    right = len(order) - len(wrong)
    page.section("The best and the worst")
    page.text(
        f"By chrF of each translation; {count(right, 'one', 'of them')} just like the reference "
        f"{'is' if right == 1 else 'are'} not shown."
    )
    head = ("chrF", "Source", "Translation", "Reference")
    for title, some in (("The best", wrong[:EXTREMES]), ("The worst", wrong[::-1][:EXTREMES])):
        rows = [(number(float(detail.each[n])), source[n], texts[n], " / ".join(right_ones[n])) for n in some]
        if rows:
            page.heading(title)
            page.table(head, rows, words=True)


def _samples(page: Page, data: TranslateData, records: Sequence[Record]) -> None:
    """What the model made of one source while it was trained."""
    if len(data.valid):
        pairs = data.valid.pairs
        of = f"Of “{pairs.source[0]}”, for which the reference has “{(pairs.target or [''])[0]}”:"
        run.samples(page, records, "translation", of, "Translation")


def _use(page: Page, data: TranslateData) -> None:
    page.section("How to use it")
    page.text("Translate lines of a file, or whatever is typed, as they come:")
    page.code(f"recurra translate {page.bundle} new.txt\nrecurra translate {page.bundle} -")
    page.text("Into a table with scores and the words' alignment:")
    page.code(f"recurra predict {page.bundle} new.txt --out translations.csv")
    page.text("Judge it on other pairs, beside the same baselines:")
    a, b = data.schema.names
    page.code(f"recurra evaluate {page.bundle} later.{a} later.{b}")
    page.text("From Python:")
    page.code(
        f'import recurra\n\nbundle = recurra.load("{page.bundle}")\nprint(bundle.translate(["…"])[0][0].text)'
    )
