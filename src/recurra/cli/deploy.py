"""A bundle in use: on the lines of a stream, and outside of Python."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

import recurra
from recurra import sealed
from recurra.cli.arguments import BundleFolder
from recurra.errors import ConfigError, DataError


def stream(
    bundle: BundleFolder,
    /,
    *,
    by: Annotated[
        str | None,
        Parameter(
            help="Field that names the stream of each line [default: all are of one].", metavar="FIELD"
        ),
    ] = None,
    streams: Annotated[
        int, Parameter(help="Streams at once, at most, with --by.", metavar="N", validator=Number(gte=1))
    ] = 10_000,
    plain: Annotated[
        bool, Parameter(help="Lines are text as it stands, their ends included, not JSON.", negative=())
    ] = False,
    state: Annotated[
        str | None,
        Parameter(help="File to go on from where there is one, and to leave the state in.", metavar="FILE"),
    ] = None,
) -> None:
    """Read observations from stdin as they come, JSON a line, and answer each with a line at once."""
    from recurra.stream.lines import ALONE, Lines, reading  # noqa: PLC0415
    from recurra.stream.pool import StreamPool  # noqa: PLC0415

    if by is not None and (state is not None or plain):
        other = "--plain" if plain else "--state"
        raise ConfigError(f"expected lines that name their streams or {other}, got both. Leave one out.")
    pool = StreamPool(recurra.load(bundle), streams if by is not None else 1)
    if state is not None and Path(state).exists():
        pool.open(ALONE, Path(state).read_bytes())
    lines = Lines(pool, by=by, plain=plain)
    try:
        for line in reading(sys.stdin.buffer):
            print(lines.answer(line), flush=True)
    finally:
        if state is not None:
            sealed.write(Path(state), pool.state(ALONE))
    if lines.failed:
        raise DataError(
            f"expected an observation in each line, got none in {lines.failed}. The answers to them say why."
        )


def export(
    bundle: BundleFolder,
    /,
    *,
    to: Annotated[Literal["onnx"], Parameter(help="The format.", show_default=False)] = "onnx",
    out: Annotated[
        str | None,
        Parameter(help="Folder for the graphs and their reader [default: BUNDLE/onnx].", metavar="FOLDER"),
    ] = None,
    int8: Annotated[
        bool, Parameter(help="Write each graph with weights of eight bits, too.", negative=())
    ] = False,
    overwrite: Annotated[bool, Parameter(help="Replace an export in the folder.", negative=())] = False,
) -> None:
    """Write a bundle as ONNX graphs, which are first shown to give what the bundle gives."""
    written = recurra.load(bundle).export_onnx(out, int8=int8, overwrite=overwrite)
    print(*written.words, f"written to {written.path}", sep="\n")
