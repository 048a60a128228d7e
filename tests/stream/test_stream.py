"""One stream: the bits of the whole sequence, in constant memory, from any state again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

import recurra
from counting.task import Counting, write_numbers
from recurra.bundle import Bundle
from recurra.errors import ConfigError, DataError, StreamError


def fit(folder: Path, seed: int = 0) -> Bundle:
    numbers = write_numbers(folder / "numbers.csv")
    return recurra.fit(Counting(), numbers, out=folder / f"run{seed}", steps=20, seed=seed, quiet=True)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return fit(tmp_path_factory.mktemp("stream"))


@pytest.fixture(scope="module")
def numbers(bundle: Bundle) -> np.ndarray:
    return np.loadtxt(bundle.path.parent / "numbers.csv", delimiter=",")


def test_it_says_what_the_whole_sequence_says(bundle: Bundle, numbers: np.ndarray) -> None:
    whole = bundle.predict(bundle.path.parent / "numbers.csv")["sum"].to_list()
    for row, expected in zip(numbers, whole, strict=True):
        stream = bundle.stream()
        answers = [stream.step({"x": x}) for x in row]
        assert answers[-1]["sum"] == expected
        assert stream.steps == len(row) == answers[-1]["seen"]


def test_its_state_goes_on_elsewhere(bundle: Bundle, numbers: np.ndarray) -> None:
    stream, row = bundle.stream(), numbers[0]
    for x in row[:5]:
        stream.step({"x": x})
    saved = stream.state()
    rest = [stream.step({"x": x}) for x in row[5:]]

    other = recurra.load(bundle.path, Counting()).stream()
    other.step({"x": 3.0})
    other.restore(saved)
    assert other.steps == 5
    assert [other.step({"x": x}) for x in row[5:]] == rest
    assert len(saved) == len(bundle.stream().state())
    assert stream.state_bytes == bundle.stream().state_bytes


def test_a_fork_goes_its_own_way(bundle: Bundle, numbers: np.ndarray) -> None:
    stream, row = bundle.stream(keep=2), numbers[1]
    for x in row[:4]:
        stream.step({"x": x})
    fork = stream.fork()
    fork.step({"x": 9.0})
    again = bundle.stream()
    expected = [again.step({"x": x}) for x in row]
    assert [stream.step({"x": x}) for x in row[4:]] == expected[4:]
    fork.rewind(2)
    assert fork.steps == 3
    assert fork.step({"x": row[3]}) == expected[3]


def test_rewind(bundle: Bundle, numbers: np.ndarray) -> None:
    stream, row = bundle.stream(keep=3), numbers[2]
    answers = [stream.step({"x": x}) for x in row]
    stream.rewind(3)
    assert [stream.step({"x": x}) for x in row[-3:]] == answers[-3:]
    stream.rewind(1)
    stream.rewind(1)
    assert stream.steps == len(row) - 2
    stream.rewind(0)
    assert stream.step({"x": row[-2]}) == answers[-2]
    with pytest.raises(ConfigError) as error:
        stream.rewind(3)
    assert str(error.value) == (
        "expected to go back by 0 to 2 steps, which are kept, got 3. Keep more with Bundle.stream(keep=...)."
    )
    stream.rewind()
    assert stream.steps == 0
    assert [stream.step({"x": x}) for x in row] == answers


@pytest.mark.parametrize("observation", [{"x": 1e7}, {"y": 1.0}, 3.0, {"x": float("nan")}])
def test_what_cannot_be_read_changes_nothing(bundle: Bundle, observation: object) -> None:
    stream = bundle.stream(keep=4)
    stream.step({"x": 1.0})
    before = stream.state()
    with pytest.raises(DataError, match="expected"):
        stream.step(observation)
    assert stream.state() == before
    stream.rewind(1)
    assert stream.steps == 0


def test_states_that_do_not_fit(bundle: Bundle, tmp_path: Path) -> None:
    stream = bundle.stream()
    stream.step({"x": 1.0})
    saved, foreign = stream.state(), fit(tmp_path, seed=1).stream().state()
    tensors = safetensors.torch.load(saved)
    about = {"format": 1, "task": "counting", "bundle": bundle.record["seal"], "steps": 1}
    wide = tensors | {"h0": tensors["h0"].double()}

    def written(state: dict[str, torch.Tensor], **other: object) -> bytes:
        return safetensors.torch.save(state, {"recurra stream": json.dumps(about | other)})

    for content, words in {
        foreign: "expected a state of this bundle",
        b"": "expected the state of a stream, got other bytes",
        b"\xff" * 40: "expected the state of a stream, got other bytes",
        safetensors.torch.save(tensors): "expected the state of a stream, got other bytes",
        safetensors.torch.save(tensors, {"recurra stream": "7"}): "expected a state of format 1, got None",
        saved[:-1]: "got a damaged one",
        written({"h0": tensors["h0"]}): "expected the parts of this bundle's states",
        written(wide): "expected the parts of this bundle's states",
        written(tensors, steps="many"): "got a damaged one",
        written(tensors, format=2): "expected a state of format 1, got 2",
    }.items():
        before = stream.state()
        with pytest.raises(StreamError, match=words):
            stream.restore(content)
        assert stream.state() == before


def test_what_it_is_called(bundle: Bundle) -> None:
    stream = bundle.stream()
    assert repr(stream) == f"<Stream of counting: 0 steps, {stream.state_bytes} bytes>"
    with pytest.raises(ConfigError, match="expected keep to be 0 or more, got -1"):
        bundle.stream(keep=-1)


def test_random_numbers_are_left_alone(bundle: Bundle) -> None:
    state = torch.get_rng_state()
    bundle.stream().step({"x": 1.0})
    assert torch.equal(torch.get_rng_state(), state)
