r"""NEMGAN's losses beside the game (Mishra et al.; NEMGAN-P's released code is what is followed).

With z and y drawn from the prior, x real, and h(x) = (z_hat, y_hat), each has a player of its own:

.. math::
    \min_{G, h}\ & 10\, \text{mse}(z, \hat z(G(z))) + \text{bce}(y, \hat y(G(z)))  && \text{inversion} \\
    \min_\alpha\ & KL(p \| q), \quad p = E_x \hat y(x), \quad q = E_z y             && \text{prior matching} \\
    \min_h\ & \text{ce}(l, \hat y(x_l))                                             && \text{few labels } l
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, l1_loss, log_softmax, mse_loss
from typing_extensions import override

from allmodes import CompositionError, Fitting, Loss, LossTerm, Step
from allmodes_nemgan.inverter import Inverted


class LatentInversion(LossTerm):
    """h recovers z and y from G(z); z and y are targets without a gradient."""

    def __init__(
        self,
        auxiliary: str = "inverter",
        z_loss: str = "mse",
        z_weight: float = 10.0,
        y_loss: str = "binary",
        y_weight: float = 1.0,
        margin: float = 0.4,
    ) -> None:
        super().__init__()
        self.auxiliary, self.distance = auxiliary, mse_loss if z_loss == "mse" else l1_loss
        self.z_weight, self.y_loss, self.y_weight, self.margin = z_weight, y_loss, y_weight, margin

    @override
    def losses(self) -> Mapping[str, Loss]:
        return {"inversion": self.inversion}

    def inversion(self, step: Step) -> Tensor:
        """z_weight d(z, z_hat) + y_weight H(y, y_hat); where the code is a part of z, z is the code."""
        z, y = step.latent.code.detach(), step.latent.part("mode").detach()
        found: Inverted = step.auxiliary(self.auxiliary, "fake")
        return self.z_weight * self.distance(found.z, z) + self.y_weight * self._entropy(step, found.y, y)

    def _entropy(self, step: Step, scores: Tensor, y: Tensor) -> Tensor:
        if self.y_loss == "binary":
            return binary_cross_entropy(scores, y)
        if self.y_loss == "am_softmax":  # e^{s (cos - m)} in the place of e^{s cos} for the right mode
            scores = scores - step.tensor(self.auxiliary, "scale") * self.margin * y
        return cross_entropy(scores, y)


class PriorMatching(LossTerm):
    """KL(p || q) of the modes in real data (p) and in the prior (q), which trains the prior alone.

    `sampled`, the released estimator, takes q from a batch of draws, and so lowers the mean of KLs rather than the KL
    of means. A mode that the batch lacks has no finite KL: q counts it as half a draw, and its gradient is zero, which
    is what clipping selects in the released code. `analytic` takes q as the prior offers it; the gradient of softmax's
    logits is then q - p exactly: always finite, and unbiased.
    """

    def __init__(self, auxiliary: str = "inverter", estimator: str = "analytic") -> None:
        super().__init__()
        self.auxiliary, self.estimator = auxiliary, estimator

    @override
    def fit(self, fitting: Fitting) -> None:
        # A prior of anybody's may offer weights that are fixed.
        assert fitting.prior is not None
        if not any(parameter.requires_grad for parameter in fitting.prior.parameters()):
            raise CompositionError("nemgan.prior_matching has nothing to learn: take a prior whose weights are learned")

    @override
    def losses(self) -> Mapping[str, Loss]:
        return {"prior": self.matching}

    def matching(self, step: Step) -> Tensor:
        """KL(p || q)."""
        scores: Tensor = step.estimate(self.auxiliary, "real", "logits")  # (B, K)
        p = scores.softmax(1).mean(0).detach()  # (K,)
        return kl(p, self._log_q(step))

    def _log_q(self, step: Step) -> Tensor:
        if self.estimator == "analytic":
            return log_shares(step.offer("weights"))
        return log_sampled_shares(step.latent.part("mode"))


class SparseSupervision(LossTerm):
    """Cross entropy of the labels and y_hat on a stream of few labelled items: label k becomes mode k."""

    def __init__(self, auxiliary: str = "inverter", stream: str = "labelled") -> None:
        super().__init__()
        self.auxiliary, self.stream = auxiliary, stream

    @override
    def losses(self) -> Mapping[str, Loss]:
        return {"supervision": self.supervision}

    def supervision(self, step: Step) -> Tensor:
        """H(label, y_hat)."""
        few = step.stream(self.stream)
        assert few.labels is not None
        scores: Tensor = step.estimate(self.auxiliary, step.view(f"nemgan.{self.stream}", few.x), "logits")
        return cross_entropy(scores, few.labels)


def binary_cross_entropy(scores: Tensor, y: Tensor) -> Tensor:
    """-y log p - (1 - y) log(1 - p) of p = softmax(scores), a mean over batch and entries (Keras's on a softmax)."""
    log_p = log_softmax(scores, 1)
    log_rest = torch.log1p(-log_p.exp().clamp(max=1 - 1e-6))  # finite where h is certain
    return -(y * log_p + (1 - y) * log_rest).mean()


def kl(p: Tensor, log_q: Tensor) -> Tensor:
    """sum_k p_k (log p_k - log q_k), where 0 log 0 is 0."""
    return (torch.xlogy(p, p) - p * log_q).sum()


def log_shares(weights: Tensor) -> Tensor:
    """log q (K,), finite where a weight is 0."""
    return weights.clamp(min=torch.finfo(weights.dtype).tiny).log()


def log_sampled_shares(y: Tensor) -> Tensor:
    """log q (K,) of modes (n, K), where q is their mean, but at least half a draw."""
    return y.mean(0).clamp(min=0.5 / len(y)).log()
