"""From files to pixels or features on disk; files that cannot be used are told by kind."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from recurra.data.frequency import Array
from recurra.data.media.problems import Problems
from recurra.errors import DataError
from recurra.tasks.caption.eyes import Eyes
from recurra.tasks.caption.pictures import Pictures
from recurra.tasks.caption.sources import Captioned

# Pictures that are read side by side.
AT_ONCE = 8


class _Seen(NamedTuple):
    """What came of one file: seen, its size and sha256; or a kind of problem, and the reason."""

    seen: Array | None
    size: tuple[int, int] = (0, 0)
    digest: bytes = b""
    problem: str = ""
    reason: str = ""


def see(parts: Mapping[str, Sequence[Captioned]], eyes: Eyes, problems: Problems) -> dict[str, Pictures]:
    """What is seen of pictures, by part. Raises DataError where there is no room for it."""
    dtype = np.uint8 if eyes.features is None else np.float32
    places: dict[Path, int] = {}
    found: dict[Path, _Seen] = {}
    every = dict.fromkeys(one.path for pictures in parts.values() for one in pictures)
    try:
        with tempfile.TemporaryFile(prefix="recurra-") as file:
            for path, seen in _each(list(every), eyes):
                if seen.seen is not None:
                    places[path] = len(places)
                    file.write(np.ascontiguousarray(seen.seen, dtype=dtype).data)
                found[path] = seen._replace(seen=None)
            file.flush()
            shape = (len(places), *eyes.shape)
            whole = np.memmap(file, dtype, "r", shape=shape) if places else np.zeros(shape, dtype)
    except OSError as error:
        raise DataError(
            f"expected room for the pictures in {tempfile.gettempdir()}, got {error.strerror}. Set TMPDIR to "
            "a folder that has it."
        ) from error
    return {part: _part(pictures, found, places, whole, problems) for part, pictures in parts.items()}


def _part(
    pictures: Sequence[Captioned],
    found: Mapping[Path, _Seen],
    places: Mapping[Path, int],
    whole: Array,
    problems: Problems,
) -> Pictures:
    """The pictures of a part that can be used."""
    good = []
    for one in pictures:
        seen = found[one.path]
        if seen.problem:
            problems.add(seen.problem, one.place or one.name, seen.reason)
        else:
            good.append(one)
    return Pictures(
        [one.path for one in good],
        [one.name for one in good],
        [one.place or one.name for one in good],
        [one.captions for one in good],
        whole,
        np.array([places[one.path] for one in good], dtype=np.int64),
        np.array([found[one.path].size for one in good], dtype=np.int64).reshape(-1, 2),
        [found[one.path].digest for one in good],
    )


def _each(paths: Sequence[Path], eyes: Eyes) -> Iterator[tuple[Path, _Seen]]:
    """What comes of each file, in order; some are read side by side, and no more than those are in memory."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for at in range(0, len(paths), 4 * AT_ONCE):
            some = paths[at : at + 4 * AT_ONCE]
            yield from zip(some, pool.map(partial(_one, eyes=eyes), some), strict=True)


def _one(path: Path, eyes: Eyes) -> _Seen:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return _Seen(None, problem="missing")
    except OSError as error:
        return _Seen(None, problem="damaged", reason=str(error.strerror))
    try:
        seen, size = eyes.look(raw, path.name)
    except DataError as error:
        reason = str(error).removeprefix(f"{error.file}: ").rsplit(". ", 1)[0]
        return _Seen(None, problem="damaged", reason=reason)
    return _Seen(seen, size, hashlib.sha256(raw).digest())
