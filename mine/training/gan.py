r"""A step of a GAN whose generator also maximises a mutual information (Sec. 5.1 of the paper).

The generator maps z = [eps, c], noise and code, to samples. With D a discriminator's logit and T a
statistics network,

    D descends   E softplus(-D(x)) + E softplus(D(G(z))) + penalty / 2 E |grad_x D(x)|^2
    T ascends    its objective on (G(z), c): MINE's with the gradient of Eq. 12
    G descends   E softplus(-D(G(z))) - beta I_T(G(z); c)

G's loss is the non-saturating one (Goodfellow et al., 2014, https://arxiv.org/abs/1406.2661). The
penalty is the zero-centred one on real samples, R1 (Mescheder et al., 2018,
https://arxiv.org/abs/1801.04406). I_T is the plain bound; its gradient goes through the samples.
Where a cell clips, the gradient of beta I_T goes through `adaptive_clip` first.

beta, clipping and penalty are tensors with one entry a cell: arms and seeds are one stack.

Shapes: K cells, B rows, dx columns of data, dz of z; code are the last columns of z.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn.functional import logsigmoid

from mine.data.pairs import Pairing
from mine.networks.stacked import Network
from mine.training.adaptive_clipping import adaptive_clip
from mine.training.ascent import Ascent
from mine.training.descent import Descent, SteppedModel


@dataclass(frozen=True)
class InformationTerm:
    """How strongly each cell's model is drawn towards more (or less) information.

    Attributes:
        beta: the weight of I, (K,), >= 0. Where it is 0, T follows the model and does not move it.
        clip: whether its gradient is clipped adaptively, (K,) of bool.
    """

    beta: Tensor
    clip: Tensor

    def __post_init__(self) -> None:
        if bool((self.beta < 0).any()):
            raise ValueError(
                f"beta must be a number >= 0, got {float(self.beta.min()):g}: give one, such as 1"
            )

    def gradient(self, g_u: Tensor, g_i: Tensor) -> Tensor:
        """What is added for I: beta times its gradient, clipped where the cell clips.

        Args:
            g_u: the gradient of the rest of the loss, (K, P).
            g_i: the gradient of I, (K, P).
        """
        beta = self.beta.unsqueeze(1)
        g_m = torch.where(beta > 0, beta * g_i, 0.0)  # 0 times inf would be nan
        return torch.where(self.clip.unsqueeze(1), adaptive_clip(g_u, g_m), g_m)


@dataclass
class Gan(SteppedModel):
    """K generators, discriminators and statistics networks.

    Attributes:
        generator: maps z (K, B, dz) to samples.
        discriminator: maps samples, (K, B, dx), to logits (K, B, 1).
        ascent: of T(sample, code).
        term: beta and clipping.
        penalty: the weight of the gradient penalty, (K,).
        codes: how many of z's last columns are the code.
        pairing: of the marginal pairs.
        ascents: steps of T for each step of the others.
        noise: K generators of the networks' dropout and input noise, where they have any.
    """

    generator: Descent
    discriminator: Descent
    ascent: Ascent
    term: InformationTerm
    penalty: Tensor
    codes: int
    pairing: Pairing
    ascents: int = 1
    noise: Sequence[Generator] | None = None

    def __post_init__(self) -> None:
        self.penalised = self.penalty.nonzero().flatten()
        if len(self.penalised) == 1 < len(self.penalty):
            self.penalised = self.penalised.repeat(2)
        self.uses_term = bool((self.term.beta > 0).any())

    def step(self, real: Tensor, z: Tensor) -> Tensor:
        """One step of all networks.

        Args:
            real: (K, B, dx).
            z: (K, B, dz).

        Returns:
            (3, K): T's bound on the batch in nats, D's and G's loss.
        """
        code = z[..., -self.codes :]
        with torch.enable_grad():
            fake = self.generator.network(z, training=True, noise=self.noise).flatten(2)
        d_loss = self._discriminate(real, fake.detach())
        for _ in range(self.ascents):
            self.ascent.ascend(fake.detach(), code, self.pairing)
        g_loss, bound = self._generate(fake, code)
        return torch.stack([bound, d_loss, g_loss])

    @torch.enable_grad()
    def _discriminate(self, real: Tensor, fake: Tensor) -> Tensor:
        """A step of D; its losses without the penalty, (K,)."""
        network = self.discriminator.network
        logits = [network(x, training=True, noise=self.noise) for x in (real, fake)]
        loss = -logsigmoid(logits[0]).mean((1, 2)) - logsigmoid(-logits[1]).mean((1, 2))
        whole = loss.sum()
        if len(self.penalised):
            whole = whole + self._penalty(network, real)
        self.discriminator.step(network.gradients(whole))
        return loss.detach()

    def _penalty(self, network: Network, real: Tensor) -> Tensor:
        """penalty / 2 E |grad D(x)|^2, summed over the cells that have one."""
        cells, weight = self.penalised, 0.5 * self.penalty[self.penalised]
        if len(cells) > len(set(cells.tolist())):
            weight = 0.5 * weight
        x = real[cells].requires_grad_()
        # Copies of the generators: a cell with a penalty draws no more than one without.
        noise = [self.noise[k].clone_state() for k in cells.tolist()] if self.noise else None
        logits = network(x, training=True, noise=noise, cells=cells)
        (slope,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
        return (weight * slope.square().sum(-1).mean(-1)).sum()

    @torch.enable_grad()
    def _generate(self, fake: Tensor, code: Tensor) -> tuple[Tensor, Tensor]:
        """A step of G; its adversarial losses and T's bounds, (K,) each."""
        network = self.generator.network
        logits = self.discriminator.network(fake, training=True, noise=self.noise, held=True)
        loss = -logsigmoid(logits).mean((1, 2))
        followed = fake if self.uses_term else fake.detach()  # without a term, without a graph
        bound = self.ascent.bound(followed, code, self.pairing)
        (through_d,) = torch.autograd.grad(loss.sum(), fake)
        gradient = network.gradients(fake, through_d, retain=self.uses_term)
        if self.uses_term:
            (through_t,) = torch.autograd.grad(bound.sum(), fake)
            g_i = network.gradients(fake, through_t)
            gradient = gradient - self.term.gradient(gradient, g_i)
        self.generator.step(gradient)
        return loss.detach(), bound.detach()

    @property
    def parts(self) -> dict[str, Descent]:
        """What is stepped beside the statistics networks, by name."""
        return {
            "generator": self.generator,
            "discriminator": self.discriminator,
        }
