"""Small bundles of every kind that the page shows, and what can be given to them."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path

import numpy as np

import recurra
from tones import PLAIN, fit_tones

DATA = Path(__file__).parents[3] / "examples" / "data"
NAMES = ("Arabic", "German", "Japanese")


def passengers() -> str:
    """A row a month, as CSV."""
    return (DATA / "air_passengers.csv").read_text(encoding="utf-8")


def shops(days: int = 160) -> str:
    """Two series in columns."""
    rng = np.random.default_rng(0)
    first = dt.date(2024, 1, 1)
    rows = [
        f"{first + dt.timedelta(days=day)},{50 + 20 * math.sin(day * math.tau / 7) + rng.normal():.2f},"
        f"{9 + 4 * math.cos(day * math.tau / 7) + rng.normal(0, 0.3):.2f}"
        for day in range(days)
    ]
    return "date,north,south\n" + "\n".join(rows) + "\n"


def names() -> str:
    """Texts with a class."""
    header, *lines = (DATA / "names.csv").read_text(encoding="utf-8").splitlines()
    column = header.split(",").index("language")
    of = {name: [line for line in lines if line.split(",")[column] == name][:120] for name in NAMES}
    return "\n".join([header, *(line for some in of.values() for line in some)]) + "\n"


def walks(sequences: int = 60) -> str:
    """Sequences of numbers that go up or down, a row a step."""
    rng = np.random.default_rng(1)
    rows = ["id,step,x,label"]
    for number in range(sequences):
        way = 1 if number % 2 else -1
        x = np.cumsum(rng.normal(0.3 * way, 1.0, size=12))
        rows += [f"{number},{i},{value:.3f},{'up' if way > 0 else 'down'}" for i, value in enumerate(x)]
    return "\n".join(rows) + "\n"


def visits(sequences: int = 80) -> str:
    """Sequences of events, a row a step."""
    rng = np.random.default_rng(2)
    rows = ["id,step,page,outcome"]
    for number in range(sequences):
        buys = bool(number % 2)
        ways = ("home", "search", "cart" if buys else "help")
        rows += [
            f"{number},{i},{ways[rng.integers(0, 3)]},{'bought' if buys else 'left'}"
            for i in range(int(rng.integers(4, 9)))
        ]
    return "\n".join(rows) + "\n"


def plays() -> str:
    """Prose."""
    return (DATA / "shakespeare.txt").read_text(encoding="utf-8")[:30_000]


def sentences(many: int = 400) -> str:
    """Pairs of texts with a tab between: words, and their partners from the last to the first."""
    rng = np.random.default_rng(3)
    words = {"ein": "one", "zwei": "two", "hund": "dog", "maus": "mouse", "rot": "red", "sieht": "sees"}
    rows = ["de\ten"]
    for _ in range(many):
        some = [list(words)[n] for n in rng.integers(0, len(words), rng.integers(2, 6))]
        rows.append(" ".join(some) + "\t" + " ".join(words[one] for one in some[::-1]))
    return "\n".join(rows) + "\n"


def fit_all(folder: Path) -> dict[str, Path]:
    """The bundles by the names that they are served under; a few seconds of training each."""
    given = {
        "passengers": ("forecast", "csv", passengers(), {"horizon": 6}),
        "shops": ("forecast", "csv", shops(), {"horizon": 5}),
        "names": ("classify", "csv", names(), {"label": "language"}),
        "walks": ("classify", "csv", walks(), {"label": "label"}),
        "visits": ("classify", "csv", visits(), {"label": "outcome"}),
        "plays": ("language", "txt", plays(), {"unit": "characters"}),
        "sentences": ("translate", "tsv", sentences(), {"unit": "words", "hidden": 32}),
    }
    for name, (task, ending, text, options) in given.items():
        file = folder / f"{name}.{ending}"
        file.write_text(text, encoding="utf-8")
        recurra.fit(task, file, out=folder / name, time_budget=3, quiet=True, **options)
    fit_tones(folder / "tones", steps=120, **PLAIN)
    return {name: folder / name for name in (*given, "tones")}
