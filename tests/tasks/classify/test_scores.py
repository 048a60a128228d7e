"""Metrics against scikit-learn and against numbers worked out by hand."""

import numpy as np
import pytest
from judging import guesses

from recurra.tasks.classify.metrics import Outcome, by_class, confusion, measure, metrics, reliability

judge = pytest.importorskip("sklearn.metrics", reason="needs the extra [text]")


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("unseen", [False, True])
def test_metrics_of_one_label_are_those_of_scikit_learn(classes, unseen):
    rng = np.random.default_rng(classes)
    y = rng.integers(0, classes, 150) ** 2 // max(1, classes - 1)  # unbalanced, and perhaps not every class
    found = guesses(y, classes, 0.6)
    if unseen:
        y = np.where(rng.random(150) < 0.1, -1, y)
    said, seen = found.argmax(1), y >= 0
    mine = metrics(Outcome.of(y, found, several=False))
    assert mine["accuracy"] == pytest.approx(judge.accuracy_score(y, said))
    assert mine["macro_f1"] == pytest.approx(judge.f1_score(y, said, average="macro"), rel=1e-6)
    recalls = judge.recall_score(y, said, average=None, labels=np.unique(y), zero_division=0)
    assert mine["balanced_accuracy"] == pytest.approx(recalls.mean(), rel=1e-6)
    expected = judge.log_loss(y[seen], found[seen], labels=np.arange(classes))
    assert mine["log_loss"] == pytest.approx(expected)
    truth = np.eye(classes)[y[seen]]
    assert mine["brier"] == pytest.approx(((found[seen] - truth) ** 2).sum(1).mean())


def test_metrics_of_several_labels_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    y = (rng.random((120, 5)) < [0.1, 0.3, 0.5, 0.7, 0.0]).astype(float)
    found = np.clip(0.6 * y + rng.random(y.shape) * 0.5, 0.001, 0.999)
    found[:, 4] = 0.01
    said = found >= 0.5
    mine = metrics(Outcome.of(y, found, several=True))
    assert mine["subset_accuracy"] == pytest.approx(judge.accuracy_score(y, said))
    assert mine["micro_f1"] == pytest.approx(judge.f1_score(y, said, average="micro"), rel=1e-6)
    # A label that is neither there nor said has no F1.
    expected = judge.f1_score(y, said, average="macro", zero_division=np.nan)
    assert mine["macro_f1"] == pytest.approx(expected, rel=1e-6)
    each = [judge.log_loss(y[:, k], found[:, k], labels=[0, 1]) for k in range(5)]
    assert mine["log_loss"] == pytest.approx(np.mean(each))
    assert mine["brier"] == pytest.approx(((found - y) ** 2).mean())


def test_unknown_labels_among_several_count_nowhere():
    y = np.array([[1.0, np.nan], [0.0, 1.0]])
    found = np.array([[0.9, 0.9], [0.2, 0.4]])
    mine = metrics(Outcome.of(y, found, several=True))
    assert mine["subset_accuracy"] == 0.5
    assert mine["log_loss"] == pytest.approx(-np.log([0.9, 0.8, 0.4]).mean())
    assert mine["micro_f1"] == pytest.approx(2 / 3)


def test_a_sure_mistake_costs_much_but_not_everything():
    found = np.array([[1.0, 0.0]])
    assert metrics(Outcome.of(np.array([1]), found, several=False))["log_loss"] == pytest.approx(
        34.54, abs=0.01
    )


def test_only_unseen_labels_have_no_log_loss():
    mine = metrics(Outcome.of(np.array([-1, -1]), np.full((2, 2), 0.5), several=False))
    assert mine["accuracy"] == 0
    assert np.isnan(mine["log_loss"])


def test_weights_count_as_repeated_examples():
    rng = np.random.default_rng(1)
    y, weight = rng.integers(0, 3, 40), rng.integers(0, 4, (5, 40)).astype(float)
    found = guesses(y, 3, 0.5)
    weighted = measure(Outcome.of(y, found, several=False), weight)
    for r in range(5):
        again = np.repeat(np.arange(40), weight[r].astype(int))
        repeated = metrics(Outcome.of(y[again], found[again], several=False))
        for name, value in weighted.items():
            assert value[r] == pytest.approx(repeated[name], rel=1e-6), name


def test_calibration_error_by_hand():
    confidence = np.array([0.95, 0.95, 0.65, 0.65])
    correct = np.array([1.0, 1.0, 1.0, 0.0])
    for equal_mass in (True, False):
        bins = reliability(confidence, correct, equal_mass=equal_mass)
        np.testing.assert_allclose(bins.confidence, [0.65, 0.95])
        np.testing.assert_allclose(bins.accuracy, [0.5, 1.0])
        assert bins.error == pytest.approx(0.5 * 0.15 + 0.5 * 0.05)


def test_what_says_its_chances_has_a_small_calibration_error():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.3, 1, 50_000)
    correct = (rng.random(50_000) < confidence).astype(float)
    for equal_mass in (True, False):
        assert reliability(confidence, correct, equal_mass=equal_mass).error < 0.01
        assert reliability(confidence, correct * 0, equal_mass=equal_mass).error == pytest.approx(
            0.65, abs=0.01
        )


def test_equal_confidences_stay_in_one_bin():
    bins = reliability(np.full(100, 0.5), np.arange(100) % 2, equal_mass=True)
    assert bins.count.tolist() == [100]
    assert bins.error == 0


def test_nothing_has_no_calibration_error():
    assert np.isnan(reliability(np.zeros(0), np.zeros(0), equal_mass=True).error)


def test_classes_and_confusion():
    y, said = np.array([0, 0, 0, 1, 1, -1]), np.array([0, 0, 1, 1, 1, 2])
    outcome = Outcome.of(y, np.eye(3)[said], several=False)
    assert confusion(outcome).tolist() == [[2, 1, 0], [0, 2, 0], [0, 0, 0], [0, 0, 1]]
    np.testing.assert_allclose(
        by_class(outcome), [[1, 2 / 3, 0.8, 3], [2 / 3, 1, 0.8, 2], [0, np.nan, 0, 0]], rtol=1e-6
    )
