"""`recurra serve`: the options of the command line. Quick to load; the server is loaded when it runs."""

from __future__ import annotations

import importlib.util
import logging
import os
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from recurra.errors import ConfigError
from recurra.serve.settings import MIB, NAME, Settings

DEFAULT = Settings()
NEEDED = ("fastapi", "uvicorn", "httptools", "websockets", "prometheus_client")


def _option(text: str, metavar: str | None = None, **more: Any) -> Parameter:
    return Parameter(help=text, metavar=metavar, **more)


def serve(
    *bundles: Annotated[
        str,
        Parameter(name="BUNDLE", help="Folder that `recurra fit` has written, or NAME=FOLDER to call it so."),
    ],
    host: Annotated[
        str, _option("Address to listen on; 0.0.0.0 for other machines too.", "ADDRESS")
    ] = DEFAULT.host,
    port: Annotated[int, _option("Port; 0 takes a free one.", "N")] = DEFAULT.port,
    token_file: Annotated[
        Path | None, _option("File with the token that clients must send, 16 characters or more.", "FILE")
    ] = None,
    anyone: Annotated[
        bool, _option("Serve other machines without a token.", negative=(), show_default=False)
    ] = False,
    allow_origin: Annotated[
        list[str] | None,
        _option(
            "Web page that may use the server, as https://example.org; repeatable.", "ORIGIN", negative=()
        ),
    ] = None,
    tls_cert: Annotated[Path | None, _option("Certificate chain, PEM.", "FILE")] = None,
    tls_key: Annotated[Path | None, _option("Its key, PEM.", "FILE")] = None,
    streams: Annotated[int, _option("Streams open at once.", "N")] = DEFAULT.streams,
    redis: Annotated[
        str | None,
        _option(
            "Keep sessions in Redis, as redis://host:6379/0, so that any server goes on with them.", "URL"
        ),
    ] = None,
    states: Annotated[
        Path | None,
        _option("Keep sessions in this folder when clients go and when the server stops.", "FOLDER"),
    ] = None,
    keep: Annotated[float, _option("Seconds that a session is kept.", "X")] = DEFAULT.keep,
    idle: Annotated[
        float, _option("Seconds after which a stream that does not go on is closed.", "X")
    ] = DEFAULT.idle,
    time_limit: Annotated[float, _option("Seconds that a request may take.", "X")] = DEFAULT.time,
    max_body: Annotated[float, _option("Largest body of a request, in MiB.", "X")] = DEFAULT.body / MIB,
    max_frame: Annotated[int, _option("Largest frame of a stream, in bytes.", "N")] = DEFAULT.frame,
    max_length: Annotated[int, _option("Tokens that may be asked for at once.", "N")] = DEFAULT.length,
    in_flight: Annotated[int, _option("Frames of a stream that may be under way.", "N")] = DEFAULT.in_flight,
    workers: Annotated[
        int | None, _option("Requests worked on at once [default: one a core, at most 4].", "N")
    ] = None,
    grace: Annotated[
        float, _option("Seconds that what is under way has when the server stops.", "X")
    ] = DEFAULT.grace,
) -> None:
    """Serve bundles: predictions over HTTP, streams over WebSockets, a page to try them.

    Listens on this machine alone unless told otherwise. SIGHUP, or another bundle in the folder: new streams
    take the new one, open ones go on with theirs. SIGTERM: what is under way is answered, sessions are kept.
    """
    lacking = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if lacking:
        raise ConfigError(
            f"expected the packages of the server, got an install without {', '.join(lacking)}. Run: "
            "pip install 'recurra[serve]'"
        )
    settings = Settings(
        host=host,
        port=port,
        token=None if token_file is None else _token(token_file),
        anyone=anyone,
        origins=tuple(allow_origin or ()),
        certificate=tls_cert,
        key=tls_key,
        redis=redis,
        states=states,
        streams=streams,
        in_flight=in_flight,
        frame=max_frame,
        body=int(max_body * MIB),
        time=time_limit,
        idle=idle,
        keep=keep,
        grace=grace,
        length=max_length,
        workers=workers or min(4, _cores()),
    )
    from recurra.serve import server  # noqa: PLC0415

    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("recurra.serve").setLevel(logging.INFO)
    server.run(settings, named(bundles))


def named(bundles: tuple[str, ...]) -> dict[str, Path]:
    """Folders by the names that clients know. Raises ConfigError."""
    if not bundles:
        raise ConfigError("expected a bundle, got none. Name a folder that `recurra fit` has written.")
    found: dict[str, Path] = {}
    for given in bundles:
        name, _, folder = given.rpartition("=")
        path = Path(folder)
        name = name or path.resolve().name
        if not NAME.fullmatch(name):
            raise ConfigError(
                f"expected a bundle's name of 1 to 64 letters, digits and . _ -, got {name!r}. Give it one: "
                f"NAME={folder}"
            )
        if name in found:
            raise ConfigError(
                f"expected bundles of different names, got two of {name!r}. Give one another: NAME={folder}"
            )
        found[name] = path
    return found


def _token(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"expected a token in {path}, got {error}. Name another file.") from error


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
