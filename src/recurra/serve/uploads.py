"""What a client sends to be read: bodies within their limits, as files that the bundles' own readers take."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TypeVar

import polars as pl
from pydantic import BaseModel, ValidationError
from pydantic_core import to_json
from starlette.requests import Request

from recurra.data import audio, images
from recurra.errors import DataError
from recurra.serve import pictures
from recurra.serve.refusals import Refused
from recurra.serve.schemas import Rows

T = TypeVar("T")
B = TypeVar("B", bound=BaseModel)

JSON = "application/json"
# Endings by which the readers know a file, and kinds of content that stand for one.
ENDINGS = (
    ".csv",
    ".tsv",
    ".txt",
    ".dat",
    ".data",
    ".ndjson",
    ".jsonl",
    ".json",
    ".parquet",
    ".pq",
    ".ts",
    ".arff",
)
KINDS = {
    "text/csv": ".csv",
    "application/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "text/plain": ".txt",
    "application/x-ndjson": ".ndjson",
    "application/ndjson": ".ndjson",
    "application/jsonl": ".ndjson",
    "application/vnd.apache.parquet": ".parquet",
    "application/x-parquet": ".parquet",
}
SOUNDS = {
    "audio/wav": ".wav",
    "audio/wave": ".wav",
    "audio/x-wav": ".wav",
    "audio/vnd.wave": ".wav",
    "audio/flac": ".flac",
    "audio/x-flac": ".flac",
    "audio/ogg": ".ogg",
    "audio/opus": ".opus",
    "audio/mpeg": ".mp3",
    "audio/mp3": ".mp3",
    "audio/aiff": ".aiff",
    "audio/x-aiff": ".aiff",
    "audio/basic": ".au",
}
STEM = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_. -]{0,63}")
# A small packed file may be a very large one, and the limit is on what is sent.
PACKED = (b"\x1f\x8b", b"PK\x03\x04", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ")
PARQUET = b"PAR1"
# Samples a second that speech is read at, as a rule: recordings of fewer become more.
HEARD = 16_000


async def read(request: Request, limit: int, seconds: float) -> bytes:
    """The body. Raises Refused where it is too large or too slow."""
    told = request.headers.get("content-length", "0")
    size = int(told) if told.isdigit() else 0
    content = bytearray()
    try:
        async with asyncio.timeout(seconds):
            if size <= limit:
                async for part in request.stream():
                    content += part
                    if len(content) > limit:
                        break
    except TimeoutError:
        raise Refused(
            408, "too_late", f"expected the body within {seconds:g} s, got a part. Send it faster."
        ) from None
    if max(size, len(content)) > limit:
        raise Refused(413, "too_large", f"expected at most {limit} bytes, got more. Send less at a time.")
    return bytes(content)


def kind(request: Request) -> str:
    """Of content, without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def parsed(model: type[B], content: bytes) -> B:
    """A JSON body. Raises Refused, naming the field."""
    try:
        return model.model_validate_json(content or b"{}")
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"])) or "the body"
        what = first["msg"][:1].lower() + first["msg"][1:]
        status, name = (400, "bad_request") if first["type"] == "json_invalid" else (422, "bad_data")
        raise Refused(
            status, name, f"expected a body as /openapi.json tells it, got {where}: {what}."
        ) from error


def file_of(request: Request, content: bytes) -> tuple[str, bytes]:
    """Name and content of the file that a request has in its body. Raises Refused."""
    if kind(request) == JSON:
        given = parsed(Rows, content)
        if (given.rows is None) == (given.text is None):
            raise Refused(422, "bad_data", 'expected {"rows": […]} or {"text": "…"}, got both or neither.')
        if given.text is not None:
            return "text.txt", given.text.encode("utf-8", "replace")
        return "rows.ndjson", b"\n".join(_line(row) for row in given.rows or ())
    stem, ending = _named(request, ENDINGS, KINDS)
    if not ending:
        raise Refused(
            415,
            "unsupported",
            "expected JSON, CSV, NDJSON, Parquet or text, got content of another kind. Name it by its "
            "Content-Type, or by ?file=NAME with an ending.",
        )
    if content.startswith(PACKED):
        raise Refused(415, "unsupported", "expected a file as it is, got a packed one. Unpack it first.")
    return stem + ending, content


def recording_of(request: Request, content: bytes) -> tuple[str, bytes]:
    """Name and content of the recording that a request has in its body. Raises Refused.

    No tables, whose cells would name files of this machine.
    """
    stem, ending = _named(request, audio.ENDINGS, SOUNDS)
    if not ending:
        raise Refused(
            415,
            "unsupported",
            "expected a recording (WAV, FLAC, OGG or MP3), got content of another kind. Name it by its "
            "Content-Type, or by ?file=NAME with an ending.",
        )
    return stem + ending, content


def picture_of(request: Request, content: bytes) -> tuple[str, bytes]:
    """Name and content of the picture that a request has in its body. Raises Refused.

    No tables, whose cells would name files of this machine, and no features.
    """
    stem, ending = _named(request, images.ENDINGS, pictures.KINDS)
    if not ending:
        raise Refused(
            415,
            "unsupported",
            "expected a picture (JPEG, PNG, WebP, GIF, BMP, TIFF or PPM), got content of another kind. Name "
            "it by its Content-Type, or by ?file=NAME with an ending.",
        )
    return stem + ending, content


def _named(request: Request, endings: Collection[str], kinds: Mapping[str, str]) -> tuple[str, str]:
    """What the file in a body is called, and its ending; "" where nothing tells."""
    name = request.query_params.get("file", "")
    stem, dot, ending = name.rpartition(".")
    ending = (dot + ending).lower()
    if ending not in endings:
        stem, ending = name, kinds.get(kind(request), "")
    return stem if STEM.fullmatch(stem) else "file", ending


def _line(row: dict[str, str | int | float | bool | None]) -> bytes:
    return to_json(row, inf_nan_mode="null")


def with_file(name: str, content: bytes, limit: int, use: Callable[[str], T]) -> T:
    """What `use` makes of the file's path; the file is gone after, and errors do not tell where it was."""
    with tempfile.TemporaryDirectory(prefix="recurra-") as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        if content.startswith(PARQUET):
            _check_size(path, limit)
        try:
            if audio.is_audio(path):
                _check_length(path, limit)
            if images.is_image(path):
                pictures.check_file(path, limit)
            return use(str(path))
        except DataError as error:
            if folder in str(error):
                raise DataError(str(error).replace(f"{folder}/", "")) from error
            raise


def _check_size(path: Path, limit: int) -> None:
    """Packed columns may hold far more values than the file has bytes. Raises Refused, DataError."""
    try:
        table = pl.scan_parquet(path)
        values = table.select(pl.len()).collect().item() * max(1, len(table.collect_schema()))
    except pl.exceptions.PolarsError as error:
        raise DataError(f"expected a Parquet file, got {error}. Write it anew.", file=path.name) from error
    if values > limit:
        raise Refused(
            413, "too_large", f"expected at most {limit} values, got {values}. Send less at a time."
        )


def _check_length(path: Path, limit: int) -> None:
    """Silence is packed into nearly nothing. Raises Refused, DataError."""
    heading = audio.read_heading(path)
    samples = max(heading.frames * heading.channels, round(heading.seconds * HEARD))
    if samples > limit:
        raise Refused(
            413, "too_large", f"expected at most {limit} samples, got {samples}. Send less at a time."
        )
