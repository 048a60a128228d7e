"""The recogniser: recurrent layers over what is heard, and at each step the chance of every token or none."""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import recurra.nn
from recurra.data.tokens import BORDER, UNKNOWN
from recurra.nn.linear import Linear
from recurra.nn.recurrent import Recurrent
from recurra.tasks.transcribe.config import TranscribeConfig
from recurra.tasks.transcribe.features import STACK, LogMel
from recurra.tasks.transcribe.fusing import Weighing
from recurra.tasks.transcribe.schema import Schema

State = dict[str, Tensor]

# Of a language model's arrays: see recurra.decode.ngrams.Backoff.
TYPES = {
    "keys": torch.int64,
    "log_p": torch.float32,
    "back_off": torch.float32,
    "shorter": torch.int32,
    "sizes": torch.int64,
}

# Logits that are never wanted.
NEVER = -1e4


class Batch(NamedTuple):
    """Steps (B, T, STACK · M) and tokens (B, L), padded, and how long each is."""

    x: Tensor
    lengths: Tensor
    target: Tensor
    target_lengths: Tensor


class Recogniser(nn.Module):
    """p(k_t | x_1 … x_t), k_t a token or BORDER for none: connectionist temporal classification.

    Graves et al. (2006). A text has the chance of all ways to spell it, where each token may last, and
    BORDERs may stand between. Not `live`: p(k_t | x), read from both ends.
    """

    fused: Tensor
    never: Tensor

    def __init__(self, schema: Schema, config: TranscribeConfig) -> None:
        super().__init__()
        shape = schema.shape
        layer = getattr(recurra.nn, config.cell)
        many = 1 if config.live else 2
        self.p, self.hidden = shape.dropout, shape.hidden
        self.parts = ("h", "c") if config.cell == "LSTM" else ("h",)
        self.inputs = STACK * LogMel(schema.rate).bands
        self.layers = nn.ModuleList(
            layer(
                self.inputs if n == 0 else many * shape.hidden,
                shape.hidden,
                bidirectional=not config.live,
                batch_first=True,
            )
            for n in range(shape.layers)
        )
        self.out = Linear(many * shape.hidden, len(schema.tokens))
        # The language model of the search, and how much it and each word count.
        for name, many in (schema.language.arrays if schema.language is not None else {}).items():
            self.register_buffer(f"language_{name}", torch.zeros(many, dtype=TYPES[name]))
        self.register_buffer("fused", torch.zeros(2, dtype=torch.float64))
        self.weighing: Weighing | None = None  # see fusing.weighing
        never = torch.zeros(len(schema.tokens))
        never[UNKNOWN] = NEVER
        self.register_buffer("never", never, persistent=False)

    def recurrent(self) -> list[Recurrent]:
        """The layers, the first first."""
        return [cast(Recurrent, layer) for layer in self.layers]

    def fresh(self, many: int) -> State:
        """The states (B, H) of recordings that have not begun, by name."""
        names = [f"{part}{n}" for n in range(len(self.layers)) for part in self.parts]
        return {name: self.out.weight.new_zeros(many, self.hidden) for name in names}

    def forward(
        self, x: Tensor, lengths: Tensor | None = None, state: State | None = None
    ) -> tuple[Tensor, State]:
        """Logarithms of the chances (B, T, V), and the states after them; of one direction alone."""
        after: State = {}
        for n, layer in enumerate(self.recurrent()):
            names = [f"{part}{n}" for part in self.parts]
            before = None if state is None else tuple(state[name][None] for name in names)
            y, last = layer(x, before[0] if before and len(names) == 1 else before, lengths=lengths)
            last = last if isinstance(last, tuple) else (last,)
            after |= {name: part[0] for name, part in zip(names, last, strict=True)}
            # From the second layer on, each adds to what is below it (He et al. 2016).
            x = F.dropout(y, self.p, self.training) + (x if n else 0)
        return F.log_softmax(self.out(x) + self.never, 2), after

    def loss(self, batch: Batch) -> Tensor:
        """Mean nats of a token of the texts."""
        return self.surprise(batch) / batch.target_lengths.sum().clamp(min=1)

    def surprise(self, batch: Batch) -> Tensor:
        """Sum of the nats of the texts; none of a text that is too long for its recording."""
        log_p, _ = self(batch.x, batch.lengths)
        return F.ctc_loss(
            log_p.transpose(0, 1),
            batch.target,
            batch.lengths,
            batch.target_lengths,
            blank=BORDER,
            reduction="sum",
            zero_infinity=True,
        )
