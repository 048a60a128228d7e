"""The same task a number at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from recurra.errors import DataError

# The model has not learnt such numbers; a stream that met one would not count any further.
MOST = 1e6


class CountingSteps:
    """Streams of the running sum."""

    kind = "numbers"
    observation: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "properties": {"x": {"type": "number"}},
        "required": ["x"],
    }
    example: ClassVar[Any] = {"x": 0.5}

    def __init__(self, model: Any) -> None:
        self.model, self.rows = model, model.rnn.rows()

    def fresh(self) -> dict[str, Tensor]:
        state = {name: part[0] for name, part in self.rows.fresh(1).items()}
        return state | {"seen": torch.zeros((), dtype=torch.int64)}

    def checked(self, observation: Any) -> float:
        x = observation.get("x") if isinstance(observation, dict) else None
        if isinstance(x, bool) or not isinstance(x, (int, float)) or not math.isfinite(x):
            raise DataError(f"expected an object with a number x, got {observation!r}. Give one.")
        return float(x)

    def step(
        self, pool: Mapping[str, Tensor], rows: Tensor, inputs: Sequence[float]
    ) -> list[dict[str, Any] | DataError]:
        x = torch.tensor(inputs, dtype=torch.float32)
        fine = x.abs() <= MOST
        some = rows[fine]
        if len(some):
            state = {name: part for name, part in pool.items() if name != "seen"}
            found = self.model.out(self.rows(x[fine][:, None], state, some))[:, 0]
            pool["seen"][some] += 1
            sums = iter(zip(found.tolist(), pool["seen"][some].tolist(), strict=True))
        return [
            dict(zip(("sum", "seen"), next(sums), strict=True)) if ok else _too_large(value)
            for ok, value in zip(fine.tolist(), inputs, strict=True)
        ]


def _too_large(x: float) -> DataError:
    return DataError(f"expected x of at most {MOST:g}, got {x:g}. Give a smaller number.")
