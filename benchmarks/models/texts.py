"""Sentences for the models: public texts where they are at hand, else drawn ones with the same statistics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import torch
from torch import Tensor

from datasets import ROOT

PTB = ROOT / "language_modelling" / "ptb_word" / "ptb.train.txt"
MULTI30K = ROOT / "translation" / "multi30k" / "tok"
PADDING, UNKNOWN, END = 0, 1, 2
SPECIAL = ("<padding>", "<unk>", "<end>")
# What is drawn: words by Zipf's law, lengths about those of the texts.
DRAWN_SENTENCES, DRAWN_WORDS, LONGEST = 4000, 10_000, 40

Sentences = list[list[int]]


def penn_treebank() -> tuple[Sentences, str]:
    """Sentences of word numbers, at most 10,000 different ones, and where they are from."""
    if PTB.exists():
        return numbered(PTB.read_text().splitlines(), DRAWN_WORDS), "Penn Treebank"
    return drawn(seed=0), "drawn words"


def german_from_english(words: int) -> tuple[list[tuple[list[int], list[int]]], str]:
    """Pairs of sentences, numbered with `words` words on either side, and where they are from."""
    if MULTI30K.exists():
        sides = [
            numbered((MULTI30K / f"train.lc.norm.tok.{language}").read_text().splitlines(), words)
            for language in ("en", "de")
        ]
        return list(zip(*sides, strict=True)), "Multi30k"
    return [([w % words for w in s], [w % words for w in reversed(s)]) for s in drawn(seed=1)], "drawn words"


def numbered(lines: Iterable[str], most: int) -> Sentences:
    """Words as numbers, the commonest first behind the special ones; rarer ones are unknown."""
    split = [line.split() for line in lines]
    counts = Counter(word for sentence in split for word in sentence if word not in SPECIAL)
    common = [word for word, _ in counts.most_common(most - len(SPECIAL))]
    numbers = {word: number for number, word in enumerate((*SPECIAL, *common))}
    return [[*(numbers.get(word, UNKNOWN) for word in sentence), END] for sentence in split]


def drawn(seed: int) -> Sentences:
    """Sentences whose words are drawn by Zipf's law."""
    dice = torch.Generator().manual_seed(seed)
    zipf = 1.0 / torch.arange(1, DRAWN_WORDS - len(SPECIAL) + 1)
    lengths = torch.randint(4, LONGEST, (DRAWN_SENTENCES,), generator=dice)
    words = torch.multinomial(zipf, int(lengths.sum()), replacement=True, generator=dice) + len(SPECIAL)
    parts = torch.split(words, lengths.tolist())
    return [[*part.tolist(), END] for part in parts]


def padded(sentences: Sentences) -> tuple[Tensor, Tensor]:
    """Sentences as (T, B), padded, and their lengths (B,)."""
    rows = [torch.tensor(sentence) for sentence in sentences]
    return torch.nn.utils.rnn.pad_sequence(rows, padding_value=PADDING), torch.tensor([*map(len, rows)])
