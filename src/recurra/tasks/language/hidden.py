"""Which hidden unit follows what in a text (Karpathy, Johnson & Li 2015), found by measuring all of them.

A unit is chosen on the first half of a text and judged on the second, since the best of a thousand units
looks better than it is on what it was chosen by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from recurra.tasks.language.stepping import at_rest
from recurra.tasks.language.traits import Trait

if TYPE_CHECKING:
    from recurra.tasks.language.model import LanguageModel

Array = np.ndarray[Any, np.dtype[Any]]

# Tokens that are read, and read at once.
READ, PIECE = 16_000, 512
# How often a trait must end in each half to be worth asking for.
LEAST = 10
# Correlation from which on a unit is said to follow a trait.
CLOSE = 0.5
TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Followed:
    """A trait, and the unit that follows it most closely.

    layer, unit: counted from 1.  correlation: on the second half.  alone: what the token at hand, without
    memory, tells of the trait: the correlation with its mean at each token.  values: (T,) of the unit.
    """

    trait: Trait
    layer: int
    unit: int
    correlation: float
    alone: float
    values: Array

    @property
    def close(self) -> bool:
        """Whether the unit can be said to follow the trait."""
        return abs(self.correlation) >= CLOSE

    @property
    def beyond(self) -> float:
        """How much more the unit knows than the token at hand."""
        return abs(self.correlation) - max(0.0, self.alone)

    def far(self) -> Array:
        """(T,) how far the unit is from its mean, in units of its spread, above zero on the trait's side."""
        return np.asarray(np.sign(self.correlation) * _standard(self.values))

    def passage(self, begins: Array, ends: Array) -> tuple[int, int]:
        """Of passages, one of the second half where the unit follows the trait as well as in half of them.

        Only passages in which the trait ends are looked at, if there are any.
        """
        later = begins >= len(self.values) // 2
        spans = list(zip(begins[later].tolist(), ends[later].tolist(), strict=True))
        spans = spans or [(int(begins[-1]), int(ends[-1]))]
        spans = [span for span in spans if _ends(self.trait.values[slice(*span)])] or spans
        well = [correlations(self.trait.values[a:b, None], self.far()[a:b, None])[0, 0] for a, b in spans]
        return spans[int(np.argsort(well, kind="stable")[(len(well) - 1) // 2])]


def activations(model: LanguageModel, tokens: Array) -> list[Array]:
    """What each layer's units, (T, H), are after each of the tokens (T,)."""
    kept: list[list[Array]] = [[] for _ in model.layers]

    def keep(number: int) -> Any:
        return lambda _module, _given, found: kept[number].append(found[0][:, 0].float().cpu().numpy())

    hooks = [layer.register_forward_hook(keep(number)) for number, layer in enumerate(model.layers)]
    state = None
    try:
        with at_rest(model):
            for begin in range(0, len(tokens), PIECE):
                piece = torch.from_numpy(tokens[begin : begin + PIECE].astype(np.int64))
                _, state = model(piece[:, None], state)
    finally:
        for hook in hooks:
            hook.remove()
    return [np.concatenate(one) for one in kept]


def followed(found: Sequence[Trait], layers: Sequence[Array], tokens: Array) -> list[Followed]:
    """Each trait that the text has in both halves, with its unit; first what needs memory most.

    layers: activations, (T, H) each.  tokens: (T,).
    """
    half = len(tokens) // 2
    first, second = slice(0, half), slice(half, len(tokens))
    there = [one for one in found if _ends(one.values[first]) >= LEAST and _ends(one.values[second]) >= LEAST]
    if not there:
        return []
    units = np.concatenate(layers, axis=1)
    widths = np.cumsum([0, *(layer.shape[1] for layer in layers)])
    wanted = np.stack([one.values for one in there], axis=1)
    best = np.abs(correlations(wanted[first], units[first])).argmax(axis=1)
    rows = []
    for trait, unit in zip(there, best, strict=True):
        layer = int(np.searchsorted(widths, unit, side="right"))
        values = units[:, unit]
        rows.append(
            Followed(
                trait=trait,
                layer=layer,
                unit=int(unit - widths[layer - 1]) + 1,
                correlation=float(correlations(trait.values[second, None], values[second, None])[0, 0]),
                alone=_told_by_token(trait.values, tokens, half),
                values=values,
            )
        )
    return sorted(rows, key=lambda row: -row.beyond)


def correlations(x: Array, y: Array) -> Array:
    """(K, U) correlations of the columns of x (T, K) and y (T, U); 0 with a constant."""
    x, y = _standard(x), _standard(y)
    return np.asarray(x.T @ y / len(x))


def _standard(x: Array) -> Array:
    x = np.asarray(x, dtype=np.float64) - x.mean(axis=0)
    spread = x.std(axis=0)
    # A spread of rounding errors is none.
    return np.asarray(x / np.where(spread < TINY, np.inf, spread))


def _ends(values: Array) -> int:
    """How often a trait falls: a quote closes, a line begins anew."""
    return int((np.diff(values) < 0).sum())


def _told_by_token(values: Array, tokens: Array, half: int) -> float:
    """Correlation on the second half with the trait's mean at each token on the first."""
    size = int(tokens.max()) + 1
    many = np.bincount(tokens[:half], minlength=size)
    sums = np.bincount(tokens[:half], values[:half], minlength=size)
    means = np.where(many > 0, sums / np.maximum(many, 1), values[:half].mean())
    return float(correlations(means[tokens[half:], None], values[half:, None])[0, 0])
