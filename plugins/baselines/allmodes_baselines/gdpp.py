r"""GDPP (Elfeki, Couprie, Riviere, Elhoseiny; ICML 2019; arXiv 1812.00068).

The diversity of a batch is the kernel :math:`L = \phi \phi^\top` of a determinantal point process, with :math:`\phi`
D's last features, each row of unit length. Of :math:`L = \sum_i \lambda_i v_i v_i^\top` for data, and its counterpart
with hats for generated data, the generator minimises

.. math::
    w\, \text{mean}_i (\lambda_i - \hat\lambda_i)^2 + \sum_i m_i (1 - |\cos(v_i, \hat v_i)|), \qquad
    m_i = \frac{\lambda_i - \lambda_\min}{\lambda_\max - \lambda_\min}, \quad w = 10^{-4}

beside its game. The authors' code has :math:`-\cos` in the place of :math:`1 - |\cos|`: the 1 is a constant, but makes
equal features cost nothing; the absolute value is ours, since the sign of an eigenvector is arbitrary.

Gradients are of first order around the eigenvectors found: :math:`\partial \lambda_i = v_i^\top \partial L\, v_i` and
:math:`\partial v_i = \sum_j v_j\, (v_j^\top \partial L\, v_i) / (\lambda_i - \lambda_j)`. A kernel of more items than
features has many eigenvalues 0, so that 1/g of the gap g is taken as :math:`g / (g^2 + \text{GAP}^2)`, ours too.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import normalize
from typing_extensions import override

from allmodes import Loss, LossTerm

GAP = 1e-3
"""Eigenvalues nearer to each other than this are treated as one: eigenvalues are shares of a trace of B items."""


class Determinantal(LossTerm):
    """The generated batch should be as diverse, and in the same directions, as the batch of data."""

    def __init__(self, value_weight: float = 1e-4) -> None:
        super().__init__()
        self.value_weight = value_weight

    @override
    def losses(self) -> Mapping[str, Loss]:
        return {"generator": lambda step: self.distance(step.features("real").detach(), step.features("fake"))}

    def distance(self, real: Tensor, fake: Tensor) -> Tensor:
        """The distance of the spectra of two batches of features, both (B, F)."""
        values, vectors = spectrum(kernel(real))
        fake_values, fake_vectors = spectrum(kernel(fake))
        unlike = 1 - (vectors * fake_vectors).sum(0).abs()  # (B,)
        return self.value_weight * (values - fake_values).square().mean() + (min_max(values) * unlike).sum()


def kernel(features: Tensor) -> Tensor:
    """L (B, B) of features (B, F): the cosines of all pairs."""
    phi = normalize(features, dim=1)
    return phi @ phi.mT


def spectrum(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues (B,), ascending, and eigenvectors (B, B) as columns; gradients are finite at equal values."""
    # LAPACK refuses NaN; through `inner` it still reaches the loss, where a run that diverged is recognised.
    values, vectors = torch.linalg.eigh(matrix.detach().nan_to_num())
    inner = vectors.mT @ matrix @ vectors  # (B, B), the diagonal of values; it carries the gradients
    gap = values[None, :] - values[:, None]
    turned = vectors @ (inner * gap / (gap.square() + GAP**2))
    return _like(values, inner.diagonal()), _like(vectors, turned)


def _like(value: Tensor, carrier: Tensor) -> Tensor:
    """The value with the gradient of the carrier."""
    return value + (carrier - carrier.detach())


def min_max(values: Tensor) -> Tensor:
    """Ascending values moved and scaled to [0, 1]; all 0 where they are equal."""
    return (values - values[0]) / (values[-1] - values[0]).clamp_min(GAP)
