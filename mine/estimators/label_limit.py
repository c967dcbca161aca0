"""What is known before anything is estimated: I(X; Y) <= min(H(X), H(Y)) for discrete sides."""

from __future__ import annotations

import math
from dataclasses import replace

from torch import Tensor

from mine.data.levels import codes_of
from mine.method.entropy import LabelEntropy, label_entropy
from mine.running.estimates import Estimate


def least_entropy(x: Tensor, y: Tensor, discrete: tuple[bool, bool]) -> LabelEntropy | None:
    """The smaller entropy of the sides that are discrete; None where none is."""
    found = [
        label_entropy(codes_of(v.numpy())) for v, of in zip((x, y), discrete, strict=True) if of
    ]
    return min(found, key=lambda h: h.nats) if found else None


def limited(e: Estimate, label: LabelEntropy | None) -> Estimate:
    """The estimate, its value and those of its copies at most the label's entropy."""
    if label is None:
        return e
    warnings = e.warnings
    if e.nats > label.nats + max(label.stderr, _NEAR * label.nats):
        over = (
            f"above the entropy: {e.nats:.2f} nats were found, and no more than the label's "
            f"entropy, {label.nats:.2f}, can be: read it as 'all of it', or take method='plugin'"
        )
        warnings = (*warnings, over)
    null = tuple(min(v, label.nats) for v in e.null)
    nats = min(e.nats, label.nats) if not math.isnan(e.nats) else e.nats
    stderr = label.stderr if e.nats == math.inf else e.stderr
    return replace(e, nats=nats, stderr=stderr, null=null, warnings=warnings, label=label)


_NEAR = 0.02  # of the entropy: a value that is above by less is no news
