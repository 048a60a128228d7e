"""Who may come in, and how much is taken on."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from urllib.parse import urlsplit

from recurra.serve.refusals import Refused
from recurra.serve.settings import Settings, is_loopback

# Frames of a step to begin with; how far that may change from one step to the next.
FIRST_ROOM, LEAST_ROOM, CHANGE = 256, 16, 2.0
SLOWER = 1.02
# Seconds that a burst may last and that it may take, and of calm before another one is taken.
BURST, LONGEST, CALM = 0.2, 0.5, 5.0


class Door:
    """Checks of a request's headers, before anything else of it is looked at."""

    def __init__(self, settings: Settings) -> None:
        self._token = None if settings.token is None else settings.token.encode()
        self._origins = {origin.rstrip("/").lower() for origin in settings.origins}
        # Without a token a page of any site, whose name leads to this machine, could ask for anything.
        self._only_here = settings.token is None and is_loopback(settings.host)
        self._hosts = {_host(origin) for origin in self._origins}

    def check_host(self, headers: Mapping[str, str]) -> None:
        """Raises Refused for a name that is not this machine's, where only this machine is meant."""
        name = _host("//" + headers.get("host", ""))
        if self._only_here and not is_loopback(name) and name not in self._hosts:
            raise Refused(
                403,
                "forbidden",
                "expected the name of this machine itself, got another host. Use 127.0.0.1, or start the "
                "server with a token or with --allow-origin.",
            )

    def check_origin(self, headers: Mapping[str, str]) -> None:
        """Raises Refused for a page of another site."""
        origin = headers.get("origin")
        if origin is None:
            return
        same = origin.partition("://")[2].lower() == headers.get("host", "").lower()
        if not same and origin.rstrip("/").lower() not in self._origins:
            raise Refused(
                403, "forbidden", "expected a page of this server, got another origin. See --allow-origin."
            )

    def check_token(self, headers: Mapping[str, str], offered: str = "") -> None:
        """Raises Refused without the right token. offered: subprotocols, where a browser puts it."""
        if self._token is None:
            return
        given = [headers.get("authorization", "").removeprefix("Bearer ").strip()]
        given += [one.removeprefix("bearer.") for one in map(str.strip, offered.split(","))]
        right = [hmac.compare_digest(one.encode(), self._token) for one in given]
        if not any(right):
            raise Refused(
                401,
                "unauthorized",
                "expected the server's token, got none or another. Send it as a bearer token.",
            )


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


class Room:
    """How many observations may wait for the next step, so that a step stays short.

    Learned from the steps themselves: where one took longer than `wait`, or than twice a step of a few where
    the model is that slow, fewer may wait for the next. What finds no room could not be answered in time, and
    is refused at once. More than that, for a moment after a time of calm, is a burst, and is taken.
    """

    def __init__(self, wait: float) -> None:
        self._wait = wait
        self.size = float(FIRST_ROOM)
        self.took = self.each = self._few = 0.0
        self._over: float | None = None  # since when steps have been too long
        self._strict = 0.0  # until when no burst is taken

    def admits(self, waiting: int, now: float) -> bool:
        """Whether one more may wait."""
        if waiting < self.size:
            return True
        calm = now >= self._strict and (self._over is None or now - self._over < BURST)
        if calm and waiting * self.each < LONGEST:
            return True
        self._strict = now + CALM
        return False

    def step_took(self, seconds: float, many: int, now: float) -> None:
        """Learn from a step that has just ended."""
        self.took, self.each = seconds, seconds / many
        if many <= LEAST_ROOM:  # the quickest of late: it may become slower, but not by one slow step
            self._few = min(seconds, self._few * SLOWER) if self._few else seconds
        goal = max(self._wait, 2 * self._few)
        fits = many * goal / max(seconds, 1e-6)
        if seconds > goal:
            self.size = max(LEAST_ROOM, self.size / CHANGE, min(fits, self.size))
            self._over = now - seconds if self._over is None else self._over
            return
        self._over = None
        if many > self.size / 2:
            self.size = max(self.size, min(fits, self.size * CHANGE))
