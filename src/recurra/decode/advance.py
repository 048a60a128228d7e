"""One step of CTC prefix beam search: the beginnings of texts that are followed after it."""

from __future__ import annotations

import math
from heapq import heappush, heapreplace
from operator import attrgetter
from typing import NamedTuple

from recurra.decode.fusion import Fusion, State
from recurra.decode.prefixes import Prefix, Way

NEVER = -math.inf


class Step(NamedTuple):
    """What the network says of the blank and of the tokens that are tried: logarithms, and chances, which are
    larger by e^lift, and so are above 0.
    """

    number: int
    log_blank: float
    logs: dict[int, float]
    p_blank: float
    chances: dict[int, float]
    lift: float

    @staticmethod
    def of(number: int, log_blank: float, logs: dict[int, float], lift: float = 0.0) -> Step:
        chances = {token: math.exp(log_p + lift) for token, log_p in logs.items()}
        return Step(number, log_blank, logs, math.exp(log_blank + lift), chances, lift)


def advanced(
    live: list[Prefix], step: Step, fusion: Fusion | None, *, width: int, margin: float
) -> list[Prefix]:
    """The likeliest beginnings after a step, by rank; none, and nothing changed, where none can be written.

    live: those before it, by rank.  width: beginnings at most.  margin: how far below the best they may be.
    """
    ranked = [_kept(one, step) for one in live]
    best = _Best([one.score for one in ranked], width, margin)
    # What is there already stands before what is new, and so goes on where both are as likely.
    ranked += _longer(live, step, fusion, best)
    ranked.sort(key=attrgetter("score"), reverse=True)
    floor = max(ranked[0].score - margin, -1e300)
    going = [one.taken() for one in ranked[:width] if one.score >= floor]
    if going:
        for one in live:
            one.alive = False
        for one in going:
            one.alive = True
        for one in live:
            if not one.alive:
                one.forget()
    return going


def logarithm(p: float) -> float:
    """Of 0 too."""
    return math.log(p) if p > 0 else NEVER


class _Found(NamedTuple):
    """A beginning after the step: its chances and ways as in Prefix; and, if it is a new one, its last token
    and what the language model says.
    """

    score: float
    p_blank: float
    p_token: float
    log_blank: float
    log_token: float
    way_blank: Way
    way_token: Way
    prefix: Prefix  # it, or the one that it goes on from
    token: int | None = None
    state: State = ()
    fused: float = 0.0

    def taken(self) -> Prefix:
        """Its node, with them."""
        one = self.prefix
        if self.token is not None:
            one = one.child(self.token, self.state, self.fused)
        one.p_blank, one.p_token, one.log_blank, one.log_token = self[1:5]
        one.way_blank, one.way_token = self.way_blank, self.way_token
        return one


class _Best:
    """The scores of the best so far.  floor: what is below it will not be among them."""

    def __init__(self, scores: list[float], width: int, margin: float) -> None:
        self.width, self.margin = width, margin
        self.top = max(scores)
        self.heap = sorted(scores)[-width:]
        self._lift()

    def take(self, score: float) -> None:
        if len(self.heap) < self.width:
            heappush(self.heap, score)
        else:
            heapreplace(self.heap, score)
        self.top = max(self.top, score)
        self._lift()

    def _lift(self) -> None:
        full = len(self.heap) == self.width
        self.floor = max(self.top - self.margin, self.heap[0] if full else NEVER)


def _kept(one: Prefix, step: Step) -> _Found:
    """A beginning that is there and stays: by the blank, its last token again, or once more written."""
    total = one.p_blank + one.p_token
    p_blank = total * step.p_blank
    log_way, way_blank = one.best_way()
    p_token, log_token, way_token = 0.0, NEVER, one.way_token
    p = step.chances.get(one.token)
    if p is not None:
        log_p = step.logs[one.token]
        p_token, log_token = one.p_token * p, one.log_token + log_p
        if way_token is not None and log_p > way_token[1]:
            way_token = (way_token[0], log_p, way_token[2])
        before = one.parent
        if before is not None and before.alive:
            # A token that follows itself needs a blank between.
            if before.token == one.token:
                mass, log_before, way = before.p_blank, before.log_blank, before.way_blank
            else:
                mass = before.p_blank + before.p_token
                log_before, way = before.best_way()
            p_token += mass * p
            if log_before + log_p > log_token:
                log_token, way_token = log_before + log_p, (step.number, log_p, way)
    score = logarithm(p_blank + p_token) + one.fused
    return _Found(score, p_blank, p_token, log_way + step.log_blank, log_token, way_blank, way_token, one)


def _longer(live: list[Prefix], step: Step, fusion: Fusion | None, best: _Best) -> list[_Found]:
    """Beginnings that are a token longer, and not there yet; without those that others surely beat."""
    found = []
    tokens = [
        (log_p + step.lift + (fusion.most(token) if fusion else 0.0), token)
        for token, log_p in step.logs.items()
    ]
    tokens.sort(key=lambda one: (-one[0], one[1]))
    for one in live:
        total = one.p_blank + one.p_token
        log_total = logarithm(total) + one.fused
        log_way, way = one.best_way()
        for most, token in tokens:
            if log_total + most < best.floor:
                break
            child = one.children.get(token)
            if child is not None and child.alive:
                continue  # it stays, and has this in its chance
            again = token == one.token
            mass = (one.p_blank if again else total) * step.chances[token]
            if mass == 0:
                continue
            fused, state = one.fused, one.state
            if child is not None:
                state, fused = child.state, child.fused
            elif fusion:
                state, gain = fusion.extend(one.state, token)
                fused += gain
            score = logarithm(mass) + fused
            if score < best.floor or score == NEVER:
                continue
            best.take(score)
            log_p = step.logs[token]
            log_before, before = (one.log_blank, one.way_blank) if again else (log_way, way)
            new = (0.0, mass, NEVER, log_before + log_p, None, (step.number, log_p, before))
            found.append(_Found(score, *new, one, token, state, fused))
    return found
