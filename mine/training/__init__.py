"""Training: its settings, the one loop, and what steps the parameters.

Configs name its settings here: `mine.training.Training`.
"""

from mine.training.loop import Training

__all__ = ["Training"]
