"""The command line: what `recurra` does with files and bundles. Quick to show its help."""

from __future__ import annotations

import csv
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_origin

from cyclopts import App, CycloptsError, Parameter
from cyclopts.validators import Number

import recurra
from recurra import printed, sealed, translating
from recurra.errors import ConfigError, DataError, RecurraError, Stopped
from recurra.serve.command import serve
from recurra.tasks import TASKS, Entry
from recurra.tasks.base import seconds

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

MISTAKE = 2  # exit code for what a user can put right
SIGNALLED = 128  # plus the signal's number, as shells do

HELP = "From files of sequences to a trained recurrent network, judged beside baselines."
CODES = (
    "Exit codes: 0 done; 2 a mistake that one sentence names; 130 and 143 stopped by Ctrl-C or SIGTERM, "
    "where fit has saved first and --resume goes on."
)

app = App(
    name="recurra",
    help=HELP,
    help_epilogue=CODES,
    help_format="plaintext",
    version=recurra.__version__,
    suppress_keyboard_interrupt=False,
)
fit_app = App(name="fit", help="Fit a model to files, judge it and keep it.", help_format="plaintext")
app.command(fit_app)

Out = Annotated[str | None, Parameter(help="Folder for the bundle [default: runs/<task>].", metavar="FOLDER")]
Files = Annotated[
    list[str],
    Parameter(
        name="FILE",
        help="CSV, Parquet or NDJSON (classify: .ts, .arff or a folder too; language: text; translate: two "
        "files of lines, too); several as one.",
    ),
]
Texts = Annotated[list[str], Parameter(name="FILE", help="Text, or a folder of texts; gzip too.")]
Table = Annotated[
    str | None,
    Parameter(
        help="File to write, by its ending: .csv, .parquet, .ndjson or .json [default: CSV to stdout].",
        metavar="FILE",
    ),
]
BundleFolder = Annotated[str, Parameter(name="BUNDLE", help="Folder that `recurra fit` has written.")]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
    who = f"recurra, process {os.environ['RANK']}" if os.environ.get("RANK", "0") != "0" else "recurra"
    code = 0
    try:
        app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except Stopped as error:
        print(f"{who}: {error}", file=sys.stderr)
        code = SIGNALLED + error.signal
    except KeyboardInterrupt:
        print(f"{who}: interrupted", file=sys.stderr)
        code = 130
    except (RecurraError, CycloptsError) as error:
        print(f"{who}: {' '.join(str(error).split())}", file=sys.stderr)
        code = MISTAKE
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def add_tasks() -> None:
    """Give `recurra fit` a command for each task in TASKS that has none yet."""
    for name, entry in TASKS.items():
        if name not in fit_app:
            fit_app.command(_fit_command(name, entry), name=name)


def _fit_command(name: str, entry: Entry) -> Callable[..., None]:
    """`recurra fit <task>`: an option for every field of the task's Config."""
    fields = entry.config().model_fields

    def command(files: list[str] | None = None, **given: Any) -> None:
        # What is left out is not given, so that the task's own defaults hold.
        bundle = recurra.fit(name, _one_or_many(files) if files else None, **given)
        if os.environ.get("RANK", "0") == "0":
            printed.fitted(bundle)

    option = inspect.Parameter.KEYWORD_ONLY
    # Of a task with an option for the files, they may be named there.
    needed = None if "source" in fields else inspect.Parameter.empty
    flags = {
        "resume": "Go on with a run that was stopped, as if it had not been.",
        "overwrite": "Start afresh where the folder already holds a run or a bundle.",
    }
    parameters = [
        inspect.Parameter("files", inspect.Parameter.POSITIONAL_ONLY, default=needed, annotation=Files),
        inspect.Parameter("out", option, default=None, annotation=Out),
        *(
            inspect.Parameter(
                flag,
                option,
                default=False,
                annotation=Annotated[bool, Parameter(help=text, negative=(), show_default=False)],
            )
            for flag, text in flags.items()
        ),
        *(
            inspect.Parameter(key, option, default=None, annotation=_annotation(field))
            for key, field in fields.items()
        ),
    ]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__doc__ = entry.summary
    return command


def _annotation(field: FieldInfo) -> Any:
    """How the command line reads a field: lists repeated or split at commas, the rest left to pydantic."""
    default = field.default
    if any(getattr(part, "func", None) is seconds for part in field.metadata):
        default = f"{default / 60:g}m"
    elif isinstance(default, tuple):
        default = ",".join(map(str, default))
    text = field.description or ""
    text += "" if default in (None, "") else f" [default: {default}]"
    options = (field.annotation, *getattr(field.annotation, "__args__", ()))
    kinds = {get_origin(kind) or kind for kind in options}
    if bool in kinds:
        return Annotated[bool | None, Parameter(help=text)]
    if tuple in kinds:
        return Annotated[
            list[str] | None, Parameter(help=text, converter=_list, negative=(), metavar="A,B...", n_tokens=1)
        ]
    metavar = "N" if int in kinds else "X" if float in kinds else "TEXT"
    return Annotated[str | None, Parameter(help=text, metavar=metavar)]


def _list(kind: Any, tokens: Iterable[Any]) -> list[str]:
    """`a,b` and repeated options; quotes keep a comma inside a name."""
    return [
        item for row in csv.reader((token.value for token in tokens), skipinitialspace=True) for item in row
    ]


add_tasks()


@app.command
def evaluate(bundle: BundleFolder, source: Files, /) -> None:
    """Judge a bundle on other files, beside the baselines."""
    evaluation = recurra.load(bundle).evaluate(_one_or_many(source))
    if not evaluation.scores:
        raise DataError(" ".join(evaluation.words))
    printed.scores((score.method, score.metrics) for score in evaluation.scores)
    print(*evaluation.words, sep="\n")
    print(evaluation.signature)


@app.command
def predict(bundle: BundleFolder, source: Files, /, *, out: Table = None) -> None:
    """Answers for other files; of large ones each part is answered before the next is read."""
    from recurra import batch  # noqa: PLC0415

    printed.checked(out)
    batch.predict(recurra.load(bundle), _one_or_many(source), out)


@app.command
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


@app.command
def translate(
    bundle: BundleFolder,
    source: Annotated[
        str, Parameter(name="FILE", help="Texts, a line each; - for stdin, a line at a time.")
    ] = "-",
    /,
    *,
    beam: Annotated[
        int | None, Parameter(help="Translations that are followed side by side.", metavar="N")
    ] = None,
    best: Annotated[
        int, Parameter(help='Translations of each text, as "number ||| text ||| score".', metavar="N")
    ] = 1,
    length_penalty: Annotated[
        float | None, Parameter(help="Above 0: longer translations.", metavar="X")
    ] = None,
    coverage_penalty: Annotated[
        float | None, Parameter(help="Above 0: translations that attend to all of the source.", metavar="X")
    ] = None,
    most: Annotated[int | None, Parameter(help="Tokens of a translation, at most.", metavar="N")] = None,
) -> None:
    """Translate texts, a line each, as they come; of those from stdin each word goes to stdout at once."""
    options = {
        "beam": beam,
        "best": best,
        "length_penalty": length_penalty,
        "coverage_penalty": coverage_penalty,
        "most": most,
    }
    translating.run(recurra.load(bundle), source, options)


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


@app.command
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
    found = recurra.load(bundle).score(_one_or_many(source), by=by, adapt=adapt)
    frame = found.lines if found.tokens is None else found.tokens
    if out is not None:
        printed.frame(frame, out)
    printed.scores([("", found.metrics)])
    print(*found.words, found.signature, sep="\n")
    printed.most_surprising(frame, by, most)


@app.command
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


@app.command
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


@app.command(name="inspect")
def inspect_(bundle: BundleFolder, /) -> None:
    """What a bundle holds: task, options, scores, sizes, versions."""
    loaded = recurra.load(bundle)
    record = loaded.record
    print(f"{loaded.path}: {record['task']}, {record['parameters']} parameters")
    print(*(f"  {line}" for line in record["found"]), sep="\n")
    options, defaults = loaded.config.model_dump(), type(loaded.config)().model_dump()
    given = [f"{name}={value}" for name, value in options.items() if value != defaults[name]]
    print("options:", ", ".join([*given, "all others as by default"]))
    printed.record(record)
    print("written by " + ", ".join(f"{name} {version}" for name, version in record["versions"].items()))


@app.command
def explain(
    bundle: Annotated[
        str | None, Parameter(help="Folder of a bundle; without one, each kind of layer.")
    ] = None,
    /,
) -> None:
    """What the engines run on here, which one runs which layer, and why the others do not."""
    import torch  # noqa: PLC0415

    from recurra.engines import cpu  # noqa: PLC0415

    print(cpu.described())
    layers = {kind: getattr(recurra.nn, kind)(64, 128) for kind in ("RNN", "GRU", "LSTM")}
    print(recurra.explain(recurra.load(bundle).model if bundle else torch.nn.ModuleDict(layers)))


app.command(serve)


def _one_or_many(source: list[str]) -> str | list[str]:
    return source[0] if len(source) == 1 else source
