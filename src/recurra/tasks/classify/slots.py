"""The classifier's members for many streams at once, whose states lie side by side in slots.

Each member names the parts of its state, reads some steps more, and says its logits so far: those that it has
for the whole sequence, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from recurra.data.frequency import Array
from recurra.data.ragged import rounds
from recurra.nn.causal import flat
from recurra.nn.linear import linear
from recurra.tasks.classify import pooling
from recurra.tasks.classify.grams import Grams
from recurra.tasks.classify.model import Classifier
from recurra.tasks.classify.network import TAPS, Network
from recurra.tasks.classify.shape import TAPS as OF_KERNEL
from recurra.tasks.classify.shapes import KERNELS, Shapes

Pool = Mapping[str, Tensor]  # (S, …) a slot for each stream

# Tokens that are read at once.
TOKENS = 1 << 15


class NetworkSlots:
    """The networks, of one direction and one size: the states of their layers, and what is pooled of each."""

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks, self._output = networks, networks[0].output
        self._rows = [one.recurrent.rows() for one in networks]
        self._names = [{part: f"network{n}.{part}" for part in one.sizes} for n, one in enumerate(self._rows)]
        self._pooled = tuple(self._begin())

    def _begin(self) -> pooling.Kept:
        return pooling.fresh(self._output, len(self._networks), self._networks[0].recurrent.hidden_size)

    def fresh(self) -> dict[str, Tensor]:
        """The state of a stream that has read nothing."""
        found = self._begin()
        for rows, names in zip(self._rows, self._names, strict=True):
            found |= {names[part]: of[0] for part, of in rows.fresh(1).items()}
        return found

    def read(self, pool: Pool, rows: Tensor, given: Sequence[Tensor]) -> None:
        """Read steps (B, T, I), as the recurrent layer of each network takes them."""
        found = [self._outputs(n, pool, rows, x) for n, x in enumerate(given)]
        weight = [one.weight(y) for one, y in zip(self._networks, found, strict=True)]
        kept = {part: pool[part].index_select(0, rows).flatten(0, 1) for part in self._pooled}
        y, of = torch.stack(found, 1).flatten(0, 1), torch.stack(weight, 1).flatten(0, 1)
        for part, new in pooling.add(self._output, kept, y, of).items():
            pool[part].index_copy_(0, rows, new.view(len(rows), len(given), *new.shape[1:]))

    def _outputs(self, n: int, pool: Pool, rows: Tensor, x: Tensor) -> Tensor:
        """(B, T, H) of one of the networks, and its layer's states after them."""
        states = {part: pool[name] for part, name in self._names[n].items()}
        if x.shape[1] == 1:
            y: Tensor = self._rows[n](x[:, 0], states, rows)
            return y[:, None]
        before = [of.index_select(0, rows)[None] for of in states.values()]
        y, after = self._networks[n].recurrent(x, before[0] if len(before) == 1 else tuple(before))
        for of, new in zip(states.values(), [after] if len(before) == 1 else after, strict=True):
            of.index_copy_(0, rows, new[0])
        return y

    def logits(self, pool: Pool, rows: Tensor) -> list[Tensor]:
        """(B, K) of each network."""
        kept = {part: pool[part].index_select(0, rows).flatten(0, 1) for part in self._pooled}
        values = pooling.value(self._output, kept).view(len(rows), len(self._networks), -1)
        return [one.answer(value) for one, value in zip(self._networks, values.unbind(1), strict=True)]


class GramsSlots:
    """What is counted in texts and events: the last tokens, and each group's sums."""

    def __init__(self, grams: Grams) -> None:
        self.grams = grams
        self.groups = 1 + bool(grams.inside.shape[1])
        if self.groups > 1:  # a token's n-grams are always the same
            self._score, self._norm = grams.scored(grams.within(torch.arange(len(grams.inside))))

    def fresh(self) -> dict[str, Tensor]:
        """The state of a stream that has read nothing."""
        last = torch.zeros(self.grams.longest - 1, dtype=torch.int64)
        last[-1:] = self.grams.begin
        classes = self.grams.weight.shape[1]
        return {
            "last": last,
            "score": torch.zeros(self.groups, classes, dtype=torch.float64),
            "norm": torch.zeros(self.groups, dtype=torch.float64),
        }

    def read(self, pool: Pool, rows: Tensor, x: Tensor) -> None:
        """Read tokens x (B, T)."""
        known = torch.cat([pool["last"].index_select(0, rows), x], 1)
        found = [self.grams.scored(self.grams.ending(known.unfold(1, self.grams.longest, 1)))]
        if self.groups > 1:
            found.append((self._score[x], self._norm[x]))
        for part, each in zip(("score", "norm"), zip(*found, strict=True), strict=True):
            before = pool[part].index_select(0, rows)
            steps = torch.cat([before[:, None], torch.stack(each, 2)], 1)
            pool[part].index_copy_(0, rows, steps.cumsum(1)[:, -1])
        pool["last"].index_copy_(0, rows, known[:, x.shape[1] :])

    def logits(self, pool: Pool, rows: Tensor) -> Tensor:
        """(B, K)."""
        last = torch.nn.functional.pad(pool["last"].index_select(0, rows), (1, 0))
        score, norm = (pool[part].index_select(0, rows) for part in ("score", "norm"))
        sums = list(zip(score.unbind(1), norm.unbind(1), strict=True))
        return self.grams.answer(sums, self.grams.scored(self.grams.closed(last)))


class TokenMembers:
    """All members of a model of texts or events."""

    def __init__(self, model: Classifier) -> None:
        assert isinstance(model.counted, Grams)
        self._model, self._counted = model, GramsSlots(model.counted)
        self._networks = NetworkSlots(model.readers())

    def fresh(self) -> dict[str, Tensor]:
        """The state of a stream that has read nothing. "steps": how many tokens it has read."""
        steps = {"steps": torch.zeros((), dtype=torch.int64)}
        return steps | self._counted.fresh() | self._networks.fresh()

    def read(self, pool: Pool, rows: Tensor, given: Sequence[Array]) -> None:
        """Read the tokens (T,) that each stream is given."""
        lengths = torch.tensor([len(one) for one in given])
        pool["steps"].index_add_(0, rows, lengths)
        for going, begin, end in rounds(lengths.numpy(), TOKENS):
            some = [torch.from_numpy(given[n][begin:end]) for n in going]
            self._read(pool, rows[torch.from_numpy(going)], torch.stack(some).long())

    def _read(self, pool: Pool, rows: Tensor, x: Tensor) -> None:
        self._networks.read(pool, rows, [one.embedding(x) for one in self._model.readers()])
        self._counted.read(pool, rows, x)

    def logits(self, pool: Pool, rows: Tensor) -> Tensor:
        """(B, K) of all members together."""
        return self._model.weighed(self._networks.logits(pool, rows), self._counted.logits(pool, rows))


class SeriesMembers:
    """All members of a model of series, which see the same past steps, kept in a ring."""

    def __init__(self, model: Classifier, width: int) -> None:
        shapes = model.counted
        assert isinstance(shapes, Shapes)
        self._model, self._shapes, self._width = model, shapes, width
        self._networks = NetworkSlots(model.readers())
        self._taps = [(flat(one.taps.weight.detach()), one.taps.bias) for one in model.readers()]
        self._kernels = [flat(some) for some in torch.split(shapes.kernels, len(KERNELS))]
        # How far back each tap lies: those of the networks, then the kernels' by dilation.
        back = [torch.arange(TAPS - 1, -1, -1)]
        back += [torch.arange(OF_KERNEL - 1, -1, -1) * dilation for dilation in shapes.dilations]
        self._back, self._sizes = torch.cat(back), [len(one) for one in back]
        self._ring = int(self._back.max()) + 1

    def fresh(self) -> dict[str, Tensor]:
        """The state of a stream that has read nothing."""
        parts = {
            "steps": torch.zeros((), dtype=torch.int64),
            "past": torch.zeros(self._ring, self._width),
            "counts": torch.zeros(len(self._shapes.weight), dtype=torch.int64),
        }
        return parts | self._networks.fresh()

    def read(self, pool: Pool, rows: Tensor, x: Tensor) -> None:
        """Read one step of each stream, x (B, C)."""
        at = pool["steps"].index_select(0, rows)
        pool["past"][rows, at % self._ring] = x
        seen = pool["past"][rows[:, None], (at[:, None] - self._back) % self._ring]
        own, *others = torch.split(seen, self._sizes, 1)
        found = [linear(own.flatten(1), weight, bias).relu() for weight, bias in self._taps]
        self._networks.read(pool, rows, [torch.cat([x, one], 1)[:, None] for one in found])
        output = [linear(one.flatten(1), some) for one, some in zip(others, self._kernels, strict=True)]
        pool["counts"].index_add_(0, rows, self._shapes.above(torch.cat(output, 1)).long())
        pool["steps"].index_add_(0, rows, torch.ones_like(rows))

    def logits(self, pool: Pool, rows: Tensor) -> Tensor:
        """(B, K) of all members together."""
        counts, steps = (pool[part].index_select(0, rows) for part in ("counts", "steps"))
        return self._model.weighed(
            self._networks.logits(pool, rows), self._shapes.answer(counts, steps[:, None])
        )
