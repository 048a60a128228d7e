"""Evaluation: the methods beside one another, intervals, and what the words say."""

import numpy as np
import pytest
from judging import examples, guesses, reviews, waves

from recurra.tasks.classify import baselines, verdict
from recurra.tasks.classify.comparison import difference, interval, resampled
from recurra.tasks.classify.evaluate import evaluate, judged
from recurra.tasks.classify.metrics import Outcome, metrics

pytest.importorskip("sklearn", reason="needs the extra [text]")


def bench(data, right=0.9, **options):
    y = data.examples.y[judged(data)]
    classes = len(data.schema.classes)
    found = guesses(np.where(y < 0, 0, y), classes, right)
    return evaluate(found, data, **({"resamples": 400} | options))


def told(found):
    return " ".join(found.words)


def test_a_model_that_wins_is_said_to_win():
    found = bench(reviews(600, right=0.75), 0.99)
    assert [score.method for score in found.scores] == ["Recurra", "Majority", "TF-IDF + logistic regression"]
    assert found.words[0].startswith("The model is better than every baseline here: accuracy ")
    assert " of the best of them, TF-IDF + logistic regression (difference " in found.words[0]
    assert "95 % interval" in found.words[0]
    assert found.signature.startswith("classify|examples:300|classes:2|ece:15,mass|data:unknown|seed:0|")


def test_a_baseline_that_wins_is_named_first():
    found = bench(reviews(600, right=0.98), 0.4)
    assert found.words[0].startswith("TF-IDF + logistic regression is better than the model here: accuracy ")
    assert "is better than the model here: macro F1" in told(found)
    assert "is better than the model here: log loss" in told(found)


def test_a_difference_that_may_be_chance_is_called_so():
    data = waves(60)
    found = evaluate(bench(data, 1.0).detail.methods[2].found * 0.9 + 0.1 / 3, data, resamples=400)
    assert found.words[0].startswith("The model and Nearest neighbour are equally good here: accuracy ")
    close = bench(reviews(400, right=0.87), 0.8)
    assert ", but the difference may be chance: accuracy" in close.words[0]


def test_what_rounds_to_zero_has_no_minus():
    assert [verdict.signed("accuracy", size) for size in (-0.0004, 0.0, -0.0006)] == ["+0.0", "+0.0", "−0.1"]
    assert verdict.signed("log_loss", -0.0004) == "−0.0004"


def test_few_examples_have_no_interval():
    found = bench(reviews(60, test=np.arange(50, 54)))
    assert "; too few examples for an interval" in told(found)
    assert np.isnan(found.detail.methods[0].intervals["accuracy"].low)


def test_a_loss_by_another_measure_is_told():
    data = reviews(400, right=0.9)
    y = data.examples.y[judged(data)]
    sure = np.where(np.eye(2)[guesses(y, 2, 0.97).argmax(1)] == 1, 1 - 1e-9, 1e-9)
    found = evaluate(sure, data, resamples=400)
    assert found.words[0].startswith("The model is ")
    assert "than the model here: log loss" in found.words[1]


def test_unbalanced_classes_are_pointed_out():
    y = (np.arange(200) % 20 == 0).astype(int)
    found = bench(waves(200, y=y, train=np.arange(100)))
    assert "95.0 % of these examples are of one class, so macro F1 and balanced accuracy say more" in told(
        found
    )


def test_unseen_labels_count_as_wrong():
    y = np.random.default_rng(0).integers(0, 2, 200)
    y[150:160] = -1
    data = reviews(y=y, unseen={"odd": 7, "other": 3})
    found = bench(data, 1.0)
    assert found.scores[0].metrics["accuracy"] <= 0.9
    assert (
        "10 examples with a label that training did not have ('odd' 7, 'other' 3) count as wrong; "
        "log loss and the Brier score leave them out."
    ) in found.words
    assert len(found.detail.where) == 100
    many = reviews(y=y, unseen=dict.fromkeys("abcdefghij", 1))
    assert "and 5 others" in told(bench(many))


def test_missing_labels_are_left_out():
    y = np.random.default_rng(0).integers(0, 2, 200)
    y[199] = -1
    found = bench(reviews(y=y))
    assert len(found.detail.where) == 99
    assert "1 example without a label could not be judged." in found.words


def test_nothing_to_judge_is_said():
    for data in (reviews(test=[]), reviews(y=np.full(200, -1))):
        found = bench(data)
        assert found.scores == ()
        assert found.words == (
            "Nothing could be evaluated: no example of the test part has a label. "
            "Give labelled examples, or a larger share with --test.",
        )


def test_later_files_have_only_the_shares_to_beat():
    found = bench(reviews(train=[]))
    assert [score.method for score in found.scores] == ["Recurra", "Majority"]
    assert "Only Majority stands beside the model" in told(found)


def test_without_scikit_learn_the_words_say_how_to_get_it(monkeypatch):
    monkeypatch.setattr(baselines.importlib.util, "find_spec", lambda name: None)
    found = bench(reviews())
    assert [score.method for score in found.scores] == ["Recurra", "Majority"]
    assert (
        "TF-IDF + logistic regression is not in the comparison because scikit-learn is not installed. "
        "Install it with: pip install 'recurra[text]'."
    ) in found.words


def test_folds_are_judged_as_one_and_each():
    folds = [np.arange(k, 200, 4) for k in range(4)]
    data = reviews(train=np.arange(200), test=[], folds=folds)
    found = bench(data)
    assert len(found.detail.where) == 200
    assert 0.7 < found.scores[2].metrics["accuracy"] < 0.97
    assert "Over 4 folds, each judged by a model that was fitted without it: accuracy" in told(found)
    assert "|folds:4|" in found.signature


def test_events_are_counted_like_words():
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    x = [np.append(rng.integers(2, 6, 5), 6 + label).astype(np.int32) for label in y]
    data = examples(x, y, kind="events", classes="ab", train=np.arange(100), test=np.arange(100, 200))
    assert bench(data).scores[2].metrics["accuracy"] == 1


def test_several_labels_are_compared_by_micro_f1():
    rng = np.random.default_rng(0)
    data = reviews()
    y = np.stack([data.examples.y, rng.integers(0, 2, 200)], 1).astype(float)
    y[150, 1] = np.nan
    data = reviews(y=y, several=True)
    truth = np.nan_to_num(y[100:])
    found = evaluate(np.clip(truth, 0.1, 0.9), data, resamples=400)
    assert found.words[0].startswith("The model is better than every baseline here: micro F1 100.0 %")
    assert "|labels:several|" in found.signature
    assert found.scores[0].metrics["subset_accuracy"] == 1


def test_the_temperature_is_told_with_what_it_changed():
    data = reviews(400)
    y = data.examples.y[judged(data)]
    hot = guesses(y, 2, 0.8, sure=12)
    tempered = np.sqrt(np.sqrt(hot))
    tempered /= tempered.sum(1, keepdims=True)
    found = evaluate(tempered, data, temperature=4.0, resamples=100)
    line = next(line for line in found.words if "sure on average" in line)
    assert "without the temperature of 4.000)." in line
    np.testing.assert_allclose(found.detail.before, hot, rtol=1e-6, atol=1e-9)


def test_the_same_seed_gives_the_same_intervals():
    first, again, other = (bench(reviews(), seed=seed).detail.methods[0] for seed in (1, 1, 2))
    assert first.intervals == again.intervals
    assert first.intervals != other.intervals


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(0)
    held = 0
    for seed in range(60):
        y = (rng.random(120) >= 0.7).astype(int)
        outcome = Outcome.of(y, np.tile([0.9, 0.1], (120, 1)), several=False)
        draws = resampled([outcome], seed, 300)[0]["accuracy"]
        found = interval("accuracy", outcome.right.mean(), draws, 120)
        held += found.low <= 0.7 <= found.high
    assert 51 <= held <= 60


def test_an_interval_holds_the_score_where_resamples_miss_classes():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 150, 300)
    outcome = Outcome.of(y, guesses(y, 150, 0.5), several=False)
    draws = resampled([outcome], 0, 300)[0]["macro_f1"]
    value = metrics(outcome)["macro_f1"]
    assert abs(draws.mean() - value) > 0.005  # what is to be mended
    found = interval("macro_f1", value, draws, 300)
    assert found.low < value < found.high
    assert found.low > 0
    assert found.high < 1


def test_an_interval_of_what_never_fails_is_wilsons():
    found = interval("accuracy", 1.0, np.ones(100), 50)
    assert (found.low, found.high) == (pytest.approx(0.9287, abs=1e-4), 1.0)
    assert interval("accuracy", 0.0, np.zeros(100), 50).high == pytest.approx(0.0713, abs=1e-4)


def test_a_lower_loss_is_a_gain():
    gain = difference("log_loss", 0.2, 0.5, np.linspace(-0.4, -0.2, 100), 100)
    assert gain.estimate == pytest.approx(0.3)
    assert gain.certain
    assert gain.low > 0.2
