"""Tokens as vectors, and vectors as chances of tokens, with one table for both."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recurra.nn.linear import linear

# Standard deviation of fresh vectors: small, so that a fresh model holds all tokens about equally likely.
SPREAD = 0.05
# A group's vectors are narrower than those of the group before it by this.
NARROWER = 2


class TiedTokens(nn.Module):
    """An embedding whose table is the output's as well (Press & Wolf 2017; Inan, Khosravi & Socher 2017).

    groups: where the vocabulary is cut, ending with its size; () for not at all. Tokens by frequency.
    The first group is foretold together with one vector for each of the others, and only where a token is of
    another group are its chances inside it worked out (adaptive softmax: Grave et al. 2017); rarer groups
    have narrower vectors, and a projection to the full width E (Baevski & Auli 2019).
    """

    def __init__(self, tokens: int, width: int, groups: Sequence[int] = ()) -> None:
        super().__init__()
        self.tokens, self.width = tokens, width
        self.ends = tuple(groups) or (tokens,)
        sizes = [end - begin for begin, end in zip((0, *self.ends), self.ends, strict=False)]
        widths = [max(1, width // NARROWER**k) for k in range(len(sizes))]
        self.tables = nn.ParameterList(
            torch.empty(size, narrow).normal_(std=SPREAD) for size, narrow in zip(sizes, widths, strict=True)
        )
        self.biases = nn.ParameterList(torch.zeros(size) for size in sizes)
        self.widen = nn.ParameterList(
            nn.init.orthogonal_(torch.empty(width, narrow)) for narrow in widths[1:]
        )
        if self.widen:
            self.others = nn.Parameter(torch.empty(len(sizes) - 1, width).normal_(std=SPREAD))
            self.others_bias = nn.Parameter(torch.zeros(len(sizes) - 1))

    @torch.no_grad()
    def start_from(self, counts: Tensor) -> None:
        """Let a fresh module hold each token as likely as it is frequent: counts (V,)."""
        logarithms = (counts.to(self.biases[0].dtype) + 1).log()
        for k, (bias, end) in enumerate(zip(self.biases, self.ends, strict=True)):
            bias.copy_(logarithms[self._begin(k) : end])
            if k:
                self.others_bias[k - 1] = bias.logsumexp(0)

    def embed(self, tokens: Tensor) -> Tensor:
        """(…, E) of token numbers (…)."""
        if not self.widen:
            return F.embedding(tokens, self.tables[0])
        flat = tokens.reshape(-1)
        found: Tensor = self.tables[0].new_zeros(len(flat), self.width)
        for k, at in self._by_group(flat):
            rows = F.embedding(flat[at] - self._begin(k), self.tables[k])
            found = found.index_copy(0, at, rows if k == 0 else linear(rows, self.widen[k - 1]))
        return found.view((*tokens.shape, self.width))

    def logits(self, y: Tensor) -> Tensor:
        """(N, V) of y (N, E): chances' logarithms up to a constant. Of a vocabulary that is not cut alone."""
        return linear(y, self.tables[0], self.biases[0])

    def surprise(self, y: Tensor, tokens: Tensor) -> Tensor:
        """(N,) nats: minus the logarithm of the chance that y (N, E) gives each of the tokens (N,)."""
        if not self.widen:
            return F.cross_entropy(self.logits(y), tokens, reduction="none")
        groups = list(self._by_group(tokens))
        first = tokens.clone()
        for k, at in groups[1:] if groups and groups[0][0] == 0 else groups:
            first[at] = self.ends[0] + k - 1
        nats = F.cross_entropy(self._head(y), first, reduction="none")
        for k, at in groups:
            if k:
                inside = F.cross_entropy(self._tail(k, y[at]), tokens[at] - self._begin(k), reduction="none")
                nats = nats.index_add(0, at, inside)
        return nats

    def log_probabilities(self, y: Tensor) -> Tensor:
        """(N, V) of y (N, E)."""
        if not self.widen:
            return F.log_softmax(self.logits(y), -1)
        head = F.log_softmax(self._head(y), -1)
        parts = [head[:, : self.ends[0]]]
        for k in range(1, len(self.ends)):
            group = head[:, self.ends[0] + k - 1, None]
            parts.append(group + F.log_softmax(self._tail(k, y), -1))
        return torch.cat(parts, 1)

    def likeliest(self, y: Tensor, many: int, never: int) -> tuple[Tensor, Tensor]:
        """The `many` likeliest tokens after each y (N, E), but for one: logarithms and numbers, (N, many).

        As `log_probabilities` has them; a group is looked into only where it may hold one of these.
        """
        head = F.log_softmax(self._head(y) if self.widen else self.logits(y), -1)
        first = head[:, : self.ends[0]].index_fill(1, torch.tensor([never]), -torch.inf)
        chances, tokens = first.topk(min(many, first.shape[1]), 1)
        for k in range(1, len(self.ends)):
            group = head[:, self.ends[0] + k - 1]
            at = torch.nonzero(group > chances[:, -1])[:, 0]
            if not len(at):
                continue
            inside = group[at, None] + F.log_softmax(self._tail(k, y[at]), -1)
            more, numbers = inside.topk(min(many, inside.shape[1]), 1)
            both = torch.cat([chances[at], more], 1), torch.cat([tokens[at], numbers + self._begin(k)], 1)
            best, place = both[0].topk(chances.shape[1], 1)
            chances = chances.index_copy(0, at, best)
            tokens = tokens.index_copy(0, at, both[1].gather(1, place))
        return chances, tokens

    def _head(self, y: Tensor) -> Tensor:
        """Logits of the first group's tokens and of the other groups."""
        weight = torch.cat([self.tables[0], self.others])
        return linear(y, weight, torch.cat([self.biases[0], self.others_bias]))

    def _tail(self, k: int, y: Tensor) -> Tensor:
        """Logits of the tokens of group k."""
        return linear(linear(y, self.widen[k - 1].T), self.tables[k], self.biases[k])

    def _begin(self, k: int) -> int:
        return self.ends[k - 1] if k else 0

    def _by_group(self, flat: Tensor) -> list[tuple[int, Tensor]]:
        """The groups that occur among tokens (N,), and where."""
        group = torch.bucketize(flat, torch.tensor(self.ends), right=True)
        where = [(k, torch.nonzero(group == k)[:, 0]) for k in range(len(self.ends))]
        return [(k, at) for k, at in where if len(at)]

    def extra_repr(self) -> str:
        return f"{self.tokens}, {self.width}" + (f", groups={self.ends}" if self.widen else "")
