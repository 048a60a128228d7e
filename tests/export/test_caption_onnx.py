"""Captioners as ONNX: both graphs proved, a reader without torch, and a backbone that others have trained."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="export needs onnx")
pytest.importorskip("onnxruntime", reason="export needs onnxruntime")
pytest.importorskip("PIL", reason="pictures need Pillow")
sys.path.insert(0, str(Path(__file__).parents[1] / "tasks" / "caption"))

from things import SMALL, captioner, write_things

import recurra
from recurra.bundle import Bundle
from recurra.data.images import read_image
from recurra.errors import ConfigError
from recurra.export import reader
from recurra.onnxgraph.graph import FLOAT, Graph

VARIANTS: list[dict[str, Any]] = [
    {},
    {"cell": "GRU", "attention": "bahdanau", "unit": "characters"},
    {"cell": "RNN", "length_penalty": 0.0, "side": 48},
    {"unit": "bpe", "vocabulary": 300},
]


@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_the_reader_says_what_the_bundle_says(options: dict[str, Any], tmp_path: Path) -> None:
    if options.get("unit") == "bpe":
        pytest.importorskip("tokenizers", reason="byte-pair encoding needs tokenizers")
    bundle, folder = captioner(tmp_path, **options), tmp_path / "onnx"
    written = bundle.export_onnx(folder, int8=True)
    assert set(written.difference) == set(written.loss) == {"encoder", "step"}
    assert max(written.difference.values()) <= 1e-5
    model = reader.load(folder)
    paths = [tmp_path / "pictures" / f"{n:04}.png" for n in range(4)]
    pixels = [read_image(path, bundle.schema.shape.side).pixels for path in paths]
    for found, expected in zip(model.caption(pixels), bundle.caption(paths), strict=True):
        assert found[0]["text"] == expected[0].text
        assert found[0]["score"] == pytest.approx(expected[0].score, rel=1e-4)
        if bundle.schema.tokens.unit != "bpe":
            np.testing.assert_allclose(found[0]["attention"], expected[0].attention, atol=1e-4)
    several = model.caption(pixels[:1], width=4, best=3, most=5)[0]
    expected_several = bundle.caption(paths[:1], beam=4, best=3, most=5)[0]
    assert [one["text"] for one in several] == [one.text for one in expected_several]


def test_the_reader_needs_neither_recurra_nor_torch(tmp_path: Path) -> None:
    bundle, folder = captioner(tmp_path), tmp_path / "onnx"
    bundle.export_onnx(folder)
    path = tmp_path / "pictures" / "0001.png"
    code = (
        "import sys, reader\n"
        f"print(reader.load({str(folder)!r}).predict([{str(path)!r}])[0]['text'])\n"
        "assert not {'torch', 'recurra'} & set(sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    # Pillow scales what the bundle scales, to within a level.
    assert ran.stdout.split() == bundle.caption([path])[0][0].text.split()


def network(path: Path, output: str = "places") -> Path:
    """A backbone of two convolutions: three outputs, of which one has places."""
    graph = Graph("backbone")
    rng = np.random.default_rng(0)
    x = graph.input("picture", FLOAT, ["batch", 3, 32, 32])
    weights = [rng.normal(size=shape).astype(np.float32) * 0.3 for shape in ((4, 3, 4, 4), (6, 4, 4, 4))]
    y = graph.op("Relu", graph.op("Conv", x, graph.constant(weights[0]), strides=[4, 4]))
    y = graph.op("Conv", y, graph.constant(weights[1]), strides=[4, 4])
    if output == "places":
        graph.output("all", graph.reduce("Mean", y, [2, 3]), ["batch", 6])
        graph.output("places", y, ["batch", 6, 2, 2])
    else:
        graph.output("all", graph.reduce("Mean", y, [2, 3]), ["batch", 6])
    path.write_bytes(graph.model().SerializeToString())
    return path


def fit(folder: Path, backbone: Path, many: int = 20) -> Bundle:
    """A captioner that reads through a backbone."""
    options = {**SMALL, "side": None, "backbone": str(backbone), "time_budget": "2s", "test": 0.2}
    pictures = write_things(folder / "pictures", many)
    return recurra.fit("caption", pictures, out=folder / "bundle", quiet=True, **options)


@pytest.mark.parametrize("output", ["places", "all"])
def test_a_backbone_comes_along_with_the_bundle(output: str, tmp_path: Path) -> None:
    bundle = fit(tmp_path, network(tmp_path / "net.onnx", output), 40)
    grid = (2, 2) if output == "places" else (1, 1)
    assert (bundle.schema.shape.grid, bundle.schema.shape.channels) == (grid, 6)
    (tmp_path / "net.onnx").unlink()
    later = recurra.load(tmp_path / "bundle")
    path = tmp_path / "pictures" / "0000.png"
    [[found]] = later.caption([path])
    assert found.attention.shape[1:] == grid
    assert later.predict(path)["caption"].to_list() == [found.text]
    # What was judged after training went through the same network.
    again = later.evaluate(write_things(tmp_path / "later", 6, seed=7))
    assert len(again.scores) == 2
    written = later.export_onnx(tmp_path / "onnx")
    assert max(written.difference.values()) <= 1e-5


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"no network", "expected an ONNX network as the backbone"),
        (None, "expected an ONNX file as the backbone"),
    ],
)
def test_a_backbone_that_is_none(content: bytes | None, told: str, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    if content is not None:
        path.write_bytes(content)
    options = {**SMALL, "side": None, "backbone": str(path)}
    with pytest.raises(ConfigError, match=told):
        recurra.fit(
            "caption", write_things(tmp_path / "pictures", 20), out=tmp_path / "bundle", quiet=True, **options
        )


def test_a_network_of_something_else(tmp_path: Path) -> None:
    graph = Graph("text")
    x = graph.input("tokens", FLOAT, ["batch", 5])
    graph.output("y", x * 2.0, ["batch", 5])
    path = tmp_path / "net.onnx"
    path.write_bytes(graph.model().SerializeToString())
    options = {**SMALL, "side": None, "backbone": str(path)}
    with pytest.raises(
        ConfigError, match=r"expected a backbone that reads pictures, got net\.onnx with tokens"
    ):
        recurra.fit(
            "caption", write_things(tmp_path / "pictures", 20), out=tmp_path / "bundle", quiet=True, **options
        )
