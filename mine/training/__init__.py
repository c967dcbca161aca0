"""Training: its settings, the one loop, and what steps the parameters.

Configs name its settings here: `mine.training.Training`.
"""

from mine.training.settings import Training

__all__ = ["Training"]
