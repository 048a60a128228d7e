"""What is fitted once the networks are trained: the counted member, its share, and the temperature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from recurra.data.ragged import Ragged
from recurra.tasks.classify import regression
from recurra.tasks.classify.calibration import fit_temperature
from recurra.tasks.classify.data import ClassifyData
from recurra.tasks.classify.grams import Grams
from recurra.tasks.classify.model import Classifier
from recurra.tasks.classify.shape import NETWORKS
from recurra.tasks.classify.shapes import Shapes
from recurra.tasks.classify.split import fold_parts, strata_of

Array = np.ndarray[Any, np.dtype[Any]]

FOLDS = NETWORKS
# Penalties of the regression, from strong to weak: of n-grams, over the number of examples; of shapes.
GRAMS, SHAPES = (1.0, 0.3, 0.1, 0.03, 0.01), (0.3, 0.03, 0.003, 0.0003)
# Sequences, and their steps, that the regression is fitted on: a minute or so.
MOST_EXAMPLES, MOST_STEPS = 20_000, 3_000_000
SHARES = np.linspace(0, 1, 21)
NUMBERS = 4_000_000  # in the embeddings of one batch


def logits(model: Classifier, data: ClassifyData, most: int | None = None) -> tuple[Array, Tensor]:
    """Examples that networks were not trained on, and what those networks' logits (N, K) are."""
    x = data.examples.x
    if len(data.valid):
        which = _some(data.valid, most)
        found = [_read(network, x, which) for network in model.networks]
        return which, torch.stack(found).mean(0)
    left = data.left_out
    which = _some(np.flatnonzero((left >= 0) & (left < len(model.networks))), most)
    found_by = torch.zeros(len(which), len(data.schema.classes))
    for number, network in enumerate(model.networks):
        own = np.flatnonzero(left[which] == number)
        if len(own):  # fewer examples than networks leave some with none
            found_by[own] = _read(network, x, which[own])
    return which, found_by


def weigh(model: Classifier, data: ClassifyData, seed: int) -> None:
    """Fit the counted member; choose the networks' share and the temperature on what was left out."""
    which, networks = logits(model, data)
    counted = _count(model, data, which, seed)
    y = data.examples.y[which]

    def mixed(share: float) -> tuple[Array, float]:
        z = (share * networks + (1 - share) * counted).double().numpy()
        return z, fit_temperature(z, y)

    # The mean over all shares, each as likely as it makes these examples: few of them leave much open, and
    # the best one alone would then be chance.
    losses = np.array([_loss(z / temperature, y) for z, temperature in map(mixed, SHARES)])
    likely = np.exp(-len(y) * (losses - losses.min()))
    share = float((likely * SHARES).sum() / likely.sum())
    model.share.fill_(share)
    model.temperature.fill_(mixed(share)[1])


def _count(model: Classifier, data: ClassifyData, which: Array, seed: int) -> Tensor:
    """Fit the counted member; returns its logits for examples `which` when it was not fitted to them."""
    member, several = model.counted, data.schema.several
    rng = np.random.default_rng([seed, 2])
    lengths = data.examples.x.lengths
    train = rng.permutation(data.train)[:MOST_EXAMPLES]
    train = np.sort(train[: max(1, int(np.searchsorted(np.cumsum(lengths[train]), MOST_STEPS)))])
    x = data.examples.x.take(train)
    y = _hot(data.examples.y[train], len(data.schema.classes))
    if len(data.valid):
        parts = fold_parts(strata_of(data.examples.y[train]), FOLDS, np.random.default_rng(FOLDS))
    else:
        parts = [np.flatnonzero(data.left_out[train] == number) for number in range(FOLDS)]
    parts = [part for part in parts if len(part)]
    penalties = SHAPES if isinstance(member, Shapes) else tuple(one / len(train) for one in GRAMS)
    features: regression.Features | regression.Dense
    if isinstance(member, Grams):
        losses = [
            _outside(member.learn(x, seed, rare)[0], y, parts[0], penalties, several)
            for rare in (member.tried if len(member.tried) > 1 else ())
        ]
        rare = member.tried[int(np.argmin(losses)) if losses else 0]
        features, places = member.learn(x, seed, rare)
    else:
        features, places = member.learn(x, seed)
    down_to, found = regression.chosen(features, y, parts, penalties, several=several)
    weight = regression.follow(features, y, down_to, several=several)
    member.weight.zero_()
    member.weight[places] = weight[:-1]
    member.bias.copy_(weight[-1])
    if len(data.valid):
        return _read(member, data.examples.x, which)
    place = np.full(len(lengths), -1)
    place[train] = np.arange(len(train))
    outside = np.flatnonzero(place[which] < 0)
    counted = found[np.maximum(place[which], 0)]
    if len(outside):
        counted[outside] = _read(member, data.examples.x, which[outside])
    return counted


def _outside(
    x: regression.Features, y: Tensor, part: Array, penalties: Sequence[float], several: bool
) -> float:
    """Mean log loss on a part of the examples, by the regression on the others that does best there."""
    _, found = regression.chosen(x, y, [part], penalties, several=several)
    z, truth = found[part], y[part]
    return float(regression.losses(z, torch.nan_to_num(truth), torch.isfinite(truth), several).mean())


def _read(member: Any, x: Ragged, which: Array) -> Tensor:
    """A member's logits (N, K) of some sequences."""
    parts = alike(x.lengths[which])
    found: Tensor | None = None
    for part in parts:
        inputs, lengths = x.padded(which[part])
        z = member(inputs, lengths)
        found = z.new_zeros(len(which), z.shape[1]) if found is None else found
        found[part] = z
    return torch.zeros(0, 0) if found is None else found


def alike(lengths: Array) -> list[Array]:
    """Places in batches of sequences of about the same length, of bounded size."""
    order = np.argsort(lengths, kind="stable")
    batches: list[Array] = []
    start = 0
    while start < len(order):
        many = 1
        while start + many < len(order) and (many + 1) * int(lengths[order[start + many]]) * 64 <= NUMBERS:
            many += 1
        batches.append(order[start : start + many])
        start += many
    return batches


def _some(which: Array, most: int | None) -> Array:
    if most is None or len(which) <= most:
        return which
    return which[np.linspace(0, len(which) - 1, most).astype(np.int64)]


def _hot(y: Array, classes: int) -> Tensor:
    if y.ndim > 1:
        return torch.from_numpy(y).float()
    return F.one_hot(torch.from_numpy(y), classes).float()


def _loss(z: Array, y: Array) -> float:
    truth = torch.from_numpy(y) if y.ndim > 1 else _hot(y, z.shape[1])
    known = torch.isfinite(truth)
    return float(regression.losses(torch.from_numpy(z), torch.nan_to_num(truth), known, y.ndim > 1).mean())
