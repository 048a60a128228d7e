"""Fit a translator on English and French sentences, read its scores, and let it translate.

python examples/translate.py [folder [time budget]]
"""

import sys
from pathlib import Path

import recurra

DATA = Path(__file__).parent / "data" / "english_french.tsv.gz"


def main(out: str = "runs/french", time_budget: str = "5m") -> None:
    """Write a bundle and a report to `out`, and print some translations."""
    bundle = recurra.fit("translate", DATA, time_budget=time_budget, out=out, overwrite=True)

    print(*bundle.record["words"], sep="\n")
    for score in bundle.record["scores"]:
        print(f"{score['method']:<24} BLEU {score['metrics']['bleu']:.1f}")

    for text in ("I am cold.", "Where is she?", "They want to help us."):
        for one in bundle.translate([text], best=3)[0]:
            print(f"{text:<24} {one.text:<32} {one.score:.2f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
