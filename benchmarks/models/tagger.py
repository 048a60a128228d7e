"""A tagger of sentences: the BI-LSTM of Huang et al. (2015)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from models.kind import Batch, Kind
from models.texts import penn_treebank

WORDS, TAGS, ROWS = 10_000, 9, 100
NO_TAG = -100  # what cross_entropy passes over


class Tagger(nn.Module):
    """Embeddings, an LSTM in both directions, and a tag for each word."""

    def __init__(self, width: int, units: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, width)
        self.lstm = nn.LSTM(width, units, bidirectional=True)
        self.out = nn.Linear(2 * units, TAGS)

    def forward(self, words: Tensor, lengths: Tensor, tags: Tensor) -> Tensor:
        """Mean loss (); words and tags (T, B), lengths (B,)."""
        packed = pack_padded_sequence(self.embedding(words), lengths, enforce_sorted=False)
        y, _ = pad_packed_sequence(self.lstm(packed)[0])
        return cross_entropy(self.out(y).flatten(0, 1), tags.flatten(), ignore_index=NO_TAG)


def tagged(sentence: list[int]) -> list[int]:
    """Tags that take the words on both sides to know, as real ones do: made from the neighbours' numbers."""
    around = [0, *sentence, 0]
    return [(2 * (left % 3) + right % 4) % TAGS for left, right in zip(around, around[2:], strict=False)]


def batches() -> tuple[Iterator[Batch], str]:
    """Words (T, B), lengths (B,) and tags (T, B)."""
    sentences, text = penn_treebank()

    def go() -> Iterator[Batch]:
        for start in range(0, len(sentences) - ROWS, ROWS):
            some = sentences[start : start + ROWS]
            rows = [torch.tensor(sentence) for sentence in some]
            tags = [torch.tensor(tagged(sentence)) for sentence in some]
            pad = nn.utils.rnn.pad_sequence
            yield pad(rows), torch.tensor([*map(len, some)]), pad(tags, padding_value=NO_TAG)

    return go(), f"{text}, with tags made from each word's neighbours"


HUANG = Kind(
    "tagger",
    "Huang et al. (2015), the BI-LSTM",
    "LSTM in both directions, 300 units each, 50 inputs; 100 sentences as a PackedSequence",
    lambda: Tagger(50, 300),
    batches,
    learning_rate=0.1,
    clip=5.0,
)
