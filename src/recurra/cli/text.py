"""Text from a language model's bundle, and how surprising text is to it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

import recurra
from recurra.cli import printed
from recurra.cli.arguments import BundleFolder, one_or_many
from recurra.errors import ConfigError

Texts = Annotated[list[str], Parameter(name="FILE", help="Text, or a folder of texts; gzip too.")]


def generate(
    bundle: BundleFolder,
    /,
    *,
    prompt: Annotated[str | None, Parameter(help="Text to go on from.", metavar="TEXT")] = None,
    prompt_file: Annotated[
        str | None,
        Parameter(help="File with that text; - for stdin.", metavar="FILE", allow_leading_hyphen=True),
    ] = None,
    length: Annotated[int, Parameter(help="Tokens to write, at most.", metavar="N")] = 1_000,
    temperature: Annotated[
        float, Parameter(help="Below 1 likelier text, above 1 bolder; 0: the likeliest.", metavar="X")
    ] = 1.0,
    top_k: Annotated[int | None, Parameter(help="Only the N likeliest tokens.", metavar="N")] = None,
    top_p: Annotated[
        float, Parameter(help="Only the likeliest tokens that together have this chance.", metavar="X")
    ] = 1.0,
    repetition_penalty: Annotated[
        float, Parameter(help="Above 1: tokens that have just been written become less likely.", metavar="X")
    ] = 1.0,
    repetition_window: Annotated[int, Parameter(help="How many tokens that looks back.", metavar="N")] = 64,
    seed: Annotated[int, Parameter(help="The same seed, the same text.", metavar="N")] = 0,
    samples: Annotated[
        int,
        Parameter(
            help="Texts to write, the first by the seed, the next by those after it.",
            metavar="N",
            validator=Number(gte=1),
        ),
    ] = 1,
    stop: Annotated[
        str | None, Parameter(help=r"End before this text; \n is the end of a line.", metavar="TEXT")
    ] = None,
) -> None:
    """Write on from a prompt; what is written goes to stdout at once, without the prompt."""
    given = _prompt(prompt, prompt_file)
    loaded = recurra.load(bundle)
    for number in range(samples):
        pieces = loaded.generate(
            given,
            length,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            repetition_penalty=repetition_penalty,
            repetition_window=repetition_window,
            seed=seed + number,
            stop=None if stop is None else stop.replace("\\n", "\n"),
        )
        if samples > 1:
            print(f"--- seed {seed + number}", flush=True)
        printed.text(pieces)


def _prompt(text: str | None, file: str | None) -> str | bytes:
    """The one that was given. Raises ConfigError."""
    if text is not None and file is not None:
        raise ConfigError("expected one prompt, got --prompt and --prompt-file. Give one of them.")
    try:
        if file is None:
            return text or ""
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise ConfigError(f"expected a prompt in {file}, got {error.strerror}. Name another file.") from error


def score(
    bundle: BundleFolder,
    source: Texts,
    /,
    *,
    adapt: Annotated[
        bool, Parameter(help="Let a copy of the model learn while it reads.", negative=())
    ] = False,
    by: Annotated[
        Literal["line", "token"], Parameter(help="What is shown and written to the file.")
    ] = "line",
    most: Annotated[
        int,
        Parameter(
            help="How many of the most surprising ones are shown.", metavar="N", validator=Number(gte=0)
        ),
    ] = 10,
    out: Annotated[
        str | None,
        Parameter(
            help="File for all of them, by its ending: .csv, .parquet, .ndjson or .json.", metavar="FILE"
        ),
    ] = None,
) -> None:
    """Say how surprising text is, and what is odd in it."""
    printed.checked(out)
    found = recurra.load(bundle).score(one_or_many(source), by=by, adapt=adapt)
    frame = found.lines if found.tokens is None else found.tokens
    if out is not None:
        printed.frame(frame, out)
    printed.scores([("", found.metrics)])
    print(*found.words, found.signature, sep="\n")
    printed.most_surprising(frame, by, most)
