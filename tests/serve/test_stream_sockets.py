"""Streams over WebSockets: each answers what a stream alone does, whatever goes on beside it."""

from __future__ import annotations

import base64
import contextlib
import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from servers import Client, Server, eventually
from websockets.exceptions import ConnectionClosed, InvalidStatus

Walked = Callable[[int, int], list[dict[str, float]]]
Alone = Callable[[list[Any]], list[Any]]


def test_a_stream_answers_as_one_without_a_server(server: Server, walked: Walked, alone: Alone) -> None:
    seen = walked(1, 20)
    with server.stream() as client:
        about = server.ask("GET", "/v1/bundles/walk")[1]
        assert client.opened == {
            "bundle": "walk",
            "version": about["version"],
            "session": None,
            "steps": 0,
            "resent": 0,
            "kind": "numbers",
            "in_flight": 16,
        }
        assert [client.step(one) for one in seen] == alone(seen)


def test_many_at_once_in_any_order_are_not_mixed_up(server: Server, walked: Walked, alone: Alone) -> None:
    dice = random.Random(0)
    seen = {number: walked(number, 12) for number in range(24)}
    clients: dict[int, Client] = {}
    answers: dict[int, list[Any]] = {number: [] for number in seen}
    work = [number for number in seen for _ in range(12)]
    dice.shuffle(work)
    for number in work:
        if number not in clients:
            clients[number] = server.stream()
        clients[number].send(observation=seen[number][len(answers[number])])
        answers[number].append(None)
    for number, client in clients.items():
        answers[number] = [client.read()["answer"] for _ in seen[number]]
        client.close()
    for number, found in answers.items():
        assert found == alone(seen[number])
    assert server.settles("recurra_slots", 0)


def test_more_frames_than_may_be_under_way_are_answered_in_order(
    server: Server, walked: Walked, alone: Alone
) -> None:
    seen = walked(5, 100)
    with server.stream() as client:
        for number, one in enumerate(seen):
            client.send(observation=one, id=number)
        found = [client.read() for _ in seen]
    assert [one["id"] for one in found] == list(range(100))
    assert [one["step"] for one in found] == list(range(1, 101))
    assert [one["answer"] for one in found] == alone(seen)


def test_what_cannot_be_taken_leaves_the_stream_as_it_was(
    server: Server, walked: Walked, alone: Alone
) -> None:
    seen = walked(2, 2)
    with server.stream() as client:
        first = client.step(seen[0])
        bad = client.ask(observation={"east": 1.0}, id="a")
        assert bad["error"]["type"] == "bad_data"
        assert bad["error"]["message"].startswith("expected the numbers east and north, got ")
        assert (bad["step"], bad["id"]) == (1, "a")
        for frame in (
            "x",
            "[]",
            "{}",
            "3",
            '{"observation": 1, "state": true}',
            '{"state": false}',
            '{"id": 1}',
        ):
            client.socket.send(frame)
            assert client.read()["error"]["type"] == "bad_frame"
        client.socket.send('{"observation": {"east": NaN, "north": 1}}')
        assert client.read()["error"]["type"] == "bad_frame"
        client.socket.send('{"observation": {"east": 1e999, "north": 1}}')
        assert client.read()["error"]["type"] == "bad_data"
        assert [first, client.step(seen[1])] == alone(seen)


def test_what_is_sent_ahead_is_not_taken_in_the_place_of_what_was_refused(
    server: Server, walked: Walked, alone: Alone
) -> None:
    seen = walked(8, 3)
    with server.stream() as client:
        client.send(observation=seen[0], step=1)
        client.send(observation={"east": 1.0}, step=2)
        client.send(observation=seen[2], step=3)
        first, bad, ahead = (client.read() for _ in range(3))
        assert (first["step"], bad["error"]["type"]) == (1, "bad_data")
        assert ahead["error"] == {
            "type": "out_of_step",
            "message": "expected observation 2, got 3. Send that one first.",
        }
        rest = [client.ask(observation=one, step=step)["answer"] for step, one in enumerate(seen[1:], 2)]
        assert [first["answer"], *rest] == alone(seen)
        for frame in ('{"state": true, "step": 4}', '{"observation": 1, "step": "4"}'):
            client.socket.send(frame)
            assert client.read()["error"]["type"] == "bad_frame"


def test_state_restore_reset_and_end(server: Server, walked: Walked, alone: Alone) -> None:
    seen = walked(3, 6)
    expected = alone(seen)
    with server.stream() as client:
        for one in seen[:3]:
            client.step(one)
        saved = client.ask(state=True)
        assert saved["step"] == 3
        assert len(base64.b64decode(saved["state"])) > 40
        client.step(seen[0])
        assert client.ask(restore=saved["state"], id=9) == {"step": 3, "restored": True, "id": 9}
        assert [client.step(one) for one in seen[3:]] == expected[3:]
        assert client.ask(reset=True) == {"step": 0, "reset": True}
        assert client.step(seen[0]) == expected[0]
        for bad in ("", "no", base64.b64encode(b"no state").decode(), 3, None):
            assert client.ask(restore=bad)["error"]["type"] == "bad_data"
        assert client.step(seen[1]) == expected[1]
        assert client.ask(end=True) == {"step": 2, "ended": True}
        assert client.closed() == (1000, "the stream has ended")
    with server.stream() as other:  # a state goes on in another stream as well
        other.ask(restore=saved["state"])
        assert [other.step(one) for one in seen[3:]] == expected[3:]
    assert server.settles("recurra_slots", 0)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("other", 404),
        ("walk/..", 404),
        ("..%2f..", 404),
    ],
)
def test_no_such_bundle(server: Server, path: str, status: int) -> None:
    with pytest.raises(InvalidStatus) as found:
        server.stream(path)
    assert found.value.response.status_code == status
    assert json.loads(found.value.response.body)["error"]["type"] == "not_found"


@pytest.mark.parametrize(
    "query",
    [
        "session=",
        "session=a/b",
        "session=" + "a" * 65,
        "session=a&session=b",
        "fresh=1",
        "after=-1",
        "after=x",
        "other=1",
    ],
)
def test_a_query_that_is_not_understood(server: Server, query: str) -> None:
    with pytest.raises(InvalidStatus) as found:
        server.stream(query=query)
    assert found.value.response.status_code == 400
    assert json.loads(found.value.response.body)["error"]["type"] == "bad_request"


def test_what_the_protocol_forbids_closes_the_socket(server: Server) -> None:
    client = server.stream()
    client.socket.send(b"binary")
    assert client.closed() == (1003, "expected text, got a binary frame")
    client = server.stream()
    client.socket.send("x" * 70_000)
    assert client.closed()[0] == 1009
    client = server.stream()
    with contextlib.suppress(ConnectionClosed):
        client.socket.send("x" for _ in range(400))
    assert client.closed()[0] == 1009
    client = server.stream()
    with client.socket.protocol_mutex:
        client.socket.protocol.send_text(b'{"id": "\xff"}')
        client.socket.send_data()
    assert client.closed() == (1007, "expected UTF-8")
    assert server.settles("recurra_slots", 0)


def test_a_message_in_fragments_is_one(server: Server, walked: Walked, alone: Alone) -> None:
    seen = walked(4, 1)
    text = json.dumps({"observation": seen[0]})
    with server.stream() as client:
        client.socket.send(text[k : k + 9] for k in range(0, len(text), 9))
        assert [client.read()["answer"]] == alone(seen)


def test_clients_that_vanish_leave_nothing(server: Server, walked: Walked) -> None:
    dice = random.Random(0)
    for number in range(40):
        client = server.stream(query=f"session=gone{number}" if number % 2 else "")
        for one in walked(number, dice.randrange(3)):
            client.send(observation=one)
        client.vanish() if dice.random() < 0.5 else client.close()
    assert server.settles("recurra_slots", 0)
    assert server.settles("recurra_sockets", 0)
    assert server.settles("recurra_streams", 0)


def test_a_session_waits_for_its_client(server: Server, walked: Walked, alone: Alone) -> None:
    seen = walked(6, 9)
    expected = alone(seen)
    with server.stream(query="session=mine") as client:
        assert client.opened["session"] == "mine"
        assert [client.step(one) for one in seen[:3]] == expected[:3]
    with server.stream(query="session=mine") as client:
        assert (client.opened["steps"], client.opened["resent"]) == (3, 0)
        assert [client.step(one) for one in seen[3:5]] == expected[3:5]
        client.vanish()
    with server.stream(query="session=mine&after=2") as client:  # its answers may not have come
        assert (client.opened["steps"], client.opened["resent"]) == (5, 3)
        assert [client.read()["answer"] for _ in range(3)] == expected[2:5]
        assert [client.step(one) for one in seen[5:]] == expected[5:]
        client.ask(end=True)
    with server.stream(query="session=mine") as client:
        assert client.opened["steps"] == 0
        assert client.step(seen[0]) == expected[0]
    with server.stream(query="session=mine&fresh=true") as client:
        assert client.opened["steps"] == 0
    assert eventually(lambda: server.metric("recurra_slots") == 0)


def test_a_session_that_is_opened_again_is_taken_over(server: Server, walked: Walked, alone: Alone) -> None:
    seen = walked(7, 4)
    expected = alone(seen)
    first = server.stream(query="session=both")
    assert first.step(seen[0]) == expected[0]
    second = server.stream(query="session=both")
    assert first.closed() == (4001, "the session is open elsewhere now")
    assert second.opened["steps"] == 1
    assert [second.step(one) for one in seen[1:]] == expected[1:]
    second.close()
    assert server.settles("recurra_streams", 0)
