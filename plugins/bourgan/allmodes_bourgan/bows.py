r"""Parabolas: a chart that follows a curve is bent along its first axis.

About the centre of a chart whose first axis is u, with t the coordinate along it,

.. math:: y = v + g(t)\, q, \qquad g(t) = t^2 - s t - \lambda^2, \qquad t = u^T v = u^T y, \qquad q \perp u,

takes straightened offsets v to offsets y. It keeps volumes, so that the density of y is that of v. Over the chart's
items g has mean 0 and, by the skewness s, no covariance with t: straightening changes neither their mean nor their
first axis.
"""

from __future__ import annotations

import torch
from torch import Tensor


def measure(t: Tensor) -> Tensor:
    """The bow (2,), which is s and the square of lambda, of coordinates t (n,) with mean 0."""
    square = t.square().mean()
    return torch.stack([t.pow(3).mean() / square if square > 0 else square, square])


def fit(apart: Tensor, axis: Tensor) -> Tensor:
    """The bend q (d,) by which straightened offsets, of (n, d) with mean 0, have least squares."""
    t = apart @ axis
    g = _bow(t, measure(t))
    return g @ (apart - t[:, None] * axis) / g.square().sum().clamp(min=torch.finfo(g.dtype).tiny)


def straighten(apart: Tensor, axis: Tensor, bend: Tensor, bow: Tensor) -> Tensor:
    """Straightened offsets v (..., d) of offsets (..., d), by axes (..., d), bends (..., d) and bows (..., 2)."""
    return apart - bowed(apart, axis, bend, bow)


def bowed(apart: Tensor, axis: Tensor, bend: Tensor, bow: Tensor) -> Tensor:
    """g(t) q (..., d) of offsets (..., d), straightened or not."""
    return _bow((apart * axis).sum(-1, keepdim=True), bow) * bend


def _bow(t: Tensor, bow: Tensor) -> Tensor:
    return t.square() - bow[..., :1] * t - bow[..., 1:]
