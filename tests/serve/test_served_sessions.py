"""Servers that stop, die, and share sessions through Redis: streams go on bit for bit."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from servers import Client, Redis, Server, eventually
from websockets.exceptions import ConnectionClosed, InvalidStatus

Start = Callable[..., Server]
Walked = Callable[[int, int], list[dict[str, float]]]
Alone = Callable[[list[Any]], list[Any]]


def test_a_server_that_stops_keeps_sessions_in_a_folder(
    start: Start, walk: Path, walked: Walked, alone: Alone, tmp_path: Path
) -> None:
    seen = walked(1, 8)
    expected = alone(seen)
    first = start(walk, "--states", str(tmp_path / "states"))
    gone = first.stream(query="session=gone")
    assert [gone.step(one) for one in seen[:2]] == expected[:2]
    gone.close()
    client = first.stream(query="session=open")
    assert [client.step(one) for one in seen[:5]] == expected[:5]
    other = first.stream()
    other.step(seen[0])
    assert first.stop() == 0
    assert client.closed() == (1012, "the server stops, come again")
    assert other.closed() == (1012, "the server stops, come again")
    assert "Traceback" not in first.text()
    second = start(walk, "--states", str(tmp_path / "states"))
    with second.stream(query="session=open&after=4") as client:
        assert (client.opened["steps"], client.opened["resent"]) == (5, 1)
        assert client.read()["answer"] == expected[4]
        assert [client.step(one) for one in seen[5:]] == expected[5:]
    with second.stream(query="session=gone") as client:
        assert [client.step(one) for one in seen[2:]] == expected[2:]


def test_what_is_under_way_is_answered_before_the_end(
    start: Start, make_walk: Callable[..., Path], walked: Walked
) -> None:
    server = start(make_walk(work=200))
    client = server.stream()
    for one in walked(1, 3):
        client.send(observation=one)
    time.sleep(0.1)
    assert server.stop() == 0
    assert [client.read()["step"] for _ in range(3)] == [1, 2, 3]
    assert client.closed()[0] == 1012


def test_a_server_that_is_killed_loses_nothing_that_was_answered(
    start: Start, walk: Path, redis: Redis, walked: Walked, alone: Alone
) -> None:
    seen = walked(2, 60)
    expected = alone(seen)
    replicas = [start(walk, "--redis", redis.url) for _ in range(2)]
    found: list[Any] = []
    client = replicas[0].stream(query="session=kept")
    # Several under way, and the server dies among them.
    for one in seen[:7]:
        client.send(observation=one)
    found += [client.read()["answer"] for _ in range(4)]
    replicas[0].kill()
    try:
        while True:  # what it has sent before
            found.append(client.read()["answer"])
    except ConnectionClosed:
        pass
    with replicas[1].stream(query=f"session=kept&after={len(found)}") as client:
        steps = client.opened["steps"]
        assert len(found) <= steps <= 7
        assert client.opened["resent"] == steps - len(found)
        found += [client.read()["answer"] for _ in range(client.opened["resent"])]
        found += [client.step(one) for one in seen[steps:]]
    assert found == expected


def test_many_sessions_over_replicas_that_come_and_go(
    start: Start, walk: Path, redis: Redis, walked: Walked, alone: Alone
) -> None:
    servers = [start(walk, "--redis", redis.url) for _ in range(2)]
    seen = {number: walked(100 + number, 30) for number in range(12)}
    answers: dict[int, list[Any]] = {number: [] for number in seen}
    clients: dict[int, Client] = {}

    def go_on(number: int, server: Server) -> None:
        """A few steps, on a connection to this server."""
        had = len(answers[number])
        client = clients[number] = server.stream(query=f"session=s{number}&after={had}")
        answers[number] += [client.read()["answer"] for _ in range(client.opened["resent"])]
        for one in seen[number][len(answers[number]) : len(answers[number]) + 10]:
            answers[number].append(client.step(one))

    for number in seen:
        go_on(number, servers[number % 2])
    for number in seen:  # the other one, while the first still has it open
        go_on(number, servers[(number + 1) % 2])
    servers[1].kill()
    for number in seen:
        go_on(number, servers[0])
    for number, found in answers.items():
        assert found == alone(seen[number]), number
    for client in clients.values():
        client.close()
    assert servers[0].settles("recurra_slots", 0)


def test_a_server_that_has_been_passed_over_says_nothing_more(
    start: Start, walk: Path, redis: Redis, walked: Walked, alone: Alone
) -> None:
    seen = walked(3, 4)
    servers = [start(walk, "--redis", redis.url) for _ in range(2)]
    first = servers[0].stream(query="session=one")
    first.step(seen[0])
    second = servers[1].stream(query="session=one")
    assert second.opened["steps"] == 1
    first.send(observation=seen[3])  # of another client, it may be
    assert first.closed() == (4001, "the session is open elsewhere now")
    assert [second.step(one) for one in seen[1:]] == alone(seen)[1:]
    second.ask(reset=True)
    second.step(seen[0])
    second.close()
    with servers[0].stream(query="session=one&after=0") as client:  # nothing of before the reset
        assert (client.opened["steps"], client.opened["resent"]) == (1, 1)
        assert client.read()["answer"] == alone(seen)[0]
        assert client.ask(end=True)["ended"]
    with servers[1].stream(query="session=one") as client:
        assert client.opened["steps"] == 0
    assert all(server.settles("recurra_slots", 0) for server in servers)


def test_without_its_store_a_session_is_closed_and_others_go_on(
    start: Start, walk: Path, redis: Redis, walked: Walked, alone: Alone
) -> None:
    seen = walked(4, 4)
    expected = alone(seen)
    server = start(walk, "--redis", redis.url)
    plain = server.stream()
    client = server.stream(query="session=lost")
    assert client.step(seen[0]) == plain.step(seen[0]) == expected[0]
    redis.stop()
    try:
        client.send(observation=seen[1])
        assert client.closed() == (1013, "the sessions' store does not answer, come again")
        assert plain.step(seen[1]) == expected[1]
        with pytest.raises(InvalidStatus) as refused:
            server.stream(query="session=lost")
        assert refused.value.response.status_code == 503
    finally:
        redis.start()
    with server.stream(query="session=lost") as client:  # all is forgotten with it
        assert [client.step(one) for one in seen] == expected
    assert plain.step(seen[2]) == expected[2]
    plain.close()
    assert server.settles("recurra_slots", 0)


def test_another_bundle_in_the_folder_is_for_new_streams(
    start: Start, make_walk: Callable[..., Path], walked: Walked, tmp_path: Path
) -> None:
    from walking.task import Walking  # noqa: PLC0415

    import recurra  # noqa: PLC0415

    seen = walked(5, 6)
    old, new = make_walk(), make_walk(seed=1)
    answers = {}
    for path in (old, new):
        stream = recurra.load(path, Walking()).stream()
        answers[path] = [stream.step(one) for one in seen]
    assert answers[old] != answers[new]
    served = tmp_path / "served"
    copy(old, served)
    server = start(served)
    before = server.ask("GET", "/v1/bundles/served")[1]["version"]
    first = server.stream("served")
    kept = server.stream("served", "session=old")
    kept.step(seen[0])
    assert first.step(seen[0]) == answers[old][0]
    copy(new, served)
    assert eventually(lambda: server.ask("GET", "/v1/bundles/served")[1]["version"] != before)
    second = server.stream("served")
    assert [first.step(one) for one in seen[1:]] == answers[old][1:]
    assert [second.step(one) for one in seen] == answers[new]
    assert server.metric("recurra_versions") == 2
    kept.close()
    with server.stream("served", "session=old") as again:  # its version is still there
        assert again.step(seen[1]) == answers[old][1]
    first.close()
    assert server.settles("recurra_versions", 1)
    with pytest.raises(InvalidStatus) as found:
        server.stream("served", "session=old")
    message = json.loads(found.value.response.body)["error"]["message"]
    assert found.value.response.status_code == 409
    assert message.startswith("expected a session of this bundle's version ")
    with server.stream("served", "session=old&fresh=true") as again:
        assert again.step(seen[0]) == answers[new][0]
    # Asked for, and one that is damaged.
    copy(old, served)
    status, info, _ = server.ask("POST", "/v1/bundles/served/reload")
    assert (status, info["version"]) == (200, before)
    copy(new, served)
    server.process.send_signal(signal.SIGHUP)
    assert eventually(lambda: server.ask("GET", "/v1/bundles/served")[1]["version"] != before)
    (served / "weights.safetensors").write_bytes(b"damaged")
    status, body, _ = server.ask("POST", "/v1/bundles/served/reload")
    assert status == 409
    assert str(tmp_path) not in body["error"]["message"]
    assert second.ask(observation=seen[0])["step"] == 7
    second.close()


def copy(bundle: Path, to: Path) -> None:
    """As a bundle is put in the place of another: its record last."""
    to.mkdir(exist_ok=True)
    for name in ("weights.safetensors", "report.html", "log.jsonl", "bundle.json"):
        (to / f".{name}").write_bytes((bundle / name).read_bytes())
        (to / f".{name}").replace(to / name)


def test_idle_streams_are_closed_and_sessions_kept(
    start: Start, walk: Path, walked: Walked, alone: Alone
) -> None:
    seen = walked(6, 3)
    expected = alone(seen)
    server = start(walk, "--idle", "1", "--keep", "3")
    plain, client = server.stream(), server.stream(query="session=idle")
    assert client.step(seen[0]) == expected[0]
    assert plain.closed() == (1001, "the stream was idle")
    assert client.closed() == (1001, "the stream was idle")
    assert server.settles("recurra_slots", 0)
    with server.stream(query="session=idle") as client:
        assert client.step(seen[1]) == expected[1]
    time.sleep(3.2)
    with server.stream(query="session=idle") as client:  # too long
        assert client.opened["steps"] == 0
