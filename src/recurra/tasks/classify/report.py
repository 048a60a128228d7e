"""The sections of a classifier's report."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.report import figures, methods, run
from recurra.report.numbers import count, percent
from recurra.report.page import SHADES, Page
from recurra.tasks.classify import insight, pictures, verdict
from recurra.tasks.classify.metrics import LOWER_IS_BETTER, NAMES, by_class, confusion

if TYPE_CHECKING:
    from recurra.tasks.base import Evaluation
    from recurra.tasks.classify.config import ClassifyConfig
    from recurra.tasks.classify.data import ClassifyData
    from recurra.tasks.classify.evaluate import Detail

Array = np.ndarray[Any, np.dtype[Any]]

ONE = ("accuracy", "macro_f1", "balanced_accuracy", "log_loss", "ece")
SEVERAL = ("subset_accuracy", "micro_f1", "macro_f1", "log_loss", "ece")
# Classes whose confusion is a table of all pairs; of more, only these many pairs are listed.
MOST_CLASSES, MOST_PAIRS = 25, 25
# Classes up to which counts and shares fit into one cell.
ROOMY = 8
# Classes of which there is a row in the table of classes.
MOST_ROWS = 100


def write(
    page: Page, config: ClassifyConfig, data: ClassifyData, evaluation: Evaluation, model: Any = None
) -> None:
    """Write the task's sections: verdict, classes, calibration, mistakes, what decided, data, use."""
    detail: Detail | None = evaluation.detail
    page.section("The verdict")
    run.verdict(page, evaluation.words)
    lacking = figures.missing()
    if lacking:
        page.note(lacking)
    if detail is not None:
        _scores(page, detail)
        _classes(page, detail)
        if lacking is None:
            page.section("How sure, and how often right")
            page.gallery([pictures.calibration(detail), *_coverage(detail)])
        if model is not None:
            insight.write(page, detail, model, drawn=lacking is None)
    page.section("What was found in the data")
    page.lines(list(data.found))
    _use(page)
    page.footer(evaluation.signature)


def _scores(page: Page, detail: Detail) -> None:
    shown = SEVERAL if detail.outcome.several else ONE
    label = NAMES[detail.metric].lower()
    columns = [
        methods.Column(
            name,
            NAMES[name],
            partial(verdict.value, name),
            np.nanmin if name in LOWER_IS_BETTER else np.nanmax,
        )
        for name in shown
    ]
    # To be calibrated alone, as Majority is, is no merit.
    columns[-1] = replace(columns[-1], best=None)
    gain = methods.Gain(detail.metric, f"Gain in {label}, points", partial(verdict.signed, detail.metric))
    many = count(len(detail.where), "example")
    caption = f"{many}; below each score its 95 % interval, by a bootstrap over the examples."
    methods.table(page, detail.methods, columns, gain, caption)
    page.text(_legend(detail))


def _legend(detail: Detail) -> str:
    told = (
        "Macro F1 weighs every class alike, however rare. Log loss (natural logarithm, lower is better) "
        "judges the probabilities; the calibration error, over 15 bins of equal mass, is how far confidence "
        "and accuracy lie apart. The gain is the model's score less the method's: above zero, the "
        "model is better."
    )
    if detail.outcome.several:
        return f"{told} Micro F1 counts all labels of all examples together."
    return f"{told} Balanced accuracy is the mean over the classes of how many of each were found."


def _classes(page: Page, detail: Detail) -> None:
    classes = detail.data.schema.classes
    page.section("Class by class")
    if not detail.outcome.several:
        _confusion(page, classes, confusion(detail.outcome))
    scores = by_class(detail.outcome)
    # The commonest ones, in the classes' own order.
    shown = np.sort(np.argsort(-scores[:, 3], kind="stable")[:MOST_ROWS])
    rows = [[classes[k], *(_percent(one) for one in scores[k, :3]), f"{int(scores[k, 3]):,}"] for k in shown]
    caption = (
        "Precision: how many of those called so are so. Recall: how many of those that are so were found."
    )
    if len(shown) < len(classes):
        caption += f" The {len(shown)} commonest of {len(classes):,} classes."
    page.table(("Class", "Precision", "Recall", "F1", "Examples"), rows, caption=caption)


def _percent(share: float) -> str:
    return percent(float(share))


def _confusion(page: Page, classes: tuple[str, ...], table: Array) -> None:
    if len(classes) > MOST_CLASSES:
        _pairs(page, classes, table)
        return
    names = [*classes, "unseen labels"]
    rows = [k for k in range(len(names)) if k < len(classes) or table[k].sum()]
    whole = table.sum(1, keepdims=True)
    share = np.divide(table, whole, out=np.zeros(table.shape), where=whole > 0)
    shades = {
        (row, column + 1): int(np.ceil(share[k, column] * SHADES)) * (1 if k == column else -1)
        for row, k in enumerate(rows)
        for column in range(len(classes))
        if share[k, column] >= 0.02 or k == column
    }
    header = ["Is, and was taken for", *classes]
    roomy = len(classes) <= ROOMY
    counts = [
        [names[k]]
        + [
            f"{many:,} · {100 * part:.0f} %" if roomy and whole[k] else f"{many:,}" if many else ""
            for many, part in zip(table[k], share[k], strict=True)
        ]
        for k in rows
    ]
    caption = "Each row is a class, each column what the model said" + (
        ": number of examples, and share of the row." if roomy else ": number of examples."
    )
    page.table(header, counts, caption=caption, shades=shades)
    if not roomy:
        shares = [[names[k], *(f"{100 * part:.0f}" if part else "" for part in share[k])] for k in rows]
        page.table(header, shares, caption="The same as shares of the row, in percent.", shades=shades)


def _pairs(page: Page, classes: tuple[str, ...], table: Array) -> None:
    """The most confused pairs, where a table of all would be too large to read."""
    wrong = table.copy()
    wrong[np.arange(len(classes)), np.arange(len(classes))] = 0
    names = [*classes, "unseen labels"]
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_PAIRS]
    pairs = [divmod(int(place), len(classes)) for place in order if wrong.flat[place]]
    if not pairs:
        page.text("No class was taken for another.")
        return
    rows = [
        [names[k], classes[said], f"{wrong[k, said]:,}", percent(wrong[k, said] / table[k].sum())]
        for k, said in pairs
    ]
    page.table(
        ("Is", "Was taken for", "Examples", "Share of the class"),
        rows,
        caption=f"The pairs of {len(classes):,} classes that were confused most.",
    )


def _coverage(detail: Detail) -> list[Any]:
    """The model, and the baseline whose confidence means something, if there is one."""
    if detail.outcome.several:
        return []
    others = [method for method in detail.methods[1:] if np.ptp(method.outcome.confidence) > 0]
    return [pictures.coverage([detail.methods[0], *others])]


def _use(page: Page) -> None:
    page.section("How to use it")
    page.text("Classify what is in a file that has the same columns, with or without labels:")
    page.code(f"recurra predict {page.bundle} new.csv --out classes.csv")
    page.text("Judge it on labelled data that came later:")
    page.code(f"recurra evaluate {page.bundle} later.csv")
    page.text("From Python:")
    page.code(
        f'import recurra\n\nbundle = recurra.load("{page.bundle}")\nclasses = bundle.predict("new.csv")'
    )
