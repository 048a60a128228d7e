"""Logistic regression against scikit-learn's, sparse and dense."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from recurra.tasks.classify import regression
from recurra.tasks.classify.regression import Dense, Features


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 12)) * (rng.random((120, 12)) < 0.4)
    y = (x @ rng.normal(size=(12, 3)) + rng.normal(size=(120, 3))).argmax(1)
    return x.astype(np.float32), y


def both(x):
    row, column = np.nonzero(x)
    return Dense(torch.from_numpy(x)), Features(row, column, x[row, column], x.shape)


def hot(y):
    return torch.nn.functional.one_hot(torch.from_numpy(y)).float()


def test_it_is_scikit_learns(problem):
    x, y = problem
    penalty = 0.02
    theirs = LogisticRegression(C=1 / (penalty * len(y)), tol=1e-8, max_iter=1000).fit(x, y)
    for given in both(x):
        weight = regression.fit(given, hot(y), penalty, several=False)
        found = (given.times(weight[:-1]) + weight[-1]).softmax(1)
        np.testing.assert_allclose(found, theirs.predict_proba(x), atol=2e-3)


def test_labels_by_themselves_are_as_many_regressions(problem):
    x, y = problem
    truth = hot(y)
    truth[3:9, 1] = torch.nan  # not known: counts for nothing
    weight = regression.fit(both(x)[1], truth, 0.02, several=True)
    for k in range(3):
        use = torch.isfinite(truth[:, k]).numpy()
        theirs = LogisticRegression(C=1 / (0.02 * len(y)), tol=1e-8, max_iter=1000)
        theirs.fit(x[use], truth[use, k].numpy())
        np.testing.assert_allclose(weight[:-1, k], theirs.coef_[0], atol=5e-3)


def test_what_is_chosen_was_found_without_the_fold(problem):
    x, y = problem
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 3, len(y))  # labels that say nothing: held out, they cannot be foretold
    folds = [np.arange(k, len(y), 5) for k in range(5)]
    sparse = both(x)[1]
    penalties, found = regression.chosen(sparse, hot(noise), folds, (1.0, 1e-5), several=False)
    assert penalties == (1.0,)
    again = regression.fit(
        sparse.take(np.setdiff1d(np.arange(len(y)), folds[2])),
        hot(noise)[np.setdiff1d(np.arange(len(y)), folds[2])],
        1.0,
        several=False,
    )
    np.testing.assert_allclose(
        found[folds[2]], sparse.take(folds[2]).times(again[:-1]) + again[-1], atol=1e-3
    )
