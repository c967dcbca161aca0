"""Names and numbers as figures and tables print them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

LABELS = {
    "mine": "MINE",
    "mine_f": "MINE-f",
    "dv": "plain DV",
    "ksg": "KSG",
    "infonce": "InfoNCE",
    "js": "JS",
    "smile(tau=5)": "SMILE, τ = 5",
    "remine(alpha=0.1)": "ReMINE, α = .1",
    "interpolated(alpha=0.01)": "Iα, α = .01",
    "doe": "DoE",
    "gaussian": "canonical corr.",
    "gaussian_copula": "normal copula",
    "smile": "SMILE",
    "remine": "ReMINE",
    "interpolated": "Iα",
    "tuba": "TUBA",
    "club": "CLUB",
    "dime_gan": "DIME-GAN",
    "dime_kl": "DIME-KL",
    "dime_hellinger": "DIME-Hellinger",
}


def label(method: str) -> str:
    """A method's printed name; of a pair such as 'mine/constant', of both."""
    return " / ".join(LABELS.get(part, part) for part in method.split("/"))


def data_name(name: str) -> str:
    """The printed name of a set of images."""
    return {"mnist": "MNIST"}.get(name, name)


def signed(value: float) -> str:
    """A correlation or a noise level as text: '−.99', '0', '.5'."""
    return short(f"{value:g}")


def short(text: str) -> str:
    """A number's text with a true minus sign and without the zero before the point."""
    return re.sub(r"(?<!\d)0\.", ".", text).replace("-", "−")


def compact(value: float) -> str:
    """Three significant digits, without the zero before the point: '.0123', '1.2', '45'."""
    if value == 0 or 0.001 <= abs(value) < 9999.5:
        return short(f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}")
    return short(f"{value:.1e}").replace("e+0", "e").replace("e−0", "e−").replace("e+", "e")


def spread(values: pd.Series) -> str:
    """'5,000', or '1,000 to 5,000' where the values differ."""
    low, high = int(values.min()), int(values.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def dim_of(rows: pd.DataFrame) -> int:
    """The dimension of X and of Y in the first row."""
    return int(rows["dim"].iloc[0])
