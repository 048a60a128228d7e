"""The captioner: an encoder of pictures, a decoder that looks at their parts."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recurra.data.tokens import FIRST
from recurra.nn.attending import AttentiveDecoder
from recurra.nn.attention import Memory
from recurra.nn.linear import Linear
from recurra.tasks.caption.augment import normal, otherwise
from recurra.tasks.caption.backbone import Network
from recurra.tasks.caption.config import CaptionConfig
from recurra.tasks.caption.encoder import Encoder
from recurra.tasks.caption.schema import Schema

# How much it counts that attention is spread evenly in all, and that the words of the captions are known
# from the picture without their order: the network of pictures learns more from that at first.
EVEN, KNOWN = 0.1, 0.5


class Batch(NamedTuple):
    """Pictures and captions.

    seen: (P, S, S, 3) uint8, or features (P, R, C) float32.  of: (B,) int64, the picture of each caption.
    target: (B, T), padded with BORDER.  lengths: (B,) of each.
    """

    seen: Tensor
    of: Tensor
    target: Tensor
    lengths: Tensor


class Captioner(AttentiveDecoder):
    """p(y_t | y_1 … y_{t-1}, picture), and which parts of the picture each word looks at.

    "Show, Attend and Tell" (Xu et al. 2015) with soft attention, its gate and its doubly stochastic
    regularisation; the decoder's layers as `AttentiveDecoder` has them. The encoder learns from what words
    the captions have, too, whatever their order (Fang et al. 2015; Wu et al. 2016).
    """

    backbone: Tensor | None

    def __init__(self, schema: Schema, config: CaptionConfig) -> None:
        shape = schema.shape
        super().__init__(
            len(schema.tokens),
            width=shape.embedding,
            hidden=shape.hidden,
            memory=shape.channels,
            cell=config.cell,
            scores=config.attention,
            dropout=shape.dropout,
            gated=True,
        )
        self.smoothing, self.mirror = config.smoothing, schema.mirror
        self.encoder = Encoder(shape.widths, shape.blocks) if shape.widths else None
        # The bytes of its file, so that a bundle is whole.
        raw = None if schema.backbone is None else torch.zeros(schema.backbone.size, dtype=torch.uint8)
        self.register_buffer("backbone", raw)
        self._record = schema.backbone
        self._network: Network | None = None
        self.known = Linear(shape.channels, len(schema.tokens))
        self.bridge = Linear(shape.channels, 2 * shape.hidden)

    def __getstate__(self) -> dict[str, Any]:
        """For copies, which open the backbone anew."""
        return {**self.__dict__, "_network": None}

    @torch.no_grad()
    def start_from(self, counts: Tensor, captions: int) -> None:
        """Let a fresh model hold each token as likely as it is frequent: counts (V,), in so many captions."""
        self.words.start_from(counts)
        share = ((counts + 1) / (captions + 2)).clamp(max=0.5)
        self.known.bias.copy_((share / (1 - share)).log())
        nn.init.zeros_(self.known.weight)

    @torch.no_grad()
    def keep_backbone(self, raw: bytes) -> None:
        """Keep the bytes of the backbone's file."""
        assert self.backbone is not None
        self.backbone.copy_(torch.frombuffer(bytearray(raw), dtype=torch.uint8))

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Readouts (B, T + 1, E) of captions with an end each, and attention (B, T + 1, R)."""
        memory, state = self.look(batch.seen)
        return self.write(batch.target, batch.lengths, *self.of_captions(memory, state, batch.of))

    def look(self, seen: Tensor) -> tuple[Memory, list[Any]]:
        """What is attended to, and the first states of the decoder's layers, of pictures or features."""
        return self._looked(self.features(seen))

    def _looked(self, values: Tensor) -> tuple[Memory, list[Any]]:
        lengths = torch.full((len(values),), values.shape[1])
        state = self.start(self.bridge(values.mean(1)).tanh())
        return self.attention.remember(self.dropped(values), lengths), state

    def features(self, seen: Tensor) -> Tensor:
        """(P, R, C) of pictures (P, S, S, 3) uint8; features as they are."""
        if seen.dtype != torch.uint8:
            return seen
        if self.encoder is None:
            return self._through(seen)
        x = normal(seen)
        y: Tensor = self.encoder(otherwise(x, self.mirror) if self.training else x)
        return y.flatten(2).transpose(1, 2)

    def _through(self, seen: Tensor) -> Tensor:
        """Features by the backbone, picture by picture."""
        if self._network is None:
            assert self.backbone is not None
            self._network = Network(self.backbone.numpy().tobytes(), "the bundle's backbone", self._record)
        return torch.from_numpy(np.stack([self._network.features(one) for one in seen.numpy()]))

    def of_captions(self, memory: Memory, state: list[Any], of: Tensor) -> tuple[Memory, list[Any]]:
        """The same for each caption."""
        wide = Memory(*(one.index_select(0, of) for one in memory))
        if self.several:
            return wide, [tuple(h.index_select(1, of) for h in one) for one in state]
        return wide, [one.index_select(1, of) for one in state]

    def loss(self, batch: Batch) -> Tensor:
        """Mean nats of each token and end, smoothed, with what the regularisers add."""
        values = self.features(batch.seen)
        read, weight = self.write(
            batch.target, batch.lengths, *self.of_captions(*self._looked(values), batch.of)
        )
        many = batch.lengths + 1
        nats = self.nats(read, batch.target, batch.lengths, self.smoothing) / many.sum()
        return nats + EVEN * self._uneven(weight, many) + KNOWN * self._unknown(values.mean(1), batch)

    def _uneven(self, weight: Tensor, many: Tensor) -> Tensor:
        """Doubly stochastic: Σ_i (T/R − Σ_t α_ti)² of each caption and token (Xu et al. 2015, eq. 14)."""
        there = torch.arange(weight.shape[1]) < many[:, None]
        got = (weight * there[:, :, None]).sum(1)
        each = ((many[:, None] / weight.shape[2] - got) ** 2).sum(1)
        return (each / many).mean()

    def _unknown(self, mean: Tensor, batch: Batch) -> Tensor:
        """Nats of which words the captions of a picture have, for each word that one has."""
        there = mean.new_zeros(len(mean), self.words.tokens)
        share = 1 / torch.bincount(batch.of, minlength=len(mean)).clamp(min=1)
        words = torch.zeros(len(batch.of), self.words.tokens).scatter_(1, batch.target, 1.0)
        there.index_add_(0, batch.of, words * share[batch.of, None])
        there[:, : len(FIRST)] = 0
        known = self.known(self.dropped(mean[:, None])[:, 0])
        nats = F.binary_cross_entropy_with_logits(known, there, reduction="sum")
        return nats / there.sum().clamp(min=1)

    def surprise(self, batch: Batch) -> Tensor:
        """Sum of the nats of all tokens and ends."""
        return self.nats(self(batch)[0], batch.target, batch.lengths)
