"""The server as a whole: its command, its page of documentation, TLS, and what stands behind it alone."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from servers import Server
from websockets.sync.client import connect

from recurra import cli
from recurra.errors import DataError
from recurra.serve.jobs import Jobs, guarded
from recurra.serve.refusals import Refused, refusal
from recurra.serve.store import Entry, FolderStore, Kept, MemoryStore, OtherVersion, Store, StoreError

Start = Callable[..., Server]
DEPLOY = Path(__file__).parents[2] / "docs" / "deploy.md"


def test_mistakes_are_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*words: str) -> str:
        with pytest.raises(SystemExit) as end:
            cli.main(["serve", *words])
        assert end.value.code == 2
        out, err = capsys.readouterr()
        assert out == ""
        return err

    assert run() == "recurra: expected a bundle, got none. Name a folder that `recurra fit` has written.\n"
    assert "expected a token for a server on 0.0.0.0" in run("x", "--host", "0.0.0.0")
    assert "expected a bundle at" in run(str(tmp_path))
    assert "expected a token in" in run("x", "--token-file", str(tmp_path / "none"))


def test_the_help_is_quick_and_tells_every_option() -> None:
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "recurra", "serve", "--help"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert time.monotonic() - begun < 60
    assert not re.search(r"\| +(torch|fastapi|uvicorn)$", done.stderr, re.MULTILINE)
    options = set(re.findall(r"`(--[a-z][a-z-]+)", DEPLOY.read_text()))
    told = set(re.findall(r"--[a-z][a-z-]+", done.stdout))
    assert {"--redis", "--states", "--max-body", "--idle", "--anyone"} <= options <= told


def test_the_client_of_the_documentation_goes_on_after_a_break(
    start: Start,
    walk: Path,
    walked: Callable[[int, int], list[Any]],
    alone: Callable[[list[Any]], list[Any]],
    tmp_path: Path,
) -> None:
    (block,) = re.findall(r"^```python\n(.*?)^```", DEPLOY.read_text(), re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(block.rpartition("print(")[0], names)
    states = ("--states", str(tmp_path / "states"))
    first = start(walk, *states)
    seen = walked(1, 3000)
    url = f"ws://127.0.0.1:{first.port}/v1/bundles/walk/stream"
    found: list[Any] = []

    def run() -> None:
        found.extend(asyncio.run(names["follow"](seen, url, "doc")))

    client = threading.Thread(target=run)
    client.start()
    while first.metric("recurra_observations_total") < 20:
        time.sleep(0.01)
    first.stop()
    assert len(found) == 0
    again = start(walk, *states, "--port", str(first.port))
    client.join(120)
    assert again.metric("recurra_observations_total") > 0
    assert found == alone(seen)


def test_over_tls(start: Start, walk: Path, tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([openssl, *words, *names], capture_output=True, check=True)
    server = start(walk, "--tls-cert", str(certificate), "--tls-key", str(key))
    assert server.scheme == "https"
    trusted = ssl.create_default_context(cafile=certificate)
    url = f"wss://127.0.0.1:{server.port}/v1/bundles/walk/stream"
    with connect(url, ssl=trusted, open_timeout=60) as client:
        assert json.loads(client.recv())["open"]["steps"] == 0
        client.send('{"observation": {"east": 1, "north": 2}}')
        assert json.loads(client.recv())["step"] == 1


@pytest.fixture(params=["memory", "folder"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Store]:
    """Makes a store of a kind."""

    def make(most: int = 10, keep: float = 100.0) -> Store:
        return MemoryStore(most, keep) if request.param == "memory" else FolderStore(tmp_path, most, keep)

    return make


def test_a_store_gives_back_what_it_has_kept(store: Callable[..., Store]) -> None:
    one = store()
    kept = Kept("v1", b"\x00state", [(3, b'{"step":3}')], True)
    assert one.take("a:b", "me", ["v1"], fresh=False) is None
    assert one.put([Entry("a:b", "me", kept)]) == [True]
    with pytest.raises(OtherVersion):
        one.take("a:b", "me", ["v2"], fresh=False)
    found = one.take("a:b", "me", ["v2", "v1"], fresh=False)
    assert found is not None
    assert (found.version, found.state, list(found.answers), found.alone) == (
        "v1",
        b"\x00state",
        [(3, b'{"step":3}')],
        True,
    )
    one.put([Entry("a:b", "me", kept)])
    one.forget("a:b", "me")
    assert one.take("a:b", "me", ["v1"], fresh=False) is None
    one.put([Entry("a:b", "me", kept)])
    assert one.take("a:b", "me", ["v1"], fresh=True) is None
    assert one.alive()
    one.close()


def test_a_store_keeps_so_many_and_so_long(store: Callable[..., Store]) -> None:
    one = store(most=3)
    for number in range(1030):
        one.put([Entry(f"{number}", "me", Kept("v", b""))])
    there = [number for number in range(1030) if one.take(f"{number}", "me", ["v"], fresh=False)]
    assert there[-1] == 1029
    assert len(there) < 10
    short = store(keep=0.05)
    short.put([Entry("x", "me", Kept("v", b""))])
    time.sleep(0.1)
    assert short.take("x", "me", ["v"], fresh=False) is None


def test_a_damaged_file_of_a_session_is_said(tmp_path: Path) -> None:
    one = FolderStore(tmp_path, 10, 100.0)
    one.put([Entry("x", "me", Kept("v", b"state"))])
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(StoreError, match="expected a session's file, got damaged"):
        one.take("x", "me", ["v"], fresh=False)


def test_errors_of_our_own_are_told_and_others_are_not() -> None:
    assert refusal(DataError("expected a, got b.")).body == {
        "error": {"type": "bad_data", "message": "expected a, got b."}
    }
    found = refusal(ZeroDivisionError("secret"))
    assert (found.status, found.kind) == (500, "internal")
    assert "secret" not in found.message
    assert re.fullmatch(r"expected an answer, got an error\. The log has it as [0-9a-f]{8}\.", found.message)


def test_a_panic_of_a_reader_is_bad_data() -> None:
    panic = type("PanicException", (BaseException,), {})

    def work() -> None:
        raise panic("index out of bounds")

    with pytest.raises(DataError, match="expected a whole file, got a damaged one"):
        guarded(work)


def test_work_that_would_be_late_is_refused_at_once() -> None:
    async def run() -> tuple[list[Any], float, Any]:
        jobs = Jobs(1, 0.5)
        await jobs.run("slow", 1, lambda: time.sleep(0.2))
        begun = time.monotonic()
        found = await asyncio.gather(
            *(jobs.run("slow", 1, lambda: time.sleep(0.2) or "done") for _ in range(12)),
            return_exceptions=True,
        )
        took = time.monotonic() - begun
        with pytest.raises(Refused) as late:
            await jobs.run("slower", 1, lambda: time.sleep(0.8))
        await asyncio.sleep(0.6)
        with pytest.raises(Refused) as known:  # by now it is known how long these take
            await jobs.run("slower", 1, lambda: None)
        jobs.close()
        return list(found), took, (late.value.kind, known.value.kind)

    found, took, kinds = asyncio.run(run())
    done = [one for one in found if one == "done"]
    refused = [one for one in found if isinstance(one, Refused)]
    assert len(done) + len(refused) == 12
    assert 1 <= len(done) <= 3
    assert all(one.kind == "overloaded" and one.retry is not None for one in refused)
    assert took < 3
    assert kinds == ("too_late", "overloaded")
