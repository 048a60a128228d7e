"""Checkpoints: what comes back, what is refused, what happens when one is damaged."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import recurra
from counting.task import Counting, write_numbers
from recurra.errors import CheckpointError, ConfigError, DataError, TrainingError
from recurra.train import checkpoint
from recurra.train.checkpoint import Checkpoint
from recurra.train.tree import pack, unpack


@pytest.fixture(scope="module")
def stopped(numbers: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that failed on its last batch but one, with two checkpoints."""
    out = tmp_path_factory.mktemp("stopped") / "run"

    class Failing(Counting):
        def loss(self, model: Any, batch: Any, carry: Any) -> Any:
            self.calls = getattr(self, "calls", 0) + 1
            if self.calls > 20:
                raise TrainingError("enough")
            return super().loss(model, batch, carry)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("recurra.train.loop.CHECKPOINT_SECONDS", 0.0)
        patch.setattr("recurra.train.loop.CHECKPOINT_SHARE", 1e9)
        with pytest.raises(TrainingError, match="enough"):
            recurra.fit(Failing(), numbers, out=out, quiet=True)
    assert [path.name for path in sorted((out / "checkpoint").iterdir())] == [
        "step-000000019",
        "step-000000020",
    ]
    return out


@pytest.fixture
def run(stopped: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(stopped, tmp_path / "run"))


def flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position % len(content)] ^= 1 << position % 8
    path.write_bytes(content)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_change_is_noticed(stopped: Path, data: st.DataObject) -> None:
    """Every byte of both files counts, and so does their length."""
    folder = stopped.parent / "changed"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(stopped / "checkpoint" / "step-000000020", folder)
    path = folder / data.draw(st.sampled_from(["state.json", "tensors.safetensors"]))
    size = path.stat().st_size
    if data.draw(st.booleans()):
        flip(path, data.draw(st.integers(0, size - 1)))
    else:
        path.write_bytes(path.read_bytes()[: data.draw(st.integers(0, size - 1))])
    with pytest.raises(CheckpointError, match=f"^{folder} (is|cannot be)"):
        checkpoint.read(folder)


@pytest.mark.parametrize("name", ["state.json", "tensors.safetensors"])
def test_a_damaged_one_gives_way_to_the_one_before(
    numbers: Path, run: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    flip(run / "checkpoint" / "step-000000020" / name, 1000)
    recurra.fit(Counting(), numbers, out=run, resume=True)
    told = capsys.readouterr().err
    assert "step-000000020 is damaged: " in told
    assert "The one before it is used." in told
    assert "resuming at step 19 of 60" in told


def test_all_damaged(numbers: Path, run: Path) -> None:
    for path in (run / "checkpoint").glob("*/state.json"):
        path.write_bytes(b"")
    with pytest.raises(
        CheckpointError, match=r"expected a whole checkpoint in .*, got 2 damaged: .* with --overwrite."
    ):
        recurra.fit(Counting(), numbers, out=run, resume=True, quiet=True)


def test_a_newer_one_is_refused_by_its_number(run: Path) -> None:
    state = run / "checkpoint" / "step-000000020" / "state.json"
    state.write_text(state.read_text().replace('"format": 1', '"format": 7'))
    with pytest.raises(CheckpointError, match="is of format 7, newer than the 1 that this version reads"):
        checkpoint.read(state.parent)


def test_a_disk_that_refuses(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        CheckpointError, match=r"expected room for a checkpoint of 0.0 MB in .*, got Not a directory"
    ):
        checkpoint.save(tmp_path / "file" / "checkpoint", 1, Checkpoint({"x": torch.ones(2)}, {}))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"hidden": 7},
            "expected hidden=6 as this run was started, got 7. Give what it was started with, or start",
        ),
        ({"names": ["a"]}, r"expected names=\[\] as this run was started, got \['a'\]"),
        ({"time_budget": "5m"}, "expected time_budget=600.0 as this run was started, got 300.0"),
    ],
)
def test_other_options_are_refused(numbers: Path, run: Path, options: dict[str, Any], text: str) -> None:
    with pytest.raises(CheckpointError, match=text):
        recurra.fit(Counting(), numbers, out=run, resume=True, quiet=True, **options)


def test_other_data_are_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(
        CheckpointError, match=r"expected data with sha256 [0-9a-f]{12}… as this run was started, got da"
    ):
        recurra.fit(Counting(), write_numbers(tmp_path / "n.csv", seed=1), out=run, resume=True, quiet=True)


def test_another_task_and_another_plan_are_refused(numbers: Path, run: Path) -> None:
    class Other(Counting):
        name = "other"

    with pytest.raises(
        CheckpointError, match="expected the task counting as this run was started, got the task other"
    ):
        recurra.fit(Other(), numbers, out=run, resume=True, quiet=True)

    class Longer(Counting):
        def plan(self, config: Any, data: Any) -> Any:
            return super().plan(config.model_copy(update={"steps": 61}), data)

    with pytest.raises(
        CheckpointError, match=r"expected the plan {'steps': 60, .* got the plan {'steps': 61"
    ):
        recurra.fit(Longer(), numbers, out=run, resume=True, quiet=True)


def test_what_already_stands_is_not_overwritten_unasked(numbers: Path, run: Path, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"expected a new folder, got .* which holds an unfinished run. Add --resume"
    ):
        recurra.fit(Counting(), numbers, out=run, quiet=True)
    with pytest.raises(ConfigError, match="expected --resume or --overwrite, got both"):
        recurra.fit(Counting(), numbers, out=run, quiet=True, resume=True, overwrite=True)
    bundle = recurra.fit(Counting(), numbers, out=run, quiet=True, overwrite=True, steps=5)
    with pytest.raises(ConfigError, match="which holds a bundle"):
        recurra.fit(Counting(), numbers, out=run, quiet=True)
    with pytest.raises(DataError, match="expected a file of numbers, got nothing"):
        recurra.fit(Counting(), tmp_path / "absent.csv", out=run, quiet=True, overwrite=True)
    again = recurra.fit(Counting(), numbers, out=run, quiet=True, resume=True, steps=5)
    assert again.record == bundle.record
    with pytest.raises(CheckpointError, match="expected steps=5 as this run was started, got 6"):
        recurra.fit(Counting(), numbers, out=run, quiet=True, resume=True, steps=6)
    with pytest.raises(
        ConfigError, match=r"expected a folder to write to, got .*numbers.csv/x \(Not a directory\)"
    ):
        recurra.fit(Counting(), numbers, out=numbers / "x", quiet=True)


def test_two_runs_in_one_folder(numbers: Path, tmp_path: Path) -> None:
    class Nested(Counting):
        def read(self, config: Any, source: Any, schema: Any = None) -> Any:
            recurra.fit(Counting(), source, out=tmp_path / "run", quiet=True)

    with pytest.raises(
        ConfigError, match=r"expected a folder that no other run uses, got .*run. Wait for that run"
    ):
        recurra.fit(Nested(), numbers, out=tmp_path / "run", quiet=True)


def test_random_numbers_go_on_where_they_were() -> None:
    # Each keeps a second number for the next call.
    random.gauss(0, 1), np.random.standard_normal()  # noqa: NPY002
    saved = checkpoint.random_state()

    def draw() -> Any:
        return (
            torch.rand(3).tolist(),
            np.random.standard_normal(3).tolist(),  # noqa: NPY002
            random.gauss(0, 1),
            random.random(),
        )

    expected = draw()
    checkpoint.set_random_state(*saved)
    assert draw() == expected


leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.just(torch.arange(3))
)
trees = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text() | st.integers(), inner)
    ),
    max_leaves=8,
)


@given(trees)
def test_trees_come_back(tree: Any) -> None:
    tensors: dict[str, torch.Tensor] = {}
    assert repr(unpack(pack(tree, "carry", tensors), tensors)) == repr(tree)
