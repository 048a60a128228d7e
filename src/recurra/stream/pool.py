"""Many streams of one bundle, whose states lie side by side and go on together."""

from __future__ import annotations

import itertools
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from recurra.errors import ConfigError, DataError, PoolFull, StreamError
from recurra.stream import snapshot
from recurra.stream.snapshot import Identity

if TYPE_CHECKING:
    from recurra.bundle import Bundle

Answer = dict[str, Any] | StreamError | DataError


class _Place:
    """Where a stream's state lies, how many steps it has gone, and when it went the last one."""

    __slots__ = ("slot", "steps", "used")

    def __init__(self, slot: int, used: float) -> None:
        self.slot, self.steps, self.used = slot, 0, used


class StreamPool:
    """Streams of a bundle in slots; any of them go on in one call, each as if it were alone, bit for bit.

    capacity   how many there may be; their memory is `capacity * bytes_per_stream`, taken as it is needed
    idle       seconds after which `expire` closes a stream that has not gone on; None: never
    when_full  of `open`: "refuse" raises PoolFull, "drop idle" closes the stream that has waited longest
    on_drop    is told the name and the state of every stream that the pool itself closes
    clock      seconds, for `idle`

    Calls may come from several threads; they take turns.
    """

    def __init__(
        self,
        bundle: Bundle,
        capacity: int,
        *,
        idle: float | None = None,
        when_full: Literal["refuse", "drop idle"] = "refuse",
        on_drop: Callable[[str, bytes], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if capacity < 1:
            raise ConfigError(f"expected a capacity of 1 or more, got {capacity}. Name how many streams.")
        if idle is not None and not idle > 0:
            raise ConfigError(f"expected idle seconds above 0, got {idle}. Leave it out for no limit.")
        if when_full not in ("refuse", "drop idle"):
            raise ConfigError(
                f"expected when_full to be 'refuse' or 'drop idle', got {when_full!r}. Name one of these."
            )
        self.capacity, self.idle, self.when_full = capacity, idle, when_full
        self.model = bundle.steps()
        self._identity, self._on_drop, self._clock = Identity.of(bundle), on_drop, clock
        self._fresh = self.model.fresh()
        # numpy's zeros are memory that is taken when it is first written to; torch's are written at once.
        self._states = {
            name: torch.from_numpy(np.zeros((capacity, *part.shape), part.numpy().dtype))
            for name, part in self._fresh.items()
        }
        self._free = list(range(capacity - 1, -1, -1))
        self._places: OrderedDict[str, _Place] = OrderedDict()  # the one that has waited longest first
        self._names = (f"stream-{number}" for number in itertools.count(1))
        self._turn = threading.RLock()

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, name: object) -> bool:
        return name in self._places

    @property
    def bytes_per_stream(self) -> int:
        """Size of a state, now and for ever."""
        return sum(part.nbytes for part in self._fresh.values())

    def open(self, name: str | None = None, state: bytes | None = None) -> str:
        """A new stream, from the beginning or going on from a state; its name.

        Raises PoolFull, and StreamError for a name that is taken or a state that does not fit.
        """
        with self._turn:
            if name is None:
                name = next(one for one in self._names if one not in self._places)
            elif name in self._places:
                raise StreamError(f"expected a new name, got {name!r}, which is open. Give another name.")
            start, steps = (
                (self._fresh, 0) if state is None else snapshot.load(state, self._identity, self._fresh)
            )
            if not self._free:
                self._make_room()
            place = self._places[name] = _Place(self._free.pop(), self._clock())
            place.steps = steps
            for part, kept in self._states.items():
                kept[place.slot].copy_(start[part])
            return name

    def _make_room(self) -> None:
        if self.when_full == "refuse":
            raise PoolFull(self.capacity)
        self._drop(next(iter(self._places)))

    def step(self, observations: Mapping[str, Any]) -> dict[str, Answer]:
        """Take streams one observation on: the answer of each by its name.

        The error of a stream that is not there, or cannot take its observation, is its answer; its state is
        as it was.
        """
        with self._turn:
            answers: dict[str, Answer] = {name: {} for name in observations}  # in their order
            going, inputs = [], []
            for name, observation in observations.items():
                if name not in self._places:
                    answers[name] = _missing(name)
                    continue
                try:
                    inputs.append(self.model.checked(observation))
                except DataError as error:
                    answers[name] = error
                else:
                    going.append(name)
            if going:
                rows = torch.tensor([self._places[name].slot for name in going])
                with torch.no_grad():
                    found = self.model.step(self._states, rows, inputs)
                now = self._clock()
                for name, answer in zip(going, found, strict=True):
                    answers[name] = answer
                    place = self._places[name]
                    place.used = now
                    place.steps += not isinstance(answer, DataError)
                    self._places.move_to_end(name)
            return answers

    def steps(self, name: str) -> int:
        """How many observations a stream has taken."""
        return self._place(name).steps

    def state(self, name: str) -> bytes:
        """A stream's state, as `Stream.state` has it; it stays open."""
        with self._turn:
            place = self._place(name)
            state = {part: kept[place.slot] for part, kept in self._states.items()}
            return snapshot.save(state, place.steps, self._identity)

    def close(self, name: str) -> None:
        """End a stream; its slot is free. Raises StreamError for one that is not open."""
        with self._turn:
            self._free.append(self._place(name).slot)
            del self._places[name]

    def expire(self) -> list[str]:
        """Close the streams that have not gone on for `idle` seconds; their names."""
        with self._turn:
            late = []
            if self.idle is not None:
                since = self._clock() - self.idle
                late = list(itertools.takewhile(lambda name: self._places[name].used <= since, self._places))
            for name in late:
                self._drop(name)
            return late

    def names(self) -> list[str]:
        """Of the open streams, the one that has waited longest first."""
        with self._turn:
            return list(self._places)

    def _drop(self, name: str) -> None:
        if self._on_drop is not None:
            self._on_drop(name, self.state(name))
        self.close(name)

    def _place(self, name: str) -> _Place:
        try:
            return self._places[name]
        except KeyError:
            raise _missing(name) from None


def _missing(name: str) -> StreamError:
    return StreamError(f"expected an open stream, got {name!r}. Open it first.")
