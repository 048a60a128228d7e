"""From files to a bundle: read, train, finish, evaluate, write."""

from __future__ import annotations

import dataclasses
import difflib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from recurra.errors import ConfigError

if TYPE_CHECKING:
    from recurra.bundle import Bundle
    from recurra.tasks.base import Evaluation, Source, Task
    from recurra.train.distributed import Peers


def fit(
    task: str | Task,
    source: Source = None,
    /,
    *,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    overwrite: bool = False,
    quiet: bool = False,
    **options: Any,
) -> Bundle:
    """Fit a task's model to files or a frame and write a bundle to `out` (default: runs/<task>).

    Of a task whose options name the files (translate) they need not be named before.

    `resume` goes on with a run in `out` that was stopped, as if it had never been; `overwrite` starts afresh
    where `out` already holds a run. `options` are those of the task's Config.

    Raises ConfigError, DataError, TrainingError and CheckpointError; Stopped when a signal ended it.
    """
    # Here rather than above, so that `recurra --help` need not wait for torch.
    import torch  # noqa: PLC0415

    from recurra import bundle, tasks  # noqa: PLC0415
    from recurra.tasks.base import Folded, Judges  # noqa: PLC0415
    from recurra.train.distributed import peers  # noqa: PLC0415
    from recurra.train.loop import Loop  # noqa: PLC0415
    from recurra.train.progress import Reporter  # noqa: PLC0415
    from recurra.train.seeds import seeded  # noqa: PLC0415

    task = tasks.find(task)
    config = configure(task.Config, options)
    folder = Path(out) if out is not None else Path("runs") / task.name
    with peers() as processes, _owned(folder, processes):
        reporter = Reporter(quiet or not processes.first)
        there = _what_is_there(folder, resume, overwrite)
        data = task.read(config, source)
        if resume and folder / bundle.RECORD in there:
            return _same(bundle.load(folder, task), config, data)
        # Only now that the new data has been read may an old run go.
        if overwrite and processes.first:
            for path in there:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        processes.wait()
        for line in data.found:
            reporter.say(line)
        with seeded(config.seed, processes.rank) as seed_again:
            share = config
            if isinstance(task, Judges) and isinstance(data, Folded) and data.folds:
                share, data = _cross_validate(task, config, data, folder, processes, reporter, resume)
                seed_again()
            model = Loop(task, share, data, folder, processes, reporter).run(resume)
            if processes.first:
                seed_again()
                reporter.say("judging it beside the baselines")
                task.finish(model, config, data)
                with torch.no_grad():
                    evaluation = task.evaluate(model, config, data)
                    page = _report(task, model, config, data, evaluation, folder)
                bundle.save(folder, task, config, data, model, evaluation, page)
        processes.wait()
        return bundle.load(folder, task)


def _cross_validate(  # noqa: PLR0917
    task: Any, config: Any, data: Any, folder: Path, processes: Peers, reporter: Any, resume: bool
) -> tuple[Any, Any]:
    """Fit a model without each fold in turn and keep what it says of that fold.

    Returns the options with the part of the time budget that each model has, the last one of everything too,
    and the data with what was said.
    """
    import numpy as np  # noqa: PLC0415
    import torch  # noqa: PLC0415

    from recurra.bundle import FOLDS  # noqa: PLC0415
    from recurra.train.loop import Loop  # noqa: PLC0415

    many = len(data.folds)
    each = config.model_copy(update={"time_budget": config.time_budget / (many + 1)})
    said = []
    for number in range(many):
        reporter.say(f"fold {number + 1} of {many}")
        part = data.fold(number)
        place = folder / FOLDS / str(number + 1)
        if processes.first:
            place.mkdir(parents=True, exist_ok=True)
        processes.wait()
        model = Loop(task, each, part, place, processes, reporter).run(resume)
        task.finish(model, each, part)
        with torch.no_grad():
            said.append(task.judge(model, part))
    reporter.say("all examples together")
    return each, dataclasses.replace(data, judged=np.concatenate(said))


def configure(config: type[Any], options: dict[str, Any]) -> Any:
    """The task's options with the given ones set. Raises ConfigError, naming the option."""
    try:
        return config(**options)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"][:1]))
        if first["type"] == "extra_forbidden":
            near = difflib.get_close_matches(name, config.model_fields, 1)
            then = f"Did you mean {near[0]}?" if near else f"There are {', '.join(config.model_fields)}."
            raise ConfigError(f"expected an option of the task, got {name!r}. {then}") from error
        what = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
        if first["type"] == "value_error":
            raise ConfigError(what) from error
        raise ConfigError(
            f"expected {name} to be {what}, got {first['input']!r}. Give another {name}."
        ) from error


@contextmanager
def _owned(folder: Path, processes: Peers) -> Iterator[None]:
    """Make the folder and keep other runs out of it; it is taken away again if nothing was written."""
    import fcntl  # noqa: PLC0415, as Windows has none and the layers should work there

    if not processes.first:
        yield
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise ConfigError(
            f"expected a folder to write to, got {folder} ({error.strerror}). Name another with --out."
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise ConfigError(
            f"expected a folder that no other run uses, got {folder}. "
            "Wait for that run or name another with --out."
        ) from error
    try:
        yield
    finally:
        os.close(descriptor)
        if not any(folder.iterdir()):
            folder.rmdir()


def _what_is_there(folder: Path, resume: bool, overwrite: bool) -> list[Path]:
    """What an earlier run left in the folder. Raises ConfigError unless this one may deal with it."""
    from recurra import bundle  # noqa: PLC0415

    names = (bundle.RECORD, bundle.CHECKPOINT, bundle.LOG, bundle.WEIGHTS, bundle.REPORT, bundle.FOLDS)
    there = [folder / name for name in names if (folder / name).exists()]
    if overwrite and resume:
        raise ConfigError("expected --resume or --overwrite, got both. Give one of them.")
    if there and not (resume or overwrite):
        what = "a bundle" if there[0].name == bundle.RECORD else "an unfinished run"
        raise ConfigError(
            f"expected a new folder, got {folder}, which holds {what}. "
            "Add --resume to go on, --overwrite to start afresh, or name another with --out."
        )
    return there


def _same(finished: Bundle, config: Any, data: Any) -> Bundle:
    """The bundle that was asked for already stands. Raises CheckpointError when it is another one."""
    from recurra.train.state import refuse_other  # noqa: PLC0415

    record = finished.record
    refuse_other(
        {"task": record["task"], "options": record["config"], "data": record["data"]},
        {"task": finished.task.name, "options": config.model_dump(mode="json"), "data": data.sha256},
    )
    return finished


def _report(  # noqa: PLR0917
    task: Task, model: Any, config: Any, data: Any, evaluation: Evaluation, folder: Path
) -> str:
    from recurra.report import run  # noqa: PLC0415
    from recurra.report.page import Page  # noqa: PLC0415

    page = Page(f"{folder.name}: {task.name}", task.summary, str(folder))
    task.report(page, model, config, data, evaluation)
    run.training(page, run.read_log(folder))
    run.options(page, config)
    return page.html()
