"""What a language model adds to the score of a text while a recogniser's beam search writes it."""

from __future__ import annotations

from typing import Protocol

from recurra.decode.ngrams import Backoff

# What a language model remembers of a text: few integers, so that a search can be kept.
State = tuple[int, ...]
# Integers of a state at most.
INTEGERS = 4


class Fusion(Protocol):
    """A language model in the search. Scores are natural logarithms with their weights; -inf forbids."""

    def start(self) -> State:
        """The state before a text, of at most INTEGERS."""

    def extend(self, state: State, token: int) -> tuple[State, float]:
        """The state after a token more, and what that adds to the score."""

    def end(self, state: State) -> float:
        """What it adds to the score that the text ends here."""

    def most(self, token: int) -> float:
        """No state gets more than this by the token; the search looks at others first."""


class Characters:
    """An n-gram model of the very tokens that are written, whatever they are.

    weight: of its logarithms (shallow fusion: Gülçehre et al. 2015).  bonus: for each token, which makes up
    for what every further token costs.
    """

    def __init__(self, model: Backoff, weight: float = 0.5, bonus: float = 0.0) -> None:
        self.model, self.weight, self.bonus = model, weight, bonus

    def start(self) -> State:
        return (self.model.start(),)

    def extend(self, state: State, token: int) -> tuple[State, float]:
        after, log_p = self.model.step(state[0], token)
        return (after,), self.weight * log_p + self.bonus

    def end(self, state: State) -> float:
        if self.model.end is None:
            return 0.0
        return self.weight * self.model.step(state[0], self.model.end)[1]

    def most(self, token: int) -> float:
        return self.bonus
