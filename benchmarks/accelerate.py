"""Known kinds of model before and after recurra.accelerate: time per training step, and the same losses.

python benchmarks/accelerate.py            # minutes on 2 cores; writes docs/results.md
python benchmarks/accelerate.py --quick    # a few steps; prints, and writes nothing
python benchmarks/accelerate.py --table    # only writes docs/results.md again from benchmarks/accelerate.json
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from statistics import median

import torch

from layers.core import instructions
from layers.targets import number
from layers.timing import threads
from models.language import MERITY, ZAREMBA
from models.race import WARM, Found, drift, race
from models.tagger import HUANG
from models.translator import BAHDANAU
from results import keep, load, machine, processor, table, write_section

RESULTS = Path(__file__).with_suffix(".json")
KINDS = {kind.name: kind for kind in (ZAREMBA, MERITY, HUANG, BAHDANAU)}
STEPS, QUICK_STEPS = 40, 5
# Losses of the same steps drift apart by rounding, which training makes grow, step by step: never by more
# than this, or than so many times what moving every weight to the next float does.
MOST, ROUNDING = 1e-3, 30.0
INTRODUCTION = """## Models, accelerated

Known kinds of model, written from their papers in plain torch.nn ([benchmarks/models](../benchmarks/models)),
before and after `recurra.accelerate(model)`: `make bench`, or `python benchmarks/accelerate.py`
({processor}; {machine}; {instructions}; {threads}).
Two copies start from the same weights and take the same {steps} steps of plain gradient descent in turns;
time is the median of a whole step, with embedding, softmax, attention, clipping and update, which
`accelerate` leaves as they are. "Without layers" is a copy whose recurrent layers do nothing: none makes a
step shorter. The losses of the two copies differ by rounding alone: beside the largest relative difference
stands that of a copy, all torch.nn's, each of whose weights was moved to a neighbouring float at the start.

"""


def page(results: dict[str, Found]) -> str:
    """The section of docs/results.md."""
    present = {name: kind for name, kind in KINDS.items() if name in results}
    first = results[next(iter(present))]
    count = first["made_on"]["threads"]
    facts = first["made_on"] | {"threads": f"{count} thread{'s' * (count > 1)}"}
    rows, sizes = [], []
    for name, kind in present.items():
        found = results[name]
        times = {side: 1e3 * median(seconds) for side, seconds in found["seconds"].items()}
        ends = [f"{found['losses'][side][k]:.4f}" for k in (0, -1) for side in ("torch", "ours")]
        rows.append(
            [
                f"{name}: {kind.paper}",
                number(times["torch"]),
                number(times["ours"]),
                number(times["skipped"]),
                f"**{number(times['torch'] / times['ours'])}**",
                f"{ends[0]}, {ends[1]}",
                f"{ends[2]}, {ends[3]}",
                f"{drift(found, 'ours'):.1e}",
                f"{drift(found, 'nudged'):.1e}",
            ]
        )
        engines = ", ".join(f"`{engine}`" for engine in found["engines"])
        sizes.append(f"- {name}: {kind.sizes}. Text: {found['text']}. Accelerated on {engines}.")
    header = [
        "model",
        "torch.nn, ms a step",
        "accelerated, ms",
        "without layers, ms",
        "×",
        "first losses",
        "last losses",
    ]
    header += ["largest difference", "after one rounding"]
    steps = len(first["losses"]["torch"])
    return INTRODUCTION.format(**facts, steps=steps) + table(header, rows) + "\n\n" + "\n".join(sizes)


def main() -> None:
    """Train the models that are asked for, and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=KINDS, default=list(KINDS), help="these models")
    parser.add_argument("--quick", action="store_true", help="few steps; print, and write nothing")
    parser.add_argument("--table", action="store_true", help="only write the page again")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="default: one for each core")
    given = parser.parse_args()
    results: dict[str, Found] = {}
    for name in () if given.table else given.only:
        with threads(given.threads):
            results[name] = measured(name, QUICK_STEPS if given.quick else STEPS)
        print(name, flush=True)
        if not given.quick:
            keep(RESULTS, name, results[name])
    if given.quick:
        print(page(results))
    else:
        write_section("models", page(load(RESULTS)))


def measured(name: str, steps: int) -> Found:
    """A model's race, and what it was made on; nothing is reported of losses that rounding cannot explain."""
    found = race(KINDS[name], WARM + steps)
    if not (apart := drift(found, "ours")) <= max(MOST, ROUNDING * drift(found, "nudged")):
        raise SystemExit(f"no figures are reported: losses of the {name} differ by {apart:.1e}")
    made_on = {"processor": processor(), "machine": machine(), "instructions": instructions()}
    return found | {"made_on": made_on | {"threads": torch.get_num_threads()}}


if __name__ == "__main__":
    main()
