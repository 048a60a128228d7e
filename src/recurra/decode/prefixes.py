"""The beginnings of texts that a CTC beam search follows: a tree, and how it is kept as bytes."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from typing import Any

import numpy as np

from recurra.data.tokens import BORDER
from recurra.decode.fusion import INTEGERS, Fusion, State

Array = np.ndarray[Any, np.dtype[Any]]

# Tokens that are followed at most; of longer beginnings the older half of the best is settled.
MOST = 80
# How a beginning's tokens came, the last first: the step of each, its logarithm there, and those before it.
Way = tuple[int, float, "Way"] | None

HEAD = struct.Struct(f"<BBHiqqqqd{INTEGERS}q")
# Chances, best ways, tokens; of each token its number, and of both ways how long ago and how likely.
ONE = struct.Struct("<ddddI")
TOKEN, AGO, LOG = np.dtype("<i4"), np.dtype("<u4"), np.dtype("<f4")
PER_TOKEN = TOKEN.itemsize + 2 * (AGO.itemsize + LOG.itemsize)


def room(width: int) -> int:
    """Bytes that a search of this width takes at most."""
    return HEAD.size + width * (ONE.size + MOST * PER_TOKEN)


class Prefix:
    """A beginning of a text, as a node of a tree.

    p_blank, p_token      chance of all ways to write it that end with the blank, or with its last token
    log_blank, log_token  logarithm of the likeliest of them, and that way
    state, fused          what the language model knows of it, and has added to its score
    alive                 whether the search follows it, rather than only longer ones
    """

    __slots__ = (
        "alive",
        "children",
        "depth",
        "fused",
        "log_blank",
        "log_token",
        "p_blank",
        "p_token",
        "parent",
        "state",
        "token",
        "way_blank",
        "way_token",
    )

    def __init__(self, token: int, parent: Prefix | None, state: State, fused: float) -> None:
        self.token, self.parent, self.state, self.fused = token, parent, state, fused
        self.depth: int = 0 if parent is None else parent.depth + 1
        self.children: dict[int, Prefix] = {}
        self.alive = False
        self.p_blank = self.p_token = 0.0
        self.log_blank = self.log_token = -math.inf
        self.way_blank: Way = None
        self.way_token: Way = None

    @staticmethod
    def first(fusion: Fusion | None) -> Prefix:
        """The beginning without a token, which is certain."""
        found = Prefix(BORDER, None, fusion.start() if fusion else (), 0.0)
        found.alive, found.p_blank, found.log_blank = True, 1.0, 0.0
        return found

    def child(self, token: int, state: State, fused: float) -> Prefix:
        """The beginning that is a token longer."""
        found = self.children.get(token)
        if found is None:
            found = self.children[token] = Prefix(token, self, state, fused)
        return found

    def best_way(self) -> tuple[float, Way]:
        """The likeliest way to write it, with its logarithm."""
        if self.log_token > self.log_blank:
            return self.log_token, self.way_token
        return self.log_blank, self.way_blank

    def forget(self) -> None:
        """Follow it no more, and take out of the tree what leads nowhere."""
        self.alive = False
        self.p_blank = self.p_token = 0.0
        node = self
        while not node.alive and not node.children and node.parent is not None:
            before, node.parent = node.parent, None
            del before.children[node.token]
            node = before

    def above(self, depth: int) -> Prefix:
        """What it begins with, of so many tokens; itself where it has no more."""
        node = self
        while node.depth > depth and node.parent is not None:
            node = node.parent
        return node

    def tokens(self) -> list[int]:
        """From the root on."""
        found, node = [], self
        while node.parent is not None:
            found.append(node.token)
            node = node.parent
        return found[::-1]


def listed(way: Way) -> list[tuple[int, float]]:
    """The steps of a way and the logarithms there, the first token's first."""
    found = []
    while way is not None:
        frame, log_p, way = way
        found.append((frame, log_p))
    return found[::-1]


def linked(steps: Iterable[tuple[int, float]]) -> Way:
    """The way of such a list."""
    way: Way = None
    for frame, log_p in steps:
        way = (frame, log_p, way)
    return way


def packed(root: Prefix, live: list[Prefix], *, steps: int, silent: int, scale: int) -> bytes:
    """A search as bytes, no more than `room` of its width.  live: by rank."""
    state = (*root.state, *([0] * (INTEGERS - len(root.state))))
    head = HEAD.pack(
        1, len(root.state), len(live), root.token, steps, silent, scale, root.depth, root.fused, *state
    )
    parts = [head]
    for one in live:
        tokens = np.array(one.tokens(), dtype=TOKEN)
        parts += [ONE.pack(one.p_blank, one.p_token, one.log_blank, one.log_token, len(tokens))]
        parts += [tokens.tobytes()]
        for log_p, way in ((one.log_blank, one.way_blank), (one.log_token, one.way_token)):
            taken = listed(way) if log_p > -math.inf else [(steps, 0.0)] * len(tokens)
            parts.append(np.array([steps - frame for frame, _ in taken], dtype=AGO).tobytes())
            parts.append(np.array([one for _, one in taken], dtype=LOG).tobytes())
    return b"".join(parts)


def unpacked(raw: bytes, fusion: Fusion | None) -> tuple[Prefix, list[Prefix], int, int, int]:
    """Root, live beginnings by rank, steps, silent and scale of a search that was packed."""
    _, size, many, token, steps, silent, scale, depth, fused, *state = HEAD.unpack_from(raw)
    root = Prefix(token, None, tuple(state[:size]), fused)
    root.depth = depth
    live, at = [], HEAD.size
    for _ in range(many):
        *chances, length = ONE.unpack_from(raw, at)
        at += ONE.size
        node = root
        for number in np.frombuffer(raw, TOKEN, length, at).tolist():
            node = _child(node, number, fusion)
        at += length * TOKEN.itemsize
        ways = []
        for _ in range(2):
            frames = steps - np.frombuffer(raw, AGO, length, at).astype(np.int64)
            at += length * AGO.itemsize
            logs = np.frombuffer(raw, LOG, length, at)
            at += length * LOG.itemsize
            ways.append(linked(zip(frames.tolist(), logs.tolist(), strict=True)))
        node.p_blank, node.p_token, node.log_blank, node.log_token = chances
        node.way_blank, node.way_token = ways
        node.alive = True
        live.append(node)
    return root, live, steps, silent, scale


def _child(node: Prefix, token: int, fusion: Fusion | None) -> Prefix:
    found = node.children.get(token)
    if found is not None:
        return found
    state, gain = fusion.extend(node.state, token) if fusion else ((), 0.0)
    return node.child(token, state, node.fused + gain)
