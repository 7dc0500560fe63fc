r"""Bends: a chart that follows a curve is bent along its first axis, by a parabola and a cubic.

About the centre of a chart whose first axis is u, with t the coordinate along it,

.. math:: y = v + \sum_{j=2}^3 g_j(t)\, q_j, \qquad g_j(t) = t^j - s_j t - m_j, \qquad t = u^T v = u^T y, \qquad
    q_j \perp u,

takes straightened offsets v to offsets y. It keeps volumes, so that the density of y is that of v. Over the chart's
items g has mean 0 (m) and no covariance with t (s): straightening changes neither their mean nor their first axis.
"""

from __future__ import annotations

import torch
from torch import Tensor


def measure(t: Tensor) -> Tensor:
    """The bows (2, 2), which are s and m of each power, of coordinates t (n,) with mean 0."""
    square = t.square().mean()
    bow = [torch.stack([t.pow(j + 1).mean() / square if square > 0 else square, t.pow(j).mean()]) for j in (2, 3)]
    return torch.stack(bow)


def fit(apart: Tensor, axis: Tensor, degree: int) -> Tensor:
    """The bends q (2, d) by which straightened offsets, of (n, d) with mean 0, have least squares; up to a degree."""
    t = apart @ axis
    g = rise(t[:, None], measure(t))[:, : degree - 1]  # (n, J)
    beside = apart - t[:, None] * axis
    q = torch.zeros(2, apart.shape[1], dtype=apart.dtype)
    q[: degree - 1] = torch.linalg.pinv(g) @ beside
    return q


def straighten(apart: Tensor, axis: Tensor, bend: Tensor, bow: Tensor) -> Tensor:
    """Straightened offsets v (..., d) of offsets (..., d), by axes (..., d), bends (..., 2, d) and bows (..., 2, 2)."""
    return apart - bowed(apart, axis, bend, bow)


def bowed(apart: Tensor, axis: Tensor, bend: Tensor, bow: Tensor) -> Tensor:
    """sum_j g_j(t) q_j (..., d) of offsets (..., d), straightened or not."""
    return torch.einsum("...j,...jd->...d", rise((apart * axis).sum(-1, keepdim=True), bow), bend)


def rise(t: Tensor, bow: Tensor) -> Tensor:
    """g (..., 2) at coordinates t (..., 1), by bows (..., 2, 2)."""
    return torch.cat([t.square(), t.pow(3)], -1) - bow[..., 0] * t - bow[..., 1]
