"""Texts from what a CTC network says at each step (Graves et al. 2006): the likeliest way, or beam search."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from recurra.data.tokens import BORDER, FIRST, UNKNOWN
from recurra.decode.advance import Step, advanced, logarithm
from recurra.decode.fusion import Fusion, State
from recurra.decode.gaps import Gaps
from recurra.decode.prefixes import MOST, Prefix, linked, listed, packed, room, unpacked
from recurra.errors import ConfigError, DataError

Array = np.ndarray[Any, np.dtype[Any]]

# CTC's blank; UNKNOWN is no text, and never written.
BLANK = BORDER
# Chances are multiplied by 2^SCALE as soon as all are below 2^-SCALE, which changes no digit of them.
SCALE = 256
LOG_SCALE = SCALE * math.log(2)


@dataclass(frozen=True, slots=True)
class Beam:
    """How texts are looked for.

    width   beginnings that are followed side by side
    prune   tokens whose chance at a step is below this share of the likeliest one's are not tried; 0 for none
    margin  beginnings whose chance, with what a language model adds, is below this share of the best one's
            are followed no longer; 0 for none
    best    texts that are wanted, the best first; no more than the width
    Raises ConfigError.
    """

    width: int = 16
    prune: float = 1e-4
    margin: float = 1e-8
    best: int = 1

    def __post_init__(self) -> None:
        for name, value, sound, wanted in (
            ("beam width", self.width, self.width >= 1, "to be 1 or more"),
            ("share of pruned tokens", self.prune, 0 <= self.prune < 1, "to be 0 or more, and below 1"),
            ("share of dropped texts", self.margin, 0 <= self.margin < 1, "to be 0 or more, and below 1"),
            ("number of best texts", self.best, 1 <= self.best <= self.width, f"from 1 to {self.width}"),
        ):
            if not sound:
                raise ConfigError(f"expected the {name} {wanted}, got {value}. Give another number.")

    @property
    def room(self) -> int:
        """Bytes that the state of a search takes at most."""
        return room(self.width)


class Hypothesis(NamedTuple):
    """A text, or a part of one.

    tokens     their numbers
    frames     the step at which each came, on the likeliest way to write them
    chances    of each token, the most that any step of its own gave it there
    score      logarithm of the text's chance, and what the language model adds
    logarithm  of the text's chance, of the likeliest way alone where no others were looked at
    before     what the language model knew before the first of them
    whole      whether a word ends with the last of them, rather than goes on in the part after this one
    """

    tokens: list[int]
    frames: list[int]
    chances: list[float]
    score: float
    logarithm: float
    before: State = ()
    whole: bool = True


def greedy(log_p: Array) -> Hypothesis:
    """The text of the likeliest token of each step: best path decoding.  log_p: (T, V) float."""
    rows = np.asarray(log_p, dtype=np.float32)
    if not len(rows):
        return Hypothesis([], [], [], 0.0, 0.0)
    likely = np.where(np.arange(rows.shape[1]) == UNKNOWN, -np.inf, rows)
    tokens, tops = likely.argmax(1), likely.max(1).astype(np.float64)
    _check(tops)
    first = np.flatnonzero(np.diff(tokens, prepend=-1))
    chances = np.exp(np.maximum.reduceat(tops, first))
    real = tokens[first] != BLANK
    total = math.fsum(tops)
    return Hypothesis(
        tokens[first[real]].tolist(), first[real].tolist(), chances[real].tolist(), total, total
    )


class Search:
    """Prefix beam search (Graves 2012, section 7.5; Hannun et al. 2014, algorithm 1), step by step.

    P(text | sound), summed over the ways to write it, and a language model's score. What is found does not
    depend on how the steps are cut into calls, nor on whether the search was kept as bytes in between.

    separator: where words end, or the token between them. Long texts are cut there if they can be.
    """

    def __init__(
        self, beam: Beam | None = None, fusion: Fusion | None = None, separator: Gaps | int | None = None
    ) -> None:
        self.beam, self.fusion = beam or Beam(), fusion
        if not isinstance(separator, Gaps):
            alone = frozenset(() if separator is None else (separator,))
            separator = Gaps(begins=alone, ends=alone)
        self._gaps = separator
        self._prune = np.float32(-math.log(self.beam.prune) if self.beam.prune else math.inf)
        self._margin = -math.log(self.beam.margin) if self.beam.margin else math.inf
        self.steps = 0  # that have been fed, in all utterances
        self.restart()

    def restart(self) -> None:
        """Begin a new text; what has not been taken of the old one is lost. Steps are counted on."""
        self._root = Prefix.first(self.fusion)
        self._live = [self._root]  # by rank, the best first
        self._scale = 0
        self._settled: list[tuple[int, int, float]] = []  # token, frame, logarithm
        self._whole = True  # whether a word ends with what was settled last
        self._before = self._root.state
        self.silent = 0  # steps since a token other than the blank was the likeliest

    @property
    def written(self) -> bool:
        """Whether the best text since `restart` has any token."""
        return self._live[0].depth > 0

    def feed(self, log_p: Array) -> None:
        """Take in steps: logarithms of chances (V,) or (T, V). Raises DataError where they are no numbers."""
        rows = np.atleast_2d(np.asarray(log_p, dtype=np.float32))
        blanks, real = rows[:, BLANK], rows[:, len(FIRST) :]
        likeliest = real.max(1, initial=-np.inf)
        tops = np.maximum(likeliest, blanks)
        _check(tops)
        at, which = np.nonzero(real >= (tops - self._prune)[:, None])
        logs = real[at, which].tolist()
        tokens = (which + len(FIRST)).tolist()
        ends = np.bincount(at, minlength=len(rows)).cumsum().tolist()
        # Where both are equal, the blank counts.
        spoken = (likeliest > blanks).tolist()
        # Of a step at which all is so unlikely that no chance would be above 0.
        lifts = [max(0, int(top // -LOG_SCALE)) for top in tops.tolist()]
        first = 0
        for blank, end, loud, lift in zip(blanks.tolist(), ends, spoken, lifts, strict=True):
            if first == end:
                self._blank(blank, lift)
            else:
                self._step(blank, dict(zip(tokens[first:end], logs[first:end], strict=True)), lift)
            self.silent = 0 if loud else self.silent + 1
            self.steps += 1
            first = end

    def best(self, many: int | None = None, *, ended: bool = True) -> list[Hypothesis]:
        """The best texts so far, as if they ended here; without what `settled` has given.

        If all end in the middle of a word, and a closed dictionary has no such words, they are not ended.
        ended: False for the best beginnings of texts that go on.
        """
        model = self.fusion if ended else None
        ends = [model.end(one.state) if model else 0.0 for one in self._live]
        if max(ends) == -math.inf:
            ends = [0.0] * len(ends)
        scores = [self._score(one) + end for one, end in zip(self._live, ends, strict=True)]
        order = sorted(range(len(scores)), key=lambda at: -scores[at])
        order = [at for at in order if scores[at] > -math.inf]
        return [self._told(self._live[at], scores[at]) for at in order[: many or self.beam.best]]

    def settled(self) -> Hypothesis | None:
        """The beginning of a long text that has become certain since the last call, None for none.

        `best` is without it from now on.  score, logarithm: of the best text as a whole.
        """
        if not self._settled:
            return None
        best = self._live[0]
        found = self._hypothesis([], [], self._score(best), self._logarithm(best))
        found = found._replace(whole=self._whole)
        self._settled, self._before = [], self._root.state
        return found

    def to_bytes(self) -> bytes:
        """All there is of the search, at most `beam.room`; what has been settled is to be taken before."""
        assert not self._settled, "take what is settled before"
        return packed(self._root, self._live, steps=self.steps, silent=self.silent, scale=self._scale)

    @staticmethod
    def from_bytes(
        raw: bytes,
        beam: Beam | None = None,
        fusion: Fusion | None = None,
        separator: Gaps | int | None = None,
    ) -> Search:
        """The search that was kept as these bytes, whatever is after them; a new one of a zero."""
        search = Search(beam, fusion, separator)
        if raw[:1] != b"\0":
            found = unpacked(raw, fusion)
            search._root, search._live, search.steps, search.silent, search._scale = found
            search._before = search._root.state
        return search

    def _blank(self, log_blank: float, lift: int) -> None:
        """A step at which nothing but the blank is tried: ranks stay as they are."""
        p = math.exp(log_blank + lift * LOG_SCALE)
        self._scale -= lift * SCALE
        for one in self._live:
            one.p_blank = (one.p_blank + one.p_token) * p
            one.p_token = 0.0
            if one.log_token > one.log_blank:
                one.log_blank, one.way_blank = one.log_token, one.way_token
            one.log_blank += log_blank
            one.log_token = -math.inf
        self._rescale()

    def _step(self, log_blank: float, logs: dict[int, float], lift: int) -> None:
        """A step at which tokens are tried, with their logarithms."""
        step = Step.of(self.steps, log_blank, logs, lift * LOG_SCALE)
        live = advanced(self._live, step, self.fusion, width=self.beam.width, margin=self._margin)
        if not live:
            return  # nothing can be written at this step: it is left out
        self._live = live
        self._scale -= lift * SCALE
        self._rescale()
        if max(one.depth for one in live) - self._root.depth > MOST:
            self._settle()

    def _rescale(self) -> None:
        while max(one.p_blank + one.p_token for one in self._live) < 2.0**-SCALE:
            for one in self._live:
                one.p_blank *= 2.0**SCALE
                one.p_token *= 2.0**SCALE
            self._scale -= SCALE

    def _settle(self) -> None:
        """Make the older half of the best text certain, up to the end of a word if there is one in it.

        What would not end a word there, or would, unlike the best text, is followed no longer.
        """
        best, root = self._live[0], self._root
        gone, whole = self._gaps.place(best.tokens())
        self._whole = whole if gone else self._whole
        cut = best.above(root.depth + gone)
        steps = listed(best.best_way()[1])[:gone]
        self._settled += [(token, *step) for token, step in zip(cut.tokens(), steps, strict=True)]
        before, self._live = self._live, []
        for one in before:
            same = one.above(cut.depth) is cut and (not gone or self._agrees(one, cut))
            if same and one.depth - cut.depth <= MOST:
                self._live.append(one)
            else:
                one.forget()
        for one in self._live:
            one.way_blank, one.way_token = (
                linked(listed(way)[gone:]) for way in (one.way_blank, one.way_token)
            )
        above = cut.parent
        while above is not None:
            # Or the circles of what is let go would wait for Python's collector.
            above.children.clear()
            above = above.parent
        cut.parent, self._root = None, cut
        self._rescale()

    def _agrees(self, one: Prefix, cut: Prefix) -> bool:
        """Whether what begins with a beginning is cut after it as the best text is."""
        after = None if one is cut else one.above(cut.depth + 1).token
        return self._gaps.agree(cut.token, after, whole=self._whole)

    def _logarithm(self, one: Prefix) -> float:
        return logarithm(one.p_blank + one.p_token) + self._scale * math.log(2)

    def _score(self, one: Prefix) -> float:
        return self._logarithm(one) + one.fused

    def _told(self, one: Prefix, score: float) -> Hypothesis:
        return self._hypothesis(one.tokens(), listed(one.best_way()[1]), score, self._logarithm(one))

    def _hypothesis(
        self, tokens: list[int], steps: list[tuple[int, float]], score: float, logarithm: float
    ) -> Hypothesis:
        """What has been settled, and these."""
        whole = self._settled + [(token, *step) for token, step in zip(tokens, steps, strict=True)]
        return Hypothesis(
            [token for token, *_ in whole],
            [frame for _, frame, _ in whole],
            [math.exp(log_p) for *_, log_p in whole],
            score,
            logarithm,
            self._before,
        )


def _check(tops: Array) -> None:
    """Raises DataError where a step, whose largest logarithm this is, says nothing."""
    sound = np.isfinite(tops)
    if not sound.all():
        at = int(sound.argmin())
        raise DataError(
            f"expected logarithms of chances, the largest of each step finite, got {tops[at]} at step {at}. "
            "Look for what is not finite before them."
        )
