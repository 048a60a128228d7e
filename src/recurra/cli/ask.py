"""What a bundle is asked: how good it is, its answers, what it holds, and which engines run it."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

import recurra
from recurra.cli import printed
from recurra.cli.arguments import BundleFolder, Files, Table, one_or_many
from recurra.errors import DataError


def evaluate(bundle: BundleFolder, source: Files, /) -> None:
    """Judge a bundle on other files, beside the baselines."""
    evaluation = recurra.load(bundle).evaluate(one_or_many(source))
    if not evaluation.scores:
        raise DataError(" ".join(evaluation.words))
    printed.scores((score.method, score.metrics) for score in evaluation.scores)
    print(*evaluation.words, sep="\n")
    print(evaluation.signature)


def predict(bundle: BundleFolder, source: Files, /, *, out: Table = None) -> None:
    """Answers for other files; of large ones each part is answered before the next is read."""
    from recurra import batch  # noqa: PLC0415

    printed.checked(out)
    batch.predict(recurra.load(bundle), one_or_many(source), out)


def inspect(bundle: BundleFolder, /) -> None:
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
