"""What is written is what the model foretells, comes as it is written, and is the same for the same seed."""

from __future__ import annotations

from itertools import chain, islice
from typing import Any

import numpy as np
import pytest
import torch
from language_models import schema, small

from recurra.data.documents import Borders
from recurra.data.tokens import BORDER, BYTES, FIRST, Tokens
from recurra.decode.sampling import Sampler, Sampling
from recurra.errors import ConfigError, EngineError
from recurra.nn.recurrent import Recurrent
from recurra.tasks.language.model import LanguageModel
from recurra.tasks.language.schema import Schema
from recurra.tasks.language.stepping import GroupedTable, Layers, Steppers, stepping, table
from recurra.tasks.language.writing import sample, until, write_on

CELLS = ["RNN", "GRU", "LSTM"]
LIKELIEST = Sampling(temperature=0)


def decided(cell: str, groups: tuple[int, ...] = ()) -> LanguageModel:
    """A model of ten characters whose chances are far from equal."""
    model = small(cell, groups=groups)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(4)
    return model


def of(tokens: Tokens, documents: Any = "file", **shape: Any) -> tuple[LanguageModel, Schema]:
    """A fresh model of other tokens."""
    made = schema()
    made = made.model_copy(
        update={
            "tokens": tokens,
            "documents": documents,
            "shape": made.shape.model_copy(update=shape),
        }
    )
    torch.manual_seed(0)
    return LanguageModel(made, "GRU"), made


def all_foretold(model: LanguageModel, read: Any) -> Any:
    """(T, V) logarithms of the chances after each of the tokens, read at once; real tokens alone."""
    model.eval()
    with torch.no_grad():
        found, _ = model.log_probabilities(torch.as_tensor(np.asarray(read, dtype=np.int64))[:, None])
    z = found[:, 0].numpy()
    z[:, :2] = -np.inf
    return z


def foretold(model: LanguageModel, read: Any) -> Any:
    """(V,) of them, after the last."""
    return all_foretold(model, read)[-1]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("groups", [(), (5, 8, 12)])
@pytest.mark.parametrize("prompt", ["", "abba\nhi", "a" * 1200])
def test_step_by_step_it_is_the_model_over_the_whole_text(
    cell: str, groups: tuple[int, ...], prompt: str
) -> None:
    model, tokens = decided(cell, groups), schema(groups=groups).tokens
    written = "".join(write_on(model, schema(groups=groups), prompt, LIKELIEST, 25))
    read = [BORDER, *tokens.encode(prompt + written)]
    expected = all_foretold(model, read).argmax(1)[len(prompt) : -1]
    assert tokens.encode(written).tolist() == expected.tolist()
    assert len(written) == 25


@pytest.mark.parametrize("cell", CELLS)
def test_without_the_core_the_layers_write_the_same(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = decided(cell)
    state = model(torch.tensor([[BORDER]]))[1]
    assert isinstance(stepping(model, state), Steppers)
    expected = "".join(write_on(model, schema(), "ab", Sampling(0.7), 60, 5))

    def cannot(self: Any, weights: str = "exact") -> Any:
        raise EngineError("not here")

    monkeypatch.setattr(Recurrent, "stepper", cannot)
    assert isinstance(stepping(model, state), Layers)
    assert "".join(write_on(model, schema(), "ab", Sampling(0.7), 60, 5)) == expected
    model.double()
    assert len("".join(write_on(model, schema(), "ab", Sampling(0.7), 60, 5))) == 60


def test_the_same_seed_the_same_text() -> None:
    model = decided("LSTM")
    first, again, other = (
        "".join(write_on(model, schema(), "ab", length=80, seed=seed)) for seed in (1, 1, 2)
    )
    assert first == again != other
    assert sample(model, schema(), 40) == sample(model, schema(), 40)


def test_it_leaves_the_model_and_the_dice_as_they_were() -> None:
    model = decided("GRU").train()
    before = torch.random.get_rng_state()
    text = "".join(write_on(model, schema(), length=30))
    assert model.training
    assert torch.random.get_rng_state().equal(before)
    assert "".join(write_on(model.eval(), schema(), length=30)) == text


@pytest.mark.parametrize("options", [{}, {"temperature": 0.5}, {"top_k": 8}, {"penalty": 1.4}])
def test_groups_are_drawn_from_by_the_chances_of_their_tokens(options: dict[str, Any]) -> None:
    model = decided("GRU", (5, 8, 12))
    z = foretold(model, [BORDER, 3, 9])
    chances = Sampler(Sampling(**options))
    words = table(model.words, Sampler(Sampling(**options), 1))
    assert isinstance(words, GroupedTable)
    y = model(torch.tensor([[BORDER], [3], [9]]))[0][-1, 0].detach().numpy()
    for sampler in (chances, words._sampler):
        sampler.see((3, 9))
    many = 8_000
    draws, expected = [], []
    for _ in range(many):
        for sampler in (chances, words._sampler):
            sampler.see((3, 9) * 32)  # all of the window
        draws.append(words.draw(y))
        expected.append(chances(z))
    found, wanted = (np.bincount(one, minlength=12) / many for one in (draws, expected))
    assert not found[:2].any()
    assert np.abs(found - wanted).max() < 4 * np.sqrt(2 * 0.25 / many)


def test_vectors_of_grouped_tokens() -> None:
    model = decided("GRU", (5, 8, 12))
    words = table(model.words, Sampler(Sampling()))
    for number in range(12):
        expected = model.words.embed(torch.tensor([number]))[0].detach().numpy()
        np.testing.assert_allclose(words.vector(number), expected, rtol=1e-6)


def test_text_comes_as_soon_as_it_is_certain() -> None:
    pieces = write_on(decided("GRU"), schema(), length=10**12)
    assert [len(piece) for piece in islice(pieces, 40)] == [1] * 40

    model, made = of(Tokens(unit="bytes", tokens=(*FIRST, *BYTES)))
    written = list(write_on(model, made, "né", length=400, seed=3))
    assert "".join(written).isprintable() or "\ufffd" in "".join(written)
    assert 1 < len(written) < 401
    assert all(written)


def test_words_follow_the_prompt_after_a_space() -> None:
    model, made = of(Tokens(unit="words", tokens=(*FIRST, "\n", "the", "cat", "sat")))
    for prompt, begins in (
        ("the cat", (" ", "\n")),
        ("the cat ", ("the", "cat", "sat", "\n")),
        ("the cat\n", ("the", "cat", "sat", "\n")),
    ):
        written = "".join(write_on(model, made, prompt, length=40))
        assert written.startswith(begins)
        assert made.tokens.encode(prompt + written).tolist()[:2] == [3, 4]
        assert len(made.tokens.encode(prompt + written)) == 40 + len(made.tokens.encode(prompt))


@pytest.mark.parametrize(("documents", "ends"), [("line", 1), ("blank", 2)])
def test_after_the_end_of_a_document_it_begins_anew(documents: Any, ends: int) -> None:
    model, made = of(schema().tokens, documents)
    with torch.no_grad():
        model.words.biases[0][made.tokens.newline] += 4
    for prompt in ("", "ab", "ab" + "\n" * ends, "ab" + "\n" * ends + "c"):
        written = "".join(write_on(model, made, prompt, length=40, seed=1))
        lines = (prompt + written).split("\n" * ends)
        assert len(lines) > 3
        # Each document alone, after a border, gives the chances that its tokens were drawn by.
        sampler, numbers = Sampler(Sampling(), 1), made.tokens.encode(prompt + written)
        for at in range(len(prompt), len(numbers)):
            begun = Borders(documents, made.tokens.newline).put(numbers[:at])
            run = numbers[max(0, at - ends) : at] == made.tokens.newline
            ended = len(begun) == 0 or (len(run) == ends and run.all())
            assert sampler(foretold(model, [BORDER] if ended else begun)) == numbers[at]


def test_it_ends_before_the_text_that_it_is_to_stop_at() -> None:
    model = decided("LSTM")
    whole = "".join(write_on(model, schema(), length=3000, seed=7))
    stop = whole[100:103]
    pieces = list(write_on(model, schema(), length=3000, seed=7, stop=stop))
    assert "".join(pieces) == whole[: whole.index(stop)]
    assert "".join(write_on(model, schema(), length=50, seed=7, stop="zz")) == whole[:50]


def test_no_more_is_held_back_than_may_be_the_end() -> None:
    assert list(until(["a", "b", "ab", "x", "abc", "d"], "abcd")) == ["ab", "abx"]
    assert list(until(["ab", "c"], "abcd")) == ["abc"]
    assert list(until(["aabaab", "aac!"], "aabaac")) == ["aab"]
    seen: list[str] = []
    heard = until((seen.append(piece) or piece for piece in chain("xyz", ["\n"], "more")), "\n")  # type: ignore[func-returns-value]
    assert "".join(heard) == "xyz"
    assert seen == ["x", "y", "z", "\n"]


def test_a_prompt_of_bytes_is_text() -> None:
    model = decided("GRU")
    text = ["".join(write_on(model, schema(), prompt, length=20)) for prompt in ("ab\nc", b"ab\r\nc")]
    assert text[0] == text[1]


def test_mistakes_are_told_at_once() -> None:
    with pytest.raises(ConfigError, match=r"^expected a length of 0 or more tokens, got -1\. Give another"):
        write_on(small("GRU"), schema(), length=-1)
    with pytest.raises(ConfigError, match=r"^expected some characters to stop at, got none\. Give some, or"):
        write_on(small("GRU"), schema(), stop="")
    assert list(write_on(small("GRU"), schema(), length=0)) == []
