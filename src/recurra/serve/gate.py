"""What every request passes: the checks of the door, and errors as JSON."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from fastapi.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recurra.serve.hub import Hub
from recurra.serve.keeping import written
from recurra.serve.refusals import Refused, refusal

OPEN = ("/", "/health")  # and what is below them: no token is needed
SAFE = ("GET", "HEAD", "OPTIONS")
HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cache-control": b"no-cache",
    b"content-security-policy": b"default-src 'self'; img-src 'self' data:; connect-src 'self'; "
    b"frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
}


class Gate:
    """An ASGI application around another one."""

    def __init__(self, app: ASGIApp, hub: Hub) -> None:
        self._app, self._hub = app, hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status, whole = time.monotonic(), 0, False

        async def sent(message: Message) -> None:
            nonlocal status, whole
            if message["type"] == "http.response.start":
                status = message["status"]
                there = {name for name, _ in message["headers"]}
                message["headers"] += [pair for pair in HEADERS.items() if pair[0] not in there]
            await send(message)
            whole = message["type"] == "http.response.body" and not message.get("more_body", False)

        try:
            self._check(scope)
            await self._app(scope, receive, sent)
        except Exception as error:
            if status and not whole:  # the answer has begun, and cannot become another
                raise
            if not status:
                await answer(refusal(error))(scope, receive, sent)
        finally:
            bundle, what = _asked(scope)
            known = bundle if bundle in self._hub.lanes else ""
            self._hub.counts.requested(known, what, status, time.monotonic() - begun)

    def _check(self, scope: Scope) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        door, path = self._hub.door, scope["path"].removeprefix(scope.get("root_path", ""))
        door.check_host(headers)
        if scope["method"] not in SAFE:
            door.check_origin(headers)
        if path not in OPEN and not path.startswith(("/page/", "/health/")):
            door.check_token(headers)


def answer(refused: Refused) -> Response:
    """A refusal as a response."""
    return Response(written(refused.body), refused.status, refused.headers, "application/json")


def _asked(scope: Mapping[str, Any]) -> tuple[str, str]:
    """Bundle and what was wanted of it, of few different values."""
    parts = scope["path"].split("/")
    if parts[1:3] == ["v1", "bundles"] and len(parts) > 3:
        what = parts[4] if len(parts) == 5 else "info"
        return parts[3], what if what in WANTED else "other"
    return "", parts[1] if len(parts) > 1 and parts[1] in WANTED else "other"


WANTED = {"predict", "evaluate", "score", "generate", "reload", "info", "health", "metrics", "page"}
