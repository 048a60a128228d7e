"""What is asked over HTTP: answers, and sentences where there is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from servers import Server
from walking.task import Walking, write_walks

import recurra

CSV = "1,2,3,4\n0.5,0.25,-1,0\n"


def error(answer: tuple[int, Any, dict[str, str]]) -> tuple[int, str, str]:
    status, body, headers = answer
    assert headers["content-type"] == "application/json"
    assert set(body) == {"error"}
    return status, body["error"]["type"], body["error"]["message"]


def test_predict_gives_what_the_bundle_gives(server: Server, walk: Path, tmp_path: Path) -> None:
    file = write_walks(tmp_path / "new.csv", seed=3)
    status, body, _ = server.ask(
        "POST", "/v1/bundles/walk/predict", file.read_bytes(), content_type="text/csv"
    )
    assert status == 200
    expected = recurra.load(walk, Walking()).predict(str(file))
    assert body == {"columns": expected.columns, "rows": expected.to_dicts()}


def test_evaluate_gives_scores_and_words(server: Server, walk: Path, tmp_path: Path) -> None:
    file = write_walks(tmp_path / "new.csv", seed=3)
    status, body, _ = server.ask("POST", "/v1/bundles/walk/evaluate?file=new.csv", file.read_bytes())
    expected = recurra.load(walk, Walking()).evaluate(str(file))
    assert status == 200
    assert body["scores"][0] == {"method": "ours", "metrics": expected.scores[0].metrics}
    assert body["scores"][1]["metrics"] == {"mse": None}
    assert (body["words"], body["signature"]) == (["Fine."], "walking")


def test_what_is_served_is_told(server: Server, walk: Path) -> None:
    status, body, _ = server.ask("GET", "/v1/bundles")
    (info,) = body["bundles"]
    record = json.loads((walk / "bundle.json").read_text())
    assert status == 200
    assert body["server"]["streams"] == {"open": 0, "capacity": 10_000}
    assert (info["name"], info["task"], info["version"]) == ("walk", "walking", record["seal"][:12])
    assert info["can"] == ["predict", "evaluate", "stream"]
    assert info["stream"]["example"] == {"east": 1.0, "north": -0.5}
    assert info["stream"]["bytes"] == 8 * 4 + 8
    assert server.ask("GET", "/v1/bundles/walk")[1] == info


def test_health_metrics_and_openapi(server: Server) -> None:
    assert server.ask("GET", "/health")[:2] == (200, {"ready": True})
    assert server.ask("GET", "/health/ready")[:2] == (200, {"ready": True})
    assert server.ask("GET", "/health/live")[:2] == (200, {"live": True})
    assert b"recurra_streams" in server.ask("GET", "/metrics")[1]
    openapi = server.ask("GET", "/openapi.json")[1]
    assert "/v1/bundles/{name}/predict" in openapi["paths"]
    assert server.ask("GET", "/docs")[0] == 404


def test_what_cannot_be_had_is_said_in_a_sentence(server: Server) -> None:
    ask = server.ask
    assert error(ask("GET", "/nothing"))[:2] == (404, "not_found")
    assert error(ask("GET", "/v1/bundles/other"))[:2] == (404, "not_found")
    assert error(ask("PUT", "/v1/bundles"))[:2] == (405, "not_allowed")
    assert error(ask("POST", "/v1/bundles/walk/generate", {})) == (
        409,
        "conflict",
        "expected a bundle that can generate, got walk, of the task walking. Ask one that can, or this one "
        "for predict, evaluate, stream.",
    )
    assert error(ask("POST", "/v1/bundles/walk/predict", "{", content_type="application/json"))[:2] == (
        400,
        "bad_request",
    )
    assert error(ask("POST", "/v1/bundles/walk/predict", {"rows": 3}))[:2] == (422, "bad_data")
    assert error(ask("POST", "/v1/bundles/walk/predict", {"rows": [], "more": 1}))[:2] == (422, "bad_data")
    assert error(ask("POST", "/v1/bundles/walk/predict", {}))[2] == (
        'expected {"rows": […]} or {"text": "…"}, got both or neither.'
    )


def test_bad_data_is_named_without_a_path_of_the_server(server: Server) -> None:
    status, kind, message = error(server.ask("POST", "/v1/bundles/walk/predict?file=mine.csv", "1,x\n"))
    assert (status, kind) == (422, "bad_data")
    assert message.startswith("mine.csv: expected numbers, got ")
    assert "/tmp" not in message


@pytest.mark.parametrize(
    "name", ["../../etc/passwd.csv", "/etc/x.csv", "..csv", "a\\b.csv", "*.csv", "x" * 200]
)
def test_a_name_is_no_path(server: Server, name: str) -> None:
    from urllib.parse import quote  # noqa: PLC0415

    answer = server.ask(
        "POST", f"/v1/bundles/walk/predict?file={quote(name, safe='')}", "1,x\n", content_type="text/csv"
    )
    assert error(answer)[2].startswith("file.csv: expected numbers")


def test_content_of_an_unknown_kind_and_packed_content_are_refused(server: Server) -> None:
    ask = server.ask
    assert error(ask("POST", "/v1/bundles/walk/predict", "1,2", content_type="image/png"))[0] == 415
    assert error(ask("POST", "/v1/bundles/walk/predict?file=a.zip", "1,2"))[0] == 415
    packed = error(ask("POST", "/v1/bundles/walk/predict?file=a.csv", b"\x1f\x8b..."))
    assert packed == (
        415,
        "unsupported",
        "expected a file as it is, got a packed one. Unpack it first.",
    )


def test_a_small_file_that_unpacks_to_a_large_table_is_refused(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "large.parquet"
    pl.DataFrame({"a": pl.repeat(0, 20_000_000, dtype=pl.Int8, eager=True)}).write_parquet(path)
    content = path.read_bytes()
    assert len(content) < 1_000_000
    status, kind, message = error(server.ask("POST", "/v1/bundles/walk/predict?file=a.parquet", content))
    assert (status, kind) == (413, "too_large")
    assert message == "expected at most 16777216 values, got 20000000. Send less at a time."


def test_a_damaged_parquet_file_is_bad_data(server: Server) -> None:
    for content in (b"PAR1", b"PAR1" + b"\xff" * 64 + b"PAR1"):
        answer = error(server.ask("POST", "/v1/bundles/walk/predict?file=a.parquet", content))
        assert answer[:2] == (422, "bad_data")


def test_the_page_and_nothing_beside_it(server: Server) -> None:
    status, page, headers = server.ask("GET", "/")
    assert status == 200
    assert b"<html" in page
    assert "default-src 'self'" in headers["content-security-policy"]
    for path in ("/page/../app.py", "/page/%2e%2e%2fapp.py", "/page/..%2fapp.py", "/page/app.py", "/page/"):
        assert server.ask("GET", path)[0] == 404
