"""Our translator and the same in torch.nn: training steps, and beam search."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from layers.timing import Effort, interleaved, medians
from recurra.data.ragged import Ragged
from recurra.data.tokens import BORDER, FIRST, Tokens
from recurra.decode.beam import Beam, search
from recurra.fit import configure
from recurra.tasks.translate.config import TranslateConfig
from recurra.tasks.translate.decoding import translated
from recurra.tasks.translate.model import Batch, Translator
from recurra.tasks.translate.schema import Schema
from recurra.tasks.translate.shape import Shape, weights

CLIP, RATE, PAIRS, LENGTHS = 1.0, 1e-3, 64, (6, 22)
# Sentences that are translated in one sample, and tokens of each translation at most.
SENTENCES, MOST = 32, 20
# What takes the operations of a side's products with its weights, and nothing else, at the machine's best.
LIMIT, SQUARE = "products alone", 1024
SHAPES = {
    "GRU 256, 4,000 tokens": ("GRU", 256, 4_000),
    "GRU 512, 8,000 tokens": ("GRU", 512, 8_000),
    "LSTM 512, 8,000 tokens": ("LSTM", 512, 8_000),
}


class Packed(nn.Module):
    """A layer of torch.nn, called as ours is: `lengths` by packed sequences."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, state: Any = None, lengths: Tensor | None = None) -> tuple[Tensor, Any]:
        if lengths is None:
            return self.layer(x, state)  # type: ignore[no-any-return]
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        y, last = self.layer(packed, state)
        return pad_packed_sequence(y, batch_first=True, total_length=x.shape[1])[0], last


def plain(ours: Translator, schema: Schema) -> Translator:
    """The same model with the layers of torch.nn, and their weights."""
    cell = type(ours.lower).__name__
    theirs = Translator(schema, configure(TranslateConfig, {"cell": cell}))
    theirs.load_state_dict(ours.state_dict())
    for name in ("encoder", "lower", "upper"):
        layer = getattr(ours, name)
        same = getattr(nn, cell)(
            layer.input_size, layer.hidden_size, bidirectional=layer.bidirectional, batch_first=True
        )
        same.load_state_dict(layer.state_dict())
        setattr(theirs, name, Packed(same))
    return theirs


def learning(shape: tuple[str, int, int], effort: Effort) -> dict[str, float]:
    """Target tokens a second of each side."""
    ours, schema = made(*shape)
    batch = drawn(shape[2], PAIRS)
    tokens = int((batch.target_lengths + 1).sum())
    read = int(batch.source_lengths.sum())
    sides = {
        "Recurra": _step(ours, batch),
        "torch.nn": _step(plain(ours, schema), batch),
        LIMIT: _products(3 * _operations(shape, read, tokens)),
    }
    return {name: tokens / seconds for name, seconds in medians(interleaved(sides, effort)).items()}


def _operations(shape: tuple[str, int, int], source: int, target: int) -> float:
    """Of the products with weights, forward."""
    cell, hidden, tokens = shape
    of_source, of_target = weights(configure(TranslateConfig, {"cell": cell}), tokens, hidden)
    return 2.0 * (of_source * source + of_target * target)


def _products(operations: float) -> Callable[[], None]:
    """As many operations in products of large square matrices."""
    a, b = torch.rand(SQUARE, SQUARE), torch.rand(SQUARE, SQUARE)
    times = max(1, round(operations / (2 * SQUARE**3)))

    def run() -> None:
        for _ in range(times):
            torch.mm(a, b)

    return run


def _step(model: Translator, batch: Batch) -> Callable[[], None]:
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=RATE, fused=True)
    model.train()

    def step() -> None:
        optimizer.zero_grad()
        model.loss(batch).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(parameters, CLIP)
        optimizer.step()

    return step


class Cells:
    """The decoder as one writes it with torch.nn: a cell a layer, padded memories, batched products."""

    def __init__(self, model: Translator) -> None:
        self._model = model
        self._cells = [_cell(model.lower.layer), _cell(model.upper.layer)]

    def begin(self, sources: Sequence[Any]) -> None:
        lengths = torch.tensor([len(one) for one in sources])
        padded = nn.utils.rnn.pad_sequence(
            [torch.from_numpy(one).long() for one in sources], batch_first=True
        )
        self._memory, state = self._model.encode(padded, lengths)
        self._lengths = lengths.tolist()
        self._state = [tuple(h[0] for h in one) if isinstance(one, tuple) else one[0] for one in state]

    def step(self, parents: Tensor, inputs: Sequence[int], tokens: Tensor) -> tuple[Tensor, list[Tensor]]:
        model, memory = self._model, self._memory
        lower, upper = (
            tuple(h[parents] for h in one) if isinstance(one, tuple) else one[parents] for one in self._state
        )
        of = torch.tensor(list(inputs))
        lower = self._cells[0](model.words.embed(tokens), lower)
        query = lower[0] if isinstance(lower, tuple) else lower
        z = torch.bmm(memory.keys[of], (query * model.attention.scale)[:, :, None])[..., 0]
        weight = z.masked_fill(memory.outside[of], -torch.inf).softmax(1)
        context = torch.bmm(weight[:, None], memory.values[of])[:, 0]
        upper = self._cells[1](torch.cat([query, context], 1), upper)
        y = upper[0] if isinstance(upper, tuple) else upper
        self._state = [lower, upper]
        read = F.linear(torch.cat([y, context], 1), model.readout.weight, model.readout.bias).tanh()
        scores = F.log_softmax(F.linear(read, model.words.tables[0], model.words.biases[0]), 1)
        groups = [weight[of == n, : self._lengths[n]] for n in dict.fromkeys(inputs)]
        return scores, groups


def _cell(layer: Any) -> nn.Module:
    cell: nn.Module = getattr(nn, f"{type(layer).__name__}Cell")(layer.input_size, layer.hidden_size)
    cell.load_state_dict({name.removesuffix("_l0"): of for name, of in layer.state_dict().items()})
    return cell


def searching(shape: tuple[str, int, int], effort: Effort) -> dict[str, float]:
    """Sentences a second of beam search, five wide."""
    ours, schema = made(*shape)
    ours.eval()
    theirs = plain(ours, schema).eval()
    batch = drawn(shape[2], SENTENCES)
    sources = Ragged.of(
        [
            one[:many].numpy().astype(np.int32)
            for one, many in zip(batch.source, batch.source_lengths.tolist(), strict=True)
        ]
    )
    beam = Beam(width=5, most=MOST)
    cells = Cells(theirs)

    @torch.no_grad()
    def by_cells() -> None:
        cells.begin([sources[n] for n in range(SENTENCES)])
        search(cells, [MOST] * SENTENCES, beam, begin=BORDER, end=BORDER)

    @torch.no_grad()
    def by_ours() -> None:
        translated(ours, schema, sources, beam)

    written = SENTENCES * beam.width * (MOST + 1)
    sides = {
        "Recurra": by_ours,
        "torch.nn": by_cells,
        LIMIT: _products(_operations(shape, int(batch.source_lengths.sum()), written)),
    }
    return {name: SENTENCES / seconds for name, seconds in medians(interleaved(sides, effort)).items()}


def made(cell: str, hidden: int, tokens: int) -> tuple[Translator, Schema]:
    """A fresh model of these sizes, and what it was made from."""
    torch.manual_seed(0)
    names = ["\n", *(chr(0x4E00 + n) for n in range(tokens - 3))]
    of = Tokens(unit="words", tokens=(*FIRST, *names))
    shape = Shape(embedding=min(hidden, 384), hidden=hidden, dropout=0.3)
    schema = Schema(source=of, target=of, shared=False, names=("a", "b"), longest=30, ratio=1.5, shape=shape)
    return Translator(schema, configure(TranslateConfig, {"cell": cell})), schema


def drawn(tokens: int, pairs: int) -> Batch:
    """Pairs of about the lengths of captions, frequent tokens frequent."""
    dice = torch.Generator().manual_seed(0)

    def side() -> tuple[Tensor, Tensor]:
        lengths = torch.randint(*LENGTHS, (pairs,), generator=dice)
        numbers = torch.rand(pairs, int(lengths.max()), generator=dice) ** 3 * (tokens - 3) + 3
        there = torch.arange(numbers.shape[1]) < lengths[:, None]
        return numbers.long() * there, lengths

    return Batch(*side(), *side())
