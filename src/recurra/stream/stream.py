"""One stream: a bundle's model, an observation at a time, in constant memory."""

from __future__ import annotations

from collections import deque
from typing import Any

import torch
from torch import Tensor

from recurra.errors import ConfigError, DataError
from recurra.stream import snapshot
from recurra.stream.snapshot import Identity
from recurra.tasks.base import Steps

State = dict[str, Tensor]


class Stream:
    """A sequence that a bundle's model reads as it comes; `Bundle.stream` makes it.

    After each step the answer is, bit for bit, what the model says of the whole sequence so far. All that it
    needs is in the state, whose size never changes: see `state_bytes`. Not for two threads at once, nor are a
    stream and its forks.
    """

    def __init__(self, model: Steps, identity: Identity, keep: int = 0) -> None:
        if keep < 0:
            raise ConfigError(f"expected keep to be 0 or more, got {keep}. Name how many steps to keep.")
        self._model, self._identity = model, identity
        self._slot = torch.zeros(1, dtype=torch.int64)
        self._pool = {name: part[None].clone() for name, part in model.fresh().items()}
        self._before: deque[tuple[State, int]] = deque(maxlen=keep)
        self.steps = 0

    def __repr__(self) -> str:
        return f"<Stream of {self._identity.task}: {self.steps} steps, {self.state_bytes} bytes>"

    @property
    def example(self) -> Any:
        """An observation that can be given."""
        return self._model.example

    @property
    def state_bytes(self) -> int:
        """Size of the state, now and for ever."""
        return sum(part.nbytes for part in self._pool.values())

    def step(self, observation: Any) -> dict[str, Any]:
        """Go on by one observation; what the model says now.

        Raises DataError for an observation that cannot be read, and the stream is as it was.
        """
        given = self._model.checked(observation)
        before = (self._copy(), self.steps) if self._before.maxlen else None
        with torch.no_grad():
            (answer,) = self._model.step(self._pool, self._slot, [given])
        if isinstance(answer, DataError):
            raise answer
        if before is not None:
            self._before.append(before)
        self.steps += 1
        return answer

    def state(self) -> bytes:
        """All of it, to go on later or elsewhere with `restore`; safetensors with the bundle's identity."""
        return snapshot.save({name: part[0] for name, part in self._pool.items()}, self.steps, self._identity)

    def restore(self, content: bytes) -> None:
        """Go on from a state, with nothing to rewind. Raises StreamError for one that does not fit."""
        state, steps = snapshot.load(content, self._identity, self._model.fresh())
        self._put({name: part[None] for name, part in state.items()}, steps)
        self._before.clear()

    def fork(self) -> Stream:
        """Another stream that goes on from here, on its own."""
        other = Stream(self._model, self._identity, self._before.maxlen or 0)
        other._put(self._pool, self.steps)
        other._before.extend(self._before)
        return other

    def rewind(self, steps: int | None = None) -> None:
        """Go back by some steps, or to the very beginning.

        Raises ConfigError for more steps than are kept: `Bundle.stream(keep=...)` says how many.
        """
        if steps is None:
            self._put({name: part[None] for name, part in self._model.fresh().items()}, 0)
            self._before.clear()
            return
        if not 0 <= steps <= len(self._before):
            raise ConfigError(
                f"expected to go back by 0 to {len(self._before)} steps, which are kept, got {steps}. "
                "Keep more with Bundle.stream(keep=...)."
            )
        for number in range(steps):
            state, at = self._before.pop()
            if number == steps - 1:
                self._put(state, at)

    def _copy(self) -> State:
        return {name: part.clone() for name, part in self._pool.items()}

    def _put(self, state: State, steps: int) -> None:
        for name, part in self._pool.items():
            part.copy_(state[name])
        self.steps = steps
