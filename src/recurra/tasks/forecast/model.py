"""The forecaster's network: a recurrent reader of segments that weighs classical members and corrects them.

Segments, and a decoder that takes all of the horizon's in one recurrent step each, are SegRNN's (Lin et al.,
2023); a linear path beside the recurrent one is LSTNet's (Lai et al., 2018); weights for members learnt by
their combined loss are FFORMA's (Montero-Manso et al., 2020), with a recurrent reader for its features.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from recurra.cells import Weights
from recurra.engines import choose
from recurra.nn import GRU, GRUCell, Linear

DROPOUT = 0.2
# The gate starts from how the members did on the training windows: the softmax of -TRUST x log error.
TRUST = 8.0
# Correction and spread start small: first the members, then what they miss.
SMALL = 0.1
LINEAR = 20.0  # from here on softplus is the identity, in float32


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large the network is and what it reads; the schema says it all."""

    look_back: int
    segment: int
    horizon: int
    hidden: int
    networks: int
    members: int
    context: int  # features of the whole window, static covariates included
    past: int  # past-known covariates of a step
    future: int  # future-known covariates of a step
    calendar: int  # features of a segment's first step


@dataclass(frozen=True, slots=True)
class Inputs:
    """A batch of B windows, float32, in units of each window's scale about its level.

    past, gone, since: (B, L).  members: (B, M, H).  context: (B, C).  spread: (B,).
    covariates: (B, L, P), NaN where unknown.  known: (B, L + H, F), NaN where unknown.
    calendar: (B, L/w + ceil(H/w), K).  target: (B, H), NaN where unknown.
    """

    past: Tensor
    gone: Tensor
    since: Tensor
    members: Tensor
    context: Tensor
    spread: Tensor
    covariates: Tensor
    known: Tensor
    calendar: Tensor
    target: Tensor


class Network(nn.Module):
    """One recurrent network of the forecaster.

    h_k = GRU(e_k, h_(k-1)) over the look-back's segments; z_j = GRUCell(d_j, h) for each of the
    horizon's;
    median = softmax(G h) · members + W_j z_j + A x, with the other quantiles at positive distances from it.
    """

    def __init__(self, sizes: Sizes, quantiles: int) -> None:
        super().__init__()
        self.sizes, self.quantiles = sizes, quantiles
        width, hidden = sizes.segment, sizes.hidden
        self.steps_ahead = -(-sizes.horizon // width)
        step = 3 + 2 * (sizes.past + sizes.future)
        self.read = Linear(width * step + sizes.calendar, hidden)
        self.start = Linear(sizes.context, hidden)
        self.encoder = GRU(hidden, hidden, batch_first=True)
        self.ahead = Linear(width * (sizes.members + 2 * sizes.future) + sizes.calendar, hidden)
        self.position = nn.Parameter(torch.randn(self.steps_ahead, hidden) * SMALL)
        self.decoder = GRUCell(hidden, hidden)
        self.drop = nn.Dropout(DROPOUT)
        self.out = Linear(hidden, width * quantiles)
        self.gate = Linear(hidden, sizes.members)
        self.linear = Linear(sizes.look_back, sizes.horizon)
        self.growth = nn.Parameter(torch.zeros(sizes.horizon))
        with torch.no_grad():
            self.out.weight.mul_(SMALL)
            self.gate.weight.zero_()
            self.gate.bias.zero_()

    def forward(self, x: Inputs) -> Tensor:
        """Quantiles (B, H, Q), ascending, in units of each window's scale about its level."""
        batch, sizes, width = len(x.past), self.sizes, self.sizes.segment
        state = self._encode(x)
        ahead = [x.members.transpose(1, 2), *_marked(x.known[:, sizes.look_back :])]
        pad = self.steps_ahead * width - sizes.horizon
        steps = functional.pad(torch.cat(ahead, 2), (0, 0, 0, pad)).reshape(batch, self.steps_ahead, -1)
        steps = torch.cat([steps, x.calendar[:, -self.steps_ahead :]], 2)
        d = torch.relu(self.ahead(steps) + self.position)
        # Every segment of the horizon is one step from the same state, so errors don't add up along it.
        z = _one_step(self.decoder, d.flatten(0, 1), state.repeat_interleave(self.steps_ahead, 0))
        raw = self.out(self.drop(z)).reshape(batch, -1, self.quantiles)[:, : sizes.horizon]
        weights = torch.softmax(self.gate(self.drop(state)), 1)
        base = _weighed(weights, x.members) + self.linear(self.drop(x.past))
        return self._spread(base, raw, x.spread)

    def _encode(self, x: Inputs) -> Tensor:
        sizes = self.sizes
        segments = sizes.look_back // sizes.segment
        back = [torch.stack([x.past, x.gone, x.since], 2), *_marked(x.covariates)]
        back += _marked(x.known[:, : sizes.look_back])
        steps = torch.cat(back, 2).reshape(len(x.past), segments, -1)
        e = torch.relu(self.read(torch.cat([steps, x.calendar[:, :segments]], 2)))
        state: Tensor = self.encoder(e, torch.tanh(self.start(x.context))[None])[1][0]
        return state

    def _spread(self, base: Tensor, raw: Tensor, spread: Tensor) -> Tensor:
        """Quantiles about the median; their distances start as a random walk's would grow."""
        middle = self.quantiles // 2
        ahead = torch.arange(1, self.sizes.horizon + 1, device=base.device)
        unit = 0.3 * spread[:, None, None] * ((1 + ahead).sqrt() * self.growth.exp())[:, None]
        median = base + raw[..., middle]
        apart = _softplus(raw + 0.5) * unit
        above = median[..., None] + torch.cumsum(apart[..., middle + 1 :], 2)
        below = median[..., None] - torch.cumsum(apart[..., :middle].flip(2), 2).flip(2)
        return torch.cat([below, median[..., None], above], 2)


class Forecaster(nn.Module):
    """The mean of several networks' quantiles, calibrated on validation data."""

    levels: Tensor
    factors: Tensor

    def __init__(self, sizes: Sizes, levels: Sequence[float]) -> None:
        super().__init__()
        self.sizes = sizes
        # Networks read the median's place as the middle one: pad the levels on the shorter side.
        self.middle = list(levels).index(0.5)
        self.networks = nn.ModuleList(
            Network(sizes, 2 * self._half(levels) + 1) for _ in range(sizes.networks)
        )
        self.register_buffer("levels", torch.tensor(list(levels), dtype=torch.float64), persistent=False)
        self.register_buffer("factors", torch.ones(calibration_groups(sizes.horizon), len(levels)))

    @staticmethod
    def _half(levels: Sequence[float]) -> int:
        middle = list(levels).index(0.5)
        return max(middle, len(levels) - 1 - middle)

    def each(self, x: Inputs) -> Tensor:
        """Every network's own quantiles, uncalibrated: (networks, B, H, Q)."""
        half = self._half(self.levels.tolist())
        first = half - self.middle
        return torch.stack([net(x)[..., first : first + len(self.levels)] for net in self.networks])

    def forward(self, x: Inputs) -> Tensor:
        """Quantiles (B, H, Q): the networks' mean, with distances from the median as calibrated."""
        each = self.each(x)
        found: Tensor = each[0]
        for other in each[1:]:
            found = found + other
        found = found / len(each)
        group = (
            torch.arange(self.sizes.horizon, device=found.device) * len(self.factors) // self.sizes.horizon
        )
        median = found[..., self.middle, None]
        # Sorted, since factors of their own could make two quantiles cross.
        calibrated: Tensor = (median + (found - median) * self.factors[group]).sort(-1).values
        return calibrated

    def pinball(self, x: Inputs) -> Tensor:
        """Twice the mean quantile loss of each network (Koenker & Bassett, 1978) over known steps.

        On their own, and not of their mean, so that they stay different and the mean is better than each.
        """
        return quantile_loss(self.each(x), x.target, self.levels)

    def trust(self, errors: Tensor) -> None:
        """Start the gates from the members' mean absolute errors (M,) on the training windows."""
        with torch.no_grad():
            for net in self.networks:
                assert isinstance(net, Network)
                net.gate.bias.copy_(-TRUST * torch.log(errors / errors.min()))


def calibration_groups(horizon: int) -> int:
    """Parts of the horizon that are calibrated each on its own."""
    return max(1, min(8, round(math.sqrt(horizon))))


def quantile_loss(found: Tensor, target: Tensor, levels: Tensor) -> Tensor:
    """Twice the pinball loss of (..., B, H, Q) against (B, H), mean over known targets and quantiles."""
    known = ~torch.isnan(target)
    error = torch.nan_to_num(target)[..., None] - found
    tau = levels.to(found.dtype)
    loss = 2 * torch.maximum(tau * error, (tau - 1) * error).mean(-1) * known
    return loss.sum() / known.expand(loss.shape).sum().clamp(min=1)


def _one_step(cell: GRUCell, x: Tensor, h: Tensor) -> Tensor:
    """The next state (B, R); where no gradient is wanted by the engine that runs layers over time.

    What PyTorch has for single steps multiplies in an order that depends on the other rows.
    """
    if torch.is_grad_enabled():
        found: Tensor = cell(x, h)
        return found
    request = cell.request()._replace(one_step=False)
    weights = Weights(cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh)
    (new,) = choose(request).step(request, x, (h,), weights)
    return new


def _weighed(weights: Tensor, members: Tensor) -> Tensor:
    """(B, H), the sum of members (B, M, H) with weights (B, M).

    Where no gradient is wanted one is added after another; a product of matrices adds in an order that
    depends on the other rows.
    """
    if torch.is_grad_enabled():
        return torch.einsum("bm,bmh->bh", weights, members)
    return torch.cumsum(weights[:, :, None] * members, 1)[:, -1]


def _softplus(x: Tensor) -> Tensor:
    """log(1 + e^x); where no gradient is wanted, in steps that give a value the same bits at any place."""
    if torch.is_grad_enabled():
        return functional.softplus(x)
    return torch.where(x > LINEAR, x, torch.log1p(torch.exp(x)))


def _marked(x: Tensor) -> list[Tensor]:
    """Covariates (B, T, F) with zeros where unknown, and a mask of where that is; nothing when F is 0."""
    gone = torch.isnan(x)
    return [torch.where(gone, 0.0, x), gone.to(x.dtype)] if x.shape[2] else []
