"""The sections of a report that ask the model: mistakes, what decided, words by class, chances over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.report.numbers import count, percent
from recurra.report.page import Figure, Page
from recurra.tasks.classify import explained, pictures
from recurra.tasks.classify.influence import influence

if TYPE_CHECKING:
    from recurra.tasks.classify.evaluate import Detail

Array = np.ndarray[Any, np.dtype[Any]]

# Examples that are shown: mistakes, right answers (one a class), and those whose course is drawn.
MISTAKES, RIGHT, COURSES = 6, 4, 4
# Words that are listed for a class, and classes that they are listed for.
WORDS, MOST_CLASSES = 10, 25
HOW = (
    "Marked is what decided: blue spoke for the class that the model chose, orange and {mark} against it, "
    "the stronger, the deeper. It is measured by hiding a part and seeing how far the model's log-odds "
    "fall. It says what moved this model, not why something is so."
)


def write(page: Page, detail: Detail, model: Any, *, drawn: bool) -> None:
    """Write the sections; without figures where they cannot be drawn."""
    surest = np.argsort(-_sureness(detail), kind="stable")
    right = detail.outcome.right[surest] == 1
    mistakes = surest[~right][:MISTAKES]
    page.section("The most certain mistakes")
    if len(mistakes):
        page.text(_how(detail))
        _shown(page, detail, model, mistakes, drawn)
    else:
        page.text("There are none: every answer was right.")
    chosen = _one_a_class(detail, surest[right])
    if len(chosen):
        page.section("What decided")
        page.text("Certain answers that were right, of one class each.")
        _shown(page, detail, model, chosen, drawn)
    if detail.data.schema.kind != "series":
        _words(page, detail, model)
    # Read from both ends, nothing is known until the end.
    if drawn and not getattr(model, "bidirectional", False):
        _courses(page, detail, model, [*mistakes[:1], *chosen[:1], *surest[::-1][: COURSES - 2]])


def _sureness(detail: Detail) -> Array:
    """(N,) how sure each answer was: of several labels, the surest that is wrong, else the least sure."""
    if not detail.outcome.several:
        return np.asarray(detail.found.max(1))
    wrong = ((detail.found >= 0.5) != (detail.truth == 1)) & np.isfinite(detail.truth)
    far = np.abs(detail.found - 0.5)
    return np.asarray(np.where(wrong.any(1), (far * wrong).max(1), far.min(1)))


def _how(detail: Detail) -> str:
    return HOW.format(mark="hatched" if detail.data.schema.kind == "series" else "underlined")


def _one_a_class(detail: Detail, order: Array) -> Array:
    """The first example of each class in this order, of the commonest classes."""
    said = detail.found[order].argmax(1)
    _, first = np.unique(said, return_index=True)
    many = np.bincount(said, minlength=detail.found.shape[1])
    kept = sorted(first, key=lambda place: -many[said[place]])[:RIGHT]
    return np.asarray(order[sorted(kept)], dtype=np.int64)


def _shown(page: Page, detail: Detail, model: Any, which: Array, drawn: bool) -> None:
    """Each example with what decided, as a text or as a small figure."""
    data = detail.data
    where = detail.where[which]
    found = influence(model, data, where)
    if data.schema.kind != "series":
        for i, n, one in zip(which, where, found, strict=True):
            page.marked(told(detail, int(i)), explained.marked(data, int(n), one), _rest(detail, int(i)))
        return
    if not drawn:
        page.lines([told(detail, int(i)) for i in which])
        return
    drawings = [
        pictures.series(
            data.examples.x[int(n)], data.schema.features, explained.weights(one), title(detail, int(i)),
            f"{told(detail, int(i))}. {_rest(detail, int(i))}".strip(),
        )
        for i, n, one in zip(which, where, found, strict=True)
        if len(one)
    ]  # fmt: skip
    page.gallery(drawings)


def _rest(detail: Detail, i: int) -> str:
    """The chances of the classes that come next."""
    chance, classes = detail.found[i], detail.data.schema.classes
    order = np.argsort(-chance, kind="stable")
    if detail.outcome.several:
        return "Chances: " + ", ".join(f"{classes[k]} ({percent(float(chance[k]))})" for k in order[:4]) + "."
    if len(classes) == 2:
        return ""
    return "Next: " + ", ".join(f"{classes[k]} ({percent(float(chance[k]))})" for k in order[1:4]) + "."


def _words(page: Page, detail: Detail, model: Any) -> None:
    data = detail.data
    some = explained.spread(data, detail.where)
    place = {int(n): i for i, n in enumerate(detail.where)}
    said = detail.found[[place[int(n)] for n in some]].argmax(1)
    ranked = explained.spoken(model, data, some, said, WORDS)
    often = np.bincount(said, minlength=len(ranked))
    listed = [k for k in np.argsort(-often, kind="stable")[:MOST_CLASSES] if ranked[k]]
    if not listed:
        return
    rows = [
        [data.schema.classes[k], ", ".join(f"{_seen(one.word)} {one.mean:.1f}" for one in ranked[k])]
        for k in sorted(listed)
    ]
    page.section("What speaks for each class")
    letters = data.schema.vocabulary is not None and data.schema.vocabulary.unit == "characters"
    what = f"pieces of {explained.LETTERS} characters" if letters else "words"
    page.table(
        ("Class", f"{what[0].upper()}{what[1:]}, and how far they moved the log-odds on average"),
        rows,
        caption=f"Gathered from {count(len(some), 'example')} that were judged, each for its answer.",
        words=True,
    )


def _seen(word: str) -> str:
    """A space inside a piece of characters can be seen."""
    return word.replace(" ", "␣")


def _courses(page: Page, detail: Detail, model: Any, which: Sequence[int]) -> None:
    """How the chances of the classes change while sequences are read."""
    drawings: list[Figure] = []
    for i in dict.fromkeys(int(one) for one in which):
        n = int(detail.where[i])
        chance = explained.chances(model, detail.data, n)
        if len(chance) < 2:
            continue
        marks = [_seen(piece)[:14] for piece in explained.pieces_of(detail.data, n)[: len(chance)]]
        drawings.append(
            pictures.running(
                chance, detail.data.schema.classes, title(detail, i), marks, told(detail, i) + "."
            )
        )
    if drawings:
        page.section("While it reads")
        page.text("The chances of the classes after each step, as a stream would see them.")
        page.gallery(drawings)


def title(detail: Detail, i: int) -> str:
    """A judged example's name; a bare number says that it is one."""
    name = str(detail.data.examples.names[int(detail.where[i])])
    return f"No. {name}" if name.isdigit() else name


def told(detail: Detail, i: int) -> str:
    """What was said of the judged example number i, and what it is."""
    classes, chance = detail.data.schema.classes, detail.found[i]
    name = title(detail, i)
    if detail.outcome.several:
        said = ", ".join(classes[k] for k in np.flatnonzero(chance >= 0.5)) or "nothing"
        truth = ", ".join(classes[k] for k in np.flatnonzero(detail.truth[i] == 1)) or "nothing"
        return f"{name}: said {said}; is {truth}"
    k, y = int(chance.argmax()), int(detail.truth[i])
    truth = classes[y] if y >= 0 else "something that training did not have"
    sure = percent(float(chance[k]))
    if k == y:
        return f"{name}: {classes[k]}, {sure} sure, and right"
    return f"{name}: said {classes[k]}, {sure} sure; is {truth}"
