"""One token from the chances of all: temperature, top-k, nucleus, and fewer repetitions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recurra.errors import ConfigError

Array = np.ndarray[Any, np.dtype[Any]]

# Below this the likeliest token is taken: dividing by it says the same, unless it overflows.
COLDEST = 1e-4


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn from the chances p that a model gives: these steps, in this order.

    penalty      1 or more: p becomes p^penalty, renormalised, for the tokens among the last `window`. Keskar
                 et al. (2019), with logarithms of chances for scores, so that no zero point is special
    temperature  0 or more: p becomes p^(1/temperature), renormalised; at 0 the likeliest token is taken
    top_k        only so many of the likeliest tokens, None for all
    top_p        of these the fewest, the likeliest first, whose chances add up to this (the nucleus: Holtzman
                 et al. 2020); 1 for all
    Raises ConfigError.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0
    penalty: float = 1.0
    window: int = 64

    def __post_init__(self) -> None:
        for name, sound, wanted in (
            ("temperature", 0 <= self.temperature < math.inf, "to be 0 or more"),
            ("top_k", self.top_k is None or self.top_k >= 1, "to be 1 or more"),
            ("top_p", 0 < self.top_p <= 1, "to be above 0, and at most 1"),
            ("penalty", 1 <= self.penalty < math.inf, "to be 1 or more"),
            ("window", self.window >= 1, "to be 1 or more"),
        ):
            if not sound:
                told = {"penalty": "repetition penalty", "window": "repetition window"}.get(name, name)
                told = told.replace("_", "-")
                raise ConfigError(
                    f"expected the {told} {wanted}, got {getattr(self, name)}. Give another {told}."
                )

    @property
    def plain(self) -> bool:
        """Whether tokens are drawn by the model's chances as they are."""
        return self.temperature == 1 and self.top_k is None and self.top_p == 1 and self.penalty == 1


class Sampler:
    """Draws one token after another; the same seed and the same scores, the same tokens.

    forbidden: tokens that are never drawn.
    """

    def __init__(self, options: Sampling, seed: int = 0, forbidden: Sequence[int] = ()) -> None:
        self.options = options
        self.forbidden = np.array(forbidden, dtype=np.intp)
        self._random = np.random.default_rng(seed).random
        # Room for the chances and their running sums, which each draw writes anew.
        self._p, self._sums = np.empty(0, dtype=np.float32), np.empty(0)
        self._recent = np.empty(0, dtype=np.intp)
        self._oldest = 0

    def __call__(self, scores: Array) -> int:
        """A token from scores (V,), logarithms of chances up to a constant, float32 or float64; not changed.

        Raises ConfigError where no score is a finite number, or one is not a number.
        """
        options, z = self.options, scores
        if len(self.forbidden):
            z = z.copy()
            z[self.forbidden] = -math.inf
        if options.penalty > 1:
            z = self._penalised(z)
        if options.temperature < COLDEST:
            token = int(z.argmax())
        elif options.top_k is None and options.top_p == 1:
            token = self._drawn(z)
        else:
            some = self._likeliest(z)
            token = int(some[self._drawn(z[some], options.top_p)])
        if options.penalty > 1:
            self.see((token,))
        return token

    def see(self, tokens: Sequence[int] | Array) -> None:
        """Count these among the last tokens too, such as those of a prompt."""
        window = self.options.window
        for token in tokens[-window:]:
            if len(self._recent) < window:
                self._recent = np.append(self._recent, int(token))
            else:
                self._recent[self._oldest] = int(token)
                self._oldest = (self._oldest + 1) % window

    def _penalised(self, z: Array) -> Array:
        """Scores with penalty · log p in the place of log p for the last tokens, up to a constant."""
        top = z[z.argmax()]
        log_sum = top + math.log(np.exp(z - top).sum(dtype=np.float64))
        z, at = z.copy(), self._recent
        z[at] += (self.options.penalty - 1) * (z[at] - log_sum)
        return z

    def _likeliest(self, z: Array) -> Array:
        """The top k tokens; where there is a nucleus to find, the likeliest first."""
        k = self.options.top_k
        # In order, as where argpartition leaves them differs between machines.
        some = np.arange(len(z)) if k is None or k >= len(z) else np.sort(np.argpartition(z, -k)[-k:])
        return some if self.options.top_p == 1 else some[np.argsort(-z[some], kind="stable")]

    def _drawn(self, z: Array, share: float = 1.0) -> int:
        """A place in z (K,), by exp(z / temperature); of the first ones alone that have this share of it."""
        if len(z) > len(self._p) or z.dtype != self._p.dtype:
            self._p, self._sums = np.empty_like(z), np.empty(len(z))
        p, sums = self._p[: len(z)], self._sums[: len(z)]
        np.subtract(z, z[z.argmax()], p)
        if self.options.temperature != 1:
            np.divide(p, self.options.temperature, p)
        np.exp(p, p)
        np.add.accumulate(p, 0, None, sums)
        total = sums[-1]
        if not total > 0:
            raise ConfigError(f"expected finite scores of tokens, got a sum of {total}. Fit the model anew.")
        if share < 1:
            total = sums[sums.searchsorted(share * total)]
        # A random number below 1 times the total is below the total in float64 too, so one of the places is
        # found, and never one without a chance.
        return int(sums.searchsorted(self._random() * total, "right"))
