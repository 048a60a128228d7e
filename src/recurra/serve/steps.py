"""What a lane's thread does with the frames that it has gathered: parse, step, and write the answers."""

from __future__ import annotations

import base64
import binascii
import logging
import time
from typing import Any, NamedTuple

from pydantic_core import from_json

from recurra.errors import DataError, RecurraError
from recurra.serve.keeping import AWAY, BROKEN, TAKEN, Keeping, pool_of, written
from recurra.serve.pictures import check_observation
from recurra.serve.store import Store, StoreError
from recurra.serve.streams import FRAME, LEAVE, OPEN, REFUSE, Item, Reply, Stream

LOG = logging.getLogger("recurra.serve")

Replies = list[tuple[Stream, Reply]]

COMMANDS = ("observation", "state", "restore", "reset", "end")
FORM = (
    'expected one of {"observation": …}, {"state": true}, {"restore": "…"}, {"reset": true} and '
    '{"end": true}, with an "id" or without, an observation with a "step" or without'
)
ID_LENGTH = 128
NO_TEXT = Reply(code=1007, reason="expected UTF-8")
ENDED = 1000, "the stream has ended"


class Observed(NamedTuple):
    """A stream's observation, and the client's mark of it."""

    stream: Stream
    observation: Any
    mark: Any


class Work:
    """Does the items of a batch, at most one of each stream. Not on two threads at once.

    stepped  observations taken so far
    waits    whether a step may have to wait for the store
    """

    def __init__(self, store: Store, time_limit: float) -> None:
        self.keeping, self._time = Keeping(store), time_limit
        self.stepped, self.waits = 0, store.every_step

    def do(self, batch: list[tuple[Stream, Item]]) -> Replies:
        """What is to be told to whom."""
        replies: Replies = []
        observed: list[Observed] = []
        late = time.monotonic() - self._time
        for stream, item in batch:
            try:
                if item.kind == FRAME and item.at >= late:
                    found = self._frame(stream, item.frame)
                else:
                    found = self._other(stream, item)
            except StoreError as error:
                LOG.warning("the store does not answer: %s", error)
                found = self.keeping.lost(stream, AWAY)
            except Exception as error:
                LOG.error("an error with a stream", exc_info=error)
                found = self.keeping.lost(stream, BROKEN)
            if isinstance(found, Observed):
                observed.append(found)
            else:
                replies.append((stream, found))
        return replies + self._step(observed)

    def _other(self, stream: Stream, item: Item) -> Reply:
        if item.kind == OPEN:
            return self.keeping.open(stream)
        if item.kind == LEAVE:
            self.keeping.leave(stream)
            return Reply()
        if not stream.there:
            return Reply()
        if item.kind == REFUSE:
            return said_no(stream, item)
        message = f"expected an answer within {self._time:g} s, got none in that time. Send it again."
        return _error(stream, "too_late", message, _mark(item.frame))

    def _frame(self, stream: Stream, frame: bytes) -> Reply | Observed:
        if not stream.there:  # closed while this waited; the client knows
            return Reply()
        try:
            command, given, mark, step = _parsed(frame)
        except UnicodeDecodeError:
            return self.keeping.lost(stream, NO_TEXT)
        except DataError as error:
            return _error(stream, "bad_frame", str(error), None)
        if command == "observation":
            return _observed(Observed(stream, given, mark), step)
        return self._command(stream, command, given, mark)

    def _command(self, stream: Stream, command: str, given: Any, mark: Any) -> Reply:
        if command == "restore":
            return self._restore(stream, given, mark)
        if given is not True:
            return _error(stream, "bad_frame", f"{FORM}, got another value. Correct it.", mark)
        if command == "reset":
            return self._put_back(stream, None, mark)
        if command == "state":
            state = base64.b64encode(pool_of(stream).state(stream.slot)).decode()
            return Reply(_text(stream, {"state": state}, mark))
        reply = Reply(_text(stream, {"ended": True}, mark), (), *ENDED)
        self.keeping.forget(stream)
        return reply

    def _restore(self, stream: Stream, given: Any, mark: Any) -> Reply:
        try:
            state = base64.b64decode(given, validate=True)
        except (binascii.Error, TypeError, ValueError):
            message = 'expected a state as base64, got something else. Give what {"state": true} has brought.'
            return _error(stream, "bad_data", message, mark)
        return self._put_back(stream, state, mark)

    def _put_back(self, stream: Stream, state: bytes | None, mark: Any) -> Reply:
        """To a state of before, or to the beginning."""
        pool, slot = pool_of(stream), stream.slot
        before = pool.state(slot)
        pool.close(slot)
        try:
            pool.open(slot, state)
        except RecurraError as error:
            pool.open(slot, before)
            return _error(stream, "bad_data", str(error), mark)
        stream.answers.clear()
        stream.steps = pool.steps(slot)
        stream.alone = stream.alone or state is not None
        if self.keeping.store.every_step and not self.keeping.keep(stream):
            return self.keeping.lost(stream, TAKEN)
        return Reply(_text(stream, {"reset" if state is None else "restored": True}, mark))

    def _step(self, observed: list[Observed]) -> Replies:
        groups: dict[object, list[Observed]] = {}
        for one in observed:
            # A state from outside could be such that the model fails; nobody else is to fail with it.
            groups.setdefault(one.stream if one.stream.alone else one.stream.version, []).append(one)
        return [reply for group in groups.values() for reply in self._step_together(group)]

    def _step_together(self, group: list[Observed]) -> Replies:
        pool = pool_of(group[0].stream)
        try:
            answers = pool.step({stream.slot: observation for stream, observation, _ in group})
        except Exception as error:
            # Their states may be half changed.
            LOG.error("an error while stepping %d streams", len(group), exc_info=error)
            return [(stream, self.keeping.lost(stream, BROKEN)) for stream, _, _ in group]
        replies: Replies = []
        to_keep: Replies = []
        for stream, _, mark in group:
            answer = answers[stream.slot]
            if isinstance(answer, Exception):
                replies.append((stream, _error(stream, "bad_data", str(answer), mark)))
                continue
            self.stepped += 1
            stream.steps += 1
            try:
                text = _text(stream, {"answer": answer}, mark)
            except ValueError as error:
                LOG.error("an answer that is no JSON", exc_info=error)
                replies.append((stream, self.keeping.lost(stream, BROKEN)))
                continue
            if stream.key is None:
                replies.append((stream, Reply(text)))
            else:
                stream.answers.append((stream.steps, text))
                to_keep.append((stream, Reply(text)))
        if to_keep and self.keeping.store.every_step:
            to_keep = self.keeping.keep_answered(to_keep)
        return replies + to_keep


def _observed(one: Observed, step: int | None) -> Reply | Observed:
    """An observation, unless it is not the stream's next, or too much to be looked at."""
    stream = one.stream
    if step is not None and step != stream.steps + 1:
        message = f"expected observation {stream.steps + 1}, got {step}. Send that one first."
        return _error(stream, "out_of_step", message, one.mark)
    if pool_of(stream).model.kind == "picture":
        try:
            check_observation(one.observation)
        except DataError as error:
            return _error(stream, "bad_data", str(error), one.mark)
    return one


def _text(stream: Stream, told: dict[str, Any], mark: Any) -> bytes:
    about = {"step": stream.steps} | told
    return written(about if mark is None else about | {"id": mark})


def _error(stream: Stream, kind: str, message: str, mark: Any, more: dict[str, Any] | None = None) -> Reply:
    return Reply(_text(stream, {"error": {"type": kind, "message": message}} | (more or {}), mark))


def said_no(stream: Stream, item: Item) -> Reply:
    """To an observation that is refused. From any thread."""
    refused = item.refused
    assert refused is not None
    return _error(stream, refused.kind, refused.message, _mark(item.frame), {"retry": refused.retry})


def _parsed(frame: bytes) -> tuple[str, Any, Any, Any]:
    """What is asked for, what comes with it, the client's mark, and which step it is to be.

    Raises DataError, UnicodeDecodeError.
    """
    try:
        given = from_json(frame, allow_inf_nan=False)
    except ValueError as error:
        frame.decode()
        raise DataError(f"expected JSON, got {error}. Correct the frame.") from error
    which = [one for one in COMMANDS if one in given] if isinstance(given, dict) else []
    if len(which) != 1 or len(given) != 1 + ("id" in given) + ("step" in given):
        raise DataError(f"{FORM}, got something else. Correct the frame.")
    mark, step = given.get("id"), given.get("step")
    if "step" in given and (which[0] != "observation" or isinstance(step, bool) or not isinstance(step, int)):
        raise DataError('expected "step" beside an observation, to be a number. Correct the frame.')
    if not _is_mark(mark):
        raise DataError(f"expected an id of at most {ID_LENGTH} characters, or a number. Shorten it.")
    return which[0], given[which[0]], mark, step


def _is_mark(mark: Any) -> bool:
    if isinstance(mark, str):
        return len(mark) <= ID_LENGTH
    return mark is None or isinstance(mark, bool | float) or (isinstance(mark, int) and abs(mark) < 2**63)


def _mark(frame: bytes) -> Any:
    """The id of a frame that is not looked at otherwise."""
    if b'"id"' not in frame:
        return None
    try:
        mark = from_json(frame, allow_inf_nan=False)["id"]
    except (ValueError, TypeError, KeyError):
        return None
    return mark if _is_mark(mark) else None
