"""The sections of a recogniser's report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from recurra.report import figures, methods, run
from recurra.report.numbers import count, percent
from recurra.report.page import SHADES, Page
from recurra.report.run import Record
from recurra.tasks.transcribe import confusions, examples, pictures
from recurra.tasks.transcribe.metrics import LABELS, LOWER_IS_BETTER, NAMES
from recurra.tasks.transcribe.verdict import signed

if TYPE_CHECKING:
    from recurra.tasks.base import Evaluation
    from recurra.tasks.transcribe.config import TranscribeConfig
    from recurra.tasks.transcribe.data import TranscribeData
    from recurra.tasks.transcribe.evaluate import Detail

# Rows of the tables of confusions and of speakers; and those of the first even where nothing was confused
# twice.
PAIRS, LOST, SPEAKERS, FEW = 20, 12, 15, 8
KINDS = ("substituted", "left_out", "put_in")
COUNTED = {
    "words": "Words right is what is left of all words that were said without those taken for others, left "
    "out or put in.",
    "wer": "WER, the word error rate, is the words that were taken for others, left out or put in, for each "
    "word that was said; it can be more than 100 %.",
    "cer": "CER, the character error rate, is such errors of characters, spaces among them.",
    "per": "PER, the phone error rate, is such errors of phones.",
    "right": "All right are the recordings without any wrong word.",
}


def write(
    page: Page,
    config: TranscribeConfig,
    data: TranscribeData,
    evaluation: Evaluation,
    records: Sequence[Record] = (),
) -> None:
    """Write the task's sections. records: of the run's log, for what was heard while it was trained."""
    detail: Detail | None = evaluation.detail
    page.section("The verdict")
    run.verdict(page, evaluation.words)
    lacking = figures.missing()
    if lacking:
        page.note(lacking)
    if detail is not None:
        _scores(page, detail)
        _confusions(page, detail)
        _groups(page, detail, drawn=lacking is None)
        examples.write(page, detail, config.seed, drawn=lacking is None)
    _samples(page, data, records)
    page.section("What was found in the data")
    page.lines(list(data.found))
    _use(page, data, config)
    page.footer(evaluation.signature)


def _scores(page: Page, detail: Detail) -> None:
    names = [name for name in NAMES if name in detail.methods[0].metrics]
    if detail.metric == "words":
        names.remove("right")
    columns = [
        methods.Column(
            name,
            NAMES[name],
            percent,
            None if name in KINDS else np.nanmin if name in LOWER_IS_BETTER else np.nanmax,
        )
        for name in names
    ]
    which = "test" if detail.part == "test" else "validation"
    over = "speakers" if detail.by_speaker else "recordings"
    methods.table(
        page,
        detail.methods,
        columns,
        methods.Gain(detail.metric, f"Gain in {LABELS[detail.metric]}, points", signed),
        f"{count(len(detail.recordings), 'recording')} of the {which} part; below each score its 95 % "
        f"interval, by a bootstrap over the {over}.",
    )
    told = " ".join(COUNTED[name] for name in names if name in COUNTED)
    if detail.cutter.writes_phones:
        told += " The model writes phones; for words, the first of the dictionary that is said so."
    page.text(
        f"{told} Taken for others, left out and put in: errors of each kind for each {detail.token} that was "
        "said. The gain is how far a method is behind the model: above zero, the model is better."
    )


def _confusions(page: Page, detail: Detail) -> None:
    noun = detail.token
    page.section(f"Which {noun}s it gets wrong")
    kinds = confusions.single(detail.texts)
    if kinds is not None:
        _matrix(page, detail, kinds)
    pairs, lost = confusions.confused(detail.aligned), confusions.lost(detail.aligned)
    if kinds is None and pairs:
        often = max(FEW, sum(one.times > 1 for one in pairs))
        rows = [
            (f"{_visible(one.said)} → {_visible(one.heard)}", f"{one.times:,}", f"{one.of:,}")
            for one in pairs[: min(PAIRS, often)]
        ]
        page.table(
            ("Said, and heard as", "Times", "Said in all"),
            rows,
            caption=f"Taken for each other most often; {count(len(pairs), 'pair')} in all.",
        )
    if lost:
        gone = [
            (_visible(one.token), f"{one.left_out:,}", f"{one.put_in:,}", f"{one.of:,}")
            for one in lost[:LOST]
        ]
        page.table(
            (noun.capitalize(), "Left out", "Put in", "Said in all"),
            gone,
            caption=f"Left out or put in most often; {count(len(lost), noun)} in all.",
        )
    if not pairs and not lost:
        page.text(f"None: every {noun} is right.")


def _matrix(page: Page, detail: Detail, kinds: Sequence[str]) -> None:
    table = confusions.matrix(detail.texts, detail.methods[0].texts, kinds)
    names = [*kinds, "other", "nothing"]
    columns = [n for n in range(len(names)) if n < len(kinds) or table[:, n].any()]
    share = table / table.sum(1, keepdims=True)
    shades = {
        (row, place): int(np.ceil(share[row, n] * SHADES)) * (1 if row == n else -1)
        for row in range(len(kinds))
        for place, n in enumerate(columns, 1)
        if share[row, n] > 0
    }
    rows = [
        [kinds[row], *(f"{table[row, n]:,}" if table[row, n] else "" for n in columns)]
        for row in range(len(kinds))
    ]
    page.table(
        ["Said, and heard as", *(names[n] for n in columns)],
        rows,
        caption="Recordings by what was said (a row) and what was heard (a column).",
        shades=shades,
    )


def _groups(page: Page, detail: Detail, *, drawn: bool) -> None:
    recordings = detail.recordings.recordings
    lengths = confusions.by_length(detail.aligned, recordings.lengths / recordings.rate)
    speakers = recordings.speakers
    several = speakers is not None and len(set(speakers)) > 1
    if not several and not (drawn and len(lengths) > 1):
        return
    page.section("By speaker and length" if several else "By length")
    name = NAMES[detail.metric] if detail.metric in LOWER_IS_BETTER else "Words wrong"
    if drawn and len(lengths) > 1:
        page.gallery([pictures.by_length(lengths, name)])
    if several:
        assert speakers is not None
        groups = confusions.by_speaker(detail.aligned, speakers)
        page.table(
            ("Speaker", name, f"{detail.token.capitalize()}s", "Recordings"),
            [
                (one.name, percent(one.rate), f"{one.tokens:,}", f"{one.recordings:,}")
                for one in groups[:SPEAKERS]
            ],
            caption=f"{'The' if len(groups) <= SPEAKERS else f'{SPEAKERS} of'} {len(groups):,} speakers, "
            "those with most errors first.",
        )


def _samples(page: Page, data: TranscribeData, records: Sequence[Record]) -> None:
    """What was heard in one recording while the model was trained."""
    recordings = data.valid.recordings
    if recordings.texts:
        of = f"Of {recordings.names[0]}, in which is said “{recordings.texts[0]}”:"
        run.samples(page, records, "transcript", of, "Heard")


def _use(page: Page, data: TranscribeData, config: TranscribeConfig) -> None:
    page.section("How to use it")
    page.text("Write down what is said in new recordings, with the times of the words:")
    page.code(f"recurra predict {page.bundle} recordings/ --out transcripts.csv")
    if config.live:
        rate = data.schema.rate
        page.text("Listen to a file, or to a microphone, and write while somebody speaks:")
        page.code(
            f"recurra listen {page.bundle} talk.wav\n"
            f"arecord -q -t raw -f S16_LE -c 1 -r {rate} | recurra listen {page.bundle} -"
        )
        page.text("Many streams at once, and a page with a microphone:")
        page.code(f"recurra stream {page.bundle} < pieces.ndjson\nrecurra serve {page.bundle}")
    page.text("Judge it on other recordings and their texts:")
    page.code(f"recurra evaluate {page.bundle} later/")
    page.text("From Python:")
    page.code(
        f'import recurra\n\nbundle = recurra.load("{page.bundle}")\n'
        'for word in bundle.transcribe(["talk.wav"])[0].words:\n'
        "    print(word.begin, word.end, word.text, word.confidence)"
    )


def _visible(token: str) -> str:
    return "␣" if token == " " else token
