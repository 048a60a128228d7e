"""The recogniser's network and loss, beside every way to write a text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from alignments import ctc_loss
from recurra.data.tokens import UNKNOWN
from recurra.tasks import find
from recurra.tasks.transcribe import hearing
from recurra.tasks.transcribe.config import TranscribeConfig
from recurra.tasks.transcribe.data import TranscribeData
from recurra.tasks.transcribe.features import STACK, TAIL
from recurra.tasks.transcribe.model import Batch, Recogniser
from recurra.tasks.transcribe.shape import sizes
from tones import write_tones

TASK: Any = find("transcribe")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> TranscribeData:
    found: TranscribeData = TASK.read(
        TranscribeConfig(hidden=8), write_tones(tmp_path_factory.mktemp("t") / "a")
    )
    return found


def built(data: TranscribeData, **options: Any) -> Recogniser:
    torch.manual_seed(0)
    model = TASK.build(TranscribeConfig(hidden=8, **options), data.schema)
    assert isinstance(model, Recogniser)
    return model


@pytest.mark.parametrize("cell", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("live", [True, False])
def test_chances_add_up_and_pieces_are_the_whole(data: TranscribeData, cell: str, live: bool) -> None:
    model = built(data, cell=cell, live=live).eval()
    x = torch.randn(2, 20, model.inputs)
    with torch.no_grad():
        log_p, _ = model(x, torch.tensor([20, 11]))
        assert torch.allclose(log_p.exp().sum(2), torch.ones(2, 20), atol=1e-5)
        assert log_p[..., UNKNOWN].max() < -1e3
        alone, _ = model(x[1:, :11])
        assert torch.equal(alone[0], log_p[1, :11])
        if live:
            state, found = model.fresh(2), []
            for at in range(0, 20, 3):
                some, state = model(x[:, at : at + 3], None, state)
                found.append(some)
            whole, _ = model(x)
            assert torch.equal(torch.cat(found, 1), whole)


def test_the_loss_is_minus_the_chance_of_all_ways_to_write_a_text(data: TranscribeData) -> None:
    model = built(data).eval()
    x = torch.randn(3, 4, model.inputs)
    batch = Batch(
        x,
        torch.tensor([4, 4, 3]),
        torch.tensor([[3, 3, 4], [5, 0, 0], [2, 3, 0]]),
        torch.tensor([3, 1, 2]),
    )
    log_p, _ = model(x, batch.lengths)
    expected = [
        ctc_loss(log_p[n, : batch.lengths[n]].detach().double().numpy(), batch.target[n, :many].tolist())
        for n, many in enumerate(batch.target_lengths.tolist())
    ]
    assert float(model.surprise(batch).detach()) == pytest.approx(sum(expected), rel=1e-5)
    assert float(model.loss(batch).detach()) == pytest.approx(sum(expected) / 6, rel=1e-5)


def test_the_gradient_is_that_of_float64(data: TranscribeData) -> None:
    model = built(data).eval()
    batch = Batch(
        torch.randn(1, 3, model.inputs), torch.tensor([3]), torch.tensor([[3, 4]]), torch.tensor([2])
    )
    model.loss(batch).backward()  # type: ignore[no-untyped-call]
    assert model.out.bias.grad is not None
    found = model.out.bias.grad.clone()
    expected = torch.zeros_like(found)
    with torch.no_grad():
        for n in range(len(found)):
            each = []
            for sign in (1, -1):
                model.out.bias[n] += sign * 1e-2
                log_p, _ = model(batch.x)
                each.append(ctc_loss(log_p[0].double().numpy(), [3, 4]) / 2)
                model.out.bias[n] -= sign * 1e-2
            expected[n] = (each[0] - each[1]) / 2e-2
    assert torch.allclose(found, expected, atol=2e-3)


def test_a_text_too_long_for_its_recording_has_no_say(data: TranscribeData) -> None:
    model = built(data).eval()
    batch = Batch(
        torch.randn(1, 2, model.inputs), torch.tensor([2]), torch.tensor([[3, 4, 5]]), torch.tensor([3])
    )
    loss = model.loss(batch)
    loss.backward()  # type: ignore[no-untyped-call]
    assert float(loss.detach()) == 0
    assert all(torch.isfinite(one.grad).all() for one in model.parameters() if one.grad is not None)


def test_batches_are_as_the_keys_say(data: TranscribeData) -> None:
    config = TranscribeConfig(hidden=8, seed=3)
    epoch = TASK.epoch(config, data, 2)
    seen = np.concatenate([key[:, 0] for key in epoch])
    assert sorted(seen.tolist()) == list(range(len(data.train)))
    key = np.concatenate(epoch[:6])
    once, again = TASK.batch(data, key), TASK.batch(data, key)
    assert torch.equal(once.x, again.x)
    other = TASK.batch(data, np.concatenate(TASK.epoch(config, data, 3)[:6]))
    assert other.x.shape != once.x.shape or not torch.equal(other.x, once.x)
    # What a process of several takes is what it would have been in the whole batch.
    part = TASK.batch(data, key[1::2])
    many = part.x.shape[1]
    assert torch.equal(part.x, once.x[1::2, :many])
    assert once.x.shape[2] == STACK * len(data.schema.mean)


def test_a_recording_ends_with_nothing(data: TranscribeData) -> None:
    steps = hearing.heard(data.schema, data.train.recordings.samples(0))
    assert not steps[-TAIL:].any()
    assert steps[:-TAIL].any()
    assert len(hearing.heard(data.schema, np.zeros(0, np.float32))) == TAIL


def test_sizes_grow_with_time_and_speech() -> None:
    def of(budget: float, steps: int, **options: Any) -> Any:
        config = TranscribeConfig(time_budget=budget, **options)
        return sizes(config, inputs=240, tokens=30, recordings=steps // 100, steps=steps)

    assert of(60, 80_000).hidden < of(1800, 80_000).hidden <= of(20_000, 800_000).hidden
    assert of(1800, 80_000, live=False).hidden <= of(1800, 80_000).hidden
    assert of(1e6, 80_000).passes == 200
    assert of(60, 80_000, hidden=48, layers=2, dropout=0.1).model_dump() == {
        "hidden": 48,
        "layers": 2,
        "rows": 16,
        "passes": of(60, 80_000, hidden=48, layers=2).passes,
        "dropout": 0.1,
        "otherwise": pytest.approx(0.4 * min(1, of(60, 80_000, hidden=48, layers=2).passes / 100)),
    }
    assert of(1e6, 80_000, live=False).otherwise == 1


def test_the_bundle_has_the_language_model(data: TranscribeData, tmp_path: Path) -> None:
    model = built(data)
    TASK.prepare(model, TranscribeConfig(hidden=8), data)
    for name, array in data.language.items():
        assert np.array_equal(getattr(model, f"language_{name}").numpy(), array)
