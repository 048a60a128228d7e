"""Small models and texts that the tests of the task share."""

from __future__ import annotations

import torch
from torch import Tensor

from recurra.data.tokens import FIRST, Tokens
from recurra.tasks.language.model import LanguageModel
from recurra.tasks.language.schema import Schema
from recurra.tasks.language.shape import Shape

LETTERS = "\nabcdefghi"


def schema(*, groups: tuple[int, ...] = (), dropout: float = 0.0) -> Schema:
    """Of ten characters."""
    shape = Shape(embedding=8, hidden=12, layers=2, groups=groups, dropout=dropout)
    tokens = Tokens(unit="characters", tokens=(*FIRST, *LETTERS))
    return Schema(tokens=tokens, documents="file", train_tokens=1000, characters_per_token=1.0, shape=shape)


def small(cell: str, *, groups: tuple[int, ...] = (), dropout: float = 0.0) -> LanguageModel:
    """A fresh model of ten characters."""
    torch.manual_seed(0)
    return LanguageModel(schema(groups=groups, dropout=dropout), cell)


def letters(steps: int, rows: int) -> Tensor:
    """(T, B) tokens that are real."""
    return torch.randint(2, 12, (steps, rows), generator=torch.Generator().manual_seed(1))
