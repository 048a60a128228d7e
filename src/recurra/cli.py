"""The command line: fit, evaluate, predict, inspect, explain. One screen each, and quick to show its help."""

from __future__ import annotations

import csv
import inspect
import io
import math
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_origin

from cyclopts import App, CycloptsError, Parameter

import recurra
from recurra import sealed
from recurra.errors import ConfigError, DataError, RecurraError, Stopped
from recurra.tasks import TASKS, Entry
from recurra.tasks.base import seconds

if TYPE_CHECKING:
    import polars as pl
    from pydantic.fields import FieldInfo

    from recurra.bundle import Bundle

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
        help="CSV, Parquet or NDJSON (classify: .ts, .arff or a folder too); several are read as one.",
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

    def command(source: list[str], **given: Any) -> None:
        # What is left out is not given, so that the task's own defaults hold.
        bundle = recurra.fit(name, _one_or_many(source), **given)
        if os.environ.get("RANK", "0") == "0":
            _print_fitted(bundle)

    option = inspect.Parameter.KEYWORD_ONLY
    flags = {
        "resume": "Go on with a run that was stopped, as if it had not been.",
        "overwrite": "Start afresh where the folder already holds a run or a bundle.",
    }
    parameters = [
        inspect.Parameter("source", inspect.Parameter.POSITIONAL_ONLY, annotation=Files),
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
    if field.annotation is bool:
        return Annotated[bool | None, Parameter(help=text)]
    options = (field.annotation, *getattr(field.annotation, "__args__", ()))
    kinds = {get_origin(kind) or kind for kind in options}
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
    _print_scores((score.method, score.metrics) for score in evaluation.scores)
    print(*evaluation.words, sep="\n")
    print(evaluation.signature)


@app.command
def predict(
    bundle: BundleFolder,
    source: Files,
    /,
    *,
    out: Annotated[
        str | None,
        Parameter(help="File to write, by its ending: .csv, .parquet or .json [default: CSV to stdout]."),
    ] = None,
) -> None:
    """Answers for other files."""
    kind = Path(out).suffix if out is not None else ".csv"
    if kind not in (".csv", ".parquet", ".json"):
        raise ConfigError(
            f"expected a file ending in .csv, .parquet or .json, got {out}. Give it such an ending."
        )
    content = _table(recurra.load(bundle).predict(_one_or_many(source)), kind)
    if out is None:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        sealed.write(Path(out), content)
    except OSError as error:
        raise ConfigError(f"expected to write {out}, got {error.strerror}. Name another file.") from error


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
    _print_record(record)
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


def _one_or_many(source: list[str]) -> str | list[str]:
    return source[0] if len(source) == 1 else source


def _table(frame: pl.DataFrame, kind: str) -> bytes:
    """A frame as the bytes of a file."""
    content = io.BytesIO()
    if kind == ".parquet":
        frame.write_parquet(content)
    elif kind == ".json":
        frame.write_json(content)
    else:
        frame.write_csv(content)
    return content.getvalue()


def _print_fitted(bundle: Bundle) -> None:
    _print_record(bundle.record)
    print(f"bundle {bundle.path}, report {bundle.path / 'report.html'}")


def _print_record(record: Any) -> None:
    _print_scores([(score["method"], score["metrics"]) for score in record["scores"]])
    print(*record["words"], sep="\n")
    print(record["signature"])


def _print_scores(scores: Iterable[tuple[str, Mapping[str, float | None]]]) -> None:
    """One line a method, one column a metric."""
    from recurra.report.numbers import number  # noqa: PLC0415

    rows = list(scores)
    names = list(dict.fromkeys(name for _, metrics in rows for name in metrics))
    cells = [["", *names]]
    for method, metrics in rows:
        values = [metrics.get(name) for name in names]
        cells.append([method, *(number(math.nan if value is None else value) for value in values)])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for first, *rest in cells:
        print(first.ljust(widths[0]), *(c.rjust(w) for c, w in zip(rest, widths[1:], strict=True)), sep="  ")
