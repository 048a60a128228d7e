"""Fit a classifier on surnames, read its scores, ask it about new ones.

python examples/classify.py [folder [time budget]]
"""

import sys
from pathlib import Path

import polars as pl

import recurra

DATA = Path(__file__).parent / "data" / "names.csv"


def main(out: str = "runs/names", time_budget: str = "3m") -> None:
    """Write a bundle and a report to `out`, and print what it says of a few names."""
    bundle = recurra.fit("classify", DATA, label="language", time_budget=time_budget, out=out, overwrite=True)

    print(*bundle.record["words"], sep="\n")
    for score in bundle.record["scores"]:
        print(f"{score['method']:<28} accuracy {score['metrics']['accuracy']:.1%}")

    print(bundle.predict(pl.DataFrame({"name": ["Nakamura", "Schneider", "O'Connell", "Rossi"]}))[:, :3])


if __name__ == "__main__":
    main(*sys.argv[1:])
