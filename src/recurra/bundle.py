"""A trained model on disk: a folder that says all about itself and runs nothing when it is loaded."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import safetensors.torch
import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from torch import nn

import recurra
from recurra import sealed, tasks
from recurra.decode.sampling import Sampling
from recurra.errors import BundleError, ConfigError
from recurra.stream import Stream
from recurra.stream.snapshot import Identity
from recurra.tasks.base import (
    Caption,
    Captions,
    Evaluation,
    Score,
    Scores,
    Source,
    Steps,
    Streams,
    Surprise,
    Task,
    Transcribes,
    Transcript,
    Translates,
    Translation,
    Writes,
)

if TYPE_CHECKING:
    import polars as pl

    from recurra.decode.beam import Beam
    from recurra.export import ExportedBundle

FORMAT = 1
RECORD, WEIGHTS, REPORT, LOG, CHECKPOINT, FOLDS = (
    "bundle.json",
    "weights.safetensors",
    "report.html",
    "log.jsonl",
    "checkpoint",
    "folds",
)


@dataclass(frozen=True, slots=True, repr=False)
class Bundle:
    """A task's model with the options and the schema that it was fitted with."""

    path: Path
    task: Task
    config: Any
    schema: Any
    model: nn.Module
    record: Mapping[str, Any]  # bundle.json

    def __repr__(self) -> str:
        return f"<Bundle {self.path}: {self.task.name}, {self.record['parameters']:,} parameters>"

    def evaluate(self, source: Source) -> Evaluation:
        """Metrics beside the baselines on other files, read as the ones that it was fitted on."""
        data = self.task.read(self.config, source, self.schema)
        with torch.no_grad():
            return self.task.evaluate(self.model, self.config, data)

    def predict(self, source: Source) -> pl.DataFrame:
        """Answers for other files, read as the ones that it was fitted on."""
        with torch.no_grad():
            return self.task.predict(self.model, self.config, self.schema, source)

    def generate(
        self,
        prompt: str | bytes = "",
        length: int = 1_000,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float = 1.0,
        repetition_penalty: float = 1.0,
        repetition_window: int = 64,
        seed: int = 0,
        stop: str | None = None,
    ) -> Iterator[str]:
        """What the model writes after a prompt, without the prompt, piece by piece as it is written.

        length  tokens, at most; the text ends before the characters `stop`, too, where it comes to them
        temperature, top_k, top_p, repetition_penalty, repetition_window  see `Sampling`, of recurra.decode
        Raises ConfigError, also for a bundle of a task that does not write.
        """
        if not isinstance(self.task, Writes):
            raise self._cannot("writes text")
        sampling = Sampling(temperature, top_k, top_p, repetition_penalty, repetition_window)
        return self.task.generate(
            self.model,
            self.config,
            self.schema,
            prompt,
            sampling=sampling,
            length=length,
            seed=seed,
            stop=stop,
        )

    def score(
        self, source: Source, *, by: Literal["token", "line"] = "token", adapt: bool = False
    ) -> Surprise:
        """How surprising each line of files is, and by="token" each token too.

        adapt: a copy of the model learns on while it reads. Raises DataError, and ConfigError for a bundle of
        a task that does not score.
        """
        if not isinstance(self.task, Scores):
            raise self._cannot("scores text")
        with torch.no_grad():
            return self.task.score(self.model, self.config, self.schema, source, by=by, adapt=adapt)

    def translate(
        self,
        texts: Sequence[str],
        *,
        beam: int | None = None,
        best: int = 1,
        length_penalty: float | None = None,
        coverage_penalty: float | None = None,
        most: int | None = None,
        told: Callable[[int, str], None] | None = None,
    ) -> list[list[Translation]]:
        """The `best` translations of each text, the best first. What is None is as the bundle was fitted.

        beam, length_penalty, coverage_penalty  see `Beam`, of recurra.decode.beam
        most  tokens of a translation, at most
        told  is told of each piece of the best one, and the text's number, as soon as it is certain
        Raises ConfigError, also for a bundle of a task that does not translate.
        """
        if not isinstance(self.task, Translates):
            raise self._cannot("translates", "`recurra fit translate` has written")
        search = _searched(
            self.task.beam(self.config),
            width=beam,
            length_penalty=length_penalty,
            coverage_penalty=coverage_penalty,
            most=most,
            best=best,
        )
        with torch.no_grad():
            return self.task.translate(self.model, self.schema, _several(texts), search, told)

    def transcribe(self, sounds: Sequence[Any]) -> list[Transcript]:
        """What is said in each sound, word by word: paths, or samples (N,) float32 at the schema's rate.

        Raises DataError for a file that cannot be read, and ConfigError for a bundle of a task that does not
        listen.
        """
        if not isinstance(self.task, Transcribes):
            raise self._cannot("transcribes", "`recurra fit transcribe` has written")
        with torch.no_grad():
            return self.task.transcribe(self.model, self.config, self.schema, _several(sounds))

    def caption(
        self,
        pictures: Sequence[Any],
        *,
        beam: int | None = None,
        best: int = 1,
        length_penalty: float | None = None,
        most: int | None = None,
    ) -> list[list[Caption]]:
        """The `best` captions of each picture, the best first. What is None is as the bundle was fitted.

        pictures  paths, the bytes of files, or features where the bundle reads those
        beam, length_penalty  see `Beam`, of recurra.decode.beam
        most  tokens of a caption, at most
        Raises DataError for a picture that cannot be read, and ConfigError, also for a bundle of a task that
        does not caption.
        """
        if not isinstance(self.task, Captions):
            raise self._cannot("captions pictures", "`recurra fit caption` has written")
        own = self.task.beam(self.config)
        search = _searched(own, width=beam, length_penalty=length_penalty, most=most, best=best)
        with torch.no_grad():
            return self.task.caption(self.model, self.schema, _several(pictures), search)

    def stream(self, keep: int = 0) -> Stream:
        """A sequence that is read as it comes, an observation at a time, in constant memory.

        keep: how many steps it can be rewound by. Raises ConfigError for a bundle that must see the end of a
        sequence first.
        """
        return Stream(self.steps(), Identity.of(self), keep)

    def steps(self) -> Steps:
        """The model ready to go on step by step, as streams and pools use it, with the weights of now."""
        if not isinstance(self.task, Streams):
            raise self._cannot("streams", "is of a task that goes on step by step")
        return self.task.steps(self.model, self.config, self.schema)

    def export_onnx(
        self, folder: str | os.PathLike[str] | None = None, *, int8: bool = False, overwrite: bool = False
    ) -> ExportedBundle:
        """Write the model as ONNX graphs, with a reader of them, into a folder; by default onnx in its own.

        Each graph is run in ONNX Runtime beside the model before anything is written. int8: each once more
        with weights of eight bits. Raises ConfigError, and ExportError where the two do not give the same.
        """
        from recurra.export import export_bundle  # noqa: PLC0415, it sees bundles, and needs more packages

        return export_bundle(self, folder, int8=int8, overwrite=overwrite)

    def _cannot(self, does: str, which: str = "`recurra fit language` has written") -> ConfigError:
        return ConfigError(
            f"expected a bundle of a task that {does}, got {self.path}, of the task {self.task.name!r}. "
            f"Name a bundle that {which}."
        )


def _searched(own: Beam, **given: Any) -> Beam:
    """The bundle's own search, with what is given otherwise. Raises ConfigError."""
    return replace(own, **{name: value for name, value in given.items() if value is not None})


def _several(given: Any) -> Sequence[Any]:
    """What is given alone, as one of a list: its letters are not meant."""
    return [given] if isinstance(given, str | bytes | os.PathLike) else given


def save(  # noqa: PLR0917
    folder: Path, task: Task, config: Any, data: Any, model: nn.Module, evaluation: Evaluation, report: str
) -> None:
    """Write the bundle into a folder that has the log; bundle.json comes last and makes it one."""
    weights = {name: tensor.detach().contiguous().clone() for name, tensor in model.state_dict().items()}
    files = {
        WEIGHTS: sealed.write(folder / WEIGHTS, safetensors.torch.save(weights)),
        REPORT: sealed.write(folder / REPORT, report.encode()),
        LOG: sealed.sha256((folder / LOG).read_bytes()),
    }
    record = {
        "format": FORMAT,
        "task": task.name,
        "config": config.model_dump(mode="json"),
        "schema": data.schema.model_dump(mode="json"),
        "data": data.sha256,
        "found": list(data.found),
        "scores": scores_as_json(evaluation.scores),
        "words": list(evaluation.words),
        "signature": evaluation.signature,
        "parameters": sum(p.numel() for p in model.parameters()),
        "versions": {
            "recurra": recurra.__version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
        "files": files,
    }
    sealed.write(folder / RECORD, sealed.seal(record))


def load(path: str | os.PathLike[str], task: Task | None = None) -> Bundle:
    """Read a bundle; nothing in it is executed. A task that is not recurra's own must be given.

    Raises BundleError when it is missing, damaged, foreign or from a newer version.
    """
    folder = Path(path)
    record = read_record(folder)
    try:
        task = task or tasks.find(record["task"])
        if task.name != record["task"]:
            raise BundleError(
                f"expected a bundle of the task {task.name!r} at {folder}, got {record['task']!r}. "
                "Load it with that task."
            )
        config = task.Config.model_validate(record["config"])
        schema = task.Schema.model_validate(record["schema"])
        # The report and the log may have been taken away; what is there must be what was written.
        kept = [name for name in (WEIGHTS, REPORT, LOG) if name == WEIGHTS or (folder / name).exists()]
        content = {name: (folder / name).read_bytes() for name in kept}
        for name, found in content.items():
            if sealed.sha256(found) != record["files"][name]:
                raise _refused(folder, f"damaged: {name} does not match its sha256", WHOLE)
        with torch.random.fork_rng(devices=[]):
            model = task.build(config, schema)
        model.load_state_dict(safetensors.torch.load(content[WEIGHTS]))
    except OSError as error:
        name = Path(str(error.filename)).name
        raise _refused(folder, f"damaged: {name} cannot be read ({error.strerror})", WHOLE) from error
    except ConfigError as error:
        raise BundleError(
            f"{folder} is a bundle of a task that this version does not know: {error}"
        ) from error
    except (ValidationError, SafetensorError, RuntimeError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise _refused(folder, f"written by another version: {reason}", UPGRADE) from error
    return Bundle(folder, task, config, schema, model.eval(), record)


WHOLE = "Copy the whole folder again, or fit once more."
UPGRADE = "Load it with the version of recurra that wrote it, or a newer one."


def read_record(folder: Path) -> dict[str, Any]:
    """bundle.json, checked. Raises BundleError."""
    try:
        return sealed.unseal((folder / RECORD).read_bytes(), FORMAT)
    except (FileNotFoundError, NotADirectoryError) as error:
        if (folder / CHECKPOINT).is_dir():
            what, then = "an unfinished run", "Finish it with the same `recurra fit` and --resume."
        else:
            there = f"no {RECORD} in it" if folder.is_dir() else "no such folder"
            what, then = there, "Name a folder that `recurra fit` has written."
        raise BundleError(f"expected a bundle at {folder}, got {what}. {then}") from error
    except OSError as error:
        raise BundleError(f"expected to read {folder / RECORD}, got {error.strerror}. {WHOLE}") from error
    except sealed.BrokenSeal as error:
        raise _refused(folder / RECORD, str(error), UPGRADE if "newer" in str(error) else WHOLE) from error


def _refused(path: Path, what: str, then: str) -> BundleError:
    return BundleError(f"expected a whole bundle, got {path}, which is {what}. {then}")


def scores_as_json(scores: Sequence[Score]) -> list[dict[str, Any]]:
    """Scores as bundle.json has them."""
    return [{"method": score.method, "metrics": finite(score.metrics)} for score in scores]


def finite(metrics: Mapping[str, float]) -> dict[str, float | None]:
    """Metrics as JSON can have them: None for what is no number."""
    return {name: float(value) if math.isfinite(value) else None for name, value in metrics.items()}
