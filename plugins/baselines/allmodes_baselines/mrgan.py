r"""Mode-regularised GAN (Che, Li, Jacob, Bengio, Li; ICLR 2017; arXiv 1612.02136): every item of the data gets a place.

An encoder E says which code the generator should make an item from; what G makes from it should be near the item, and
judged to be real, so that G learns from D at the modes that it misses, too. G and E add to the game

.. math:: E_x [\lambda_1 d(x, G(E(x))) - \lambda_2 \log D(G(E(x)))], \qquad d(x, y) = \|x - y\|_2^2.

The paper prints the second part with a plus; here D should take G(E(x)) for real, and :math:`-\log D` is s(-D), with D
a logit. Parts of the latent beside the code are drawn. D's own loss is the game's.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor
from torch.nn.functional import softplus
from typing_extensions import override

from allmodes import Latent, Loss, LossTerm, Step

NAME = "baselines.again"
"""The view's name, and the place of its noise."""


class ModeRegularizer(LossTerm):
    """lambda1 d(x, G(E(x))) - lambda2 log D(G(E(x))), for the generator and the encoder."""

    def __init__(self, auxiliary: str = "encoder", lambda1: float = 0.2, lambda2: float = 0.4) -> None:
        super().__init__()
        self.auxiliary, self.lambda1, self.lambda2 = auxiliary, lambda1, lambda2

    @override
    def losses(self) -> Mapping[str, Loss]:
        return {"generator": self.generator}

    def generator(self, step: Step) -> Tensor:
        """Averaged over the batch."""
        code = step.code(self.auxiliary, "real")  # (B, code_dim)
        again = step.view(NAME, lambda: step.call("generator", self.latent(step, code).z, place=NAME), code)
        distance = (step.x - step.data(again)).square().flatten(1).sum(1).mean()
        return self.lambda1 * distance + self.lambda2 * softplus(-step.score(again)).mean()

    @staticmethod
    def latent(step: Step, code: Tensor) -> Latent:
        """The latent of a code; a nuisance, which no item has, is drawn. Raises ValueError where the prior cannot."""
        if code.shape[1] == step.latent.z.shape[1]:
            return Latent(code)
        latent: Latent = step.call("prior", step.noise.at(f"prior/{NAME}"), step.n, {"code": code}, place=NAME)
        if latent.code is not code:
            what = "baselines.mode_regularizer needs a prior that draws the rest of z beside a code that is given"
            raise ValueError(f"{what}: one whose forward reads given['code']")
        return latent
