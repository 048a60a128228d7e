"""Where files lie that tables name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from recurra.data.media.medium import Medium


class Places:
    """Finds files by their names.

    folders: in which they are looked for, the first one first.  inside: files that are found without their
    folders, too, where no two have the same name.  first: other places, which are looked at before.
    """

    def __init__(
        self,
        medium: Medium,
        folders: Sequence[Path],
        inside: Sequence[Path] = (),
        first: Places | None = None,
    ) -> None:
        self.medium, self.folders, self.first = medium, folders, first
        self._known: dict[str, Path] = {}
        self._inside: dict[str, Path | None] = {}
        for path in inside:
            self._inside[path.name] = None if path.name in self._inside else path

    def find(self, name: str) -> Path:
        """Where a file lies; where it should lie if it is nowhere."""
        if name not in self._known:
            there = None if self.first is None else self.first.find(name)
            if there is None or not is_there(there):
                there = self._find(Path(name.replace("\\", "/")))
            self._known[name] = there
        return self._known[name]

    def _find(self, plain: Path) -> Path:
        named = self.medium.is_it(plain)
        names = [f"{plain}{ending}" for ending in (self.medium.left_out if not named else ("",))]
        # Only where none of those is there.
        others = [str(plain.with_suffix(ending)) for ending in self.medium.instead if named]
        for some in (names, others):
            for folder in self.folders:
                for inside in self.medium.folders:
                    for one in some:
                        path = folder / inside / one
                        if is_there(path):
                            return path
            below = (self._inside.get(Path(one).name) for one in some)
            found = next((path for path in below if path is not None), None)
            if found is not None:
                return found
        return self.folders[0] / plain


def is_there(path: Path) -> bool:
    """Whether it is a file; a name that is longer than any may be is none."""
    try:
        return path.is_file()
    except OSError:
        return False
