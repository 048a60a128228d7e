"""What the loop does on the small task: learn, stop where it should, say what went wrong."""

from __future__ import annotations

import json
import os
import random
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import recurra
from counting.task import Counting
from recurra.errors import ConfigError, Stopped, TrainingError
from recurra.tasks import TASKS
from recurra.train import checkpoint, loop


def fit(numbers: Path, out: Path, task: Any = None, **options: Any) -> recurra.Bundle:
    return recurra.fit(task or Counting(), numbers, out=out, quiet=True, **options)


def log(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def test_it_learns(numbers: Path, tmp_path: Path) -> None:
    """Sums of 12 numbers vary by 12 at their end; what learns nothing stays near the mean square."""
    bundle = fit(numbers, tmp_path / "run", steps=300, hidden=8)
    ours, zero = (score["metrics"]["mse"] for score in bundle.record["scores"])
    assert ours < 0.1 * zero


@pytest.mark.parametrize("ema", [None, 0.9])
def test_the_best_weights_are_kept(numbers: Path, tmp_path: Path, ema: float | None) -> None:
    bundle = fit(numbers, tmp_path / "run", ema=ema)
    valid = [entry["valid"] for entry in log(tmp_path / "run") if "valid" in entry]
    assert len(valid) == 60 // 7 + 1
    assert bundle.evaluate(numbers).scores[0].metrics["mse"] == min(valid)


def test_early_stopping(numbers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Worse(Counting):
        def validate(self, model: Any, data: Any) -> float:
            self.calls = getattr(self, "calls", 0) + 1
            return float(self.calls)

    recurra.fit(Worse(), numbers, out=tmp_path / "run", patience=3)
    assert log(tmp_path / "run")[-1]["step"] == 4 * 7
    told = capsys.readouterr().err
    assert "trained 28 steps" in told
    assert "no better validation loss 3 times in a row; best validation loss 1 at step 7" in told


def test_the_time_budget_ends_it_and_says_so(
    numbers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recurra.fit(Counting(), numbers, out=tmp_path / "run", steps=10**6, time_budget="0.3s")
    assert "the time budget of 0.3 s ran out, 1000000 steps were planned" in capsys.readouterr().err
    assert "valid" in log(tmp_path / "run")[-1]


def test_preparing_the_model_is_told_and_not_done_again(
    numbers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "TOLD_SECONDS", 0.0)
    prepared = []

    class Interrupted(Counting):
        def prepare(self, model: Any, config: Any, data: Any) -> None:
            prepared.append(config)
            super().prepare(model, config, data)

        def validate(self, model: Any, data: Any) -> float:
            if len(prepared) == 1 and not stopped:
                stopped.append(os.kill(os.getpid(), signal.SIGTERM))
            return super().validate(model, data)

    stopped: list[None] = []
    whole = recurra.fit(Counting(), numbers, out=tmp_path / "whole")
    assert "prepared the model in 0 s" in capsys.readouterr().err
    with pytest.raises(Stopped):
        recurra.fit(Interrupted(), numbers, out=tmp_path / "run")
    assert "prepared the model in 0 s" in capsys.readouterr().err
    resumed = recurra.fit(Interrupted(), numbers, out=tmp_path / "run", resume=True)
    assert "prepared" not in capsys.readouterr().err
    assert len(prepared) == 1
    for name, weight in whole.model.state_dict().items():
        assert torch.equal(weight, resumed.model.state_dict()[name]), name


def test_a_loss_that_is_not_finite_names_its_batch(numbers: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError) as error:
        fit(numbers, tmp_path / "run", poison=3)
    text = str(error.value)
    assert text.startswith("expected a finite loss, got inf at step ")
    assert "batch " in text
    assert text.endswith(f"the last good state is in {tmp_path}/run/checkpoint.")
    assert "Look at that batch or lower the learning rate" in text
    assert list((tmp_path / "run" / "checkpoint").glob("step-*"))


def test_a_gradient_that_is_not_finite(numbers: Path, tmp_path: Path) -> None:
    class Steep(Counting):
        def loss(self, model: Any, batch: Any, carry: Any) -> Any:
            weight = next(model.parameters())
            return (weight - weight.detach()).abs().sqrt().sum(), None

    with pytest.raises(
        TrainingError, match="expected a finite gradient, got norm nan at step 0, batch 0 of epoch 0"
    ):
        fit(numbers, tmp_path / "run", Steep())


def test_validation_that_is_never_finite(numbers: Path, tmp_path: Path) -> None:
    class Blind(Counting):
        def validate(self, model: Any, data: Any) -> float:
            return float("nan")

    with pytest.raises(
        TrainingError, match="expected a finite validation loss at least once in 60 steps, got none"
    ):
        fit(numbers, tmp_path / "run", Blind())


def test_an_epoch_without_batches(numbers: Path, tmp_path: Path) -> None:
    class Empty(Counting):
        def epoch(self, config: Any, data: Any, epoch: int) -> list[Any]:
            return []

    with pytest.raises(TrainingError, match=r"expected at least 1 batch in epoch 0, got 0. Give more data."):
        fit(numbers, tmp_path / "run", Empty())


def test_a_carried_state_that_cannot_be_saved(
    numbers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Odd(Counting):
        def loss(self, model: Any, batch: Any, carry: Any) -> Any:
            return super().loss(model, batch, None)[0], {"state": {1, 2}}

    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    with pytest.raises(
        TrainingError, match=r"lists, tuples of them in carry.state, got set. Return one of these"
    ):
        fit(numbers, tmp_path / "run", Odd())


def test_the_carried_state_starts_anew_with_each_epoch_and_holds_no_graph(
    numbers: Path, tmp_path: Path
) -> None:
    seen = []

    class Watched(Counting):
        def loss(self, model: Any, batch: Any, carry: Any) -> Any:
            seen.append(carry)
            return super().loss(model, batch, carry)

    fit(numbers, tmp_path / "run", Watched(), steps=8)
    assert [carry is None for carry in seen] == [i % 6 == 0 for i in range(8)]
    assert not any(carry["state"].requires_grad for carry in seen if carry)


def test_the_callers_random_numbers_are_left_alone(numbers: Path, tmp_path: Path) -> None:
    def draws() -> Any:
        return torch.rand(3).tolist(), np.random.rand(3).tolist(), random.random()  # noqa: NPY002

    before = checkpoint.random_state()
    expected = draws()
    checkpoint.set_random_state(*before)
    fit(numbers, tmp_path / "run", steps=5)
    assert draws() == expected


def test_other_data_and_other_seeds_give_other_weights(numbers: Path, tmp_path: Path) -> None:
    weights = [
        fit(numbers, tmp_path / str(seed), steps=5, seed=seed).path / "weights.safetensors" for seed in (0, 1)
    ]
    assert weights[0].read_bytes() != weights[1].read_bytes()


def test_options_that_make_no_sense(numbers: Path, tmp_path: Path) -> None:
    for options, text in {
        (("hidden", -2),): "expected hidden to be greater than 0, got -2. Give another hidden.",
        (("hiden", 4),): "expected an option of the task, got 'hiden'. Did you mean hidden?",
        (
            ("time_budget", "soon"),
        ): "expected a time such as 90s, 10m or 1h, got 'soon'. Give one of this form.",
    }.items():
        with pytest.raises(ConfigError) as error:
            fit(numbers, tmp_path / "run", **dict(options))
        assert str(error.value) == text
    with pytest.raises(
        ConfigError, match=r"expected an option of the task, got 'x'. There are seed, time_budget, hid"
    ):
        fit(numbers, tmp_path / "run", x=4)
    with pytest.raises(
        ConfigError,
        match=f"expected a task among {', '.join(TASKS)}, got 'forecats'. Name one of these.",
    ):
        recurra.fit("forecats", numbers, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
