"""The method that chooses: what a user gets who names none. docs/accuracy.md says how it was
picked.

Several candidates are trained on folds of the rows, all on Jensen-Shannon: from a network alone,
and from networks that start at a fitted log-ratio (`mine.critics.starts`). Validation rows choose
the candidate with the highest bound of Donsker and Varadhan. Each is trained with all of the
training rows, the chosen one with half of them, too, and the value reported is extrapolated over
the number of rows (nats; neither bound). Where both sides of a user's rows are labels or counts it
is `plugin`, and where one is, beside few columns of numbers, `mixed`; below 100 rows of numbers it
is `gaussian_copula` or `ksg` (`mine.method.few_rows`): nothing is trained then. On a stream of
fresh samples there are no validation rows: there it is `js`.
"""

from __future__ import annotations

from dataclasses import replace

from mine.critics.starts import COPULA, GAUSSIANISED, MIXTURE, VARIATES
from mine.method.few_rows import few_rows_method
from mine.method.jensen_shannon import js
from mine.method.method import NEITHER, Candidate, Method
from mine.method.mixed import mixed_method
from mine.method.plugin import plugin_method


def auto() -> Method:
    return replace(
        js(),
        name="auto",
        trains="several ways, Jensen-Shannon",
        reports="DV of the one that validation rows choose, cross-fitted, extrapolated over rows",
        kind=NEITHER,
        source="this suite",
        good_at="whatever comes: the default for your own data",
        candidates=(
            Candidate(js(), "copula", COPULA),
            Candidate(js(), "copula", MIXTURE),
            Candidate(js(), "copula", GAUSSIANISED, unseen=0.08),
            Candidate(js(), "auto"),
            Candidate(js(), "auto", VARIATES, unseen=0.08),
        ),
        shares=(1.0, 0.5),
        folds=5,
        on_labels={1: mixed_method(), 2: plugin_method()},
        on_few_rows=few_rows_method(),
        defaults={
            "hidden": (64, 64, 64),
            "activation": "relu",
            "steps": 1500,
            "batch_size": 128,
            "learning_rate": 5e-3,
            "marginal_samples": 1,
            "patience": 6,
        },
    )


METHODS = (auto,)
