"""The forecaster on public data sets, with no option but target, horizon and split for any of them.

python benchmarks/forecast.py            # all sets, about an hour on 2 cores; writes docs/results.md
python benchmarks/forecast.py m3-yearly  # some of them
python benchmarks/forecast.py --table    # only writes docs/results.md again from benchmarks/forecast.json
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

import recurra
from datasets import FORECAST_SETS, DataSet
from recurra.tasks.forecast.features import Features
from recurra.tasks.forecast.metrics import insample_scale, owa, smape
from recurra.tasks.forecast.task import forecast
from recurra.tasks.forecast.windows import Windows, truths, windows
from results import keep, load, machine, table, write_section

RESULTS = Path(__file__).with_suffix(".json")
# The metric of each set, and what is known of others.
KNOWN = {
    "ETTh1-96": ("MSE", "SegRNN .368, seasonal naive .512"),
    "ETTh1-192": ("MSE", ""),
    "ETTh1-336": ("MSE", ""),
    "ETTh1-720": ("MSE", ""),
    "ETTh2-96": ("MSE", "SegRNN .278, seasonal naive .391"),
    "ETTh2-192": ("MSE", ""),
    "ETTh2-336": ("MSE", ""),
    "ETTh2-720": ("MSE", ""),
    "m4-hourly": ("OWA", "ES-RNN .440, seasonal naive .627"),
    "m4-weekly": ("OWA", "ES-RNN .851, best of M4 .739"),
    "m3-yearly": ("MASE", "Theta 2.774, DeepAR 3.51"),
    "m3-quarterly": ("MASE", "Theta 1.117, DeepAR 1.31"),
    "m3-monthly": ("MASE", "Theta .862, TBATS .861, DeepAR 1.17"),
    "exchange-96": ("MSE", "repeat-last .081"),
}
MEANS = {"ETTh1": "SegRNN .417", "ETTh2": "SegRNN .373"}
INTRODUCTION = """## Forecasting

One command for all sets, with no option but the file, the target, the horizon and the split, as in
[the data sets' definitions](../benchmarks/datasets.py): `make bench`
({how}; {machine}).
Time is that of the whole `fit`: reading, evaluation beside the baselines and report included.
MSE and MAE are in units of the training part's standard deviation, over all windows of the test part with
stride 1; MASE, sMAPE and OWA are as in M4, on the last horizon of each series. Published figures of others
are from their papers or from the competitions' pages; SegRNN's are with a look-back of 96.

"""
# Accuracy of M4's Naive2 on the official test part, which OWA is relative to.
NAIVE2 = {"M4 Hourly": (18.383, 2.395), "M4 Weekly": (9.161, 2.777)}


def run(data: DataSet, seed: int) -> dict[str, Any]:
    """Fit on the training and validation parts, and score the test part as the data set's papers do."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        bundle = recurra.fit(
            "forecast",
            data.frame,
            out=Path(folder) / "run",
            target=data.target,
            horizon=data.horizon,
            valid=data.valid,
            test=data.test,
            seed=seed,
        )
    seconds = time.monotonic() - started
    whole = bundle.task.read(bundle.config, data.frame)
    panel, split = whole.panel, whole.split
    first = split.end - data.horizon if data.windows == "last" else split.valid
    which = windows(panel, first, split.end, data.horizon, 1)
    found = forecast(bundle.model, Features.of(panel), which)
    scores = score(data, panel.target, split, which, found, truths(panel, which, data.horizon))
    levels = bundle.config.quantiles
    low, high = levels.index(0.1), levels.index(0.9)
    truth = truths(panel, which, data.horizon)
    inside = (found[..., low] <= truth) & (truth <= found[..., high])
    scores |= {"coverage_80": float(inside.mean()), "windows": len(which), "seconds": round(seconds)}
    return {
        "seed": seed,
        "threads": torch.get_num_threads(),
        "signature": bundle.record["signature"],
        **scores,
    }


def score(  # noqa: PLR0917
    data: DataSet, series: list[Any], split: Any, which: Windows, found: Any, truth: Any
) -> dict[str, float]:
    """MSE and MAE in units of the training part's spread, or MASE, sMAPE and OWA."""
    point = found[..., found.shape[-1] // 2]
    error = np.abs(point - truth)
    if data.windows == "all":
        spread = np.array([y[:end].std() for y, end in zip(series, split.train, strict=True)])
        scaled = error / spread[which.series, None]
        return {"MSE": float((scaled**2).mean()), "MAE": float(scaled.mean())}
    scale = np.array(
        [insample_scale(y[:end], data.period) for y, end in zip(series, split.valid, strict=True)]
    )
    scores = {
        "MASE": float((error.mean(1) / scale[which.series]).mean()),
        "sMAPE": float(smape(truth, point).mean()),
    }
    if data.name in NAIVE2:
        scores["OWA"] = owa(scores["sMAPE"], scores["MASE"], *NAIVE2[data.name])
    return scores


def page(results: dict[str, dict[str, Any]]) -> str:
    """The section of docs/results.md."""
    rows = []
    for key, (metric, known) in KNOWN.items():
        if (found := results.get(key)) is None:
            continue
        rest = " ".join(f"{m} {found[m]:.3f}" for m in ("MAE", "MASE", "sMAPE") if m in found and m != metric)
        held, seconds = f"{found['coverage_80']:.1%}", f"{found['seconds']:,} s"
        rows.append([key, f"{metric} **{found[metric]:.3f}**", known, rest, held, seconds])
    for name, known in MEANS.items():
        parts = [results.get(f"{name}-{h}") for h in (96, 192, 336, 720)]
        if all(parts):
            mean = float(np.mean([part["MSE"] for part in parts if part]))
            rows.append([f"{name}, mean of four", f"MSE **{mean:.3f}**", known, "", "", ""])
    header = ["data set and horizon", "Recurra", "known", "also", "80 % held", "time"]
    ran = {(found["seed"], found["threads"]) for found in results.values()}
    how = ", ".join(f"seed {seed}, {count} thread{'s' * (count > 1)}" for seed, count in sorted(ran))
    return INTRODUCTION.format(how=how, machine=machine()) + table(header, rows)


def main() -> None:
    """Run the sets that are named, all unless any is, and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sets", nargs="*", metavar="SET", help=", ".join(FORECAST_SETS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--table", action="store_true", help="only write the page again")
    given = parser.parse_args()
    for name in () if given.table else given.sets or FORECAST_SETS:
        found = run(FORECAST_SETS[name](), given.seed)
        print(name, json.dumps(found), flush=True)
        keep(RESULTS, name, found)
    write_section("forecasting", page(load(RESULTS)))


if __name__ == "__main__":
    main()
