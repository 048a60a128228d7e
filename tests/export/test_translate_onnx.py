"""Translators as ONNX: both graphs proved, and a reader without torch that finds what the bundle finds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from recurra.bundle import Bundle
from untrained import untrained

pytest.importorskip("onnx", reason="export needs onnx")
pytest.importorskip("onnxruntime", reason="export needs onnxruntime")

from recurra.export import reader

SAMPLE = ["ein hund sieht", "", "  zwei\tkatzen,  nicht wahr? ", "naïve 東京 maus", "rot", "ein " * 12]
VARIANTS: list[dict[str, Any]] = [
    {"unit": "words"},
    {"unit": "words", "cell": "LSTM", "attention": "bahdanau", "coverage_penalty": 0.3, "shared": True},
    {"unit": "words", "cell": "RNN", "input_feeding": True, "length_penalty": 0.0},
    {"unit": "characters", "cell": "LSTM", "input_feeding": True},
    {"unit": "characters", "cell": "RNN", "attention": "bahdanau", "shared": True},
    {"unit": "bpe", "vocabulary": 300, "shared": True, "input_feeding": True, "attention": "bahdanau"},
    {"unit": "bpe", "vocabulary": 300, "cell": "LSTM", "shared": False},
]


def sentences(count: int = 60) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    words = ["ein", "hund", "sieht", "zwei", "katzen", "rot", "東京", "maus,", "nicht"]
    made = [" ".join(rng.choice(words, rng.integers(2, 7))) for _ in range(count)]
    return pl.DataFrame({"de": made, "en": [one[::-1] for one in made]})


def bundle_of(folder: Path, **options: Any) -> Bundle:
    """A model that has learnt nothing, with weights so large that everything matters."""
    if options["unit"] == "bpe":
        pytest.importorskip("tokenizers", reason="byte-pair encoding needs tokenizers")
    bundle = untrained("translate", sentences(), folder / "bundle", hidden=12, beam=3, **options)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in bundle.model.parameters():
            parameter.normal_(std=0.4)
    return bundle


def assert_same(found: list[list[dict[str, Any]]], expected: list[list[Any]]) -> None:
    for mine, theirs in zip(found, expected, strict=True):
        assert [one["text"] for one in mine] == [one.text for one in theirs]
        assert [one["score"] for one in mine] == pytest.approx([one.score for one in theirs], rel=1e-4)
        assert [one["alignment"] for one in mine] == [list(one.alignment) for one in theirs]


@pytest.mark.parametrize("options", VARIANTS, ids=lambda options: "-".join(map(str, options.values())))
def test_the_reader_finds_what_the_bundle_finds(options: dict[str, Any], tmp_path: Path) -> None:
    bundle, folder = bundle_of(tmp_path, **options), tmp_path / "onnx"
    written = bundle.export_onnx(folder, int8=True)
    assert set(written.difference) == set(written.loss) == {"encoder", "step"}
    assert max(written.difference.values()) <= 1e-5
    assert max(written.loss.values()) < 0.5
    graphs = {f"{name}.{end}" for name in ("encoder", "step") for end in ("onnx", "int8.onnx")}
    assert {path.name for path in folder.iterdir()} == graphs | {
        "reader.json",
        "reader.py",
        "translator.py",
        "writer.py",
    }
    model = reader.load(folder)
    for text in SAMPLE:
        whole = " ".join(text.split()) if options["unit"] == "words" else text.strip()
        begin = " " if options["unit"] == "bpe" and whole else ""
        assert model.encode(text) == bundle.schema.source.encode(begin + whole).tolist()
    assert_same(model.translate(SAMPLE), bundle.translate(SAMPLE))
    assert_same(model.translate(SAMPLE, best=2, most=7), bundle.translate(SAMPLE, best=2, most=7))
    assert_same(model.translate(SAMPLE, width=1), bundle.translate(SAMPLE, beam=1))
    assert model.predict(SAMPLE) == [one[0] for one in model.translate(SAMPLE)]
    small = reader.load(folder, int8=True).translate(SAMPLE[:1])
    assert small[0][0].keys() == {"text", "score", "alignment"}


def test_the_record_says_all(tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path, unit="words", cell="LSTM", input_feeding=True, shared=True)
    bundle.export_onnx(tmp_path / "onnx")
    record = json.loads((tmp_path / "onnx" / "reader.json").read_text())
    assert "target" not in record
    assert record["names"] == ["de", "en"]
    assert set(record["states"]) == {"lower_h", "lower_c", "upper_h", "upper_c", "fed"}
    inputs = {one["name"]: one["shape"] for one in record["networks"]["step"]["inputs"]}
    assert inputs["values"] == ["sources", "time", 24]
    assert inputs["lower_h"] == ["batch", 12]
    outputs = {one["name"] for one in record["networks"]["encoder"]["outputs"]}
    assert outputs == {"values", "keys", "lower_h", "upper_h"}


def test_recurrent_layers_are_nodes_of_their_own(tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path, unit="words")
    for network in bundle.task.exported(bundle.model, bundle.config, bundle.schema).networks:  # type: ignore[attr-defined]
        kinds = [node.op_type for node in network.model.graph.node]
        assert kinds.count("GRU") == {"encoder": 1, "step": 2}[network.name]
        assert not {"Loop", "Scan", "If"} & set(kinds)


def test_the_reader_needs_neither_torch_nor_recurra(tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path, unit="characters")
    folder = bundle.export_onnx(tmp_path / "onnx").path
    script = (
        "import reader, sys; print(reader.load('.').predict(['ein hund'])[0]['text']); "
        "print(sorted({'torch', 'recurra', 'onnx', 'polars'} & sys.modules.keys()))"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=True
    )
    assert told.stdout == bundle.translate(["ein hund"])[0][0].text + "\n[]\n"
