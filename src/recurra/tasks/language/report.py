"""The sections of a language model's report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from recurra.decode.sampling import Sampling
from recurra.report import figures, methods, run
from recurra.report.numbers import count, number, signed
from recurra.report.page import Page
from recurra.report.run import Record
from recurra.tasks.language import sections
from recurra.tasks.language.coloured import TOKEN, visible
from recurra.tasks.language.metrics import NAMES
from recurra.tasks.language.writing import write_on

if TYPE_CHECKING:
    from recurra.tasks.base import Evaluation
    from recurra.tasks.language.config import LanguageConfig
    from recurra.tasks.language.data import LanguageData
    from recurra.tasks.language.evaluate import Detail
    from recurra.tasks.language.model import LanguageModel

# Samples of the time in training that are shown, and characters of each and of those of the finished model.
SAMPLES, SAMPLE, FINAL = 4, 200, 500
TEMPERATURES = (1.0, 0.7)


def write(  # noqa: PLR0917
    page: Page,
    config: LanguageConfig,
    data: LanguageData,
    evaluation: Evaluation,
    model: LanguageModel,
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
    _samples(page, data, model, records)
    if detail is not None:
        sections.surprise(page, detail)
        sections.rare(page, detail)
        if lacking is None:
            sections.context(page, detail, model)
        sections.units(page, detail, model)
    page.section("What was found in the data")
    page.lines(list(data.found))
    _use(page, detail)
    page.footer(evaluation.signature)


def _scores(page: Page, detail: Detail) -> None:
    by = "bits_per_byte" if detail.data.schema.tokens.unit == "bytes" else "bits_per_character"
    shown = ("perplexity", "nats_per_token", by)
    columns = [methods.Column(name, NAMES[name], number, np.nanmin) for name in shown]
    label = NAMES[detail.metric].lower()
    tokens = count(detail.counts.tokens, TOKEN[detail.data.schema.tokens.unit])
    which = "test" if detail.part == "test" else "validation"
    caption = f"{tokens} of the {which} part"
    if detail.block:
        caption += (
            "; below each score its 95 % interval, by a bootstrap over blocks of "
            f"{count(detail.block, 'token')}"
        )
    methods.table(
        page, detail.methods, columns, methods.Gain(detail.metric, f"Gain in {label}", signed), f"{caption}."
    )
    page.text(
        "Lower is better. A perplexity of 100 means: as unsure as if choosing among 100 tokens, all alike; "
        f"nats per token are its logarithm. {NAMES[by]} share out the whole surprise among what the text is "
        "made of, and can be compared whatever its tokens are. The gain is how far a method is behind the "
        "model: above zero, the model is better."
    )


def _samples(page: Page, data: LanguageData, model: LanguageModel, records: Sequence[Record]) -> None:
    """What the model wrote while it was trained, and what it writes now."""
    page.section("What it writes")
    told = [record for record in records if record.get("sample")]
    if told:
        page.text("While it was trained, each time from nothing, at temperature 1:")
        steps = np.geomspace(1, len(told), min(SAMPLES, len(told))).round().astype(int)
        for place in np.unique(steps) - 1:
            record = told[place]
            title = f"Step {record['step']:,}, validation loss {number(record['valid'])} nats"
            page.marked(title, [(visible(record["sample"][:SAMPLE]).strip(), 0)])
        page.text("And now that it is trained:")
    length = max(1, round(FINAL / data.schema.characters_per_token))
    for temperature in TEMPERATURES:
        text = "".join(
            write_on(model, data.schema, sampling=Sampling(temperature=temperature), length=length)
        )
        page.marked(f"Temperature {temperature:g}", [(visible(text).strip(), 0)])


def _use(page: Page, detail: Detail | None) -> None:
    page.section("How to use it")
    page.text("Write on from a beginning; a lower temperature is more careful:")
    page.code(f'recurra generate {page.bundle} --prompt "The " --temperature 0.7')
    page.text("Find what is odd in another text, line by line:")
    page.code(f"recurra score {page.bundle} new.txt --out surprise.csv")
    page.text("Judge it on another text, beside the same baselines:")
    page.code(f"recurra evaluate {page.bundle} later.txt")
    page.text("From Python:")
    page.code(
        f'import recurra\n\nbundle = recurra.load("{page.bundle}")\n'
        'for piece in bundle.generate("The "):\n    print(piece, end="")\n'
        'lines = bundle.score("new.txt").lines'
    )
