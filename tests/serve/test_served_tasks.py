"""Recurra's own tasks behind the server: it answers what the bundles themselves do."""

from __future__ import annotations

import base64
import http.client
import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from painted import file_of, paint, shown
from pydantic_core import to_json
from servers import Server, eventually

from recurra.bundle import Bundle
from recurra.data.audio import pcm as read
from recurra.errors import DataError
from recurra.stream import Stream
from tones import RATE, pcm, say

Start = Callable[..., Server]
DATA = Path(__file__).parents[2] / "examples" / "data"
LETTERS = "etaoin shrdlu"


def observations(bundle: Bundle, many: int) -> list[Any]:
    """What may be given to a stream, and now and then what may not."""
    model, dice = bundle.steps(), random.Random(0)
    found: list[Any] = []
    for number in range(many):
        example = model.example
        if number % 7 == 6:
            found.append({"no": "such"})
        elif model.kind == "sound":
            found.append(base64.b64encode(pcm(say("lo", number))[: dice.randrange(0, 9_000)]).decode())
        elif model.kind == "picture":
            found.append(base64.b64encode(file_of(paint(*shown(number), seed=number))).decode())
        elif model.kind == "text":
            letters = LETTERS + "\n\n" * (bundle.task.name == "translate")
            text = "".join(dice.choice(letters) for _ in range(dice.randrange(1, 9)))
            found.append(dict.fromkeys(example, text) if isinstance(example, dict) else text)
        elif isinstance(example, dict):
            found.append(
                {name: dice.gauss(0, 1) if isinstance(one, float) else one for name, one in example.items()}
            )
        else:
            found.append(example)
    return found


def said(stream: Stream, observation: Any) -> Any:
    """What a stream without a server says, as the server puts it."""
    try:
        answer = stream.step(observation)
    except DataError as error:
        return {"step": stream.steps, "error": {"type": "bad_data", "message": str(error)}}
    return {"step": stream.steps, "answer": json.loads(to_json(answer, inf_nan_mode="null"))}


@pytest.mark.parametrize("task", ["forecast", "classify", "language", "translate", "transcribe", "caption"])
def test_a_stream_gives_what_the_bundle_gives(
    tasks: Server, task_bundles: dict[str, Bundle], task: str
) -> None:
    bundle = task_bundles[task]
    info = tasks.ask("GET", f"/v1/bundles/{task}")[1]
    if "stream" not in info["can"]:
        assert info["no_stream"].startswith("expected a bundle ")
        pytest.skip(info["no_stream"])
    alone = bundle.stream()
    with tasks.stream(task) as client:
        for one in observations(bundle, 25):
            assert client.ask(observation=one) == said(alone, one)
        state = client.ask(state=True)["state"]
        client.ask(reset=True)
        assert client.ask(restore=state)["step"] == alone.steps


def test_predictions_for_files_and_rows(tasks: Server, task_bundles: dict[str, Bundle]) -> None:
    file = DATA / "air_passengers.csv"
    expected = json.loads(task_bundles["forecast"].predict(str(file)).write_json())
    path = "/v1/bundles/forecast/predict"
    status, body, _ = tasks.ask("POST", f"{path}?file=air.csv", file.read_bytes())
    assert status == 200
    assert body["rows"] == expected
    header, *lines = file.read_text().splitlines()
    names = header.split(",")
    rows = [dict(zip(names, line.split(","), strict=True)) for line in lines]
    for row in rows:
        row[names[1]] = float(row[names[1]])  # type: ignore[assignment]
    status, body, _ = tasks.ask("POST", path, {"rows": rows})
    assert status == 200, body
    assert body["rows"] == expected
    column = "name" if "name" in (DATA / "names.csv").read_text().splitlines()[0] else "text"
    status, body, _ = tasks.ask(
        "POST", "/v1/bundles/classify/predict", {"rows": [{column: "Schmidt"}, {column: "Rossi"}]}
    )
    assert status == 200, body
    assert len(body["rows"]) == 2
    assert "class" in body["columns"]


def test_translations_of_texts_and_pairs(tasks: Server, task_bundles: dict[str, Bundle]) -> None:
    bundle, path = task_bundles["translate"], "/v1/bundles/translate/predict"
    texts = ["hcsirhcsuL", "", "oknes"]
    expected = json.loads(bundle.predict(pl.DataFrame({"source": texts})).write_json())
    for body in ({"rows": [{"source": one} for one in texts]}, {"text": "\n".join(texts) + "\n"}):
        status, told, _ = tasks.ask("POST", path, body)
        assert status == 200, told
        assert told["rows"] == expected
    lines = "\n".join(texts).encode()
    status, told, _ = tasks.ask("POST", f"{path}?file=some.de", lines, content_type="text/plain")
    assert (status, told["rows"]) == (200, expected)
    names = [line.split(",")[0] for line in (DATA / "names.csv").read_text().splitlines()[5:2000:50]]
    rows = [{"source": one[::-1], "target": one} for one in names]
    status, told, _ = tasks.ask("POST", "/v1/bundles/translate/evaluate", {"rows": rows})
    assert status == 200, told
    assert told["scores"][0]["metrics"] == dict(bundle.evaluate(pl.DataFrame(rows)).scores[0].metrics)


def recording(samples: Any, rate: int = RATE, kind: str = "WAV", **options: Any) -> bytes:
    """A file of sound."""
    soundfile = pytest.importorskip("soundfile")
    content = io.BytesIO()
    soundfile.write(content, samples, rate, format=kind, **options)
    return content.getvalue()


@pytest.mark.parametrize(
    ("kind", "query", "content_type", "name"),
    [
        ("WAV", "", "audio/wav", "file.wav"),
        ("FLAC", "", "audio/x-flac; rate=8000", "file.flac"),
        ("OGG", "?file=my%20speech.OGG", "application/octet-stream", "my speech.ogg"),
        ("MP3", "?file=a/../../b.mp3", "", "file.mp3"),
    ],
)
def test_what_is_said_in_a_recording(
    tasks: Server,
    task_bundles: dict[str, Bundle],
    tmp_path: Path,
    *,
    kind: str,
    query: str,
    content_type: str,
    name: str,
) -> None:
    content = recording(say("lo mi su", 3), kind=kind)
    (tmp_path / name).write_bytes(content)
    expected = json.loads(task_bundles["transcribe"].predict(str(tmp_path / name)).write_json())
    path = f"/v1/bundles/transcribe/predict{query}"
    status, body, _ = tasks.ask("POST", path, content, content_type=content_type)
    assert status == 200, body
    assert body["rows"] == [expected[0] | {"path": name}]
    assert body["rows"][0]["text"]


def test_a_recording_in_a_stream_is_what_it_is_as_a_whole(
    tasks: Server, task_bundles: dict[str, Bundle]
) -> None:
    said = pcm(np.concatenate([say("lo mi su", 3), say("su lo", 5, before=1.6)]))
    with tasks.stream("transcribe") as client:
        found = [
            client.step(base64.b64encode(said[at : at + size]).decode())
            for at, size in [(at, 1_600) for at in range(0, len(said), 1_600)] + [(0, 0)]
        ]
    assert tasks.ask("GET", "/v1/bundles/transcribe")[1]["stream"]["kind"] == "sound"
    finals = [one["text"] for answer in found for one in answer["final"]]
    (whole,) = task_bundles["transcribe"].transcribe([read(said)])
    assert " ".join(finals) == whole.text
    assert whole.text
    assert any(answer["partial"] for answer in found)


def test_a_second_of_the_highest_rate_fits_into_frames(tasks: Server) -> None:
    with tasks.stream("transcribe") as client:
        most = base64.b64encode(bytes(48_000)).decode()  # half a second at 48,000
        assert client.step(most)["seconds"] == pytest.approx(3, abs=0.05)


@pytest.mark.parametrize(
    ("content", "query", "options", "status", "message"),
    [
        (
            b"path\n/etc/passwd\n",
            "",
            {"content_type": "text/csv"},
            415,
            "expected a recording (WAV, FLAC, OGG or MP3), got content of another kind. Name it by its "
            "Content-Type, or by ?file=NAME with an ending.",
        ),
        (b'{"rows": [{"path": "/etc/passwd"}]}', "", {"content_type": "application/json"}, 415, None),
        (b"path\n/etc/passwd\n", "?file=a.csv", {}, 415, None),
        (
            b"path\n/etc/passwd\n",
            "?file=a.wav",
            {},
            422,
            "a.wav: expected a recording (WAV, FLAC, OGG or MP3), got one that cannot be read (Format not "
            "recognised). Save it again.",
        ),
    ],
)
def test_what_is_no_recording(
    tasks: Server, *, content: bytes, query: str, options: dict[str, str], status: int, message: str | None
) -> None:
    found, body, _ = tasks.ask("POST", f"/v1/bundles/transcribe/predict{query}", content, **options)
    assert found == status, body
    assert "/tmp" not in body["error"]["message"]
    assert message is None or body["error"]["message"] == message


@pytest.mark.parametrize(
    ("samples", "rate", "kind"),
    [(np.zeros((9_000_000, 2), np.int16), 44_100, "FLAC"), (np.zeros(2_000, np.int16), 1, "WAV")],
)
def test_long_recordings_in_few_bytes(tasks: Server, samples: Any, rate: int, kind: str) -> None:
    content = recording(samples, rate, kind)
    assert len(content) < 2**20
    found, body, _ = tasks.ask("POST", f"/v1/bundles/transcribe/predict?file=a.{kind.lower()}", content)
    assert found == 413, body
    assert body["error"]["message"].startswith("expected at most 16777216 samples, got ")


def test_recordings_are_not_judged_and_tables_are_not_heard(tasks: Server) -> None:
    content = recording(say("lo", 3))
    found, body, _ = tasks.ask("POST", "/v1/bundles/transcribe/evaluate?file=a.wav", content)
    assert (found, body["error"]["message"]) == (
        409,
        "expected a bundle that can evaluate, got transcribe, of the task transcribe. Ask one that can, or "
        "this one for predict, stream.",
    )
    assert tasks.ask("POST", "/v1/bundles/forecast/predict", content, content_type="audio/wav")[0] == 415


def test_scores_of_a_text(tasks: Server, task_bundles: dict[str, Bundle], tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("To be, or not to be\nxqz!\n")
    expected = task_bundles["language"].score(str(tmp_path / "text.txt"), by="line")
    path = "/v1/bundles/language/score"
    status, body, _ = tasks.ask("POST", path, {"text": "To be, or not to be\nxqz!\n"})
    assert status == 200, body
    assert body["rows"] == json.loads(expected.lines.write_json())
    assert (body["metrics"], body["words"]) == (dict(expected.metrics), list(expected.words))
    status, body, _ = tasks.ask("POST", f"{path}?by=token&file=a.txt", b"To be")
    assert status == 200, body
    assert "".join(row["token"] for row in body["rows"]).startswith("To be")


def events(server: Server, body: dict[str, Any], accept: str = "text/event-stream") -> tuple[int, bytes]:
    """What `generate` answers, as it is."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    headers = {"Content-Type": "application/json", "Accept": accept}
    connection.request("POST", "/v1/bundles/language/generate", json.dumps(body), headers)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, content


def test_text_is_written_as_it_comes(tasks: Server, task_bundles: dict[str, Bundle]) -> None:
    expected = list(task_bundles["language"].generate("To ", 60, seed=3))
    status, content = events(tasks, {"prompt": "To ", "length": 60, "seed": 3})
    assert status == 200
    told = [json.loads(event.removeprefix("data: ")) for event in content.decode().split("\n\n")[:-1]]
    assert [one["text"] for one in told[:-1]] == expected
    assert told[-1]["done"]["pieces"] == len(expected)
    status, content = events(tasks, {"prompt": "To ", "length": 60, "seed": 3}, "text/plain")
    assert content.decode() == "".join(expected)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"length": 100_000}, "expected a length of at most 10000 tokens, got 100000. Ask for less."),
        (
            {"temperature": -1},
            "expected the temperature to be 0 or more, got -1.0. Give another temperature.",
        ),
        ({"stop": ""}, "expected some characters to stop at, got none. Give some, or no stop."),
        (
            {"other": 1},
            "expected a body as /openapi.json tells it, got other: extra inputs are not permitted.",
        ),
        (
            {"length": "x"},
            "expected a body as /openapi.json tells it, got length: input should be a valid integer.",
        ),
    ],
)
def test_what_cannot_be_written(tasks: Server, body: dict[str, Any], message: str) -> None:
    status, content = events(tasks, body)
    assert (status, json.loads(content)["error"]["message"]) == (422, message)


def test_a_reader_who_goes_ends_the_writing(tasks: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", tasks.port, timeout=60)
    body = json.dumps({"length": 10_000})
    connection.request("POST", "/v1/bundles/language/generate", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    assert response.read(20)
    response.close()
    connection.close()
    # The only worker is free again long before ten thousand tokens are written.
    assert eventually(lambda: events(tasks, {"length": 5})[0] == 200)
