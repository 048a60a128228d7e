"""Many streams: each as if it were alone, whoever comes and goes."""

from __future__ import annotations

import random
import threading
from pathlib import Path
from typing import Any

import pytest

import recurra
from counting.task import Counting, write_numbers
from recurra.bundle import Bundle
from recurra.errors import ConfigError, DataError, PoolFull, StreamError
from recurra.stream import Stream, StreamPool


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("pool")
    numbers = write_numbers(folder / "numbers.csv")
    return recurra.fit(Counting(), numbers, out=folder / "run", steps=20, quiet=True)


class Clock:
    """Seconds that pass when they are told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("seed", range(5))
def test_any_order_of_opening_stepping_and_closing(bundle: Bundle, seed: int) -> None:
    """Beside every stream of the pool runs one of its own; they never differ."""
    rng = random.Random(seed)
    pool = StreamPool(bundle, 12)
    alone: dict[str, Stream] = {}
    for _ in range(150):
        what = rng.random()
        if what < 0.2 and len(pool) < pool.capacity:
            if alone and rng.random() < 0.3:
                twin = rng.choice(list(alone))
                name = pool.open(state=pool.state(twin))
                alone[name] = alone[twin].fork()
            else:
                alone[pool.open()] = bundle.stream()
        elif what < 0.3 and alone:
            name = rng.choice(list(alone))
            pool.close(name)
            del alone[name]
        else:
            some = rng.sample(list(alone), rng.randint(0, len(alone)))
            given = {name: {"x": rng.choice([rng.gauss(0, 1), 1e9])} for name in some}
            answers = pool.step(given)
            assert list(answers) == some
            for name, observation in given.items():
                assert same(answers[name], alone[name], observation)
        assert sorted(pool.names()) == sorted(alone)
        for name, stream in alone.items():
            assert pool.steps(name) == stream.steps
            assert pool.state(name) == stream.state()


def same(answer: Any, stream: Stream, observation: Any) -> bool:
    try:
        return bool(stream.step(observation) == answer)
    except DataError as error:
        return isinstance(answer, DataError) and str(answer) == str(error)


def test_errors_are_answers(bundle: Bundle) -> None:
    pool = StreamPool(bundle, 2)
    pool.open("a")
    answers = pool.step({"a": {"x": 1.0}, "b": {"x": 1.0}})
    assert answers["a"]["seen"] == 1
    assert isinstance(answers["b"], StreamError)
    assert str(answers["b"]) == "expected an open stream, got 'b'. Open it first."
    assert isinstance(pool.step({"a": "one"})["a"], DataError)
    assert pool.steps("a") == 1


def test_full(bundle: Bundle) -> None:
    pool = StreamPool(bundle, 2)
    pool.open("a")
    assert pool.open() == "stream-1"
    with pytest.raises(PoolFull) as error:
        pool.open()
    assert str(error.value) == ("expected a free slot, got 2 open streams. Close one, or make a larger pool.")
    pool.close("a")
    pool.open("c")
    assert len(pool) == 2
    assert "c" in pool
    assert "a" not in pool


def test_full_may_drop_who_waited_longest(bundle: Bundle) -> None:
    dropped: dict[str, bytes] = {}
    pool = StreamPool(bundle, 2, when_full="drop idle", on_drop=dropped.__setitem__)
    pool.open("a")
    pool.open("b")
    pool.step({"a": {"x": 1.0}})
    pool.step({"b": {"x": 2.0}})
    pool.step({"a": {"x": 3.0}})
    pool.open("c")
    assert pool.names() == ["a", "c"]
    alone = bundle.stream()
    alone.step({"x": 2.0})
    assert dropped == {"b": alone.state()}


def test_a_state_that_does_not_fit_takes_nobodys_place(bundle: Bundle) -> None:
    pool = StreamPool(bundle, 1, when_full="drop idle")
    pool.open("a")
    with pytest.raises(StreamError, match="got other bytes"):
        pool.open("b", b"nothing")
    with pytest.raises(StreamError, match="expected a new name, got 'a', which is open"):
        pool.open("a")
    assert pool.names() == ["a"]


def test_who_is_idle_is_closed(bundle: Bundle) -> None:
    clock = Clock()
    dropped: dict[str, bytes] = {}
    pool = StreamPool(bundle, 3, idle=10, on_drop=dropped.__setitem__, clock=clock)
    pool.open("a")
    clock.now = 4
    pool.open("b")
    pool.open("c")
    pool.step({"b": {"x": 1.0}})
    clock.now = 9
    assert pool.expire() == []
    pool.step({"a": {"x": 1.0}})
    clock.now = 14
    assert sorted(pool.expire()) == ["b", "c"]
    assert pool.names() == ["a"]
    assert sorted(dropped) == ["b", "c"]
    clock.now = 1e9
    assert StreamPool(bundle, 3, clock=clock).expire() == []


def test_it_says_what_it_takes(bundle: Bundle) -> None:
    assert StreamPool(bundle, 3).bytes_per_stream == bundle.stream().state_bytes


def test_threads_take_turns(bundle: Bundle) -> None:
    pool = StreamPool(bundle, 8)
    found: dict[str, list[Any]] = {}

    def run(number: int) -> None:
        name = pool.open(f"s{number}")
        found[name] = [pool.step({name: {"x": number + k}})[name] for k in range(40)]
        pool.close(name)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pool) == 0
    for number in range(8):
        alone = bundle.stream()
        assert found[f"s{number}"] == [alone.step({"x": number + k}) for k in range(40)]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"capacity": 0}, "expected a capacity of 1 or more, got 0. Name how many streams."),
        ({"capacity": 1, "idle": 0}, "expected idle seconds above 0, got 0. Leave it out for no limit."),
        (
            {"capacity": 1, "when_full": "wait"},
            "expected when_full to be 'refuse' or 'drop idle', got 'wait'. Name one of these.",
        ),
    ],
)
def test_mistakes(bundle: Bundle, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as error:
        StreamPool(bundle, **options)
    assert str(error.value) == words


def test_closing_twice(bundle: Bundle, tmp_path: Path) -> None:
    pool = StreamPool(bundle, 1)
    pool.close(pool.open())
    with pytest.raises(StreamError, match="expected an open stream"):
        pool.close("stream-1")
