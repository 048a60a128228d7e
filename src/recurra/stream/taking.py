"""What comes from outside, one thing after the other, where a signal may end it, but never in the middle."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sized
from typing import TypeVar

from recurra.errors import Stopped

T = TypeVar("T", bound=Sized)


def taking(take: Callable[[], T | None], where: str) -> Iterator[T]:
    """What `take` brings, until it brings nothing. SIGINT and SIGTERM raise Stopped while it waits alone.

    where: between what they stop it, as in "between two lines".
    """
    waiting, caught = False, 0

    def stop(number: int, _: object) -> None:
        nonlocal caught
        caught = number
        if waiting:
            raise _stopped(number, where)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        while True:
            waiting = True
            if caught:  # while what came before was answered
                raise _stopped(caught, where)
            found = take()
            waiting = False
            if found is None or not len(found):
                return
            yield found
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stopped(number: int, where: str) -> Stopped:
    return Stopped(f"stopped by {signal.Signals(number).name} {where}.", number)
