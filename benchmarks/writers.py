"""Our language model and the same in torch.nn: training steps, and writing a character at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layers.timing import Effort, interleaved, medians
from models.language import DroppedWeights
from recurra.data.tokens import FIRST, Tokens
from recurra.nn.dropout import activation_penalty, token_dropout, variational_dropout
from recurra.tasks.language.model import ALPHA, BETA, LanguageModel
from recurra.tasks.language.schema import Schema
from recurra.tasks.language.shape import HEAD, Shape
from recurra.tasks.language.writing import write_on

CLIP, RATE = 0.5, 1e-3
WRITTEN = 200  # characters in one sample of writing
# Words as in PTB, characters as in tinyshakespeare; cell, embedding and hidden size, layers, rows, steps.
SHAPES: dict[str, tuple[str, int, int, int, int, int, int]] = {
    "10,000 words, LSTM 2 × 512": ("LSTM", 10_000, 400, 512, 2, 32, 48),
    "10,000 words, GRU 2 × 512": ("GRU", 10_000, 400, 512, 2, 32, 48),
    "65 characters, LSTM 2 × 512": ("LSTM", 65, 400, 512, 2, 32, 96),
    "65 characters, GRU 2 × 512": ("GRU", 65, 400, 512, 2, 32, 96),
}


class Plain(nn.Module):
    """The model as one writes it with torch.nn: the same layers and regularisers, a tied softmax over all."""

    def __init__(self, ours: LanguageModel, cell: str, tokens: int) -> None:
        super().__init__()
        inside = [(layer.input_size, layer.hidden_size) for layer in ours.recurrent()]
        embedding = ours.words.width
        self.dropout, self.strength = ours.dropout, ours.strength
        self.embedding = nn.Embedding(tokens, embedding)
        self.out = nn.Linear(embedding, tokens)
        self.out.weight = self.embedding.weight
        nn.init.normal_(self.embedding.weight, std=0.05)
        layer = getattr(nn, cell)
        self.layers = nn.ModuleList(DroppedWeights(layer(*sizes), self.dropout[4]) for sizes in inside)

    def loss(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Mean nats and the penalties, as in the model."""
        of_tokens, of_embedding, between, of_output, _ = self.dropout
        x = token_dropout(self.embedding(tokens[:-1]), tokens[:-1], self.embedding.num_embeddings, of_tokens)
        x, after = variational_dropout(x, of_embedding), []
        for number, layer in enumerate(self.layers):
            x = variational_dropout(x, between) if number else x
            x, last = layer(x, None if state is None else state[number])
            after.append(last)
        dropped = variational_dropout(x, of_output)
        loss = F.cross_entropy(self.out(dropped).flatten(0, 1), tokens[1:].flatten())
        return loss + activation_penalty(x, dropped, self.strength * ALPHA, self.strength * BETA), after


def learning(shape: tuple[str, int, int, int, int, int, int], effort: Effort) -> dict[str, float]:
    """Tokens a second of each side."""
    cell, tokens, embedding, hidden, layers, rows, steps = shape
    torch.manual_seed(0)
    groups = (HEAD, tokens) if tokens > HEAD else ()
    ours = LanguageModel(_schema(tokens, embedding, hidden, layers, groups), cell)
    plain = Plain(ours, cell, tokens)
    batch = torch.randint(2, tokens, (steps + 1, rows))
    # Frequent words are frequent.
    batch = (batch.double() ** 3 / tokens**2).long().clamp(min=2) if tokens > 1_000 else batch
    sides = {"Recurra": _step(ours, batch), "torch.nn": _step(plain, batch)}
    if groups:
        whole = LanguageModel(_schema(tokens, embedding, hidden, layers, ()), cell)
        sides["Recurra, softmax over all"] = _step(whole, batch)
    times = medians(interleaved(sides, effort))
    return {name: steps * rows / seconds for name, seconds in times.items()}


def _step(model: Any, batch: Tensor) -> Callable[[], None]:
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=RATE, fused=True)
    model.train()

    def step() -> None:
        optimizer.zero_grad()
        loss, _ = model.loss(batch, None)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, CLIP)
        optimizer.step()

    return step


def writing(effort: Effort) -> dict[str, float]:
    """Characters a second of our stream, of one nn.LSTM called a step at a time, and of two LSTMCells."""
    torch.manual_seed(0)
    schema = _schema(67, 256, 256, 2, ())
    model = LanguageModel(schema, "LSTM").eval()
    embedding, out = nn.Embedding(67, 256), nn.Linear(256, 67)
    lstm, cells = nn.LSTM(256, 256, 2), nn.ModuleList(nn.LSTMCell(256, 256) for _ in range(2))

    def ours() -> None:
        for _ in write_on(model, schema, "\n", length=WRITTEN):
            pass

    @torch.inference_mode()
    def by_layer() -> None:
        token, state = torch.zeros(1, dtype=torch.int64), None
        for _ in range(WRITTEN):
            y, state = lstm(embedding(token)[None], state)
            token = torch.multinomial(torch.softmax(out(y[0]), 1), 1)[0]

    @torch.inference_mode()
    def by_cell() -> None:
        token = torch.zeros(1, dtype=torch.int64)
        states: list[Any] = [None, None]
        for _ in range(WRITTEN):
            x = embedding(token)
            for number, cell in enumerate(cells):
                states[number] = cell(x, states[number])
                x = states[number][0]
            token = torch.multinomial(torch.softmax(out(x), 1), 1)[0]

    sides = {"Recurra": ours, "torch.nn.LSTM, a step a call": by_layer, "two torch.nn.LSTMCells": by_cell}
    return {name: WRITTEN / seconds for name, seconds in medians(interleaved(sides, effort)).items()}


def _schema(tokens: int, embedding: int, hidden: int, layers: int, groups: tuple[int, ...]) -> Schema:
    letters = tokens < 1_000
    names = ["\n", *(chr(0x4E00 + n) for n in range(tokens - 3))]
    return Schema(
        tokens=Tokens(unit="characters" if letters else "words", tokens=(*FIRST, *names)),
        train_tokens=1_000_000,
        characters_per_token=1.0,
        shape=Shape(embedding=embedding, hidden=hidden, layers=layers, groups=groups, dropout=0.3),
    )
