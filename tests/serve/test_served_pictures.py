"""A captioner behind the server: pictures over HTTP and in streams, and what is no picture."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from painted import features_bundle, file_of, paint, shown
from PIL import Image
from servers import Server
from websockets.exceptions import InvalidStatus

from recurra.bundle import Bundle
from recurra.errors import DataError
from recurra.serve.pictures import check_file, check_observation
from recurra.serve.refusals import Refused

Start = Callable[..., Server]
PREDICT = "/v1/bundles/caption/predict"
KINDS = (
    "expected a picture (JPEG, PNG, WebP, GIF, BMP, TIFF or PPM), got content of another kind. Name it by "
    "its Content-Type, or by ?file=NAME with an ending."
)
PICTURE = paint("red", "circle", "left", seed=1)


def as_text(content: bytes) -> str:
    """As an observation has it."""
    return base64.b64encode(content).decode()


def blank(side: int) -> bytes:
    """A file of many pixels in few bytes."""
    return file_of(Image.new("1", (side, side)))


@pytest.mark.parametrize(
    ("kind", "query", "content_type", "name"),
    [
        ("JPEG", "", "image/jpeg", "file.jpg"),
        ("PNG", "", "Image/PNG; more=1", "file.png"),
        ("WEBP", "", "image/webp", "file.webp"),
        ("GIF", "?file=my%20dog.GIF", "application/octet-stream", "my dog.gif"),
        ("TIFF", "?file=a/../../b.tif", "", "file.tif"),
    ],
)
def test_what_a_picture_shows(
    tasks: Server,
    task_bundles: dict[str, Bundle],
    tmp_path: Path,
    *,
    kind: str,
    query: str,
    content_type: str,
    name: str,
) -> None:
    content = file_of(PICTURE, kind)
    (tmp_path / name).write_bytes(content)
    expected = json.loads(task_bundles["caption"].predict(str(tmp_path / name)).write_json())
    status, body, _ = tasks.ask("POST", PREDICT + query, content, content_type=content_type)
    assert status == 200, body
    assert body["columns"] == ["picture", "caption", "score"]
    assert body["rows"] == [expected[0] | {"picture": name}]
    assert body["rows"][0]["caption"]


def features() -> bytes:
    """What numpy.save writes."""
    content = io.BytesIO()
    np.save(content, np.zeros((2, 2), np.float32))
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "query", "content_type"),
    [
        (b"image\n/etc/passwd\n", "", "text/csv"),
        (b"image\n/etc/passwd\n", "?file=a.csv", ""),
        (b'{"rows": [{"image": "/etc/passwd"}]}', "", "application/json"),
        (features(), "?file=a.npy", "application/octet-stream"),
        (file_of(PICTURE), "", "application/octet-stream"),
        (b"<svg/>", "?file=a.svg", "image/svg+xml"),
        (b"", "?file=a.heic", "image/heic"),
        (b"RIFF", "", "audio/wav"),
    ],
)
def test_other_kinds_are_refused(tasks: Server, content: bytes, query: str, content_type: str) -> None:
    status, body, _ = tasks.ask("POST", PREDICT + query, content, content_type=content_type)
    assert (status, body["error"]["message"]) == (415, KINDS)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"image\n/etc/passwd\n",
            "a.png: expected a picture (JPEG, PNG, WebP, GIF, BMP, TIFF or PPM), got a file that begins with "
            "b'image\\n/etc/passw'. Save it again as one of these.",
        ),
        (
            b"",
            "a.png: expected a picture (JPEG, PNG, WebP, GIF, BMP, TIFF or PPM), got a file that is empty. "
            "Save it again as one of these.",
        ),
        (features(), None),
        (file_of(PICTURE)[:3_000], None),
        (file_of(PICTURE, "JPEG")[:400], None),
        (file_of(PICTURE)[:20], None),
    ],
)
def test_damaged_pictures(tasks: Server, content: bytes, message: str | None) -> None:
    status, body, _ = tasks.ask("POST", f"{PREDICT}?file=a.png", content)
    assert status == 422, body
    found = body["error"]["message"]
    assert found.startswith("a.png: ") or "the first is a.png: " in found
    assert "/tmp" not in found
    assert message is None or found == message


def test_too_much_of_a_picture(tasks: Server) -> None:
    content = blank(8_000)
    assert len(content) < 2**20
    status, body, _ = tasks.ask("POST", PREDICT, content, content_type="image/png")
    assert (status, body["error"]["message"]) == (
        413,
        "expected a picture of at most 50331648 pixels, got 64000000. Scale it down.",
    )
    status, body, _ = tasks.ask("POST", PREDICT, bytes(2**24 + 1), content_type="image/png")
    assert (status, body["error"]["message"]) == (
        413,
        "expected at most 16777216 bytes, got more. Send less at a time.",
    )


@pytest.mark.parametrize(("body", "most"), [(1_000, 3_000), (2**30, 89_000_000)])
def test_a_smaller_body_has_fewer_pixels(tmp_path: Path, body: int, most: int) -> None:
    (tmp_path / "a.png").write_bytes(blank(10_000))
    with pytest.raises(Refused) as caught:
        check_file(tmp_path / "a.png", body)
    assert caught.value.message == (
        f"expected a picture of at most {most} pixels, got 100000000. Scale it down."
    )


def test_pictures_are_not_judged_and_others_take_none(tasks: Server) -> None:
    content = file_of(PICTURE)
    status, body, _ = tasks.ask("POST", "/v1/bundles/caption/evaluate", content, content_type="image/png")
    assert (status, body["error"]["message"]) == (
        409,
        "expected a bundle that can evaluate, got caption, of the task caption. Ask one that can, or this "
        "one for predict, stream.",
    )
    for other in ("forecast", "transcribe"):
        assert tasks.ask("POST", f"/v1/bundles/{other}/predict", content, content_type="image/png")[0] == 415


def test_the_description_tells_of_pictures(tasks: Server) -> None:
    told = tasks.ask("GET", "/openapi.json")[1]
    content = told["paths"]["/v1/bundles/{name}/predict"]["post"]["requestBody"]["content"]
    assert content["image/*"] == {"schema": {"type": "string", "format": "binary"}}
    assert "picture" in told["components"]["schemas"]["StreamInfo"]["properties"]["kind"]["enum"]
    info = tasks.ask("GET", "/v1/bundles/caption")[1]
    assert (info["stream"]["kind"], info["can"]) == ("picture", ["predict", "stream"])


@pytest.mark.parametrize("before", ["", "data:image/png;base64,"])
def test_a_stream_says_what_the_bundle_says(
    tasks: Server, task_bundles: dict[str, Bundle], before: str
) -> None:
    files = [file_of(paint(*shown(number), seed=number)) for number in range(6)]
    with tasks.stream("caption") as client:
        found = [client.step(before + as_text(content)) for content in files]
    whole = task_bundles["caption"].caption(files)
    assert [(one["text"], one["score"], one["words"]) for one in found] == [
        (best.text, best.score, list(best.words)) for (best,) in whole
    ]
    for one, (best,) in zip(found, whole, strict=True):
        assert one["attention"] == best.attention.astype(float).round(4).tolist()
        np.testing.assert_allclose(np.sum(one["attention"], (1, 2)), 1, atol=1e-3)
    assert len({one["score"] for one in found}) == len(files)
    assert [one["steps"] for one in found] == list(range(1, 7))


@pytest.mark.parametrize(
    ("observation", "message"),
    [
        (1, "expected a picture's file in base64, got int. Send a string."),
        (
            "äöü",
            "expected a picture's file in base64, got a string that is none. Encode the whole file.",
        ),
        (as_text(features()), None),
        (as_text(file_of(PICTURE)[:3_000]), None),
        (
            as_text(blank(3_000)),
            "expected a picture of at most 4194304 pixels in a stream, got 9000000. Scale it down, or send "
            "it over HTTP.",
        ),
    ],
)
def test_what_a_stream_cannot_see(tasks: Server, observation: Any, message: str | None) -> None:
    with tasks.stream("caption") as client:
        client.step(as_text(file_of(PICTURE)))
        found = client.ask(observation=observation, id=7)
        assert (found["step"], found["id"], found["error"]["type"]) == (1, 7, "bad_data")
        assert "/tmp" not in found["error"]["message"]
        assert message is None or found["error"]["message"] == message
        assert client.step(as_text(file_of(PICTURE)))["steps"] == 2


def test_the_most_pixels_of_a_stream() -> None:
    check_observation(as_text(blank(2_048)))
    check_observation({"no": "picture"})
    with pytest.raises(DataError, match="at most 4194304 pixels in a stream, got 4198401"):
        check_observation(as_text(blank(2_049)))


def test_frames_up_to_the_limit(tasks: Server) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (125, 125, 3), dtype=np.uint8)
    content = as_text(file_of(Image.fromarray(noise)))
    assert 60_000 < len(content) < 65_000
    with tasks.stream("caption") as client:
        assert client.step(content)["steps"] == 1
        client.send(observation=content + as_text(bytes(3_000)))
        assert client.closed() == (1009, "a frame of more than 65536 bytes")
    with tasks.stream("caption") as client:
        client.send(observation=content * 2)
        assert client.closed()[0] == 1009


def test_a_session_goes_on(tasks: Server) -> None:
    observed = tasks.metric("recurra_observations_total")
    content = as_text(file_of(PICTURE))
    with tasks.stream("caption", "session=looks") as client:
        first = client.step(content)
        state = client.ask(state=True)["state"]
    with tasks.stream("caption", "session=looks") as client:
        assert client.opened["steps"] == 1
        assert client.step(content) == first | {"steps": 2}
        assert client.ask(restore=state)["step"] == 1
        client.ask(end=True)
    assert tasks.metric("recurra_observations_total") == observed + 2


def test_a_bundle_of_features_is_not_asked(start: Start, tmp_path: Path) -> None:
    server = start(features_bundle(tmp_path / "features").path)
    why = (
        "expected a captioner that looks at pictures, got one that reads files of features, which are not "
        "taken from clients. Fit one on the pictures themselves, or with a backbone."
    )
    info = server.ask("GET", "/v1/bundles/features")[1]
    assert (info["can"], info["stream"], info["no_stream"]) == ([], None, why)
    content = file_of(PICTURE)
    status, body, _ = server.ask("POST", "/v1/bundles/features/predict", content, content_type="image/png")
    assert (status, body["error"]["message"]) == (409, why)
    with pytest.raises(InvalidStatus) as caught:
        server.stream("features")
    assert caught.value.response.status_code == 409
