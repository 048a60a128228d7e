"""Requests made from the server's own description of itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from servers import Server

from recurra.bundle import Bundle

schemathesis = pytest.importorskip(
    "schemathesis", reason="needs the package schemathesis, of the extra [dev]"
)
hypothesis = pytest.importorskip("hypothesis")

HERE = re.escape(str(Path(__file__).parents[2]))
INTERNAL = re.compile(rf"Traceback|File \"|site-packages|/tmp/|{HERE}|object at 0x")


@pytest.fixture(scope="module")
def everything(start: Callable[..., Server], walk: Path, task_bundles: dict[str, Bundle]) -> Server:
    """A server of all that can be asked for; a request may take a second."""
    return start([walk, *(bundle.path for bundle in task_bundles.values())], "--time-limit", "1")


@pytest.mark.parametrize("examples", [15, pytest.param(100, marks=pytest.mark.slow)])
def test_no_request_breaks_the_server(everything: Server, examples: int) -> None:
    server = everything
    from schemathesis.specs.openapi.checks import positive_data_acceptance  # noqa: PLC0415

    schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{server.port}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    assert {operation.path for operation in operations} >= {"/v1/bundles/{name}/predict", "/health/ready"}
    for operation in operations:

        @hypothesis.given(case=operation.as_strategy())
        @hypothesis.settings(
            max_examples=examples,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        def ask(case: object) -> None:
            response = case.call()  # type: ignore[attr-defined]
            assert response.status_code < 500 or response.status_code in (503, 504), response.text
            assert not INTERNAL.search(response.text), response.text
            # Of a right form, but of data that no bundle can take: that is refused.
            case.validate_response(response, excluded_checks=[positive_data_acceptance])  # type: ignore[attr-defined]

        ask()
    assert server.process.poll() is None
    assert "Traceback" not in server.text()
