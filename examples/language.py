"""Fit a language model on plays, read its scores, let it write, find what it holds for odd.

python examples/language.py [folder [time budget]]
"""

import sys
from pathlib import Path

import recurra

DATA = Path(__file__).parent / "data" / "shakespeare.txt"


def main(out: str = "runs/plays", time_budget: str = "3m") -> None:
    """Write a bundle and a report to `out`, and print what it writes and what surprises it."""
    bundle = recurra.fit("language", DATA, time_budget=time_budget, out=out, overwrite=True)

    print(*bundle.record["words"], sep="\n")
    for score in bundle.record["scores"]:
        print(f"{score['method']:<20} {score['metrics']['bits_per_character']:.2f} bits a character")

    for piece in bundle.generate("ROMEO:\n", length=300, temperature=0.8, seed=1):
        print(piece, end="", flush=True)
    print()


if __name__ == "__main__":
    main(*sys.argv[1:])
