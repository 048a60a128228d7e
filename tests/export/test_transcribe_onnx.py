"""Recognisers as ONNX: shown to be the same, and a reader that hears as the bundle does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recurra.decode.ctc import greedy
from recurra.export import reader
from recurra.tasks.transcribe.transcribing import logarithms
from tones import say, write_tones
from untrained import untrained

pytest.importorskip("onnxruntime", reason="exports are proved with onnxruntime")


@pytest.mark.parametrize("cell", ["LSTM", "GRU", "RNN"])
def test_every_recogniser_leaves(cell: str, tmp_path: Path) -> None:
    for live in (True, False):
        source = write_tones(tmp_path / f"tones-{live}", many=12)
        where = tmp_path / f"bundle-{live}"
        bundle = untrained("transcribe", source, where, cell=cell, live=live, hidden=12, spread=0.4, layers=2)
        folder = where / "onnx"
        written = bundle.export_onnx(folder, int8=True)
        assert set(written.difference) == ({"hears", "whole", "step"} if live else {"hears", "whole"})
        assert max(written.difference.values()) <= 1e-5
        assert {"recogniser.py", "reader.py", "reader.json"} <= {path.name for path in folder.iterdir()}
        model = reader.load(folder)
        sound = say("lo mi su", 3)
        ((_, log_p),) = logarithms(bundle.model, bundle.schema, [sound])  # type: ignore[arg-type]
        expected = " ".join(bundle.schema.tokens.decode(greedy(log_p).tokens).split())
        assert model.transcribe(sound) == expected
        if not live:
            with pytest.raises(ValueError, match="must have the whole recording"):
                model.stream()
            continue
        stream = model.stream()
        for piece in np.split(sound, [1, 500, 900, 5000]):
            stream.step(piece)
        assert stream.step(sound[:0], ended=True) == expected
