"""What decided, as a reader sees it: texts with their words marked, words by class, chances over time."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from recurra.report.page import SHADES
from recurra.tasks.classify.influence import PASSES, influence

if TYPE_CHECKING:
    from recurra.tasks.classify.data import ClassifyData

Array = np.ndarray[Any, np.dtype[Any]]

# Characters of a text that are shown, and how many of its strongest pieces it is shortened around.
SHOWN, AROUND = 320, 4
# Of the strongest influence, from where on a piece is marked; log-odds below which none is.
WEAK, NOTHING = 0.15, 0.02
# Examples that words by class are gathered from, and the steps that may be read for it: some ten seconds.
GATHERED, MOST_READ = 300, 1_500_000
# Characters say little one by one.
LETTERS = 3
# Examples that must have a word before it is listed, where there are enough of them.
LEAST, ENOUGH = 2, 60


def pieces_of(data: ClassifyData, n: int) -> list[str]:
    """The tokens of an example, as they are written; [] for numbers."""
    examples, schema = data.examples, data.schema
    if schema.kind == "series" or examples.texts is None:
        return []
    text = examples.texts[n]
    if schema.kind == "events" or schema.vocabulary is None:
        return text.split()
    return schema.vocabulary.split(text)


def weights(found: Array) -> Array:
    """Influences as shares of the strongest, from -1 to 1; zero where nothing mattered."""
    strongest = float(np.abs(found).max(initial=0.0))
    return found / strongest if strongest > NOTHING else np.zeros(len(found))


def strengths(found: Array) -> list[int]:
    """Influences as strengths of a mark, from -SHADES to SHADES."""
    share = weights(found)
    size = np.where(np.abs(share) < WEAK, 0, np.ceil(np.abs(share) * SHADES))
    return [int(one) for one in np.sign(share) * size]


def marked(data: ClassifyData, n: int, found: Array) -> list[tuple[str, int]]:
    """The text of an example in pieces with their strengths, shortened around the strongest."""
    pieces = pieces_of(data, n)
    if not pieces:
        return [("(empty)", 0)]
    text = " ".join(pieces) if data.schema.kind == "events" else data.examples.texts[n]  # type: ignore[index]
    laid = _laid(unicodedata.normalize("NFC", text), pieces)
    # Beyond the steps that are read, nothing has an influence.
    level = [*strengths(found), *[0] * len(pieces)][: len(pieces)]
    size = np.abs(np.append(found, np.zeros(len(pieces)))[: len(pieces)])
    shown: list[tuple[str, int]] = []
    before = -1
    for place in _kept([len(gap) + len(piece) for gap, piece in laid], size):
        gap, piece = laid[place]
        shown.append((" … " if place > before + 1 else gap, 0))
        shown.append((piece, level[place]))
        before = place
    return shown if before == len(laid) - 1 else [*shown, (" …", 0)]


def _laid(text: str, pieces: Sequence[str]) -> list[tuple[str, str]]:
    """Each piece with what stands before it in the text."""
    found, at = [], 0
    for piece in pieces:
        begin = text.find(piece, at)
        begin = at if begin < 0 else begin
        found.append((text[at:begin], piece))
        at = begin + len(piece)
    return found


def _kept(lengths: Sequence[int], size: Array) -> list[int]:
    """Places of the pieces that are shown: all, or those around the strongest, from the nearest on."""
    if sum(lengths) <= SHOWN:
        return list(range(len(lengths)))
    # Ties go to the first, so that a text in which nothing matters is shown from its beginning.
    centres = np.argsort(-size, kind="stable")[:AROUND] if size.any() else np.array([0])
    distance = np.abs(np.arange(len(lengths))[:, None] - centres).min(1)
    kept, room = [], SHOWN
    for place in np.argsort(distance, kind="stable"):
        room -= lengths[place]
        if room < 0:
            break
        kept.append(int(place))
    return sorted(kept) or [int(centres[0])]


@dataclass(frozen=True, slots=True)
class Spoken:
    """A word, how much it moved the model towards a class on average (log-odds), and in how many examples."""

    word: str
    mean: float
    examples: int


def spread(data: ClassifyData, where: Array) -> Array:
    """Some of the examples, evenly, as many as there is time for; from their lengths alone."""
    lengths = data.examples.x.lengths[where]
    cost = float((lengths * np.minimum(lengths, PASSES)).mean()) if len(where) else 1.0
    many = int(np.clip(MOST_READ / max(1.0, cost), 4, GATHERED))
    places = np.unique(np.linspace(0, len(where) - 1, min(many, len(where))).astype(int))
    return np.asarray(where[places])


def spoken(model: Any, data: ClassifyData, some: Array, said: Array, most: int) -> list[list[Spoken]]:
    """For each class, the words that spoke for it most in these examples where it was `said` (N,)."""
    letters = data.schema.vocabulary is not None and data.schema.vocabulary.unit == "characters"
    lower = data.schema.vocabulary is not None and data.schema.vocabulary.lower
    sums: list[dict[str, list[float]]] = [defaultdict(list) for _ in data.schema.classes]
    for n, k, found in zip(some, said, influence(model, data, some), strict=True):
        here: dict[str, float] = defaultdict(float)
        for word, size in _words(pieces_of(data, int(n)), found, letters):
            here[word.lower() if lower else word] += size
        for word, size in here.items():
            sums[int(k)][word].append(size)
    least = LEAST if len(some) >= ENOUGH else 1
    ranked = []
    for side in sums:
        # One more example without an influence, so that a word seen twice does not lead by luck.
        worth = {word: sum(sizes) / (len(sizes) + 1) for word, sizes in side.items() if len(sizes) >= least}
        best = sorted(worth, key=lambda word: (-worth[word], word))[:most]
        ranked.append([Spoken(w, float(np.mean(side[w])), len(side[w])) for w in best if worth[w] > NOTHING])
    return ranked


def _words(pieces: Sequence[str], found: Array, letters: bool) -> list[tuple[str, float]]:
    if not letters:
        named = [(piece.strip(), float(size)) for piece, size in zip(pieces, found, strict=False)]
        return [(word, size) for word, size in named if any(map(str.isalnum, word))]
    wide = min(LETTERS, len(found), len(pieces))
    if wide == 0:
        return []
    sums = np.convolve(found, np.ones(wide), "valid")
    return [("".join(pieces[at : at + wide]), float(size)) for at, size in enumerate(sums)]


def chances(model: Any, data: ClassifyData, n: int) -> Array:
    """(T, K) class probabilities of one example after each step."""
    was = model.training
    model.train(False)
    with torch.no_grad():
        x, lengths = data.examples.x.padded(np.array([n]))
        found = model.probabilities(model.running(x, lengths))[0, : int(lengths[0])]
    model.train(was)
    return np.asarray(found.double().numpy())
