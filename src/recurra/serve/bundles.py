"""Requests about bundles: what there is, answers for files and rows, text that is written."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl
from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel

import recurra
from recurra.bundle import Bundle
from recurra.decode.sampling import Sampling
from recurra.errors import RecurraError
from recurra.serve import answers, uploads
from recurra.serve.hub import Hub
from recurra.serve.keeping import written
from recurra.serve.refusals import Refused, refusal, stopping
from recurra.serve.schemas import Error, Generate, Info, Judged, Rows, Score, Served, Surprising, Table

JSON = "application/json"
EVENTS = "text/event-stream"
# What `generate` answers: events with a JSON object each, or the text alone.
EVENT = {"type": "object", "properties": {"data": {"type": "string"}}, "required": ["data"]}
WRITTEN = {EVENTS: {"schema": EVENT}, "text/plain": {"schema": {"type": "string"}}}
# How files are taken, and the column of answers that says where one was.
READERS = {
    "tables": uploads.file_of,
    "recordings": uploads.recording_of,
    "pictures": uploads.picture_of,
}
NAMED = {"recordings": "path", "pictures": "picture"}
# A row for each of more characters than these would be too much of an answer.
MOST_TOKENS = 2**20
REFUSED: dict[int | str, dict[str, Any]] = {
    "default": {"model": Error, "description": "Why there is no answer."}
}


def routes(hub: Hub) -> APIRouter:
    """Everything under /v1/bundles but the streams."""
    router = APIRouter(prefix="/v1/bundles", responses=REFUSED)

    @router.get("", response_model=Served, summary="The bundles that are served")
    def all_of_them() -> Response:
        told = {
            "server": _server(hub),
            "bundles": [lane.version.info(name) for name, lane in hub.lanes.items()],
        }
        return Response(written(told), media_type=JSON)

    @router.get("/{name}", response_model=Info, summary="One bundle")
    def one(name: str) -> Response:
        return Response(written(hub.lane(name).version.info(name)), media_type=JSON)

    @router.post("/{name}/reload", response_model=Info, summary="Serve what is in the bundle's folder now")
    async def reload(name: str) -> Response:
        try:
            version = await hub.reload(name)
        except RecurraError as error:
            raise refusal(error, hub.folders[name]) from error
        return Response(written(version.info(name)), media_type=JSON)

    @router.post(
        "/{name}/predict",
        response_model=Table,
        summary="Answers for rows, for a file, for a recording, or for a picture",
        openapi_extra=_body(Rows, files=True, kinds=("audio/*", "image/*")),
    )
    async def predict(name: str, request: Request) -> Response:
        named = NAMED.get(hub.lane(name).version.takes)
        return await _read(hub, name, "predict", request, lambda bundle, path: _predict(bundle, path, named))

    @router.post(
        "/{name}/evaluate",
        response_model=Judged,
        summary="Scores on rows, or on a file, beside the baselines",
        openapi_extra=_body(Rows, files=True),
    )
    async def evaluate(name: str, request: Request) -> Response:
        return await _read(
            hub, name, "evaluate", request, lambda bundle, path: answers.evaluation(bundle.evaluate(path))
        )

    @router.post(
        "/{name}/score",
        response_model=Surprising,
        summary="How surprising a text is",
        openapi_extra=_body(Score),
    )
    async def score(name: str, request: Request) -> Response:
        return await _score(hub, name, request)

    @router.post(
        "/{name}/generate",
        summary="Write on from a prompt, as events or as plain text",
        responses={200: {"content": WRITTEN}},
        response_class=StreamingResponse,
        openapi_extra=_body(Generate),
    )
    async def generate(name: str, request: Request) -> Response:
        return await _generate(hub, name, request)

    return router


def _body(model: type[BaseModel], *, files: bool = False, kinds: Sequence[str] = ()) -> dict[str, Any]:
    content: dict[str, Any] = {JSON: {"schema": model.model_json_schema()}}
    if files:
        text = {"schema": {"type": "string"}}
        content |= {"text/csv": text, "application/x-ndjson": text, "text/plain": text}
    content |= {kind: {"schema": {"type": "string", "format": "binary"}} for kind in kinds}
    told: dict[str, Any] = {"requestBody": {"required": True, "content": content}}
    if files:
        told["parameters"] = [
            {
                "name": "file",
                "in": "query",
                "required": False,
                "schema": {"type": "string"},
                "description": "Name of the file in the body, by whose ending it is read.",
            }
        ]
    return told


def _server(hub: Hub) -> dict[str, Any]:
    settings = hub.settings
    names = ("body", "frame", "in_flight", "time", "length", "idle")
    return {
        "version": recurra.__version__,
        "streams": {"open": hub.streams, "capacity": settings.streams},
        "limits": {name: getattr(settings, name) for name in names},
    }


def _able(hub: Hub, name: str, what: str) -> Bundle:
    """The bundle, if it can do that. Raises Refused."""
    if hub.stopping:
        raise stopping()
    version = hub.lane(name).version
    if version.blind:
        raise Refused(409, "conflict", version.why)
    if what not in version.can:
        raise Refused(
            409,
            "conflict",
            f"expected a bundle that can {what}, got {name}, of the task {version.bundle.task.name}. Ask one "
            f"that can, or this one for {', '.join(version.can)}.",
        )
    return version.bundle


def _predict(bundle: Bundle, path: str, named: str | None) -> bytes:
    """named: the column with the file's place, which is no business of the client's."""
    found = bundle.predict(path)
    if named is not None:
        found = found.with_columns(pl.lit(Path(path).name).alias(named))
    return answers.table(found)


async def _read(
    hub: Hub, name: str, what: str, request: Request, use: Callable[[Bundle, str], bytes]
) -> Response:
    bundle, settings = _able(hub, name, what), hub.settings
    read = READERS[hub.lane(name).version.takes]
    file, content = read(request, await uploads.read(request, settings.body, settings.time))
    if "generate" in hub.lane(name).version.can and what == "predict" and len(content) > MOST_TOKENS:
        raise _too_many_tokens()

    def work() -> bytes:
        return uploads.with_file(file, content, settings.body, lambda path: use(bundle, path))

    return Response(await hub.jobs.run((name, what), len(content), work), media_type=JSON)


async def _score(hub: Hub, name: str, request: Request) -> Response:
    bundle, settings = _able(hub, name, "score"), hub.settings
    content = await uploads.read(request, settings.body, settings.time)
    if uploads.kind(request) == JSON:
        asked = uploads.parsed(Score, content)
        file, content = "text.txt", asked.text.encode("utf-8", "replace")
    else:
        file, content = uploads.file_of(request, content)
        given = {key: value for key, value in request.query_params.items() if key in ("by", "adapt")}
        query = {"text": "-", "by": given.get("by", "line"), "adapt": given.get("adapt", "false") == "true"}
        asked = uploads.parsed(Score, written(query))
    if asked.by == "token" and len(content) > MOST_TOKENS:
        raise _too_many_tokens()

    def work() -> bytes:
        return uploads.with_file(
            file,
            content,
            settings.body,
            lambda path: answers.surprise(bundle.score(path, by=asked.by, adapt=asked.adapt)),
        )

    kind = (name, "score", asked.adapt)
    return Response(await hub.jobs.run(kind, len(content), work), media_type=JSON)


def _too_many_tokens() -> Refused:
    return Refused(
        413,
        "too_large",
        f"expected at most {MOST_TOKENS} bytes of text for an answer by token, got more. Send less at once.",
    )


async def _generate(hub: Hub, name: str, request: Request) -> Response:
    bundle, settings = _able(hub, name, "generate"), hub.settings
    asked = uploads.parsed(Generate, await uploads.read(request, settings.body, settings.time))
    if asked.length > settings.length:
        raise Refused(
            422,
            "bad_data",
            f"expected a length of at most {settings.length} tokens, got {asked.length}. Ask for less.",
        )
    options = asked.model_dump(exclude={"prompt"})
    options["length"] = asked.length
    Sampling(asked.temperature, asked.top_k, asked.top_p, asked.repetition_penalty, asked.repetition_window)
    size = asked.length + len(asked.prompt)
    pieces = hub.jobs.pieces((name, "generate"), size, lambda: bundle.generate(asked.prompt, **options))
    # What is wrong with the request is known before the first piece, and has a status of its own.
    try:
        first = await anext(pieces, None)
    except Exception as error:
        raise refusal(error, bundle.path) from error
    as_text = "text/plain" in request.headers.get("accept", "")
    told = _plain(first, pieces) if as_text else _events(first, pieces)
    return StreamingResponse(told, media_type="text/plain; charset=utf-8" if as_text else EVENTS)


async def _plain(first: str | None, pieces: AsyncIterator[str]) -> AsyncIterator[bytes]:
    if first is not None:
        yield first.encode("utf-8", "replace")
        async for piece in pieces:
            yield piece.encode("utf-8", "replace")


async def _events(first: str | None, pieces: AsyncIterator[str]) -> AsyncIterator[bytes]:
    begun, many = time.monotonic(), 0
    try:
        if first is not None:
            many += 1
            yield _event({"text": first})
            async for piece in pieces:
                many += 1
                yield _event({"text": piece})
    except Exception as error:
        yield _event(refusal(error).body)
    else:
        yield _event({"done": {"pieces": many, "seconds": round(time.monotonic() - begun, 6)}})


def _event(told: dict[str, Any]) -> bytes:
    return b"data: " + written(told) + b"\n\n"
