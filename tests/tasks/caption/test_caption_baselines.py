"""What a captioner should be better than: one caption for all, any caption, the nearest picture's."""

from __future__ import annotations

import numpy as np
import pytest
import sacrebleu

from recurra.tasks.caption import baselines
from recurra.tasks.caption.baselines import Nearest, constant, looks, most_agreed, random

SOME = ["a", "man", "in", "red", "shirt", "on", "the"]


def captions(pictures: int, seed: int = 0) -> list[list[str]]:
    dice = np.random.default_rng(seed)
    return [
        [" ".join(dice.choice(SOME, dice.integers(3, 9))) for _ in range(dice.integers(1, 5))]
        for _ in range(pictures)
    ]


def pictures(many: int, side: int, noise: int, light: float = 1.0) -> np.ndarray:
    """Pictures (N, side, side, 3) uint8 of a few large patches of colour each, with the noise of a camera."""
    patches = np.random.default_rng(0).integers(20, 230, (many, 4, 4, 3))
    rows = np.arange(side) * 4 // side
    shown = light * patches[:, rows][:, :, rows]
    shown += np.random.default_rng(noise).normal(0, 8, shown.shape)
    return np.clip(shown, 0, 255).astype(np.uint8)


def as_constant(text: str, own: int, references: list[list[str]]) -> list[float]:
    """BLEU-4 to BLEU-1 of a text for all pictures but its own."""
    others = [of for n, of in enumerate(references) if n != own]
    columns = [[of[at] if at < len(of) else None for of in others] for at in range(max(map(len, others)))]
    return [
        sacrebleu.BLEU(tokenize="none", max_ngram_order=n, smooth_method="none", force=True)
        .corpus_score([text] * len(others), columns)
        .score
        for n in (4, 3, 2, 1)
    ]


@pytest.mark.parametrize("seed", range(3))
def test_the_constant_has_the_best_bleu_for_the_other_pictures(seed: int) -> None:
    references = captions(12, seed)
    found = constant(references, 0)
    scores = {(n, text): as_constant(text, n, references) for n, of in enumerate(references) for text in of}
    ours = max(score for (_, text), score in scores.items() if text == found)
    assert ours == pytest.approx(max(scores.values()), abs=1e-9)
    assert ours[0] > 0


def test_the_constant_counts_runs_that_come_again_as_often_as_the_references_have_them() -> None:
    references = [["dog dog dog dog"], ["dog"], ["a cat dog dog"], ["cat dog"], ["dog cat"]]
    picture, text = np.arange(5), [of[0].split() for of in references]
    found = baselines._as_constants(text, picture)
    by_hand = [as_constant(of[0], n, references)[::-1] for n, of in enumerate(references)]
    np.testing.assert_allclose(100 * found, by_hand, rtol=0, atol=1e-9)


def test_the_constant_of_few_pictures_is_one_of_their_captions(monkeypatch: pytest.MonkeyPatch) -> None:
    assert constant([["b c", "a b"]], 0) == "a b"
    assert constant([["x"], ["a dog"], ["the dog"]], 0) in ("a dog", "the dog")
    assert constant([["..."], [""]], 0) == ""
    monkeypatch.setattr(baselines, "MOST", 5)
    some = captions(30)
    found = {constant(some, seed) for seed in range(8)}
    assert len(found) > 1
    assert found <= {text for of in some for text in of}
    assert constant(some, 1) == constant(some, 1)


def test_any_caption_is_drawn_by_the_seed() -> None:
    some = captions(10)
    found = random(some, 500, 0)
    assert set(found) == {text for of in some for text in of}
    assert found == random(some, 500, 0) != random(some, 500, 1)


def test_the_caption_of_a_picture_is_the_one_that_the_others_share() -> None:
    assert (
        most_agreed(["a cat", "A dog runs on grass.", "a dog runs", "dog on grass"]) == "A dog runs on grass."
    )
    assert most_agreed(["only this"]) == "only this"
    assert most_agreed(["", "..."]) == ""


@pytest.mark.parametrize("side", [32, 45, 128, 300])
def test_the_nearest_picture_looks_most_alike(side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    shown, again = pictures(40, side, noise=1), pictures(40, side, noise=2, light=0.9)
    some = [[f"picture {n}", f"this is picture {n}", "something else"] for n in range(40)]
    seen = looks(again)
    nearest = Nearest(looks(shown), some)
    found = nearest.captions(seen)
    assert found == [f"picture {n}" for n in range(40)]
    # However many are in memory at once.
    monkeypatch.setattr(baselines, "CHUNK", 100)
    np.testing.assert_allclose(looks(again), seen, atol=1e-5)
    assert nearest.captions(seen) == found


def test_looks_are_colours_as_they_seem_and_edges() -> None:
    flat = np.zeros((3, 32, 32, 3), dtype=np.uint8)
    flat[1], flat[2] = 255, (255, 0, 0)
    found = looks(flat)
    assert (found.shape, found.dtype) == ((3, 8 * 8 * 5), np.float32)
    # Oklab of black, white and red.
    colour = found[:, : 8 * 8 * 3].reshape(3, 64, 3)
    expected = [[0, 0, 0], [1, 0, 0], [0.62796, 0.22486, 0.12585]]
    np.testing.assert_allclose(colour, np.repeat(np.array(expected)[:, None], 64, 1), atol=1e-4)
    np.testing.assert_allclose(found[:, 8 * 8 * 3 :], 0, atol=1e-3)
    stripes = np.zeros((1, 32, 32, 3), dtype=np.uint8)
    stripes[:, :, ::4] = 255
    across, down = np.split(looks(stripes)[0, 8 * 8 * 3 :], 2)
    assert across.min() > 0.1
    assert down.max() < 1e-3
    assert looks(flat[:0]).shape == (0, 8 * 8 * 5)


def test_pictures_that_are_all_alike_have_a_nearest() -> None:
    same = looks(np.zeros((3, 32, 32, 3), dtype=np.uint8))
    assert Nearest(same, [["a"], ["b"], ["c"]]).captions(same) == ["a", "a", "a"]
    assert Nearest(same[:1], [["a"]]).captions(same[:0]) == []
