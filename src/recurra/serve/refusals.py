"""What a client is told when it cannot have what it wants."""

from __future__ import annotations

import logging
import math
import secrets
from pathlib import Path
from typing import Any

from recurra.errors import (
    BundleError,
    ConfigError,
    DataError,
    EngineError,
    PoolFull,
    RecurraError,
    StreamError,
)

LOG = logging.getLogger("recurra.serve")


class Refused(Exception):
    """An answer that says why there is no other. retry: seconds after which it may be different."""

    def __init__(self, status: int, kind: str, message: str, retry: float | None = None) -> None:
        super().__init__(message)
        self.status, self.kind, self.message, self.retry = status, kind, message, retry

    @property
    def body(self) -> dict[str, Any]:
        """As JSON."""
        return {"error": {"type": self.kind, "message": self.message}}

    @property
    def headers(self) -> dict[str, str]:
        """Beside the body."""
        headers = {} if self.retry is None else {"Retry-After": str(max(1, math.ceil(self.retry)))}
        return headers | ({"WWW-Authenticate": "Bearer"} if self.status == 401 else {})


def overloaded(retry: float) -> Refused:
    """More work than can be done in time."""
    message = f"expected work that can be done in time, got more. Come again in {retry:.1f} s."
    return Refused(503, "overloaded", message, retry)


def stopping() -> Refused:
    """No new work."""
    return Refused(503, "stopping", "expected a running server, got one that stops. Come again.", 1)


def refusal(error: BaseException, bundle: Path | None = None) -> Refused:
    """What is said of an error: the sentence of one of our own, nothing but a number of any other.

    bundle: its folder, whose place is no business of the client's.
    """
    if isinstance(error, Refused):
        return error
    message = str(error)
    if bundle is not None:
        message = message.replace(str(bundle), bundle.name or "the bundle")
    if isinstance(error, PoolFull):
        return Refused(503, "overloaded", message, 1)
    if isinstance(error, StreamError):
        return Refused(409, "conflict", message)
    if isinstance(error, DataError | ConfigError | EngineError):
        return Refused(422, "bad_data", message)
    if isinstance(error, BundleError | RecurraError):
        return Refused(409, "conflict", message)
    number = secrets.token_hex(4)
    LOG.error("error %s", number, exc_info=error)
    return Refused(500, "internal", f"expected an answer, got an error. The log has it as {number}.")
