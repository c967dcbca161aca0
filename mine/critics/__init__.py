"""Critics: the statistics networks T(x, y), K of them stacked on a leading axis.

Configs name them here: `mine.critics.MLP`.
"""

from mine.critics.mlp import MLP

__all__ = ["MLP"]
