"""What is wrong with some files or texts: an error that names all of it, or a line for each kind."""

from __future__ import annotations

from dataclasses import dataclass, field

from recurra.data.media.medium import Medium
from recurra.errors import DataError


@dataclass
class Problems:
    """What cannot be used. found: of each kind, where the first is and how many there are."""

    medium: Medium
    found: dict[str, tuple[str, int]] = field(default_factory=dict)

    def add(self, kind: str, place: str, reason: str = "", many: int = 1) -> None:
        """So many more. reason: in words, told of the first."""
        first, before = self.found.get(kind, (f"{place}: {reason}" if reason else place, 0))
        self.found[kind] = first, before + many

    def settle(self, skip: bool | None, alone: bool = False) -> list[str]:
        """A line for each kind, where they may be left out; else raises DataError if there are any.

        skip: whether they may be; None where nobody can say so.  alone: they need no texts.
        """
        told = [
            (f"{self.found[kind][1]:,} {words[self.found[kind][1] > 1]}", self.found[kind][0])
            for kind, words in self.medium.problems.items()
            if kind in self.found
        ]
        if told and not skip:
            some = [f"{many} (the first is {first})" for many, first in told]
            got = some[0] if len(some) == 1 else f"{', '.join(some[:-1])} and {some[-1]}"
            action = "take them out" if skip is None else "leave them out with skip"
            each = "" if alone else f", each with its {self.medium.text}"
            raise DataError(
                f"expected {self.medium.many} that can be used{each}, got {got}. Correct them, or {action}."
            )
        return [f"left out: {many}; the first is {first}" for many, first in told]
