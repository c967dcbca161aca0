"""Mutual information as a score of scikit-learn's selectors."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.datasets import load_wine
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import mine
from mine.estimators.pairwise import SMALL
from mine.sklearn import MutualInfoWarning, mutual_info

# Of next to no steps, neighbours see more than the network.
pytestmark = pytest.mark.filterwarnings("ignore:column .* neighbours see more")
QUICK = {"steps": 40, "hidden": (8,), "batch_size": 32, "learning_rate": 0.02}
RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 3))
Y = X[:, 1] + 0.5 * RNG.normal(size=300)


@pytest.mark.filterwarnings("ignore:column .* one pair tells more")  # of next to no steps
def test_scores_are_the_columns_information_with_the_target():
    scores = mutual_info(X, Y, **QUICK)
    alone = [mine.estimate(column, Y, "mine", **{**SMALL, **QUICK}).nats for column in X.T]
    assert scores == pytest.approx(alone, abs=1e-4)
    assert scores.argmax() == 1


def test_classes_become_columns_of_their_own():
    """Of three classes the middle one lies between two: no number tells that, three columns do."""
    classes = np.digitize(X[:, 0], [-0.5, 0.5])
    shuffled = np.array([1, 0, 2])[classes]
    inferred = mutual_info(X, shuffled, **QUICK)
    assert np.array_equal(inferred, mutual_info(X, shuffled, discrete_target=True, **QUICK))
    assert np.array_equal(inferred, mutual_info(X, shuffled.astype(str), **QUICK))
    with pytest.warns(MutualInfoWarning) as warned:
        as_numbers = mutual_info(X, shuffled, discrete_target=False, **QUICK)
    assert not np.array_equal(inferred, as_numbers)
    with pytest.warns(MutualInfoWarning):
        assert np.array_equal(as_numbers, mutual_info(X, shuffled * 1.0, **QUICK))
    texts = [str(w.message) for w in warned]
    assert [t for t in texts if t.startswith("column '0': nearly discrete: column '0' of y has")]


def test_a_rare_label_is_found_and_its_column_selected():
    """50 positives of 5,000, decided by one column: it tells the label's entropy, .056 nats."""
    rows = np.random.default_rng(0).normal(size=(5000, 3))
    label = (rows[:, 1] > np.sort(rows[:, 1])[-51]).astype(int)
    scores = mutual_info(rows, label)
    assert scores[1] == pytest.approx(0.0560, abs=0.003)
    assert (np.abs(scores[[0, 2]]) < 0.003).all()
    chosen = SelectKBest(mutual_info, k=1).fit(rows, label)
    assert chosen.get_support().tolist() == [False, True, False]


def test_reasons_to_doubt_are_python_warnings():
    rare = np.append(np.arange(298) % 2, [2, 2])
    with pytest.warns(MutualInfoWarning) as warned:
        mutual_info(pd.DataFrame(X, columns=list("abc")), rare)
    texts = [str(w.message) for w in warned]
    assert [t.partition(":")[0] for t in texts] == ["column 'a'", "column 'b'", "column 'c'"]
    assert all("rare levels: 1 of 3 levels have fewer than 20 rows" in t for t in texts)


@pytest.mark.filterwarnings("ignore:column .* one pair tells more")  # of next to no steps
def test_whole_numbers_of_many_values_are_numbers():
    counts = np.round(100 * Y).astype(int)
    assert np.array_equal(mutual_info(X, counts, **QUICK), mutual_info(X, counts * 1.0, **QUICK))


@pytest.mark.filterwarnings("ignore:column .* one pair tells more")  # of next to no steps
def test_a_constant_column_tells_nothing():
    flat = np.column_stack([X, np.ones(300)])
    scores = mutual_info(flat, Y, **QUICK)
    assert scores[3] == 0.0
    assert scores[:3] == pytest.approx(mutual_info(X, Y, **QUICK), abs=1e-4)
    assert mutual_info(flat[:, 3:], Y, **QUICK).tolist() == [0.0]


@pytest.mark.filterwarnings("ignore:column .* one pair tells more")  # of next to no steps
def test_frames_give_the_same_scores():
    frame = pd.DataFrame(X, columns=list("abc"))
    assert np.array_equal(mutual_info(frame, pd.Series(Y), **QUICK), mutual_info(X, Y, **QUICK))


@pytest.mark.filterwarnings("ignore:.*no normal law:mine.sklearn.MutualInfoWarning")
def test_a_selector_takes_mixed_columns_and_sparse_ones():
    """scikit-learn hands categories on; text it refuses itself, before the score is asked."""
    side = pd.Series(np.where(Y > 0, "up", "down"))
    kinds = {"side": "category", "is_up": int}
    mixed = pd.DataFrame({"a": X[:, 0], "side": side, "is_up": side == "up"}).astype(kinds)
    score = partial(mutual_info, method="gaussian")
    found = SelectKBest(score, k=2).fit(mixed, Y)
    assert found.get_support().tolist() == [False, True, True]
    assert np.array_equal(found.scores_, mutual_info(mixed, Y, method="gaussian"))
    as_text = mixed.astype({"side": object})
    assert np.array_equal(mutual_info(as_text, Y, method="gaussian"), found.scores_)
    with pytest.raises(ValueError, match="could not convert string to float"):
        SelectKBest(score, k=2).fit(as_text, Y)
    sparse = SelectKBest(score, k=1).fit(csr_matrix(X), Y)
    assert np.array_equal(sparse.scores_, mutual_info(X, Y, method="gaussian"))


def test_a_selector_in_a_pipeline_picks_wines_apart_in_cross_validation():
    rows, kinds = load_wine(return_X_y=True)
    order = RNG.permutation(len(rows))  # the file is sorted, and its neighbours hang together
    rows, kinds = rows[order], kinds[order]
    noise = RNG.normal(size=(len(rows), 3))
    model = make_pipeline(
        StandardScaler(),
        SelectKBest(partial(mutual_info, **QUICK), k=4),
        LogisticRegression(),
    )
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    found = cross_val_score(model, np.column_stack([noise, rows]), kinds, cv=folds)
    assert found.mean() > 0.85
    chosen = model.fit(np.column_stack([noise, rows]), kinds)[1].get_support()
    assert not chosen[:3].any()


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (X, Y[:200], "X and y must pair up row by row, got 300 and 200"),
        (X, np.ones(300), "column 0 of y constant"),
        (X, ["a"] * 300, "column 0 = a of y constant"),
        (X, [None, "a", "b"] * 100, "y must be known, got 100 of 300 labels missing"),
        (X, pd.Series(["u", "v", pd.NA] * 100), "y must be known, got 100 of 300 labels"),
        (X, pd.Series([1, 2, None] * 100, dtype="Int64"), "got 100 of 300 labels missing"),
        (X, np.where(Y > 1, np.nan, Y), "y must be known, got"),
        (pd.DataFrame(X), pd.Series(Y, range(1, 301)), "X and y with the same index"),
        (np.where(X > 2, np.nan, X), Y, "X must be finite"),
    ],
)
def test_what_cannot_be_right_is_refused(x, y, message):
    with pytest.raises(ValueError, match=message):
        mutual_info(x, y, **QUICK)
