"""The translator on public pairs, and how fast it learns and searches beside the same in torch.nn.

python benchmarks/translate.py                            # what takes half an hour each, and the speeds
python benchmarks/translate.py "de-en, 30 minutes" speed  # some of them
python benchmarks/translate.py "de-en, 2 hours"           # a long one; "en-de, 2 hours" is the other
python benchmarks/translate.py --table                    # only writes docs/results.md again
"""

from __future__ import annotations

import argparse
import json
import time
import zipfile
from pathlib import Path
from typing import Any

import recurra
from datasets import ROOT
from layers.timing import FULL
from results import fitted, keep, load, machine, table, write_section
from translators import LIMIT, SHAPES, learning, searching

RESULTS = Path(__file__).with_suffix(".json")
TEXTS = ROOT / "translation"
FOLDER = Path("runs") / "benchmarks" / "translate"
INTRODUCTION = """## Translation

One command for each set, with no option but the files, the direction and the time:
`python benchmarks/translate.py` ({machine}). BLEU and chrF by sacrebleu, beam 5. Multi30k is lower-case and
tokenised as published (task 1), and judged on test2016; Tatoeba's pairs are those of up to {words} English
words, of which 2,000 sentences with all their translations were kept back. What took one core an hour did the
work that is planned for two cores in half of that.

"""
PRODUCTS = (
    "“Products alone” is as many operations as the weights ask for, in large square products of torch, in "
    "the same run: what nothing in float32 can pass. Twice the speed of torch.nn is beyond it."
)
WORDS = 10
# Direction, time, BLEU that is aimed at and that others publish.
FITS: dict[str, tuple[str, str, str, str]] = {
    "de-en, 30 minutes": ("de-en", "30m", "32", ""),
    "en-de, 30 minutes": ("en-de", "30m", "29", ""),
    "de-en, 2 hours": ("de-en", "2h", "36", ""),
    "en-de, 2 hours": ("en-de", "2h", "34", "attentional GRU about 38"),
    "en-fr, 30 minutes": ("en-fr", "30m", "40", ""),
}
LONG = ("de-en, 2 hours", "en-de, 2 hours")


def fit(name: str) -> dict[str, Any]:
    """Fit one direction and keep what was scored."""
    direction, budget, *_ = FITS[name]
    a, b = direction.split("-")
    options: dict[str, Any] = {"time_budget": budget}
    source: Any = str(tatoeba()) if b == "fr" else multi30k(a, b)
    if b != "fr":
        options |= {"source": a, "target": b}
    started = time.monotonic()
    out = FOLDER / name.replace(", ", "-").replace(" ", "-")
    bundle = recurra.fit("translate", source, out=out, overwrite=True, **options)
    return fitted(bundle, started) | {"words": [word for word in bundle.record["words"] if "|" in word]}


def multi30k(a: str, b: str) -> list[str]:
    """The files of a direction."""
    names = ("train", "val", "test_2016_flickr")
    return [
        str(TEXTS / "multi30k" / "tok" / f"{name}.lc.norm.tok.{side}") for name in names for side in (a, b)
    ]


def tatoeba() -> Path:
    """The pairs of few words, as a file of their own."""
    with zipfile.ZipFile(TEXTS / "tatoeba_fra_eng" / "fra-eng.zip") as packed:
        text = packed.read("fra.txt").decode()
    lines = [line for line in text.splitlines() if len(line.split("\t")[0].split()) <= WORDS]
    path = FOLDER / "tatoeba.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def page(results: dict[str, dict[str, Any]]) -> str:
    """The section of docs/results.md."""
    rows = []
    for name, (_, _, aim, known) in FITS.items():
        if name not in results:
            continue
        found = results[name]
        others = dict(found["scores"])
        ours = others.pop("Recurra")
        rows.append(
            [
                name,
                f"**{ours['bleu']:.1f}**",
                f"{ours['chrf']:.1f}",
                "; ".join(f"{method} {metrics['bleu']:.1f}" for method, metrics in others.items()),
                aim,
                known,
                f"{found['parameters'] / 1e6:.1f} M, {found['shape']['passes']:.0f} passes",
                f"{found['seconds'] / 60:.0f} min" + (" on one core" if found["threads"] == 1 else ""),
            ]
        )
    text = INTRODUCTION.format(machine=machine(), words=WORDS)
    if rows:
        head = ["pairs, time budget", "BLEU", "chrF", "BLEU beside it", "aim", "known of others", "model"]
        text += table([*head, "whole `fit`"], rows)
        text += f"\n\nSignatures: {'; '.join(f'`{word}`' for word in results[_first(results)]['words'])}."
    return text + _speeds(results)


def _first(results: dict[str, Any]) -> str:
    return next(name for name in FITS if name in results)


def _speeds(results: dict[str, dict[str, Any]]) -> str:
    """Learning and searching beside torch.nn."""
    text = ""
    for kind, title, told in (
        (
            "speed",
            "Learning",
            "Target tokens a second while training: whole steps, with clipping and the optimizer, in turns "
            "(medians). The same model in torch.nn has its layers on packed sequences.",
        ),
        (
            "searching",
            "Searching",
            "Sentences a second of beam search, five wide, in turns (medians). In torch.nn by its cells, "
            "with padded memories and batched products; the search itself is the same.",
        ),
    ):
        if kind in results:
            rows = [
                [name, f"{rates['Recurra']:,.0f}", *(_beside(rates, one) for one in ("torch.nn", LIMIT))]
                for name, rates in results[kind].items()
            ]
            head = ["", "Recurra", "torch.nn (we are)", f"{LIMIT} (we are)"]
            text += f"\n\n### {title}\n\n{told}\n\n" + table(head, rows)
    if "speed" in results or "searching" in results:
        text += f"\n\n{PRODUCTS}"
    return text


def _beside(rates: dict[str, float], other: str) -> str:
    return f"{rates[other]:,.0f} ({rates['Recurra'] / rates[other]:.2f}×)"


def main() -> None:
    """Run what is named, all but the long ones unless any is, and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join([*FITS, "speed", "searching"]))
    parser.add_argument("--table", action="store_true", help="only write the page again")
    given = parser.parse_args()
    usual = [*(name for name in FITS if name not in LONG), "speed", "searching"]
    for name in () if given.table else given.parts or usual:
        if name in FITS:
            found = fit(name)
        else:
            one = learning if name == "speed" else searching
            found = {told: one(shape, FULL) for told, shape in SHAPES.items()}
        print(name, json.dumps(found), flush=True)
        keep(RESULTS, name, found)
    write_section("translate", page(load(RESULTS)))


if __name__ == "__main__":
    main()
