"""Sections of the report that ask the model: what surprised it, rare tokens, a short memory, hidden units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.report.numbers import count, number, percent
from recurra.report.page import SHADES, Page
from recurra.tasks.language import hidden, insight, pictures
from recurra.tasks.language.coloured import TOKEN, Surprised, coloured
from recurra.tasks.language.lines import AVERAGE
from recurra.tasks.language.traits import traits

if TYPE_CHECKING:
    from recurra.tasks.language.evaluate import Detail
    from recurra.tasks.language.hidden import Followed
    from recurra.tasks.language.model import LanguageModel

Array = np.ndarray[Any, np.dtype[Any]]

# Characters of the passage that is shown, of an odd line and of a passage for a unit; odd lines; units.
PASSAGE, LINE, SMALL = 1_000, 240, 420
LINES, UNITS = 5, 4
# Tokens that a passage has at least.
FEWEST = 20
# Distances of a unit from its mean, in units of its spread, for each strength of colour.
FAR = (0.6, 1.1, 1.6, 2.1)
# Bits for each strength of colour of a gain, and those that are none.
GAIN, EVEN = 0.25, 0.05


def surprise(page: Page, detail: Detail) -> None:
    """A typical passage with each token in the colour of its surprise, and the oddest lines."""
    schema, nats = detail.data.schema, detail.methods[0].nats
    shown = Surprised.of(detail)
    page.section("What surprised it")
    page.text(shown.legend())
    length = _tokens(detail, PASSAGE)
    typical = insight.typical(detail.tokens, nats, length, schema.tokens.newline)
    shown.show(page, typical, "A typical passage: half of all surprised it more")
    average = AVERAGE / schema.characters_per_token
    lines = insight.oddest(detail.tokens, nats, schema.tokens.newline, LINES, average)
    if lines:
        page.heading("The oddest lines")
        page.text("Those that surprised it most for their length; a short one must be odder than a long one.")
    for line in lines:
        shown.show(page, line, most=_tokens(detail, LINE))


def _tokens(detail: Detail, characters: int) -> int:
    """How many tokens have about so many characters."""
    return max(FEWEST, round(characters / detail.data.schema.characters_per_token))


def rare(page: Page, detail: Detail) -> None:
    """How the model and the best baseline do on frequent and on rare tokens."""
    best = _best(detail)
    counts = insight.count_tokens(detail.data.train, len(detail.data.schema.tokens))
    found = insight.bands(counts, detail.tokens, [detail.methods[0].nats, best.nats])
    if len(found) < 2:
        return
    token = TOKEN[detail.data.schema.tokens.unit]
    ahead = [(band.nats[1] - band.nats[0]) / np.log(2) for band in found]
    page.section(f"Frequent and rare {token}s")
    page.text(_ahead(found, best.name, token))
    rows = [
        [_range(band), f"{band.kinds:,}", percent(band.share), *map(_perplexity, band.nats), _plus(bits)]
        for band, bits in zip(found, ahead, strict=True)
    ]
    page.table(
        (
            "Times in training", f"Different {token}s", "Share of the text", "Perplexity of Recurra",
            f"of {best.name}", f"Gain in bits per {token}",
        ),
        rows,
        shades={(row, 5): _shade(bits) for row, bits in enumerate(ahead)},
    )  # fmt: skip


def _best(detail: Detail) -> Any:
    """The best baseline."""
    baselines = [method for method in detail.methods if method.baseline]
    return min(baselines, key=lambda method: method.metrics["nats_per_token"])


def _perplexity(nats: float) -> str:
    return number(float(np.exp(nats)))


def _range(band: insight.Band) -> str:
    if band.most is None:
        return f"{band.least:,} or more"
    return f"{band.least:,} to {band.most:,}" if band.most > band.least else f"{band.least:,}"


def _ahead(found: list[insight.Band], other: str, token: str) -> str:
    """Who is ahead on which tokens."""
    behind = [_range(band) for band in found if (band.nats[0] - band.nats[1]) / np.log(2) >= EVEN]
    if not behind:
        return f"The model is ahead of {other} on all {token}s, frequent or rare."
    if len(behind) == len(found):
        return f"{other} is ahead of the model on all {token}s, frequent or rare."
    return f"{other} is ahead on {token}s that training had {', or '.join(behind)} times."


def _shade(bits: float) -> int:
    if abs(bits) < EVEN:
        return 0
    return int(np.sign(bits) * min(SHADES, np.ceil(abs(bits) / GAIN)))


def context(page: Page, detail: Detail, model: LanguageModel) -> None:
    """What a short memory costs, as a figure."""
    found = insight.memory(model, detail.tokens, detail.methods[0].nats)
    if found is None:
        return
    best = _best(detail)
    behind = best.metrics["nats_per_token"] - detail.methods[0].metrics["nats_per_token"]
    page.section("What a short memory costs")
    page.gallery([pictures.memory(found, best.name, behind, TOKEN[detail.data.schema.tokens.unit])])


def units(page: Page, detail: Detail, model: LanguageModel) -> None:
    """Hidden units that follow something in the text."""
    tokens = detail.data.schema.tokens
    numbers = np.asarray(detail.tokens[: hidden.READ])
    layers = hidden.activations(model, numbers)
    found = hidden.followed(traits(tokens.pieces(numbers)), layers, numbers)
    if not found:
        return
    page.section("What a few units do")
    many, token = sum(layer.shape[1] for layer in layers), TOKEN[tokens.unit]
    page.text(
        f"Does one of the {many:,} hidden units follow something that can be counted in the text? For each "
        "of these, the unit whose activation correlates with it most was looked for in the first half of "
        f"{count(len(numbers), token)}, and judged in the second. Beside it stands the correlation that can "
        f"be reached without memory, from the {token} at hand alone."
    )
    rows = [
        [one.trait.name, f"layer {one.layer}, unit {one.unit}", _plus(one.correlation), _plus(one.alone)]
        for one in found
    ]
    page.table(("In the text", "Unit", "Its correlation", "Without memory"), rows)
    if loose := [one.trait.name for one in found if not one.close]:
        page.text(f"No unit follows closely (a correlation of {hidden.CLOSE} or more): {', '.join(loose)}.")
    close = [one for one in found if one.close]
    # What the token at hand tells as well is shown only where there is nothing else.
    close = [one for one in close if one.beyond > 0] or close
    if close:
        page.text(
            "Blue is where a unit says yes or much, orange and underlined where it says no or little; the "
            "deeper, the further from its mean. Each passage is a typical one: the unit does better in half."
        )
    shown = {(one.layer, one.unit): one for one in reversed(close)}
    for one in list(shown.values())[: -UNITS - 1 : -1]:
        _unit(page, detail, one, numbers)


def _plus(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _unit(page: Page, detail: Detail, one: Followed, numbers: Array) -> None:
    """A passage in the colours of a unit."""
    tokens = detail.data.schema.tokens
    begin, end = one.passage(*insight.passages(numbers, _tokens(detail, SMALL), tokens.newline))
    pieces, ends = insight.spelled(tokens, numbers[begin:end])
    far = one.far()[begin:end][ends]
    strengths = np.sign(far) * np.searchsorted(FAR, np.abs(far), side="right")
    name = f"{one.trait.name[0].upper()}{one.trait.name[1:]}"
    title = f"{name}: layer {one.layer}, unit {one.unit}, correlation {_plus(one.correlation)}"
    page.marked(title, coloured(pieces, strengths)[0])
