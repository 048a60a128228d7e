"""A translator that looks where it needs to: the attention encoder-decoder of Bahdanau et al. (2015)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from models.kind import Batch, Kind
from models.texts import PADDING, german_from_english, padded

WORDS, ROWS = 8_000, 80


class Translator(nn.Module):
    """A GRU in both directions reads; a GRU cell writes word by word, looking at what was read."""

    def __init__(self, width: int, units: int) -> None:
        super().__init__()
        self.read_words = nn.Embedding(WORDS, width)
        self.written_words = nn.Embedding(WORDS, width)
        self.encoder = nn.GRU(width, units, bidirectional=True)
        self.first = nn.Linear(units, units)
        self.decoder = nn.GRUCell(width + 2 * units, units)
        self.query, self.key = nn.Linear(units, units, bias=False), nn.Linear(2 * units, units, bias=False)
        self.score = nn.Linear(units, 1, bias=False)
        self.deep = nn.Linear(width + 3 * units, 2 * width)
        self.out = nn.Linear(width, WORDS)

    def forward(self, source: Tensor, lengths: Tensor, target: Tensor) -> Tensor:
        """Mean loss (); source (T, B) with lengths (B,), target (S, B)."""
        packed = pack_padded_sequence(self.read_words(source), lengths, enforce_sorted=False)
        read, _ = pad_packed_sequence(self.encoder(packed)[0])
        keys, there = self.key(read), (source != PADDING).unsqueeze(-1)
        # The reverse direction's state where it ends, at the first word, has seen the whole sentence.
        state = torch.tanh(self.first(read[0].chunk(2, dim=-1)[1]))
        before = self.written_words(torch.cat([torch.zeros_like(target[:1]), target[:-1]]))
        deep = []
        for word in before:
            energy = self.score(torch.tanh(self.query(state) + keys)).masked_fill(~there, -torch.inf)
            seen = (energy.softmax(0) * read).sum(0)
            deep.append(torch.cat([word, seen, state], dim=-1))
            state = self.decoder(torch.cat([word, seen], dim=-1), state)
        most = self.deep(torch.stack(deep)).unflatten(-1, (-1, 2)).amax(-1)
        return cross_entropy(self.out(most).flatten(0, 1), target.flatten(), ignore_index=PADDING)


def batches() -> tuple[Iterator[Batch], str]:
    """Source (T, B), its lengths (B,) and target (S, B)."""
    pairs, text = german_from_english(WORDS)

    def go() -> Iterator[Batch]:
        for start in range(0, len(pairs) - ROWS, ROWS):
            sources, targets = map(list, zip(*pairs[start : start + ROWS], strict=True))
            yield *padded(sources), padded(targets)[0]

    return go(), text


BAHDANAU = Kind(
    "translator",
    "Bahdanau et al. (2015), a quarter as wide",
    "GRU in both directions over a PackedSequence, GRU cell with attention step by step; 256 units, 160 "
    "inputs, 8,000 words; 80 pairs of sentences",
    lambda: Translator(160, 256),
    batches,
    learning_rate=0.5,
    clip=1.0,
)
