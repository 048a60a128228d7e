"""The captioner on public photographs, its network trained from scratch, and how long a picture takes.

python benchmarks/caption.py                             # half an hour, and the speed
python benchmarks/caption.py "Flickr8k, 3 hours"         # the long one
python benchmarks/caption.py --table                     # only writes docs/results.md again
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch

import recurra
from datasets import ROOT
from results import fitted, keep, load, machine, table, write_section

RESULTS = Path(__file__).with_suffix(".json")
PICTURES = ROOT / "captioning" / "flickr8k_128"
FOLDER = Path("runs") / "benchmarks" / "caption"
INTRODUCTION = """## Captions

One command, with no option but the files and the time: `python benchmarks/caption.py` ({machine}). The 6,000
pictures of Flickr8k for training (a tenth of them for validation) at 128 pixels, judged on its 1,000 for
development with five captions each. The network of pictures starts from nothing: no other pictures were seen.
What took one core longer than its time did the work that is planned for two cores in that time.

"""
# Time, and what is aimed at.
FITS: dict[str, tuple[str, str]] = {
    "Flickr8k, 30 minutes": ("30m", "BLEU-1 55, BLEU-4 12, CIDEr-D 0.25"),
    "Flickr8k, 3 hours": ("3h", "BLEU-4 15, CIDEr-D 0.40"),
}
LONG = "Flickr8k, 3 hours"
METRICS = {
    "bleu1": "BLEU-1",
    "bleu2": "BLEU-2",
    "bleu3": "BLEU-3",
    "bleu4": "BLEU-4",
    "cider": "CIDEr-D",
    "rouge": "ROUGE-L",
}
# Pictures that are captioned one after the other to tell how long each takes.
TIMED = 50


def fit(name: str) -> dict[str, Any]:
    """Fit one model and keep what was scored."""
    started = time.monotonic()
    bundle = recurra.fit(
        "caption",
        PICTURES / "images",
        captions=str(PICTURES / "captions_train.tsv"),
        test=str(PICTURES / "captions_dev.tsv"),
        time_budget=FITS[name][0],
        out=_folder(name),
        overwrite=True,
    )
    return fitted(bundle, started) | {"words": [word for word in bundle.record["words"] if "|" in word]}


def speed() -> dict[str, Any]:
    """Milliseconds of a picture, file to caption, on one core: one after the other, and many together."""
    torch.set_num_threads(1)
    bundle = recurra.load(next(folder for name in FITS if (folder := _folder(name)).is_dir()))
    paths = sorted((PICTURES / "images").iterdir())[:TIMED]
    alone, together = [], []
    for _ in range(3):
        for path in paths:
            started = time.perf_counter()
            bundle.caption([path])
            alone.append(time.perf_counter() - started)
        started = time.perf_counter()
        bundle.caption(paths)
        together.append((time.perf_counter() - started) / len(paths))
    return {"alone": 1000 * median(alone), "together": 1000 * median(together)}


def _folder(name: str) -> Path:
    return FOLDER / name.replace(", ", "-").replace(" ", "-")


def page(results: dict[str, dict[str, Any]]) -> str:
    """The section of docs/results.md."""
    text = INTRODUCTION.format(machine=machine())
    for name, (_, aim) in FITS.items():
        if name not in results:
            continue
        found = results[name]
        shape = found["shape"]
        rows = [
            [
                f"**{method}**" if method == "Recurra" else method,
                *(_told(one, metrics[one]) for one in METRICS),
            ]
            for method, metrics in found["scores"].items()
        ]
        cores = "one core" if found["threads"] == 1 else f"{found['threads']} cores"
        text += (
            f"### {name}\n\nAim: {aim}. {shape['side']} × {shape['side']} pixels, channels "
            f"{', '.join(map(str, shape['widths']))}, {shape['hidden']} units, "
            f"{found['parameters'] / 1e6:.1f} M weights, {shape['passes']:.0f} passes planned; the whole "
            f"took {found['seconds'] / 60:.0f} minutes on {cores}.\n\n"
        )
        text += table(["", *METRICS.values()], rows)
        text += f"\n\nSignatures: {'; '.join(f'`{word}`' for word in found['words'])}.\n\n"
    if "speed" in results:
        took = results["speed"]
        text += (
            f"On one core a picture takes {took['alone']:.0f} ms by itself, from the file to the caption of "
            f"a beam search five wide, and {took['together']:.0f} ms among {TIMED}.\n"
        )
    return text.rstrip("\n")


def _told(metric: str, value: float) -> str:
    return f"{value:.3f}" if metric == "cider" else f"{value:.1f}"


def main() -> None:
    """Run what is named, all but the long one unless it is, and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join([*FITS, "speed"]))
    parser.add_argument("--table", action="store_true", help="only write the page again")
    given = parser.parse_args()
    usual = [*(name for name in FITS if name != LONG), "speed"]
    for name in () if given.table else given.parts or usual:
        found = speed() if name == "speed" else fit(name)
        print(name, json.dumps(found), flush=True)
        keep(RESULTS, name, found)
    write_section("caption", page(load(RESULTS)))


if __name__ == "__main__":
    main()
