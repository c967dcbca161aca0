r"""A step of adversarially learned inference with a mutual information (Sec. 5.2 of the paper).

An encoder E maps data x to z and a generator G maps z to data. A discriminator tells the pairs
(x, E(x)) from (G(z), z), with z from the prior: ALI (Dumoulin et al., 2017,
https://arxiv.org/abs/1606.00704) and BiGAN (Donahue et al., 2017). With logits D,

    D descends       E softplus(-D(x, E(x))) + E softplus(D(G(z), z))
    T ascends        its objective on (x, E(x))
    E, G descend     E softplus(D(x, E(x))) + E softplus(-D(G(z), z))
                     + reconstruction E |x - G(E(x))|^2 - beta I_T(x; E(x))

The reconstruction is ALICE's explicit one (Li et al., 2017, https://arxiv.org/abs/1709.01215),
summed over the columns of x. I_T depends on the encoder alone, and its gradient is clipped against
the rest of the encoder's.

An encoder with noise draws it from `noise`: without any, I(x; E(x)) is infinite.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn.functional import logsigmoid

from mine.data.pairs import Pairing
from mine.training.ascent import Ascent
from mine.training.descent import Descent, SteppedModel
from mine.training.gan import InformationTerm


@dataclass
class AdversarialInference(SteppedModel):
    """K encoders, generators, discriminators and statistics networks.

    Attributes:
        encoder: maps x (K, B, dx) to z (K, B, dz).
        generator: maps z to x.
        discriminator: maps [x, z], (K, B, dx + dz), to logits (K, B, 1).
        ascent: of T(x, z).
        term: beta and clipping.
        reconstruction: the weight of the squared error, (K,).
        noise: K generators of the networks' noise and dropout.
        pairing: of the marginal pairs.
        ascents: steps of T for each step of the others.
    """

    encoder: Descent
    generator: Descent
    discriminator: Descent
    ascent: Ascent
    term: InformationTerm
    reconstruction: Tensor
    noise: Sequence[Generator]
    pairing: Pairing
    ascents: int = 1

    def __post_init__(self) -> None:
        self.reconstructs = bool((self.reconstruction > 0).any())
        self.uses_term = bool((self.term.beta > 0).any())

    @torch.enable_grad()
    def step(self, x: Tensor, z: Tensor) -> Tensor:
        """One step of all networks.

        Args:
            x: data, (K, B, dx).
            z: of the prior, (K, B, dz).

        Returns:
            (4, K): T's bound in nats, D's loss, the adversarial loss of E and G, and the squared
            error of reconstructions (0 where no cell of the stack has a weight for it).
        """
        encoded = self.encoder.network(x, training=True, noise=self.noise).flatten(2)
        made = self.generator.network(z, training=True, noise=self.noise).flatten(2)
        ours, theirs = torch.cat([x, encoded], -1), torch.cat([made, z], -1)
        d_loss = self._discriminate(ours.detach(), theirs.detach())
        for _ in range(self.ascents):
            self.ascent.ascend(x, encoded.detach(), self.pairing)
        d = self.discriminator.network
        logits = [d(of, training=True, noise=self.noise, held=True) for of in (ours, theirs)]
        loss = -logsigmoid(-logits[0]).mean((1, 2)) - logsigmoid(logits[1]).mean((1, 2))
        error = torch.zeros_like(loss)
        if self.reconstructs:
            error = (x - self._again(encoded)).square().sum(-1).mean(-1)
        followed = encoded if self.uses_term else encoded.detach()  # without a term, no graph
        bound = self.ascent.bound(x, followed, self.pairing)
        weighed = torch.where(self.reconstruction > 0, self.reconstruction * error, 0.0)
        self._descend(loss.sum() + weighed.sum(), bound.sum(), encoded)
        return torch.stack([bound, d_loss, loss, error]).detach()

    def _again(self, encoded: Tensor) -> Tensor:
        """Reconstructions, (K, B, dx). They leave no trace in a cell without a weight for them.

        Named cells do not update batch norm's running moments, and the noise is drawn from copies
        of the generators.
        """
        g = self.generator.network
        cells = torch.arange(g.k, device=encoded.device)
        noise = [one.clone_state() for one in self.noise]
        return g(encoded, training=True, noise=noise, cells=cells).flatten(2)

    def _discriminate(self, ours: Tensor, theirs: Tensor) -> Tensor:
        """A step of D; its losses, (K,)."""
        network = self.discriminator.network
        logits = [network(of, training=True, noise=self.noise) for of in (ours, theirs)]
        loss = -logsigmoid(logits[0]).mean((1, 2)) - logsigmoid(-logits[1]).mean((1, 2))
        self.discriminator.step(network.gradients(loss.sum()))
        return loss.detach()

    def _descend(self, loss: Tensor, bound: Tensor, encoded: Tensor) -> None:
        """A step of E and G."""
        e, g = self.encoder.network, self.generator.network
        of_e = e.gradients(loss, retain=True)
        of_g = g.gradients(loss, retain=True)
        if self.uses_term:
            (through_t,) = torch.autograd.grad(bound, encoded)
            g_i = e.gradients(encoded, through_t)
            of_e = of_e - self.term.gradient(of_e, g_i)
        self.encoder.step(of_e)
        self.generator.step(of_g)

    @property
    def parts(self) -> dict[str, Descent]:
        """What is stepped beside the statistics networks, by name."""
        return {
            "encoder": self.encoder,
            "generator": self.generator,
            "discriminator": self.discriminator,
        }
