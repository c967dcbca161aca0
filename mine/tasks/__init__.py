r"""Tasks: joint distributions of (X, Y) whose mutual information is known exactly, in nats.

A task is a frozen dataclass. Its fields are the keys of a config, `mi` is the true mutual
information, `sample` draws pairs, and `log_ratio`, where there is one, is the optimal critic of
the Donsker-Varadhan bound:

    T*(x, y) = log p(x, y) / (p(x) p(y)),    E_p(x,y)[T*] = I(X; Y),    E_p(x)p(y)[exp T*] = 1.

`CorrelatedGaussian` is Sec. 4.1 and `NoiseChannel` Sec. 4.2 of Belghazi et al., "MINE", ICML
2018, https://arxiv.org/abs/1801.04062. Most others follow Czyz et al., "Beyond Normal", NeurIPS
2023, https://arxiv.org/abs/2306.11078.

    normal      CorrelatedGaussian, MultivariateNormal: dense, sparse, canonical correlations
    student     StudentT: heavy tails
    channel     NoiseChannel: a noisy function
    additive    AdditiveUniform
    mixture     Mixture of normals; I by quadrature, or by Monte Carlo with its standard error
    pair_mixture  PairMixture: a mixture in many columns, with I by quadrature
    discrete    StepUniform, ZeroInflatedPoisson, ClassLabel, JointTable
    warped      Warped: injective maps of another task's variables (maps, functions); I is the same
    folded      Folded: |x| or x^2 of another task's variables; I is smaller
    joined      Joined: independent tasks, concatenated; I is the sum
"""

from mine.tasks.additive import AdditiveUniform
from mine.tasks.channel import NoiseChannel
from mine.tasks.discrete import ClassLabel, JointTable, StepUniform, ZeroInflatedPoisson
from mine.tasks.folded import Folded
from mine.tasks.functions import FUNCTIONS, NamedFunction, register_function
from mine.tasks.joined import Joined
from mine.tasks.maps import Flow, Map, MixtureMargins, Rotation, Spiral, SwissRoll, Wiggly
from mine.tasks.mixture import Mixture
from mine.tasks.normal import CorrelatedGaussian, MultivariateNormal
from mine.tasks.pair_mixture import PairMixture
from mine.tasks.student import StudentT
from mine.tasks.task import LINE, Interval, Task
from mine.tasks.warped import Warped

__all__ = [
    "FUNCTIONS",
    "LINE",
    "AdditiveUniform",
    "ClassLabel",
    "CorrelatedGaussian",
    "Flow",
    "Folded",
    "Interval",
    "Joined",
    "JointTable",
    "Map",
    "Mixture",
    "MixtureMargins",
    "MultivariateNormal",
    "NamedFunction",
    "NoiseChannel",
    "PairMixture",
    "Rotation",
    "Spiral",
    "StepUniform",
    "StudentT",
    "SwissRoll",
    "Task",
    "Warped",
    "Wiggly",
    "ZeroInflatedPoisson",
    "register_function",
]
