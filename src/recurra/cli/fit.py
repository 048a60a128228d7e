"""`recurra fit`: a command for each task, an option for each field of its Config."""

from __future__ import annotations

import csv
import inspect
import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any, get_origin

from cyclopts import App, Parameter

import recurra
from recurra.cli import printed
from recurra.cli.arguments import Files, one_or_many
from recurra.tasks import TASKS, Entry
from recurra.tasks.base import seconds

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

fit_app = App(name="fit", help="Fit a model to files, judge it and keep it.", help_format="plaintext")

Out = Annotated[str | None, Parameter(help="Folder for the bundle [default: runs/<task>].", metavar="FOLDER")]


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
        bundle = recurra.fit(name, one_or_many(files) if files else None, **given)
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
