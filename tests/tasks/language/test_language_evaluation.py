"""Evaluation: the methods beside one another, intervals, and what the words say."""

import numpy as np
import pytest

from recurra.data.tokens import BORDER
from recurra.decode import kneser_ney
from recurra.tasks.language.comparison import block_length, interval, resampled
from recurra.tasks.language.config import LanguageConfig
from recurra.tasks.language.data import read_corpus, read_later
from recurra.tasks.language.evaluate import evaluate, judged

WORDS = [
    "the",
    "a",
    "cat",
    "dog",
    "sees",
    "hears",
    "runs",
    "and",
    "or",
    "red",
    "old",
    "fast",
    "here",
    "there",
]
KNESER_NEY = "Kneser-Ney 5-gram"


def prose(lines, seed=0, words=WORDS):
    """Lines in which each word depends on the one before it."""
    rng = np.random.default_rng(seed)
    likely = np.random.default_rng(5).dirichlet(np.full(len(words), 0.3), len(words))
    found, at = [], 0
    for _ in range(lines):
        line = []
        for _ in range(rng.integers(3, 12)):
            at = int(rng.choice(len(words), p=likely[at]))
            line.append(words[at])
        found.append(" ".join(line) + "\n")
    return "".join(found)


@pytest.fixture(name="read", scope="module")
def _read(tmp_path_factory):
    """A text as it is read to fit a model on it."""

    def read(text=None, *, lines=1500, **options):
        path = tmp_path_factory.mktemp("text") / "text.txt"
        path.write_text(text or prose(lines), encoding="utf-8")
        return read_corpus(LanguageConfig(**({"unit": "words", "test": 0.2} | options)), path)

    return read


def uniform(data):
    """Nats of a model that takes every token for equally likely."""
    _, tokens = judged(data)
    return np.where(tokens[1:] == BORDER, 0.0, np.log(len(data.schema.tokens)))


def nats(data, method=KNESER_NEY, order=None):
    """What a baseline finds."""
    found = evaluate({"Recurra": uniform(data)}, data, order=order, resamples=10).detail.methods
    return next(one.nats for one in found if one.name == method)


def varied(one, by, spread, seed=0):
    """Nats that are `by` more on average, some more and some less."""
    return one + by + np.random.default_rng(seed).normal(size=one.shape) * spread


def bench(data, found, **options):
    return evaluate({"Recurra": found}, data, **({"resamples": 400} | options))


def test_a_model_that_wins_is_said_to_win(read):
    data = read()
    found = bench(data, varied(nats(data), -0.2, 0.3))
    assert [score.method for score in found.scores] == ["Recurra", "Unigram", KNESER_NEY]
    assert found.words[0].startswith("The model is better than every baseline here: perplexity ")
    assert f" of the best of them, {KNESER_NEY} (difference " in found.words[0]
    assert "95 % interval" in found.words[0]
    tokens = data.counts.tokens
    assert found.signature.startswith(
        f"language|unit:words|vocabulary:17|documents:file|tokens:{tokens}|data:unknown|seed:0|dtype:float32|"
    )


def test_baselines_that_win_are_named_the_best_first(read):
    data = read()
    found = bench(data, uniform(data))
    assert found.words[0].startswith(f"{KNESER_NEY} is better than the model here: perplexity ")
    assert found.words[1].startswith("Unigram is better than the model here: perplexity ")
    assert f" against {len(data.schema.tokens):.2f} (difference " in found.words[0]


def test_a_difference_that_may_be_chance_is_called_so(read):
    data = read()
    ahead = bench(data, varied(nats(data), -0.001, 1.0))
    assert ahead.words[0].startswith(("The model is ahead of every baseline here, but the", KNESER_NEY))
    assert ", but the difference may be chance: perplexity " in ahead.words[0]
    assert "is better than" not in ahead.words[0]
    equal = bench(data, nats(data))
    assert equal.words[0].startswith(f"The model and {KNESER_NEY} are equally good here: perplexity ")


def test_little_text_has_no_interval(read):
    data = read(lines=200)
    found = bench(data, varied(nats(data), -0.2, 0.3))
    assert "; too little text for an interval" in found.words[0]
    assert found.words[0].startswith("The model is ahead of every baseline here, but")
    assert np.isnan(found.detail.methods[0].intervals["perplexity"].low)
    assert found.detail.block == 0
    assert not any("Intervals" in line for line in found.words)


def test_learning_on_is_no_baseline(read):
    data = read()
    one = varied(nats(data), 0.1, 0.1)
    found = evaluate({"Recurra": one, "Recurra, learning on": one - 0.3}, data, resamples=400)
    assert found.words[0].startswith(f"{KNESER_NEY} is better than the model here")
    assert found.words[1].startswith(
        "Recurra, learning on is better than the model as it was trained: perplexity "
    )
    assert [one.baseline for one in found.detail.methods] == [False, False, True, True]
    found = evaluate({"Recurra": one - 0.4, "Recurra, learning on": one}, data, resamples=400)
    assert found.words[0].startswith("The model is better than every baseline here")
    assert found.words[1].startswith("Recurra, learning on is worse than the model as it was trained: ")
    found = evaluate({"Recurra": one, "Recurra, learning on": varied(one, 0.001, 1.0)}, data, resamples=400)
    assert ", but the difference may be chance: perplexity " in found.words[1]


def test_units_follow_from_the_same_nats(read):
    data = read()
    metrics = bench(data, uniform(data)).scores[0].metrics
    size, counts = len(data.schema.tokens), data.counts
    assert metrics["perplexity"] == pytest.approx(size)
    assert metrics["nats_per_token"] == pytest.approx(np.log(size))
    assert metrics["bits_per_token"] == pytest.approx(np.log2(size))
    assert metrics["bits_per_character"] == pytest.approx(np.log2(size) * counts.tokens / counts.characters)
    assert metrics["bits_per_byte"] == metrics["bits_per_character"]
    assert metrics["unknown"] == 0


@pytest.mark.parametrize("unit", ["characters", "bytes"])
def test_letters_are_compared_by_bits(read, unit):
    data = read(prose(600).replace("cat", "çåt"), unit=unit)
    found = bench(data, varied(nats(data, "Kneser-Ney 8-gram"), -0.2, 0.1))
    metric = "bits per character" if unit == "characters" else "bits per byte"
    assert found.words[0].startswith(f"The model is better than every baseline here: {metric} ")
    metrics = found.scores[0].metrics
    assert metrics["bits_per_byte"] < metrics["bits_per_character"]
    which = "bits_per_character" if unit == "characters" else "bits_per_byte"
    assert metrics[which] == pytest.approx(metrics["bits_per_token"])


def test_borders_are_not_counted(read):
    data = read(documents="line")
    found = bench(data, uniform(data))
    detail = found.detail
    assert (detail.tokens == BORDER).sum() == data.counts.lines
    assert detail.counted.sum() == data.counts.tokens == len(data.test) - data.counts.lines
    assert (detail.methods[2].nats[~detail.counted] == 0).all()
    assert found.scores[0].metrics["perplexity"] == pytest.approx(len(data.schema.tokens))
    assert f"|documents:line|tokens:{data.counts.tokens}|" in found.signature


def test_without_a_test_part_validation_is_judged(read):
    data = read(test=0, valid=0.2)
    assert not len(data.test)
    found = bench(data, varied(nats(data), -0.2, 0.1))
    assert found.words[0].startswith("The model is better than every baseline here")
    assert found.words[1].startswith("There is no test part, so the validation part was judged.")
    assert f"|tokens:{data.parts['valid'].counts.tokens}|part:validation|" in found.signature


def test_a_text_that_comes_later_is_judged_beside_single_tokens(read, tmp_path):
    path = tmp_path / "later.txt"
    path.write_text(prose(300, seed=1), encoding="utf-8")
    data = read_later(read().schema, path)
    found = bench(data, uniform(data) - 1.0)
    assert [score.method for score in found.scores] == ["Recurra", "Unigram"]
    assert "n-grams would need the text that the model was fitted on" in found.words[0]
    assert found.words[1].startswith("The model is better than every baseline here")
    seen = np.unique(data.test[1:], return_counts=True)[1]
    entropy = -(seen / seen.sum() * np.log(seen / seen.sum())).sum()
    assert found.scores[1].metrics["nats_per_token"] == pytest.approx(entropy, abs=0.01)


def test_unknown_tokens_are_told(read, tmp_path):
    path = tmp_path / "later.txt"
    path.write_text(prose(300, seed=1, words=[*WORDS[:-1], "zebra"]), encoding="utf-8")
    data = read_later(read().schema, path)
    found = bench(data, uniform(data))
    share = data.counts.unknown / data.counts.tokens
    assert share > 0.01
    assert found.scores[0].metrics["unknown"] == share
    assert any(f"{100 * share:.1f} % of these tokens are unknown" in line for line in found.words)


def test_a_long_text_is_counted_in_part(read, monkeypatch):
    monkeypatch.setattr(kneser_ney, "MOST_TOKENS", 5000)
    data = read()
    found = bench(data, uniform(data))
    told = f"The baselines were counted on the last 5,000 of the {len(data.train):,} training tokens"
    assert any(line.startswith(told) for line in found.words)


def test_the_order_can_be_given(read):
    data = read()
    for order, names in ((1, ["Recurra", "Unigram"]), (3, ["Recurra", "Unigram", "Kneser-Ney 3-gram"])):
        assert [one.method for one in bench(data, uniform(data), order=order).scores] == names


def test_nothing_to_foretell_is_said(read, tmp_path):
    path = tmp_path / "later.txt"
    path.write_text("cat\n", encoding="utf-8")
    data = read_later(read().schema, path)
    nothing = type(data)(
        **{name: getattr(data, name) for name in ("schema", "found", "sha256", "train", "valid", "counts")},
        test=data.test[:0],
        parts=data.parts | {"test": data.parts["valid"]},
    )
    found = evaluate({"Recurra": np.zeros(0)}, nothing)
    assert found.scores == ()
    assert found.words[0].startswith("Nothing could be evaluated: ")


def test_surprise_without_end_is_no_figure(read):
    data = read()
    one = uniform(data)
    one[7] = np.inf
    found = bench(data, one)
    assert found.words[0] == "The perplexity of the model is no finite number here, and cannot be compared."
    assert np.isnan(found.detail.methods[0].intervals["perplexity"].low)


def test_the_same_seed_gives_the_same_intervals(read):
    data = read()
    one = varied(nats(data), -0.2, 0.3)
    assert bench(data, one).words == bench(data, one).words
    first, other = (bench(data, one, seed=seed).detail.methods[2].differences for seed in (0, 1))
    assert first["perplexity"].estimate == other["perplexity"].estimate
    assert first["perplexity"].low != other["perplexity"].low


def test_intervals_hold_the_truth_where_neighbours_are_alike():
    """Surprise that is the same over stretches of a hundred tokens; its mean lies inside 95 times of 100."""
    rng = np.random.default_rng(0)
    texts = [np.repeat(rng.exponential(size=400), 100) for _ in range(200)]

    def held(block, of):
        ends = [interval(resampled([one], block, seed=0, resamples=300)[0]) for one in of]
        return sum(found.low < 1.0 < found.high for found in ends)

    assert 180 <= held(block_length(40_000, "words"), texts) <= 198
    assert held(10, texts[:20]) < 16  # blocks within a stretch are alike


def test_blocks_suit_the_length_of_the_text():
    assert block_length(900, "words") == 0
    assert block_length(20_000, "words") == 500
    assert block_length(500_000, "words") == 2_000
    assert block_length(20_000_000, "words") == 10_000
    assert block_length(500_000, "characters") == 10_000
