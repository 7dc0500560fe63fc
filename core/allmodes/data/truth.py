"""Distributions whose modes are known exactly: what metrics, figures and the collapse warning ask of them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from allmodes.data.batch import Batch
from allmodes_schemas import Shape

BEYOND = math.exp(-4.5)
"""Share of a Gaussian's points in the plane that lie beyond 3 stds: 1.11 %."""
ROWS, PAIRS = 4096, 1 << 22
"""Samples, and pairs of a sample and a mode, that are looked at together at most."""


def equal_coverage(dims: int) -> float:
    """The radius, in stds, that holds the same share of a Gaussian in `dims` dimensions as 3 stds in the plane.

    It is the quantile of chi with `dims` degrees of freedom at 1 - exp(-4.5) = 0.98889: 2.54 on a line, 3 in the plane,
    4.79 in 10 dimensions.
    """
    from scipy.special import gammainccinv

    return round(math.sqrt(2 * float(gammainccinv(dims / 2, BEYOND))), 12)  # exactly 3 in the plane


class Truth:
    """The distribution of data whose modes are known.

    Answers are exact: a mode is part of the distribution's definition, not found by a clustering or a classifier.

    Attributes:
        weights: Probability of each mode (K,), on the device on which points are drawn.
    """

    weights: Tensor

    @property
    def shape(self) -> Shape:
        """Shape of one item."""
        raise NotImplementedError(f"{type(self).__name__} does not define shape")

    @property
    def radius(self) -> float:
        """Distance from a mode, in stds of its points, within which a sample is of high quality."""
        raise NotImplementedError(f"{type(self).__name__} does not define radius")

    @property
    def present(self) -> Tensor:
        """A mask (K,) of the modes that the data have: those of positive weight."""
        return self.weights > 0

    def to(self, device: str | torch.device) -> Truth:
        """The same distribution on a device."""
        raise NotImplementedError(f"{type(self).__name__} does not define to(device)")

    def draw(self, n: int, generator: torch.Generator) -> Batch:
        """Draw n independent items: x (n, *shape) and, as labels, the modes that they come from (n,)."""
        return self.draw_of(torch.multinomial(self.weights, n, replacement=True, generator=generator), generator)

    def draw_of(self, mode: Tensor, generator: torch.Generator) -> Batch:
        """Draw an item of each of the given modes (n,), independently: x (n, *shape) and, as labels, those modes."""
        raise NotImplementedError(f"{type(self).__name__} does not define draw_of(mode, generator)")

    def modes_of(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Find the mode (N,) of each sample (N, *shape), -1 if it is not finite, and if it is of high quality (N,).

        Computed in double precision, so many samples at a time that memory stays below some hundred MB.
        """
        rows = max(1, min(ROWS, PAIRS // len(self.weights)))
        parts = (self.find(part.double()) for part in torch.split(samples.flatten(1), rows))
        modes, good = (torch.cat(column) for column in zip(*parts, strict=True))
        finite = samples.flatten(1).isfinite().all(1)
        return modes.where(finite, -1), good & finite

    def find(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Find mode (n,) and high quality (n,) of samples x (n, D) in double precision, finite or not."""
        raise NotImplementedError(f"{type(self).__name__} does not define find(x)")

    def variance_ratio(self, samples: Tensor, mode: Tensor) -> float:
        """Compute the variance of samples (n, *shape) within their modes (n,) over its true value.

        A perfect sampler's samples of high quality score a little less than 1, since what lies beyond the radius is cut
        off: the class says how much.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define variance_ratio(samples, mode)")

    def box(self) -> tuple[Tensor, Tensor]:
        """The lowest and highest coordinates (D,) of the points of high quality; chance is uniform between them."""
        raise NotImplementedError(f"{type(self).__name__} does not define box()")

    def landmarks(self) -> Tensor:
        """Points (M, *shape) that show in a figure where the modes are, such as their centres."""
        raise NotImplementedError(f"{type(self).__name__} does not define landmarks()")

    def identity(self) -> tuple[object, ...]:
        """Tensors and values that define the distribution, of which the data's fingerprint is made."""
        raise NotImplementedError(f"{type(self).__name__} does not define identity()")
