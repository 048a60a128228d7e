"""The server's HTTP side as a whole: bundles, health, metrics and the page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

import recurra
from recurra.errors import RecurraError
from recurra.serve import bundles
from recurra.serve.gate import Gate, answer
from recurra.serve.hub import Hub
from recurra.serve.keeping import written
from recurra.serve.refusals import Refused, refusal, stopping

PAGE = Path(__file__).parent / "page"
FILE = re.compile(r"[A-Za-z0-9_-]+\.(html|js|css|svg|png|woff2)")  # one name: no way out of the folder
JSON = "application/json"
KINDS = {400: "bad_request", 404: "not_found", 405: "not_allowed"}


def make(hub: Hub) -> ASGIApp:
    """The application of a hub."""
    app = FastAPI(
        title="Recurra",
        version=recurra.__version__,
        description="Bundles over HTTP. Streams are WebSockets at v1/bundles/{name}/stream.",
        docs_url=None,  # they load a viewer from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    app.include_router(bundles.routes(hub))
    _add_health(app, hub)
    _add_page(app)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(RecurraError, _refused)
    app.add_exception_handler(Exception, _refused)  # is raised again after its answer
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            told = plain()
            _name_bundles(told, list(hub.lanes))
            if hub.settings.token is not None:
                told.setdefault("components", {})["securitySchemes"] = {
                    "token": {"type": "http", "scheme": "bearer"}
                }
                told["security"] = [{"token": []}]
            app.openapi_schema = told
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
    return Gate(app, hub)


def _name_bundles(told: dict[str, Any], names: list[str]) -> None:
    """Say which bundles there are, wherever one is asked for."""
    for path in told["paths"].values():
        for operation in path.values():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path" and parameter["name"] == "name":
                    parameter["schema"]["enum"] = names


def _add_health(app: FastAPI, hub: Hub) -> None:
    @app.get("/health/live", summary="Whether the server runs", response_model=dict[str, bool])
    async def live() -> Response:
        return Response(written({"live": True}), media_type=JSON)

    @app.get(
        "/health/ready",
        summary="Whether it takes requests",
        response_model=dict[str, bool],
        responses=bundles.REFUSED,
    )
    @app.get("/health", include_in_schema=False)
    async def ready() -> Response:
        if hub.stopping:
            raise stopping()
        return Response(written({"ready": True}), media_type=JSON)

    @app.get("/metrics", summary="Counts for Prometheus", response_class=Response)
    async def metrics() -> Response:
        return Response(hub.counts.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _add_page(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    async def index() -> Response:
        return _file("index.html")

    @app.get("/page/{name}", include_in_schema=False)
    async def file(name: str) -> Response:
        return _file(name)


def _file(name: str) -> Response:
    path = PAGE / name
    if not FILE.fullmatch(name) or not path.is_file():
        raise Refused(404, "not_found", "expected a file of the page, got another name.")
    return FileResponse(path)


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = f"expected a path and a method of /openapi.json, got others: {error.detail}."
    refused = Refused(error.status_code, KINDS.get(error.status_code, "bad_request"), message)
    response = answer(refused)
    response.headers.update(error.headers or {})
    return response


async def _refused(_: Request, error: Exception) -> Response:
    return answer(refusal(error))


async def _invalid(_: Request, error: Exception) -> Response:
    return answer(Refused(422, "bad_data", "expected a request as /openapi.json tells it, got another."))
