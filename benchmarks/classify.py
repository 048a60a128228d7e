"""The classifier on public data sets, with no option but label and split for any of them.

python benchmarks/classify.py               # all sets, three seeds each, an hour and a half on 2 cores
python benchmarks/classify.py sst2 --seed 0  # some of them, one seed
python benchmarks/classify.py trec6-300       # few labels, with and without the texts that have none
python benchmarks/classify.py outputs         # what the answer is made from: last state, mean, max, attention
python benchmarks/classify.py --table        # only writes docs/results.md again from benchmarks/classify.json
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

import recurra
from labelled import CLASSIFY_SETS, FEW, FEW_LABELS, few_labels
from results import keep, load, machine, table, write_section

RESULTS = Path(__file__).with_suffix(".json")
SEEDS = (0, 1, 2)
# Ways from the states of all steps to one answer, and sets of text and series to compare them on.
OUTPUTS, COMPARED = ("last", "mean", "max", "attention"), ("trec6", "JapaneseVowels", "ItalyPowerDemand")
# What is aimed at, and what is known of others.
KNOWN = {
    "sst2": (0.825, "BiLSTM with GloVe and phrases .875"),
    "rt-polarity": (0.785, "LSTM .805"),
    "trec6": (0.90, "BLSTM-2DCNN .961"),
    "names18": (0.86, ""),
    "JapaneseVowels": (0.98, "LSTM-FCN family .98 to 1.0"),
    "BasicMotions": (0.975, "1.0"),
    "GunPoint": (0.95, "1.0"),
    "ArrowHead": (0.82, "FCN .88, ROCKET .81"),
    "ItalyPowerDemand": (0.96, "ROCKET .97"),
    "mnist rows": (0.97, "about .98"),
}
INTRODUCTION = """## Classification

One command for all sets, with no option but the file, the label and the split, as in
[the data sets' definitions](../benchmarks/labelled.py): `python benchmarks/classify.py`
({how}; {machine}).
Accuracy on the test part, mean over the seeds (least to most); the baseline is TF-IDF with logistic
regression for text and the nearest neighbour for series, on the same split. Networks: the share that the
recurrent networks have in the answer, beside the linear model of what is counted. Time is that of the whole
`fit`: reading, evaluation and report included. Where a set has no split of its own (rt-polarity, names18)
each seed draws another.

"""


def run(name: str, seed: int) -> dict[str, Any]:
    """Fit one set and keep what was scored."""
    source, options = CLASSIFY_SETS[name](seed)
    return _fitted(source, options, seed)


def _fitted(source: Any, options: dict[str, Any], seed: int) -> dict[str, Any]:
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        bundle = recurra.fit("classify", source, out=Path(folder) / "run", seed=seed, quiet=True, **options)
        share = float(bundle.model.state_dict()["share"])
        log = [json.loads(line) for line in (bundle.path / "log.jsonl").read_text().splitlines()]
    seconds = time.monotonic() - started
    scores = {score["method"]: score["metrics"] for score in bundle.record["scores"]}
    ours = scores.pop("Recurra")
    return {
        "seed": seed,
        "threads": torch.get_num_threads(),
        "seconds": round(seconds),
        "share": share,
        "networks": min(line["best"] for line in log if "best" in line),
        **{name: ours[name] for name in ("accuracy", "macro_f1", "log_loss", "ece")},
        "baseline": max(method["accuracy"] for method in scores.values()),
        "signature": bundle.record["signature"],
    }


def page(results: dict[str, dict[str, Any]]) -> str:
    """The section of docs/results.md."""
    rows = []
    ran = set()
    for name, (aim, known) in KNOWN.items():
        found = [results[key] for key in sorted(results) if key.startswith(f"{name}, seed")]
        if not found:
            continue
        ran |= {(len(found), one["threads"]) for one in found}
        rows.append(
            [
                name,
                f"**{_mean(found, 'accuracy'):.1%}** ({_ends(found, 'accuracy')})",
                f"{aim:.1%}",
                f"{_mean(found, 'baseline'):.1%}",
                known,
                f"{_mean(found, 'macro_f1'):.3f}",
                f"{_mean(found, 'log_loss'):.3f}",
                f"{_mean(found, 'ece'):.1%}",
                f"{_mean(found, 'share'):.0%}",
                f"{_mean(found, 'seconds'):,.0f} s",
            ]
        )
    header = ["data set", "accuracy", "aim", "baseline", "known of others", "macro F1"]
    header += ["log loss", "calibration error", "networks", "time"]
    how = ", ".join(
        f"{many} seed{'s' * (many > 1)}, {count} thread{'s' * (count > 1)}" for many, count in sorted(ran)
    )
    text = INTRODUCTION.format(how=how, machine=machine()) + table(header, rows)
    return text + _start(results) + _outputs(results)


def _start(results: dict[str, dict[str, Any]]) -> str:
    """What texts without labels are worth."""
    sides = {
        side: [results[key] for key in sorted(results) if key.startswith(f"{FEW}, {side}")]
        for side in ("labels alone", "unlabelled")
    }
    if not all(sides.values()):
        return ""
    rows = [
        [
            side,
            f"{_mean(found, 'accuracy'):.1%} ({_ends(found, 'accuracy')})",
            f"{_mean(found, 'log_loss'):.3f}",
            f"{_mean(found, 'share'):.0%}",
        ]
        for side, found in sides.items()
    ]
    return (
        f"\n\n### Texts without labels\n\ntrec6 with labels on {FEW_LABELS} of its 5,452 training questions, "
        "others for each seed; `--unlabelled` gives the rest without theirs: "
        f"`python benchmarks/classify.py {FEW}`.\n\n" + table(["", "accuracy", "log loss", "networks"], rows)
    )


def _outputs(results: dict[str, dict[str, Any]]) -> str:
    """What the answer is best made from."""
    rows = []
    for name in COMPARED:
        found = [results.get(f"{name}, {output}") for output in OUTPUTS]
        if all(found):
            rows.append([name, *(f"{one['accuracy']:.1%}, {one['networks']:.3f}" for one in found if one)])
    if not rows:
        return ""
    return (
        "\n\n### From all steps to one answer\n\nAccuracy on the test part, and the log loss of the "
        "recurrent networks alone on the training examples that each left out, by `--output`; seed 0: "
        "`python benchmarks/classify.py outputs`.\n\n" + table(["", *OUTPUTS], rows)
    )


def _mean(found: list[dict[str, Any]], name: str) -> float:
    return float(np.mean([one[name] for one in found]))


def _ends(found: list[dict[str, Any]], name: str) -> str:
    values = [one[name] for one in found]
    return f"{min(values):.1%} to {max(values):.1%}"


def main() -> None:
    """Run the sets that are named, all unless any is, and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sets", nargs="*", metavar="SET", help=", ".join([*CLASSIFY_SETS, FEW, "outputs"]))
    parser.add_argument("--seed", type=int, action="append", help="default: 0, 1 and 2")
    parser.add_argument("--table", action="store_true", help="only write the page again")
    given = parser.parse_args()
    for seed in () if given.table else given.seed or SEEDS:
        for name in given.sets or [*CLASSIFY_SETS, FEW]:
            for key, one in runs(name, seed):
                print(key, json.dumps(one), flush=True)
                keep(RESULTS, key, one)
    write_section("classification", page(load(RESULTS)))


def runs(name: str, seed: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """What there is to run under a name, one result after another."""
    if name == FEW:
        yield from few(seed)
    elif name == "outputs":
        yield from outputs() if seed == SEEDS[0] else ()
    else:
        yield f"{name}, seed {seed}", run(name, seed)


def few(seed: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Few labels, with and without the texts that have none."""
    with tempfile.TemporaryDirectory() as folder:
        source, options, unlabelled = few_labels(seed, Path(folder))
        yield f"{FEW}, labels alone, seed {seed}", _fitted(source, options, seed)
        yield f"{FEW}, unlabelled, seed {seed}", _fitted(source, options | {"unlabelled": unlabelled}, seed)


def outputs() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each way to one answer, with one seed."""
    for name in COMPARED:
        source, options = CLASSIFY_SETS[name](SEEDS[0])
        for output in OUTPUTS:
            yield f"{name}, {output}", _fitted(source, options | {"output": output}, SEEDS[0])


if __name__ == "__main__":
    main()
