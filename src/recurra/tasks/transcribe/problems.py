"""What is wrong with some recordings or texts: an error that names all of it, or a line for each kind."""

from __future__ import annotations

from dataclasses import dataclass, field

from recurra.errors import DataError
from recurra.report.numbers import count

# What may be wrong, in the order in which it is told: for one, and for several.
KINDS = {
    "missing": ("recording that is not there", "recordings that are not there"),
    "damaged": ("damaged recording", "damaged recordings"),
    "empty": ("recording without sound", "recordings without sound"),
    "silent": ("silent recording", "silent recordings"),
    "long": ("recording that is too long", "recordings that are too long"),
    "unwritten": ("recording without a text", "recordings without a text"),
    "unheard": ("text without a recording", "texts without a recording"),
    "unpronounced": (
        "text with words that have no pronunciation",
        "texts with words that have no pronunciation",
    ),
    "crowded": ("text that is too long for its recording", "texts that are too long for their recordings"),
}


@dataclass
class Problems:
    """What cannot be used. found: of each kind, where the first is and how many there are."""

    found: dict[str, tuple[str, int]] = field(default_factory=dict)

    def add(self, kind: str, place: str, reason: str = "", many: int = 1) -> None:
        """So many more. reason: in words, told of the first."""
        first, before = self.found.get(kind, (f"{place}: {reason}" if reason else place, 0))
        self.found[kind] = first, before + many

    def settle(self, skip: bool | None) -> list[str]:
        """A line for each kind, where they may be left out; else raises DataError if there are any.

        skip: whether they may be; None where nobody can say so.
        """
        told = [
            (count(self.found[kind][1], *words), self.found[kind][0])
            for kind, words in KINDS.items()
            if kind in self.found
        ]
        if told and not skip:
            some = [f"{many} (the first is {first})" for many, first in told]
            got = some[0] if len(some) == 1 else f"{', '.join(some[:-1])} and {some[-1]}"
            action = "take them out" if skip is None else "leave them out with skip"
            raise DataError(
                f"expected recordings that can be used, each with its text, got {got}. "
                f"Correct them, or {action}."
            )
        return [f"left out: {many}; the first is {first}" for many, first in told]
