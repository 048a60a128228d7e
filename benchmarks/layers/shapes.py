"""The shapes that layers are timed with, and why each is here."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
CELLS = ("GRU", "RNN", "LSTM")


@dataclass(frozen=True, slots=True)
class Shape:
    """One layer's sizes and its input. projection is LSTM's alone; other cells go without."""

    rows: int
    steps: int
    inputs: int
    units: int
    why: str = ""
    layers: int = 1
    bidirectional: bool = False
    projection: int = 0
    double: bool = False
    batch_first: bool = False
    ragged: bool = False

    @property
    def name(self) -> str:
        """The sizes B, T, I, H, and what is not as usual."""
        sizes = f"{self.rows}, {self.steps}, {self.inputs}, {self.units}"
        special = {
            f"{self.layers} layers": self.layers > 1,
            "both directions": self.bidirectional,
            f"LSTM's projection to {self.projection}": self.projection > 0,
            "float64": self.double,
            "batch_first": self.batch_first,
            "ragged": self.ragged,
        }
        return ", ".join([sizes, *(word for word, holds in special.items() if holds)])

    @property
    def dtype(self) -> torch.dtype:
        return torch.float64 if self.double else torch.float32

    def projected(self, cell: str) -> int:
        """The width that the cell projects to, 0 without."""
        return self.projection if cell == "LSTM" else 0

    def options(self, cell: str) -> dict[str, object]:
        """The layer's keyword arguments after its two sizes."""
        options: dict[str, object] = {
            "num_layers": self.layers,
            "bidirectional": self.bidirectional,
            "batch_first": self.batch_first,
            "dtype": self.dtype,
        }
        return options | ({"proj_size": self.projected(cell)} if self.projected(cell) else {})

    def lengths(self) -> Tensor:
        """(B,) int64: uniform from 1 to T where ragged, the same in every run; else all T."""
        if not self.ragged:
            return torch.full((self.rows,), self.steps)
        dice = torch.Generator().manual_seed(0)
        return torch.randint(1, self.steps + 1, (self.rows,), generator=dice)

    def operations(self, cell: str) -> float:
        """Floating-point operations in the products of a forward pass; a training step has three times that.

        A multiply-add counts as two. What lies beyond a row's length does not count.
        """
        wide = self.projected(cell) or self.units
        directions = 2 if self.bidirectional else 1
        weights = 0
        for layer in range(self.layers):
            inputs = directions * wide if layer else self.inputs
            gates = GATES[cell] * self.units * (inputs + wide)
            weights += directions * (gates + self.projected(cell) * self.units)
        return 2.0 * weights * int(self.lengths().sum())


SEVEN = (
    Shape(1, 256, 64, 64, "one sequence, a small layer"),
    Shape(32, 128, 32, 64, "a forecaster's batch"),
    Shape(32, 128, 128, 128, "weights that fit the first cache"),
    Shape(32, 256, 256, 256, "weights that fit the second"),
    Shape(64, 128, 512, 512, "weights that fit the third"),
    Shape(16, 1024, 32, 64, "long sequences"),
    Shape(128, 64, 64, 32, "many rows, few units"),
)

TWENTY = (
    Shape(1, 1, 8, 8, "a single step: the call itself"),
    Shape(8, 20, 4, 16, "tiny: a control task"),
    Shape(1, 1000, 1, 20, "one sensor, a number of units that fills no vector"),
    Shape(1, 4096, 64, 64, "one row, long: nothing to do side by side"),
    Shape(1, 100, 80, 512, "one utterance, weights far beyond the second cache"),
    Shape(2, 50, 300, 1024, "two rows, large: all of the weights read for two products"),
    Shape(3, 97, 7, 131, "prime numbers: every tile has an edge"),
    Shape(37, 61, 13, 29, "prime numbers, more rows than units"),
    Shape(17, 33, 129, 257, "one more than the tiles hold"),
    Shape(4, 2000, 16, 48, "few rows, long"),
    Shape(512, 24, 8, 32, "very many rows, short: windows of a day"),
    Shape(256, 28, 28, 128, "images read line by line"),
    Shape(32, 128, 64, 64, "rows first in memory", batch_first=True),
    Shape(32, 64, 128, 128, "lengths uniform from 1 to T", ragged=True),
    Shape(32, 50, 100, 100, "a tagger of sentences", bidirectional=True, ragged=True),
    Shape(16, 200, 40, 128, "speech features", layers=2, bidirectional=True, batch_first=True),
    Shape(20, 35, 650, 650, "the medium language model of Zaremba et al. (2014)", layers=2),
    Shape(
        16, 30, 620, 1000, "the encoder of Bahdanau et al. (2015), a fifth of its rows", bidirectional=True
    ),
    Shape(16, 50, 256, 512, "acoustic models after Sak et al. (2014)", projection=128),
    Shape(32, 64, 48, 96, "double precision", double=True),
)

ALL = SEVEN + TWENTY
