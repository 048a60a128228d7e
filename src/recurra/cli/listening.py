"""Sound in, what is said out, while it is said: from a file, a pipe, or a microphone through one."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

import recurra
from recurra.cli import printed
from recurra.cli.arguments import BundleFolder
from recurra.errors import ConfigError, RecurraError

# Seconds of sound that are heard at a time: soon, and quickly.
LIVE, READ = 0.1, 1.0
# To the beginning of the line, which is then empty; faint, and as before.
BACK, FAINT, USUAL = "\r\x1b[K", "\x1b[2m", "\x1b[0m"
# Characters of a line on a screen that does not say.
WIDE = 80

Told = Generator[None, Mapping[str, Any], None]


def listen(
    bundle: BundleFolder,
    source: Annotated[
        str,
        Parameter(
            name="FILE",
            help="A recording; - for stdin: 16-bit PCM, little endian, one channel, or a WAV.",
            allow_leading_hyphen=True,
        ),
    ] = "-",
    /,
    *,
    rate: Annotated[
        int | None,
        Parameter(
            help="Samples a second of raw PCM [default: as the bundle hears].",
            metavar="N",
            validator=Number(gte=1_000, lte=768_000),
        ),
    ] = None,
    chunk: Annotated[
        float | None,
        Parameter(
            help="Seconds of sound that are heard at a time [default: 0.1; of a file 1].",
            metavar="X",
            validator=Number(gt=0, lte=60),
        ),
    ] = None,
    times: Annotated[
        bool, Parameter(help="Begin each line with the seconds from when to when it was said.", negative=())
    ] = False,
    as_json: Annotated[
        bool,
        Parameter(
            name="--json", help="A line of JSON for each change, of what is being said, too.", negative=()
        ),
    ] = False,
) -> None:
    """Write down what is said while it is said, a line an utterance; on a screen, each word as it comes."""
    from recurra.stream.taking import taking  # noqa: PLC0415

    loaded = recurra.load(bundle)
    if loaded.steps().kind != "sound":
        raise ConfigError(
            f"expected a bundle that listens, got {bundle}, of the task {loaded.task.name!r}. Name one that "
            "`recurra fit transcribe` has written, or use `recurra stream`."
        )
    stream = loaded.stream()
    told = _json() if as_json else _lines(times, sys.stdout.isatty())
    next(told)
    seconds = chunk or (LIVE if source == "-" else READ)
    blocks = _blocks(source, loaded.schema.rate, seconds, rate)
    try:
        for samples in taking(lambda: next(blocks, None), "while it listened"):
            told.send(stream.step(samples))
    except RecurraError:  # what has been said was said
        told.send(stream.step(b""))
        raise
    told.send(stream.step(b""))


def _blocks(source: str, rate: int, seconds: float, given: int | None) -> Iterator[Any]:
    """Samples (N,) of the sound, a block after the other."""
    from recurra.data.soundblocks import file_blocks, pipe_blocks  # noqa: PLC0415

    if source != "-":
        if given is not None:
            raise ConfigError(
                f"expected --rate with raw samples on stdin alone, got {source}, which says its own. Leave "
                "--rate out."
            )
        return file_blocks(Path(source), rate, seconds)
    if sys.stdin.isatty():
        raise ConfigError(
            "expected a file, or sound on stdin, got a terminal. Name a file, or pipe sound in: "
            f"arecord -f S16_LE -r {rate} | recurra listen BUNDLE."
        )
    return pipe_blocks(sys.stdin.buffer, rate, seconds, given)


def _json() -> Told:
    """Takes answers, and writes those that say something new."""
    before = ""
    while True:
        answer = yield
        if answer["final"] or answer["partial"] != before:
            print(json.dumps(answer, ensure_ascii=False), flush=True)
        before = answer["partial"]


def _lines(times: bool, screen: bool) -> Told:
    """Takes answers, and writes utterances; on a screen, below them what is being said."""
    before = ""
    while True:
        answer = yield
        for said in answer["final"]:
            print(f"{BACK if before else ''}{_line(said, times)}", flush=True)
            before = ""
        if screen and answer["partial"] != before:
            before = answer["partial"]
            print(f"{BACK}{FAINT}{_fitting(before)}{USUAL}", end="", flush=True)


def _line(said: Mapping[str, Any], times: bool) -> str:
    text = str(said["text"]).translate(printed.CONTROL)
    if not times or not said["words"]:
        return text
    return f"{said['words'][0]['begin']:.2f}–{said['words'][-1]['end']:.2f}  {text}"


def _fitting(text: str) -> str:
    """The end of a text, as much of it as fits into a line of the screen."""
    from rich.cells import cell_len  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415

    wide = (Console().width or WIDE) - 1
    text = text.translate(printed.CONTROL)
    if cell_len(text) <= wide:
        return text
    while cell_len(text) >= wide:
        text = text[1:]
    return f"…{text}"
