"""Which text trains, validates and tests: by the names of files, or by where in the text it stands."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from recurra.data.corpus import Corpus
from recurra.data.documents import SPACES, Documents

PARTS = ("train", "valid", "test")
# What files and folders of a part are called: as a whole part of the name.
NAMES = {
    "train": "train",
    "training": "train",
    "valid": "valid",
    "validation": "valid",
    "val": "valid",
    "dev": "valid",
    "test": "test",
    "testing": "test",
}
# A part may be so much longer or shorter than asked for, as a share of the smaller one beside the cut, and by
# at most so many characters where it must be looked for in the text.
SLACK, WINDOW = 0.4, 1 << 20
LINE, SPACE, BLANK_LINE = re.compile("\n"), re.compile(r"\s", re.ASCII), re.compile(f"\n[{SPACES}]*\n")


def named_parts(paths: Sequence[Path], folder: Path | None) -> dict[str, list[Path]] | None:
    """Files by part, where names tell of a training part and another; those that tell nothing under ""."""
    found: dict[str, list[Path]] = {}
    for path in paths:
        found.setdefault(_part(path, folder) or "", []).append(path)
    return found if "train" in found and ("valid" in found or "test" in found) else None


def _part(path: Path, folder: Path | None) -> str | None:
    inside = path.relative_to(folder).parts if folder is not None else (path.name,)
    if len(inside) > 1:
        return NAMES.get(inside[0].lower())
    told = {NAMES[word] for word in re.split(r"[^a-z0-9]+", path.name.lower()) if word in NAMES}
    return told.pop() if len(told) == 1 else None


def cut_off(corpus: Corpus, end: int, share: float, documents: Documents) -> int:
    """Where a part that takes the end of a text begins; what it takes is near a share of the whole corpus.

    The text is its characters up to `end`. It is cut where a document ends, else at the end of a line, else
    at white space, else anywhere.
    """
    size = round(share * corpus.characters)
    target = max(0, end - size)
    slack = int(SLACK * min(size, target))
    ends, at = [], 0
    for file in corpus.files:
        at += file.characters
        ends.append(at)
    near = [at for at in ends if abs(at - target) <= slack]
    if documents == "file" and near:
        return min(near, key=lambda at: abs(at - target))
    first = max(0, target - min(slack, WINDOW))
    text = "".join(corpus.texts(first, target + min(slack, WINDOW)))
    for border in (BLANK_LINE, LINE, SPACE) if documents == "blank" else (LINE, SPACE):
        found = [first + match.end() for match in border.finditer(text)]
        if documents != "file" and border in (LINE, BLANK_LINE):
            found += near
        if found:
            return min(found, key=lambda at: abs(at - target))
    return target
