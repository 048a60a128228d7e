"""Layers and modules as ONNX: equal to PyTorch in ONNX Runtime, with batch, time and lengths free."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import recurra
from recurra import nn
from recurra.errors import ConfigError, ExportError

onnx = pytest.importorskip("onnx", reason="export needs onnx")
pytest.importorskip("onnxruntime", reason="export needs onnxruntime")

from recurra.export import prove  # noqa: E402

FEW, MANY = 25, 300


def random_layer(rng: np.random.Generator) -> Any:
    """A layer of ours or of torch.nn, with any of the options that ONNX knows."""
    kind = str(rng.choice(["RNN", "GRU", "LSTM"]))
    options: dict[str, Any] = {
        "num_layers": int(rng.integers(1, 4)),
        "bias": bool(rng.random() < 0.7),
        "batch_first": bool(rng.random() < 0.5),
        "bidirectional": bool(rng.random() < 0.5),
    }
    ours = rng.random() < 0.7
    if kind == "RNN":
        options["nonlinearity"] = str(rng.choice(["tanh", "relu"]))
    elif kind == "GRU" and ours:
        options["reset_after"] = bool(rng.random() < 0.5)
    elif kind == "LSTM" and ours:
        options["peephole"] = bool(rng.random() < 0.5)
    sizes = rng.integers(1, 20, 2).tolist()
    return getattr(nn if ours else torch.nn, kind)(*sizes, **options)


def random_example(layer: Any, rng: np.random.Generator) -> Any:
    """None, or some of the arguments."""
    if rng.random() < 0.5:
        return None
    steps, rows = rng.integers(2, 9, 2).tolist()
    shape = (rows, steps) if layer.batch_first else (steps, rows)
    given: dict[str, Any] = {"input": torch.randn(*shape, layer.input_size)}
    if rng.random() < 0.5:
        stacked = layer.num_layers * (1 + layer.bidirectional)
        states = [torch.randn(stacked, rows, layer.hidden_size) for _ in range(2)]
        given["state"] = tuple(states) if isinstance(layer, torch.nn.LSTM) else states[0]
    if rng.random() < 0.5:
        given["lengths"] = torch.from_numpy(rng.integers(0, steps + 1, rows))
    return given


def try_layers(many: int, seed: int) -> float:
    rng, worst = np.random.default_rng(seed), 0.0
    for _ in range(many):
        layer = random_layer(rng)
        try:
            written = recurra.export_onnx(layer, random_example(layer, rng))
        except ExportError as error:
            raise AssertionError(f"{layer}: {error}") from error
        kinds = [node.op_type for node in written.model.graph.node if node.op_type in ("RNN", "GRU", "LSTM")]
        assert kinds == [type(layer).__name__] * layer.num_layers
        worst = max(worst, written.difference)
    return worst


def test_random_layers() -> None:
    assert try_layers(FEW, seed=1) <= 1e-5


@pytest.mark.slow
def test_many_random_layers() -> None:
    assert try_layers(MANY, seed=2) <= 1e-5


def test_rows_without_a_step_keep_their_state() -> None:
    layer = nn.LSTM(2, 3, 2, bidirectional=True, peephole=True)
    run = prove.runner(recurra.export_onnx(layer).model)
    x, h, c = torch.randn(4, 3, 2), torch.randn(4, 3, 3), torch.randn(4, 3, 3)
    lengths = torch.tensor([0, 4, 0])
    found = run({"input": x.numpy(), "h0": h.numpy(), "c0": c.numpy(), "lengths": lengths.numpy()})
    with torch.no_grad():
        y, (hn, cn) = layer(x, (h, c), lengths=lengths)
    assert prove.difference(y.numpy(), found["output"]) < 1e-5
    np.testing.assert_array_equal(found["hn"][:, [0, 2]], h[:, [0, 2]])
    np.testing.assert_array_equal(found["cn"][:, [0, 2]], c[:, [0, 2]])
    assert prove.difference(hn.numpy(), found["hn"]) < 1e-5
    assert prove.difference(cn.numpy(), found["cn"]) < 1e-5


def test_sizes_are_free() -> None:
    layer = nn.GRU(2, 3, batch_first=True)
    model = recurra.export_onnx(layer, torch.randn(2, 5, 2)).model
    (port,) = model.graph.input
    shape = [size.dim_param or size.dim_value for size in port.type.tensor_type.shape.dim]
    assert shape == ["batch", "time", 2]
    for rows, steps in ((1, 1), (7, 300)):
        x = torch.randn(rows, steps, 2)
        found = prove.runner(model)({"input": x.numpy()})
        with torch.no_grad():
            assert prove.difference(layer(x)[0].numpy(), found["output"]) < 1e-5


class Tagger(torch.nn.Module):
    """A PackedSequence inside, a log-softmax at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.table = torch.nn.Embedding(20, 8)
        self.layer = torch.nn.LSTM(8, 6, 2, bidirectional=True, batch_first=True, dropout=0.2)
        self.drop, self.out = torch.nn.Dropout(0.3), torch.nn.Linear(12, 4)

    def forward(self, tokens: Any, lengths: Any, state: Any = None) -> Any:
        packed = pack_padded_sequence(self.table(tokens), lengths, batch_first=True, enforce_sorted=False)
        y, (h, _) = self.layer(packed, state)
        y, _ = pad_packed_sequence(y, batch_first=True)
        return F.log_softmax(self.out(self.drop(y)), -1), h


class Reader(torch.nn.Module):
    """Our layers, with a state that goes in and out, sizes asked for and steps picked."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.GRU(3, 6, batch_first=True)
        self.out = torch.nn.Sequential(
            torch.nn.LayerNorm(6), nn.Linear(6, 5), torch.nn.GELU(), nn.Linear(5, 2)
        )

    def forward(self, x: Any, h: Any = None, lengths: Any = None) -> Any:
        y, h = self.layer(x, h, lengths=lengths)
        flat = self.out(y.reshape(-1, 6)).view(x.size(0), -1, 2)
        last = y[torch.arange(y.size(0)), -1] if lengths is None else y[torch.arange(y.size(0)), lengths - 1]
        mean = y.mean(1) + 1 - y.max(1)[0] * 2
        return {"all": flat, "last": last, "first": y[:, 0], "most": y[..., 1:-1], "h": h, "mean": mean}


class Steps(torch.nn.Module):
    """A cell, one step a call."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(3, 4)

    def forward(self, x: Any, state: Any = None) -> Any:
        h, c = self.cell(x, state)
        return torch.relu(h).clamp(max=0.1), (h, c)


def convolved() -> torch.nn.Module:
    class Convolved(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.taps = torch.nn.Sequential(
                torch.nn.Conv1d(3, 5, 3, padding=2, dilation=2), torch.nn.BatchNorm1d(5), torch.nn.SiLU()
            )
            self.layer = nn.RNN(5, 4, nonlinearity="relu")

        def forward(self, x: Any) -> Any:
            seen = self.taps(x.transpose(1, 2)).permute(2, 0, 1)
            y, h = self.layer(seen)
            a, b = torch.cat([y, seen], -1).chunk(2, dim=-1)
            return torch.stack([a, b[..., :4].expand(-1, -1, 4)[..., :1] * a[..., :1]][:1], 0), h.squeeze(0)

    made = Convolved()
    with torch.no_grad():
        made(torch.randn(8, 20, 3))  # statistics that are not fresh
    return made.eval()


MODULES = {
    "tagger": (Tagger(), (torch.randint(0, 20, (3, 7)), torch.tensor([7, 2, 5])), ["tokens", "lengths"]),
    "tagger with a state": (
        Tagger(),
        {"tokens": torch.randint(0, 20, (3, 7)), "lengths": torch.tensor([7, 2, 5]),
         "state": (torch.randn(4, 3, 6), torch.randn(4, 3, 6))},
        ["tokens", "lengths", "state_0", "state_1"],
    ),
    "reader": (Reader(), torch.randn(2, 5, 3), ["x"]),
    "reader with a state": (Reader(), (torch.randn(2, 5, 3), torch.randn(1, 2, 6)), ["x", "h"]),
    "reader with lengths": (
        Reader(), {"x": torch.randn(2, 5, 3), "lengths": torch.tensor([2, 5])}, ["x", "lengths"],
    ),
    "steps": (
        Steps(), (torch.randn(2, 3), (torch.randn(2, 4), torch.randn(2, 4))), ["x", "state_0", "state_1"],
    ),
    "fresh steps": (Steps(), torch.randn(2, 3), ["x"]),
    "convolved": (convolved(), torch.randn(2, 9, 3), ["x"]),
    "one row alone": (nn.GRU(3, 4), torch.randn(5, 3), ["input"]),
    "without an example": (
        torch.nn.Sequential(torch.nn.Embedding(9, 4), torch.nn.Linear(4, 4), torch.nn.Tanh()),
        None,
        ["input"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MODULES)
def test_modules(name: str, tmp_path: Any) -> None:
    module, example, inputs = MODULES[name]
    written = recurra.export_onnx(module, example, tmp_path / "module.onnx")
    assert written.difference <= 1e-5
    assert [one.name for one in onnx.load(tmp_path / "module.onnx").graph.input] == inputs


def test_the_module_stays_as_it_is() -> None:
    module = torch.nn.Sequential(torch.nn.Embedding(9, 4), torch.nn.Dropout(0.5)).train()
    recurra.export_onnx(module)
    assert module.training
    layer = torch.nn.GRU(2, 3)
    recurra.export_onnx(layer)
    assert type(layer) is torch.nn.GRU


def refusal(module: Any, example: Any = None, **more: Any) -> str:
    with pytest.raises(ConfigError) as error:
        recurra.export_onnx(module, example, **more)
    return str(error.value)


def test_what_onnx_cannot_say() -> None:
    assert refusal(nn.LSTM(3, 4, proj_size=2)) == (
        "expected a layer that ONNX has a node for, got an LSTM with proj_size=2, which ONNX's LSTM does not "
        "know. Use a smaller hidden_size in its place, and train again."
    )
    assert refusal(nn.GRU(3, 4).double()) == (
        "expected weights in float32, which ONNX Runtime's recurrent nodes compute in, got torch.float64. "
        "Convert the module: module.float()."
    )
    reset = {"input": torch.randn(5, 2, 3), "reset": torch.zeros(2, 5, dtype=torch.bool)}
    assert refusal(nn.GRU(3, 4), reset) == (
        "expected a layer without resets, which ONNX's nodes do not know, got reset. "
        "Give each part of a row as a row of its own."
    )
    assert refusal(nn.RNN(3, 4), (torch.randn(5, 2, 3), None, None, None)).startswith(
        "expected an example of RNN's arguments (input:"
    )


def test_what_has_no_form_here(tmp_path: Any) -> None:
    assert refusal(torch.nn.Sequential(torch.nn.PReLU()), torch.randn(2, 3)) == (
        "expected layers that have a form in ONNX here, got PReLU. "
        "Export the module without it, or with torch.onnx.export."
    )

    class Odd(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return torch.fft.fft(x).abs()

    assert refusal(Odd(), torch.randn(2, 3)).startswith(
        "expected operations that have a form in ONNX here, got "
    )

    class Choosing(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return x if x.sum() > 0 else -x

    assert refusal(Choosing(), torch.randn(2, 3)).startswith(
        "expected a forward of Choosing without loops and choices that look at tensors, got one that torch.fx"
    )
    assert refusal(torch.nn.Sequential(torch.nn.LayerNorm(3))) == (
        "expected an example of what Sequential is called with, got none. "
        "Give one: recurra.export_onnx(module, example)."
    )
    assert refusal(nn.GRU(2, 3), path=tmp_path / "none" / "x.onnx") == (
        f"expected to write {tmp_path}/none/x.onnx, got No such file or directory. Name another file."
    )


def test_a_graph_that_differs_is_not_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    from recurra.onnxgraph import layers  # noqa: PLC0415

    monkeypatch.setitem(layers.ORDERS, "GRU", "rzn")
    with pytest.raises(
        ExportError, match="expected ONNX Runtime to give what the model gives to 1e-05, got a"
    ):
        recurra.export_onnx(nn.GRU(3, 4), path=tmp_path / "wrong.onnx")
    assert not list(tmp_path.iterdir())


def test_difference() -> None:
    assert prove.difference([1.0, -4.0], [1.0, -4.0]) == 0
    assert prove.difference([1.0, -4.0], [1.1, -4.0]) == pytest.approx(0.025)
    assert prove.difference([1.0, np.inf, np.nan], [1.0, np.inf, np.nan]) == 0
    assert prove.difference([1.0, np.inf], [1.0, 5.0]) == np.inf
    assert prove.difference([1.0, 2.0], [1.0, np.nan]) == np.inf
    assert prove.difference([1.0], [1.0, 2.0]) == np.inf
    assert prove.difference([], []) == 0


def test_torch_export() -> None:
    """torch.export sees our layers as operators; batch and time stay free."""
    module = Reader().eval()
    batch, time = torch.export.Dim("batch", max=64), torch.export.Dim("time", max=512)
    shapes = {"x": {0: batch, 1: time}}
    program = torch.export.export(module, (torch.randn(3, 5, 3),), dynamic_shapes=shapes, strict=False)
    x = torch.randn(7, 40, 3)
    with torch.no_grad():
        for name, value in module(x).items():
            torch.testing.assert_close(program.module()(x)[name], value)
