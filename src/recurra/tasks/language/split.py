"""Where a text that nobody split is cut into parts that train, validate and test."""

from __future__ import annotations

import re

from recurra.data.corpus import Corpus
from recurra.data.documents import SPACES, Documents

# A part may be so much longer or shorter than asked for, as a share of the smaller one beside the cut, and by
# at most so many characters where it must be looked for in the text.
SLACK, WINDOW = 0.4, 1 << 20
LINE, SPACE, BLANK_LINE = re.compile("\n"), re.compile(r"\s", re.ASCII), re.compile(f"\n[{SPACES}]*\n")


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
