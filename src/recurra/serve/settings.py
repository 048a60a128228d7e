"""What a server may do and how much of it, each with a safe default."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path

from recurra.errors import ConfigError

MIB = 2**20
NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")  # of a bundle or a session; never a path
TOKEN = re.compile(r"[A-Za-z0-9._~-]{16,256}")  # what may stand in a header and a subprotocol alike


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Options of a server. Times are in seconds, sizes in bytes.

    streams    open at once, of all bundles together
    in_flight  frames of one socket that may be under way; then it is not read from
    frame      the largest frame, beside what a state takes
    body       the largest body of a request
    time       that a request may take, and an observation may wait
    wait       that a step is kept short enough for: what would wait longer is refused at once
    idle       after which a stream that does not go on is closed
    keep       that the state of a session is kept which nobody is connected to
    grace      that a stopping server gives to what is under way
    length     tokens that may be asked for
    workers    requests that are worked on at once
    """

    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = None
    anyone: bool = False
    origins: tuple[str, ...] = ()
    certificate: Path | None = None
    key: Path | None = None
    redis: str | None = None
    states: Path | None = None
    streams: int = 10_000
    in_flight: int = 16
    frame: int = 64 * 1024
    body: int = 16 * MIB
    time: float = 30.0
    wait: float = 0.025
    idle: float = 3600.0
    keep: float = 86_400.0
    grace: float = 10.0
    length: int = 10_000
    workers: int = 1
    watch: bool = True

    def __post_init__(self) -> None:
        for name in ("streams", "in_flight", "frame", "body", "length", "workers"):
            _above(name, getattr(self, name), 1)
        for name in ("time", "wait", "idle", "keep", "grace"):
            _above(name, getattr(self, name), 1e-3)
        if not 0 <= self.port < 65_536:
            raise ConfigError(f"expected a port from 0 to 65535, got {self.port}. Name one of these.")
        if self.token is not None and not TOKEN.fullmatch(self.token):
            raise ConfigError(
                f"expected a token of 16 to 256 letters, digits and . _ ~ -, got one of {len(self.token)} "
                "characters. Make one: python -c 'import secrets; print(secrets.token_urlsafe(32))'"
            )
        if (self.certificate is None) != (self.key is None):
            raise ConfigError("expected a certificate and its key, got one of them. Give both or neither.")
        if self.redis is not None and self.states is not None:
            raise ConfigError("expected one place for states, got Redis and a folder. Leave one of them out.")
        if self.token is None and not self.anyone and not is_loopback(self.host):
            raise ConfigError(
                f"expected a token for a server on {self.host}, which other machines reach, got none. Give "
                "--token-file, or --anyone to serve whoever comes."
            )


def _above(name: str, value: float, least: float) -> None:
    if not value >= least:
        raise ConfigError(
            f"expected --{name.replace('_', '-')} of {least:g} or more, got {value:g}. Raise it."
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the host."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
