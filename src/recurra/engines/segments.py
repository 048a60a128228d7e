"""Ragged rows, cut at resets, as sequences that stand alone: what a kernel for packed sequences can run."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from recurra.cells import State


class Segments(NamedTuple):
    """S stretches of rows between cuts, longest first; N steps in all, of B rows and D directions.

    Each stretch is a row of its own to the kernel, so a reset costs nothing: it makes more and shorter rows.
    """

    steps: Tensor  # (N,) int64: where a packed step lies in the padded batch, t·B + b
    batch_sizes: Tensor  # (longest,) int64 on the CPU: segments that are still running at each step
    row: Tensor  # (S,) int64: the row that a segment is part of
    enters: Tensor  # (D, S) bool: begins with its row's initial state, in that direction; else with zeros
    leaves: Tensor  # (D, B) int64: the segment that ends with the row's last state; S + b for an empty row b

    def to(self, device: torch.device) -> Segments:
        steps, batch_sizes, *rest = self
        return Segments(steps.to(device), batch_sizes, *(part.to(device) for part in rest))


def cut(lengths: Tensor, reset: Tensor | None, directions: int) -> Segments:
    """Cut rows of the given lengths (B,) wherever reset (T, B) says so. Both on the CPU."""
    rows = len(lengths)
    longest = int(lengths.max()) if rows else 0
    inside = torch.arange(longest)[:, None] < lengths
    begins = torch.zeros_like(inside) if reset is None else inside & reset[:longest]
    begins[:1] = inside[:1]

    row, start = begins.T.nonzero(as_tuple=True)
    first = start == 0
    last = torch.cat([first[1:], first[:1]])
    size = torch.where(last, lengths[row], start.roll(-1)) - start

    size, order = size.sort(descending=True, stable=True)
    row, start, first, last = row[order], start[order], first[order], last[order]
    running = torch.arange(int(size[0]) if len(size) else 0)[:, None] < size
    t, s = running.nonzero(as_tuple=True)

    # An empty row leaves with the state it came with, which `leave` puts behind the segments' own.
    leaves = (len(row) + torch.arange(rows)).repeat(directions, 1)
    for to, ends in zip(leaves, (last, first), strict=False):
        to[row[ends]] = ends.nonzero(as_tuple=True)[0]
    kept = first if reset is None else first & ~reset[0, row]
    enters = torch.stack([kept, last][:directions])
    return Segments((start[s] + t) * rows + row[s], running.sum(1), row, enters, leaves)


def enter(state: State, segments: Segments) -> State:
    """The state that each segment begins with: (L·D, B, ·) to (L·D, S, ·)."""
    layers = len(state[0]) // len(segments.enters)
    enters = segments.enters.repeat(layers, 1)[..., None]
    return tuple(torch.where(enters, s[:, segments.row], 0) for s in state)


def leave(state: State, final: State, segments: Segments) -> State:
    """Each row's last state, from the rows' first and the segments' last: (L·D, S, ·) to (L·D, B, ·)."""
    layers = len(state[0]) // len(segments.leaves)
    leaves = segments.leaves.repeat(layers, 1)[..., None]
    ends = (torch.cat(pair, dim=1) for pair in zip(final, state, strict=True))
    return tuple(torch.take_along_dim(end, leaves, dim=1) for end in ends)
