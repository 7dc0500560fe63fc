r"""Whether numbers are a Gaussian's or a segment's, of which neither place nor length is known.

With R the range of n numbers, Q the sum of their squares about their mean, and the prior :math:`d\mu\, ds / s` of place
and scale,

.. math:: p(t \mid \text{Gaussian}) = \frac{\Gamma(\frac{n-1}{2})}{2 \sqrt{n}\, (\pi Q)^{(n-1)/2}}, \qquad
    p(t \mid \text{segment}) = \frac{1}{n (n - 1) R^{n-1}}.

A piece of a curve ends where the next begins; a Gaussian has no ends.
"""

from __future__ import annotations

from math import log, pi

from torch import Tensor

CLEARLY = log(20)
"""A Gaussian is clear where it is so many nats likelier."""


def compare(n: Tensor, length: Tensor, squares: Tensor) -> Tensor:
    """By how many nats a Gaussian is likelier than a segment, of at least 2 numbers each; nan of equal ones."""
    free = n - 1
    gaussian = (free / 2).lgamma() - log(2) - n.log() / 2 - free / 2 * (pi * squares).log()
    return gaussian + free * length.log() + (n * free).log()
