"""Fit a recogniser of spoken digits, read its scores, and let it listen to a recording piece by piece.

python examples/transcribe.py [folder [time budget]]
"""

import sys
from pathlib import Path

import recurra
from recurra.data.audio import read_audio

DATA = Path(__file__).parent / "data" / "digits"


def main(out: str = "runs/digits", time_budget: str = "5m") -> None:
    """Write a bundle and a report to `out`, and print what is heard."""
    bundle = recurra.fit("transcribe", DATA, time_budget=time_budget, out=out, overwrite=True)

    print(*bundle.record["words"], sep="\n")
    for score in bundle.record["scores"]:
        print(f"{score['method']:<28} words right {score['metrics']['words']:.1%}")

    for one in bundle.transcribe([DATA / "7_jackson_0.flac"]):
        for word in one.words:
            print(f"{word.begin:.2f} to {word.end:.2f} s: {word.text} ({word.confidence:.0%} sure)")

    stream = bundle.stream()
    sound = read_audio(DATA / "4_nicolas_0.flac", bundle.schema.rate).samples
    for begin in range(0, len(sound), 800):
        answer = stream.step(sound[begin : begin + 800])
        print(f"after {answer['seconds']:.2f} s: {answer['partial']}")
    print("said:", *(one["text"] for one in stream.step("")["final"]))


if __name__ == "__main__":
    main(*sys.argv[1:])
