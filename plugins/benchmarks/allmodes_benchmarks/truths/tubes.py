"""Modes that are no points: items around curves or segments, at right angles to them."""

from __future__ import annotations

from torch import Tensor
from typing_extensions import override

from allmodes import Truth, equal_coverage


class Tubes(Truth):
    """Items x = p + n, with p on a curve in D dimensions and n at right angles to it, n ~ N(0, std^2) in D - 1.

    Where the curves are farther apart, and bent less, than n is long, p is the nearest point of all curves, so that the
    distance of x from them over std has the chi distribution with D - 1 degrees of freedom exactly. A sample is of high
    quality within the radius r that holds 98.89 % of it, and the variance ratio is the mean squared distance over
    (D - 1) std^2: for perfect samples of high quality F_{D+1}(r^2) / F_{D-1}(r^2) (`variance_ratio_floor(r, D - 1)`).

    Args:
        weights: Probability of each mode (K,).
        std: Standard deviation of each coordinate of n.
        dims: D.
    """

    def __init__(self, weights: Tensor, std: float, dims: int) -> None:
        self.weights, self.std, self.dims = weights / weights.sum(), std, dims

    def nearest(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Find the nearest mode (n,) of samples x (n, D), and their distance (n,) from it."""
        raise NotImplementedError(f"{type(self).__name__} does not define nearest(x)")

    @property
    @override
    def radius(self) -> float:
        return equal_coverage(self.dims - 1)

    @override
    def find(self, x: Tensor) -> tuple[Tensor, Tensor]:
        modes, distance = self.nearest(x)
        return modes, distance <= self.radius * self.std

    @override
    def variance_ratio(self, samples: Tensor, mode: Tensor) -> float:
        _, distance = self.nearest(samples.flatten(1).double())
        return float(distance.square().mean()) / ((self.dims - 1) * self.std**2)

    @override
    def box(self) -> tuple[Tensor, Tensor]:
        """The box that the landmarks span, widened by the radius."""
        places, reach = self.landmarks().flatten(1), self.radius * self.std
        return places.amin(0) - reach, places.amax(0) + reach
