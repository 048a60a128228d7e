"""What was aimed at, beside what was measured."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from results import table


@dataclass(frozen=True, slots=True)
class Target:
    """A figure that is to be reached, in `unit`, from below or, with `most`, from above."""

    what: str
    wanted: float
    measured: float
    unit: str = "×"
    most: bool = False

    @property
    def reached(self) -> bool:
        return self.measured <= self.wanted if self.most else self.measured >= self.wanted

    @property
    def verdict(self) -> str:
        """In words: reached, or by how much not."""
        if self.reached:
            return "reached"
        if not self.wanted:
            return "not reached"
        ratio = self.measured / self.wanted
        return f"not reached: {abs(ratio - 1):.0%} {'above' if self.most else 'below'}"


def targets_table(targets: Iterable[Target]) -> str:
    """All targets with their verdicts."""
    rows = [
        [
            target.what,
            f"{'≤' if target.most else '≥'} {number(target.wanted)} {target.unit}",
            f"{number(target.measured)} {target.unit}",
            target.verdict,
        ]
        for target in targets
    ]
    return table(["what", "reach", "measured", "verdict"], rows)


def number(value: float) -> str:
    """Three digits that count."""
    if value == 0:
        return "0"
    for above, form in ((100, ",.0f"), (10, ".1f"), (1, ".2f"), (0.001, ".3f")):
        if abs(value) >= above:
            return format(value, form)
    return f"{value:.1e}"
