r"""A step of the information bottleneck (Sec. 5.3 of the paper).

An encoder maps x to a representation z, from which a decoder predicts a label:

    T ascends           its objective on (x, z)
    the model descends  E[-log q(label | z)] + beta I_T(x; z) + rate R

I_T is minimised, so its sign is plus. It is a lower bound, and minimising one has no floor where T
falls behind: `ascents` steps of T for each of the model, and a look at the exact value where there
is one, are the remedies. R is a further term of the application's, such as the exact rate
KL(p(z | x) || r(z)) of the variational bottleneck (Alemi et al., 2017,
https://arxiv.org/abs/1612.00410); both weights are per cell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn.functional import cross_entropy

from mine.data.pairs import Pairing
from mine.training.ascent import Ascent
from mine.training.descent import Descent, SteppedModel
from mine.training.gan import InformationTerm

Encode = Callable[[Tensor], tuple[Tensor, Tensor]]
"""What the encoder puts out, (K, B, h) -> z (K, B, dz), and R (K,), which is 0 without a rate."""


@dataclass
class Bottleneck(SteppedModel):
    """K encoders, decoders and statistics networks.

    Attributes:
        encoder: maps x (K, B, dx) to (K, B, h).
        decoder: maps z to logits (K, B, classes).
        encode: makes z of what the encoder puts out; it draws from generators of its own.
        ascent: of T(x, z).
        term: beta, and whether its gradient is clipped against the rest of the encoder's.
        rate: the weight of R, (K,).
        noise: K generators of the networks' noise and dropout.
        pairing: of the marginal pairs.
        ascents: steps of T for each step of the model.
    """

    encoder: Descent
    decoder: Descent
    encode: Encode
    ascent: Ascent
    term: InformationTerm
    rate: Tensor
    noise: Sequence[Generator]
    pairing: Pairing
    ascents: int = 1

    def __post_init__(self) -> None:
        self.uses_term = bool((self.term.beta > 0).any())

    @torch.enable_grad()
    def step(self, x: Tensor, labels: Tensor) -> Tensor:
        """One step of all networks.

        Args:
            x: (K, B, dx).
            labels: whole numbers, (K, B).

        Returns:
            (3, K): T's bound in nats, the cross-entropy in nats, and R.
        """
        encoder, decoder = self.encoder.network, self.decoder.network
        z, rate = self.encode(encoder(x, training=True, noise=self.noise))
        for _ in range(self.ascents):
            self.ascent.ascend(x, z.detach(), self.pairing)
        logits = decoder(z, training=True, noise=self.noise)
        loss = cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")
        loss = loss.view_as(labels).mean(1)
        followed = z if self.uses_term else z.detach()  # without a term, without a graph
        bound = self.ascent.bound(x, followed, self.pairing)
        weighed = torch.where(self.rate > 0, self.rate * rate, 0.0)
        whole = (loss + weighed).sum()
        of_d = decoder.gradients(whole, retain=True)
        of_e = encoder.gradients(whole, retain=self.uses_term)
        if self.uses_term:
            of_e = of_e + self.term.gradient(of_e, encoder.gradients(bound.sum()))
        self.encoder.step(of_e)
        self.decoder.step(of_d)
        return torch.stack([bound, loss, rate]).detach()

    @property
    def parts(self) -> dict[str, Descent]:
        """What is stepped beside the statistics networks, by name."""
        return {
            "encoder": self.encoder,
            "decoder": self.decoder,
        }
