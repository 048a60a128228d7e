"""The language model on public texts, and how fast it learns and writes beside the same in torch.nn.

python benchmarks/language.py                      # all but the three hours: an hour and a half on 2 cores
python benchmarks/language.py speed writing        # some of them
python benchmarks/language.py "ptb, 3 hours"       # a long one; "ptb, 75 minutes" is the other
python benchmarks/language.py --table              # only writes docs/results.md again, from language.json
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import torch

import recurra
from datasets import ROOT
from layers.timing import FULL, threads
from results import keep, load, machine, table, write_section
from writers import SHAPES, learning, writing

RESULTS = Path(__file__).with_suffix(".json")
TEXTS = ROOT / "language_modelling"
INTRODUCTION = """## Language models

One command for each text, with no option but the files and the time: `python benchmarks/language.py`
({machine}).

"""
# Options, what is aimed at and what is known of others: perplexity a word; for letters, nats a character.
PTB = [str(TEXTS / "ptb_word" / f"ptb.{part}.txt") for part in ("train", "valid", "test")]
FITS: dict[str, tuple[dict[str, Any], str, str]] = {
    "ptb, 30 minutes": (
        {"time_budget": "30m", "adapt": True},
        "95; learning on 85",
        "Zaremba small 114.5; tied 2 × 200 110.4",
    ),
    "ptb, 75 minutes": (
        {"time_budget": "75m", "adapt": True},
        "",
        "",
    ),
    "ptb, 3 hours": (
        {"time_budget": "3h", "adapt": True},
        "80",
        "Zaremba medium 82.7; tied 1500 72.3; AWD-LSTM 56.5 on a GPU",
    ),
    "tinyshakespeare, 15 minutes": (
        {"time_budget": "15m", "valid": 0.1, "test": 0},
        "1.50",
        "minGRU 1.548; small GPT 1.47",
    ),
}
LONG = ("ptb, 75 minutes", "ptb, 3 hours")


def fit(name: str) -> dict[str, Any]:
    """Fit one text and keep what was scored."""
    options, _, _ = FITS[name]
    source = PTB if name.startswith("ptb") else str(TEXTS / "tinyshakespeare" / "input.txt")
    started = time.monotonic()
    folder = Path("runs") / "benchmarks" / name.replace(", ", "-").replace(" ", "-")
    bundle = recurra.fit("language", source, out=folder, overwrite=True, **options)
    log = [json.loads(line) for line in (bundle.path / "log.jsonl").read_text().splitlines()]
    return {
        "seconds": round(time.monotonic() - started),
        "threads": torch.get_num_threads(),
        "steps": max(line["step"] for line in log),
        "shape": bundle.schema.shape.model_dump(mode="json"),
        "parameters": bundle.record["parameters"],
        "scores": {score["method"]: score["metrics"] for score in bundle.record["scores"]},
        "signature": bundle.record["signature"],
    }


def page(results: dict[str, dict[str, Any]]) -> str:
    """The section of docs/results.md."""
    rows = []
    for name, (_, aim, known) in FITS.items():
        if name not in results:
            continue
        found = results[name]
        others = dict(found["scores"])
        ours, letters = others.pop("Recurra"), not name.startswith("ptb")
        rows.append(
            [
                name,
                f"**{_size(ours, letters)}**",
                "; ".join(f"{method} {_size(metrics, letters)}" for method, metrics in others.items()),
                aim,
                known,
                f"{found['parameters'] / 1e6:.1f} M, {found['shape']['passes']:.0f} passes",
                f"{found['seconds'] / 60:.0f} min" + (" on one core" if found["threads"] == 1 else ""),
            ]
        )
    header = ["text, time budget", "Recurra", "beside it", "aim", "known of others", "model", "whole `fit`"]
    text = INTRODUCTION.format(machine=machine())
    if rows:
        text += (
            "Perplexity a word on PTB's test part; nats a character on the last tenth of tinyshakespeare.\n\n"
        )
        text += table(header, rows)
    return text + _speeds(results)


def _size(metrics: dict[str, float], letters: bool) -> str:
    return f"{math.log(metrics['perplexity']):.3f}" if letters else f"{metrics['perplexity']:.1f}"


def _speeds(results: dict[str, dict[str, Any]]) -> str:
    """Learning and writing beside torch.nn."""
    text = ""
    for kind, told in {
        "speed": "Tokens a second while training: whole steps, with clipping and the optimizer, in turns "
        "(medians). The same model in torch.nn has its layers and a softmax over all "
        "tokens, with tied weights. Ours foretells rare words in a group of their own; the third column is "
        "ours without.",
        "writing": "Characters a second of one stream on one thread, embedding, layers, output and sampling "
        "included, in turns (medians).",
    }.items():
        if kind not in results:
            continue
        found = results[kind]
        rivals = list(dict.fromkeys(one for rates in found.values() for one in rates))
        rows = [[name, *(_rate(rates, one) for one in rivals)] for name, rates in found.items()]
        text += f"\n\n### {'Learning' if kind == 'speed' else 'Writing'}\n\n{told}\n\n" + table(
            ["", *rivals], rows
        )
    return text


def _rate(rates: dict[str, float], rival: str) -> str:
    if rival not in rates:
        return ""
    ratio = rates["Recurra"] / rates[rival]
    return f"{rates[rival]:,.0f}" + ("" if rival == "Recurra" else f" ({ratio:.2f}×)")


def main() -> None:
    """Run what is named, all but the long ones unless any is, and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join([*FITS, "speed", "writing"]))
    parser.add_argument("--table", action="store_true", help="only write the page again")
    given = parser.parse_args()
    usual = [*(name for name in FITS if name not in LONG), "speed", "writing"]
    for name in () if given.table else given.parts or usual:
        if name in FITS:
            found = fit(name)
        elif name == "speed":
            found = {told: learning(shape, FULL) for told, shape in SHAPES.items()}
        else:
            with threads(1):
                found = {"LSTM 2 × 256, 65 characters": writing(FULL)}
        print(name, json.dumps(found), flush=True)
        keep(RESULTS, name, found)
    write_section("language", page(load(RESULTS)))


if __name__ == "__main__":
    main()
