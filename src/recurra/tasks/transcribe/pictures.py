"""The figures of a recogniser's report."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from recurra.data.frequency import Array
from recurra.report.figures import COLOURS, HALF, WHOLE, drawing
from recurra.report.numbers import count, percent
from recurra.report.page import Figure
from recurra.tasks.transcribe.augment import log_mel
from recurra.tasks.transcribe.features import LOWEST, lengths, mel

if TYPE_CHECKING:
    from recurra.decode.wordtimes import Word
    from recurra.tasks.transcribe.confusions import Group

# Seconds that are drawn of a recording, and columns of the picture at most.
DRAWN, COLUMNS = 15.0, 500
# Inches of the picture, of a row of words above it, and of a letter of these.
HEIGHT, ROW, LETTER = 1.35, 0.17, 0.075
# Rows of words at most; those that do not fit are left out.
ROWS = 4
# Blue that can be seen on white and on black paper, as thick as it is loud: the share of the energies that
# are not seen at all, that of all but those seen in full, and shades between.
BLUE, QUIET, LOUD, SHADES = (0.16, 0.46, 0.80), 0.2, 0.995, 24
# Frequencies in kHz that are named.
NAMED = (0.5, 1, 2, 4, 8, 16)
WRONG = " ✗"


def spectrogram(
    samples: Array, rate: int, words: Sequence[Word], wrong: Sequence[bool], caption: str = "", *, wide: bool
) -> Figure:
    """How loud a recording (N,) is at each time and frequency, and above it the words (W,) heard."""
    seconds = min(max(len(samples), lengths(rate)[0]) / rate, DRAWN)
    width = WHOLE if wide else HALF
    shown = [n for n, word in enumerate(words) if word.begin < seconds]
    texts = [words[n].text + (WRONG if wrong[n] else "") for n in shown]
    rows = placed([words[n].begin for n in shown], [len(text) for text in texts], seconds, width)
    high = max(rows, default=-1) + 1
    with warnings.catch_warnings(), drawing(width, HEIGHT + ROW * high) as drawn:
        # The page has letters that matplotlib's font does not have.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        axes = drawn.axes
        image = _image(samples[: int(DRAWN * rate)], rate)
        bands = len(image)
        axes.imshow(image, origin="lower", aspect="auto", extent=(0, seconds, 0, bands), interpolation="none")
        step = bands * ROW / HEIGHT * 1.35
        top = bands + high * step
        for n, text, row in zip(shown, texts, rows, strict=True):
            colour = COLOURS["second" if wrong[n] else "ink"]
            axes.plot(2 * [words[n].begin], [0, bands + (row + 0.8) * step], color=colour, linewidth=0.7)
            # As long as the word lasts.
            axes.plot([words[n].begin, words[n].end], 2 * [bands], color=colour, linewidth=2.5)
            axes.annotate(
                text,
                (words[n].begin, bands + (row + 0.25) * step),
                xytext=(2.5, 0),
                textcoords="offset points",
                color=colour,
                parse_math=False,
            )
        axes.set_xlim(0, seconds)
        axes.set_ylim(0, top)
        hertz = [f for f in NAMED if f * 1000 <= rate / 2]
        axes.set_yticks([place(1000 * f, rate, bands) for f in hertz], [f"{f:g}" for f in hertz])
        axes.set_ylabel("kHz", y=bands / top / 2)
        axes.set_xlabel("seconds")
        axes.spines["left"].set_bounds(0, bands)
        axes.grid(visible=False)
    told = ", ".join(f"{words[n].text} at {words[n].begin:.2f} s" for n in shown) or "no word"
    return Figure(drawn.svg, f"{seconds:.1f} s of sound; heard: {told}.", caption)


def placed(begins: Sequence[float], letters: Sequence[int], seconds: float, width: float) -> list[int]:
    """The row, from 0 to ROWS - 1, in which each word hides as little as can be of those before it."""
    ends = [-1.0] * ROWS
    found = []
    for begin, many in zip(begins, letters, strict=True):
        row = next((n for n, end in enumerate(ends) if end <= begin), int(np.argmin(ends)))
        ends[row] = begin + (many + 1) * LETTER * seconds / (width - 0.6)
        found.append(row)
    return found


def place(hertz: float, rate: int, bands: int) -> float:
    """Where on the axis of the bands a frequency lies."""
    share = (mel(hertz) - mel(LOWEST)) / (mel(rate / 2) - mel(LOWEST))
    return share * (bands + 1) - 0.5


def _image(samples: Array, rate: int) -> Array:
    """(M, W, 4) colours, W of them from the beginning to the end."""
    window = lengths(rate)[0]
    frames = log_mel(rate)(np.pad(samples, (0, max(0, window - len(samples)))))
    if len(frames) > COLUMNS:
        edges = np.linspace(0, len(frames), COLUMNS + 1).astype(int)[:-1]
        frames = np.add.reduceat(frames, edges) / np.diff([*edges, len(frames)])[:, None]
    low, high = np.quantile(frames, (QUIET, LOUD))
    loud = np.clip((frames.T - low) / max(high - low, 1e-6), 0, 1)
    thick = np.round(loud * SHADES) / SHADES
    return np.concatenate([np.broadcast_to(BLUE, (*thick.shape, 3)), thick[:, :, None]], 2)


def by_length(groups: Sequence[Group], name: str) -> Figure:
    """Errors by how long a recording is."""
    with drawing(HALF, 2.4) as drawn:
        axes = drawn.axes
        axes.plot(range(len(groups)), [100 * one.rate for one in groups], "o-", color=COLOURS["model"])
        axes.set_xticks(range(len(groups)), [one.name for one in groups])
        axes.set_ylim(0, max(1.0, 108 * max(one.rate for one in groups)))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g} %")
        axes.set_xlabel("seconds of the recording")
        axes.set_title(f"{name} by length")
    told = ", ".join(
        f"{percent(one.rate)} for {one.name} s ({count(one.recordings, 'recording')})" for one in groups
    )
    return Figure(drawn.svg, f"{name} by the length of the recording: {told}.")
