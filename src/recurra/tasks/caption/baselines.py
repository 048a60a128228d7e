"""What a captioner should be better than: one caption for all, any caption, the nearest picture's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain

import numpy as np

from recurra.data.frequency import Array
from recurra.tasks.caption.cider import ORDER, runs_of
from recurra.tasks.caption.words import words

CONSTANT, RANDOM = "Best constant caption", "Random training caption"
NEAREST = "Nearest training picture"
# Pictures whose captions are tried for all the others: a few seconds' work.
MOST = 20_000
# Cells along a side of what a picture looks like, and pixels of a side that are looked at, at most.
GRID, SIDE = 8, 128
# How light red, green and blue are: ITU-R BT.601.
LIGHT = np.array([0.299, 0.587, 0.114], dtype=np.float32)
# Likenesses, and pixels, that are in memory at once.
CHUNK = 4_000_000


def constant(captions: Sequence[Sequence[str]], seed: int) -> str:
    """The caption that has the best BLEU-4 as that of all pictures but its own.

    captions: of each training picture, of which there is one or more. Those of up to MOST pictures, drawn by
    the seed, are all tried. Where BLEU-4 is the same, as zero is in small sets, BLEU-3 decides, and so on,
    then the alphabet.
    """
    drawn = np.random.default_rng(seed).permutation(len(captions))[:MOST]
    some = [captions[n] for n in np.sort(drawn)]
    every = [*chain.from_iterable(some)]
    picture = np.repeat(np.arange(len(some)), [len(of) for of in some])
    scores = _as_constants([words(text) for text in every], picture)
    best: tuple[list[float], str] = min(zip((-scores[:, ::-1]).tolist(), every, strict=True))
    return best[1]


def random(captions: Sequence[Sequence[str]], many: int, seed: int) -> list[str]:
    """As many captions of training pictures, drawn with return."""
    every = [*chain.from_iterable(captions)]
    return [every[n] for n in np.random.default_rng(seed).integers(len(every), size=many)]


class Nearest:
    """The caption of the training picture that looks most alike.

    looks: (N, D) float32, see `looks`. Each number has mean 0 and deviation 1 over the training pictures; of
    the cosines, the greatest. captions: of each picture, of which the one most like the others is taken.
    """

    def __init__(self, looks: Array, captions: Sequence[Sequence[str]]) -> None:
        self._captions = [list(of) for of in captions]
        self._mean, deviation = looks.mean(0), looks.std(0)
        self._deviation = np.where(deviation > 0, deviation, 1)
        self._rows = self._directions(looks)

    def captions(self, looks: Array) -> list[str]:
        """Captions of pictures that look so, (M, D) float32."""
        found: list[str] = []
        at_once = max(1, CHUNK // len(self._rows))
        for at in range(0, len(looks), at_once):
            likeness = self._directions(looks[at : at + at_once]) @ self._rows.T
            found += [most_agreed(self._captions[n]) for n in likeness.argmax(1)]
        return found

    def _directions(self, looks: Array) -> Array:
        rows = (looks - self._mean) / self._deviation
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        found: Array = rows / np.where(length > 0, length, 1)
        return found


def most_agreed(captions: Sequence[str]) -> str:
    """Of a picture's captions the one that shares most words with the others: F1 of words, in the mean."""
    counts = [Counter(words(text)) for text in captions]
    sizes = [count.total() for count in counts]
    shared = [
        sum(2 * (a & b).total() / max(1, sizes[i] + sizes[j]) for j, b in enumerate(counts) if j != i)
        for i, a in enumerate(counts)
    ]
    return captions[int(np.argmax(shared))]


def looks(pixels: Array) -> Array:
    """What pictures look like at a glance: (N, D) float32 of pixels (N, S, S, 3) uint8.

    In each of 8 x 8 cells the mean colour as Oklab has it (Ottosson 2020), in which what looks as different
    is as far apart, and the root of how much the light changes across and down.
    """
    step = -(-pixels.shape[1] // SIDE)
    at_once = max(1, CHUNK // (3 * SIDE**2))
    parts = [
        _looks(pixels[at : at + at_once, ::step, ::step].astype(np.float32) / 255)
        for at in range(0, len(pixels), at_once)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, GRID * GRID * 5), dtype=np.float32)


def _looks(pixels: Array) -> Array:
    cells = _cells(pixels.shape[1])
    colour = _oklab(np.einsum("ay,nyxc,bx->nabc", cells, pixels, cells, optimize=True))
    light = pixels @ LIGHT
    across, down = np.zeros_like(light), np.zeros_like(light)
    across[:, :, 1:-1] = np.abs(light[:, :, 2:] - light[:, :, :-2])
    down[:, 1:-1] = np.abs(light[:, 2:] - light[:, :-2])
    edges = [np.sqrt(cells @ one @ cells.T) for one in (across, down)]
    found = np.concatenate([one.reshape(len(pixels), -1) for one in (colour, *edges)], axis=1)
    return found.astype(np.float32)


def _cells(side: int) -> Array:
    """(GRID, side) float32: the share that each pixel of a side has in each cell."""
    ends = np.linspace(0, side, GRID + 1)[:, None]
    pixel = np.arange(side)
    inside = np.minimum(ends[1:], pixel + 1) - np.maximum(ends[:-1], pixel)
    found: Array = (np.maximum(0, inside) * GRID / side).astype(np.float32)
    return found


def _oklab(colour: Array) -> Array:
    """Oklab of colours (..., 3) of sRGB from 0 to 1, https://bottosson.github.io/posts/oklab."""
    linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    cones = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    opposed = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    found: Array = np.cbrt(linear @ cones.T) @ opposed.T
    return found


def _as_constants(texts: Sequence[Sequence[str]], picture: Array) -> Array:
    """(T, 4) BLEU-1 to BLEU-4 of each text for all pictures but its own, whose references all texts are.

    picture: (T,) of each text, from 0 on, in order.
    """
    pictures = int(picture[-1]) + 1
    size = np.array([len(text) for text in texts], dtype=np.int64)
    runs = np.maximum(0, size[:, None] - np.arange(ORDER))
    right = np.stack([_right(*of, picture) for of in runs_of(texts)], axis=1)
    # For its own picture all of it is right, and as long as the closest reference: itself.
    share = (right - runs) / np.maximum(1, runs * (pictures - 1))
    length = size * (pictures - 1)
    short = np.minimum(0, 1 - (_closest(size, picture) - size) / np.maximum(1, length))
    with np.errstate(divide="ignore"):
        mean = np.cumsum(np.log(share), axis=1) / np.arange(1, ORDER + 1)
    found: Array = np.exp(mean + short[:, None])
    return found


def _right(text: Array, run: Array, times: Array, kinds: int, picture: Array) -> Array:
    """(T,) of each text how many of its runs are right, in all pictures together."""
    pairs, pair = np.unique(picture[text] * kinds + run, return_inverse=True)
    # How often a picture's references have a run, at most.
    most = np.zeros(len(pairs), dtype=np.int64)
    np.maximum.at(most, pair, times)
    found = np.zeros(len(picture))
    for least in range(1, int(times.max(initial=0)) + 1):
        have = np.bincount(pairs[most >= least] % kinds, minlength=kinds)
        again = times >= least
        found += np.bincount(text[again], have[run[again]], len(picture))
    return found


def _closest(size: Array, picture: Array) -> Array:
    """(T,) of each text the sum over all pictures of the length of the closest reference, or the shorter."""
    begin = np.flatnonzero(np.diff(picture, prepend=-1))
    longest = int(size.max(initial=0)) + 1
    total = np.zeros(longest, dtype=np.int64)
    for length in np.unique(size):
        nearest = np.minimum.reduceat(np.abs(size - length) * longest + size, begin)
        total[length] = (nearest % longest).sum()
    found: Array = total[size]
    return found
