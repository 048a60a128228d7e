"""The recogniser on public recordings: errors, how fast it is, and how late it tells.

python benchmarks/transcribe.py                           # what takes up to half an hour each, and the speed
python benchmarks/transcribe.py "AN4 live, 30 minutes"    # one of them
python benchmarks/transcribe.py "AN4, 2 hours"            # a long one; "AN4 live, 2 hours" is the other
python benchmarks/transcribe.py --table                   # only writes docs/results.md again
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
import torch

import recurra
from datasets import ROOT
from recurra.bundle import Bundle
from recurra.data.audio import read_audio
from recurra.decode.ctc import Beam
from recurra.tasks.transcribe.streaming import TranscribeSteps
from results import fitted, keep, load, machine, table, write_section

RESULTS = Path(__file__).with_suffix(".json")
SPEECH = ROOT / "speech"
FOLDER = Path("runs") / "benchmarks" / "transcribe"
INTRODUCTION = """## Speech recognition

One command for each set, with no option but the files and the time (and `--no-live` where the model reads
from both ends): `python benchmarks/transcribe.py` ({machine}). Errors by jiwer. Of AN4's 948 recordings for
training the last 100 are for validation; its 130 for the test are of other speakers. Of the Free Spoken
Digit Dataset the official split has the same speakers on both sides; apart from that each of the six was
left out in turn.

"""
# Recordings of AN4's training part that are kept for validation, as ESPnet does.
VALID = 100
DIGITS = ("ZERO", "ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE")
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
# Data, time, whether it is live, what is aimed at and what others have.
FITS: dict[str, tuple[str, str, bool, str, str]] = {
    "AN4, 30 minutes": ("an4", "30m", False, "CER 13, WER 25", "CTC of ESPnet: CER 12.6"),
    "AN4 live, 30 minutes": ("an4", "30m", True, "CER 16.9, WER 32.5", ""),
    "AN4, 2 hours": ("an4", "2h", False, "CER 8, WER 15", ""),
    "AN4 live, 2 hours": ("an4", "2h", True, "CER 10.4, WER 19.5", ""),
    "FSDD, official split": ("fsdd", "10m", True, "WER 1.5", "WER 1 to 4"),
}
APART = "FSDD, a speaker left out"
LONG = ("AN4, 2 hours", "AN4 live, 2 hours")
# Seconds of sound that are fed at a time where the delay is measured.
CHUNK = 0.02
# Below the loudest moment, in decibels, what is no longer speech.
SPEECH_ABOVE = 35.0


def an4() -> list[str]:
    """Tables of AN4's parts, in the order of the corpus."""
    rows: dict[str, list[str]] = {}
    for part in ("train", "test"):
        files = (SPEECH / "an4" / "etc" / f"an4_{part}.fileids").read_text().split()
        lines = (SPEECH / "an4" / "etc" / f"an4_{part}.transcription").read_text().splitlines()
        texts = [line.rsplit("(", 1)[0].replace("<s>", "").replace("</s>", "").strip() for line in lines]
        rows[part] = [
            f"{SPEECH / 'an4' / 'wav' / name}.flac\t{text}" for name, text in zip(files, texts, strict=True)
        ]
    rows["valid"] = rows["train"][-VALID:]
    del rows["train"][-VALID:]
    return [_table(f"an4-{part}", rows[part]) for part in ("train", "valid", "test")]


def fsdd(speaker: str | None = None) -> list[str]:
    """Tables of the digits: the official split, or one speaker for the test."""
    rows: dict[str, list[str]] = {"train": [], "test": []}
    for path in sorted((SPEECH / "fsdd" / "recordings").glob("*.wav")):
        digit, who, number = path.stem.split("_")
        test = int(number) < 5 if speaker is None else who == speaker
        rows["test" if test else "train"].append(f"{path}\t{DIGITS[int(digit)]}")
    name = "fsdd" if speaker is None else f"fsdd-{speaker}"
    return [_table(f"{name}-{part}", some) for part, some in rows.items()]


def _table(name: str, rows: list[str]) -> str:
    path = FOLDER / f"{name}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{row}\n" for row in ["path\ttext", *rows]), encoding="utf-8")
    return str(path)


def fit(data: str, budget: str, live: bool, out: str, speaker: str | None = None) -> dict[str, Any]:
    """Fit one model and keep what was scored."""
    started = time.monotonic()
    bundle = recurra.fit(
        "transcribe",
        an4() if data == "an4" else fsdd(speaker),
        time_budget=budget,
        live=live,
        out=FOLDER / out,
        overwrite=True,
    )
    return fitted(bundle, started)


def apart() -> dict[str, Any]:
    """Words right of each speaker, by a model that heard the five others; what is there already stays."""
    found: dict[str, Any] = load(RESULTS).get(APART, {})
    for who in SPEAKERS:
        if who not in found:
            one = fit("fsdd", "10m", True, f"fsdd-{who}", who)
            found[who] = {"right": one["scores"]["Recurra"]["words"], "seconds": one["seconds"]}
            print(who, found[who], flush=True)
            keep(RESULTS, APART, found)
    return found


def speed() -> dict[str, Any]:
    """How much faster than they last recordings are heard on one core, and how late words are told."""
    torch.set_num_threads(1)
    bundle = recurra.load(_bundle())
    paths = [line.split("\t")[0] for line in Path(an4()[2]).read_text().splitlines()[1:]]
    sounds = [read_audio(Path(path), bundle.schema.rate).samples for path in paths]
    seconds = sum(map(len, sounds)) / bundle.schema.rate
    rates: dict[str, list[float]] = {"whole": [], "in pieces of 0.1 s": []}
    for _ in range(3):
        started = time.perf_counter()
        bundle.transcribe(sounds)
        rates["whole"].append(seconds / (time.perf_counter() - started))
        started = time.perf_counter()
        for sound in sounds:
            for _answer in _streamed(bundle, sound, 0.1):
                pass
        rates["in pieces of 0.1 s"].append(seconds / (time.perf_counter() - started))
    late = [one for sound in sounds for one in _late(bundle, sound)]
    return {
        "times faster": {name: median(some) for name, some in rates.items()},
        "late": {"p50": float(np.quantile(late, 0.5)), "p90": float(np.quantile(late, 0.9))},
        "heard": len(late),
        "same": _same(bundle, sounds),
    }


def _bundle() -> Path:
    found = [FOLDER / _folder(name) for name in FITS if "AN4 live" in name]
    there = [path for path in found if (path / "bundle.json").exists()]
    assert there, 'fit "AN4 live, 30 minutes" first'
    return there[-1]


def _streamed(bundle: Bundle, sound: Any, chunk: float) -> Iterator[dict[str, Any]]:
    stream = bundle.stream()
    size = round(chunk * bundle.schema.rate)
    for at in range(0, len(sound), size):
        yield stream.step(sound[at : at + size])
    yield stream.step(sound[:0])


def _late(bundle: Bundle, sound: Any) -> list[float]:
    """Seconds from the end of speech to when its last word is told, with the time that it takes.

    A second of what the room sounds like follows, so that a recording may end with its last word. None of a
    recording of which nothing is heard.
    """
    rate, size = bundle.schema.rate, round(CHUNK * bundle.schema.rate)
    quiet = np.random.default_rng(0).normal(0, max(1e-4, float(np.abs(sound[:size]).mean())), rate)
    sound = np.concatenate([sound, quiet.astype(np.float32)])
    power = np.array([float(np.mean(sound[at : at + size] ** 2)) for at in range(0, len(sound) - size, size)])
    loud = np.flatnonzero(10 * np.log10(np.maximum(power, 1e-12) / power.max()) > -SPEECH_ABOVE)
    ended = (int(loud[-1]) + 1) * CHUNK
    told, last = 0.0, list[str]()
    stream = bundle.stream()
    said: list[str] = []
    for at in range(0, len(sound), size):
        started = time.perf_counter()
        answer = stream.step(sound[at : at + size])
        took = time.perf_counter() - started
        said += [word for one in answer["final"] for word in one["text"].split()]
        words = [*said, *answer["partial"].split()]
        if words != last:
            told, last = (at + size) / rate + took, words
    return [told - ended] if last else []


def _same(bundle: Bundle, sounds: list[Any], many: int = 20) -> bool:
    """Whether the network's states are the same bits however a recording is cut."""
    steps = TranscribeSteps(bundle.model, bundle.schema, Beam(bundle.config.beam))  # type: ignore[arg-type]
    rng = np.random.default_rng(0)
    for sound in sounds[:many]:
        states = []
        for cuts in ([], sorted(rng.integers(len(sound), size=30).tolist()), range(160, len(sound), 160)):
            pool = {name: part[None].clone() for name, part in steps.fresh().items()}
            for piece in np.split(sound, cuts):
                if len(piece):
                    steps.step(pool, torch.zeros(1, dtype=torch.int64), [piece])
            states.append({name: part.numpy().tobytes() for name, part in pool.items()})
        if any(state != states[0] for state in states):
            return False
    return True


def _folder(name: str) -> str:
    return name.lower().replace(", ", "-").replace(" ", "-")


def page(results: dict[str, dict[str, Any]]) -> str:
    """The section of docs/results.md."""
    text = INTRODUCTION.format(machine=machine())
    rows = []
    for name, (*_, aim, known) in FITS.items():
        if name not in results:
            continue
        found = results[name]
        others = dict(found["scores"])
        rows.append(
            [
                name,
                *_errors(others.pop("Recurra")),
                "; ".join(f"{method} {_errors(one)[0].strip('*')}" for method, one in others.items()),
                aim,
                known,
                f"{found['parameters'] / 1e6:.1f} M, {found['shape']['passes']:.0f} passes",
                f"{found['seconds'] / 60:.0f} min" + (" on one core" if found["threads"] == 1 else ""),
            ]
        )
    if rows:
        head = ["recordings, time budget", "WER %", "CER %", "WER beside it", "aim", "known of others"]
        text += table([*head, "model", "whole `fit`"], rows)
    if APART in results:
        right = {who: one["right"] for who, one in results[APART].items()}
        told = ", ".join(f"{who} {100 * share:.1f}" for who, share in right.items())
        text += (
            f"\n\n{APART} (10 minutes for each): **{100 * mean(right.values()):.1f} %** of the words right "
            f"in the mean; {told} (aim: 85)."
        )
    if "speed" in results:
        found = results["speed"]
        rates = ", ".join(f"{rate:.0f}× {name}" for name, rate in found["times faster"].items())
        p50, p90 = (f"{1000 * found['late'][name]:+.0f} ms" for name in ("p50", "p90"))
        text += (
            f"\n\n### Listening\n\nFaster than the recordings last, on one core: {rates} (aim: 50×). The "
            f"last word of a recording is told {p50} after its sound has fallen by {SPEECH_ABOVE:.0f} dB in "
            f"the median, {p90} in nine of ten of {found['heard']} recordings (AN4's test, fed "
            f"{1000 * CHUNK:.0f} ms at a time, its working time included; aim: 300 ms). The same bits in "
            f"whole recordings, at random cuts and 10 ms at a time: {'yes' if found['same'] else 'no'}."
        )
    return text


def _errors(metrics: dict[str, float]) -> list[str]:
    """Of words and of characters; of single words, those that are not right."""
    wer = metrics.get("wer", 1 - metrics.get("words", 0.0))
    return [f"**{100 * wer:.1f}**", f"**{100 * metrics['cer']:.1f}**"]


def main() -> None:
    """Run what is named, all but the long ones unless any is, and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join([*FITS, APART, "speed"]))
    parser.add_argument("--table", action="store_true", help="only write the page again")
    given = parser.parse_args()
    usual = [*(name for name in FITS if name not in LONG), APART, "speed"]
    for name in () if given.table else given.parts or usual:
        if name in FITS:
            data, budget, live, *_ = FITS[name]
            found = fit(data, budget, live, _folder(name))
        else:
            found = apart() if name == APART else speed()
        print(name, json.dumps(found), flush=True)
        keep(RESULTS, name, found)
    write_section("transcribe", page(load(RESULTS)))


if __name__ == "__main__":
    main()
