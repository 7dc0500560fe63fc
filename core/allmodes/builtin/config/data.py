"""Configs of the core's data: mixtures whose modes are known, scikit-learn's digits, torchvision's image sets."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from allmodes.specs.hints import of_bounds, of_scale
from allmodes_schemas import DatasetConfig, Problem, Shape, Spec

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Label = Annotated[int, Field(ge=0)]
Point = tuple[float, ...]


RESOLUTION = 1e-6
"""The smallest std beside means of size 1: 32-bit floats are 1.2e-7 apart there, and few of them lie within it."""


class KnownModesConfig(DatasetConfig):
    """A mixture of isotropic Gaussians: what its kinds share."""

    threshold: Positive | None = None
    """A point is of high quality within this many stds of a mode's mean (Euclidean distance). By default the radius
    that holds 98.89 % of a mode's own points: 3 in the plane, 4.79 where ten coordinates vary."""
    items: int | None = Field(None, ge=1, le=10_000_000)
    """A fixed number of points to train on, shared among the modes by their weights (equally, where these are equal);
    by default fresh ones without end."""
    items_seed: int = Field(0, ge=0, lt=2**63)
    """Which of the possible sets of `items` it is: the same for all seeds of a run."""

    @model_validator(mode="after")
    def _no_mode_is_left_out(self) -> Self:
        weights = self.mode_weights()
        if self.items is not None and len(weights) == self.classes() and 0 < sum(weights) < math.inf:
            empty = [k for k, n in enumerate(apportioned(weights, self.items)) if n == 0 < weights[k]]
            if empty:
                rarest = min(weights[k] for k in empty)
                enough = f"items to {math.ceil(sum(weights) / rarest)} or more"
                raise ValueError(f"items is {self.items}, which leaves mode {empty[0]} without a point: set {enough}")
        return self

    @model_validator(mode="after")
    def _widths_are_seen(self) -> Self:
        sizes, stds = [max(map(abs, centre)) for centre in self.centres()], self.stds()
        each = stds if isinstance(stds, Sequence) else (stds,) * len(sizes)
        for std, size in zip(each, sizes, strict=False):  # whether there are as many is checked by those who take them
            if std < RESOLUTION * size < math.inf:
                what = f"std {std:g} is lost beside a mean of size {size:g}, where 32-bit floats are"
                least = f"take at least {RESOLUTION * size:.1g}, or smaller means"
                raise ValueError(f"{what} {size * 2**-23:.1g} apart: {least}")
        return self

    def centres(self) -> Sequence[Point]:
        """The modes' means, in the order of their labels."""
        raise NotImplementedError(f"{type(self).__name__} does not define centres()")

    def mode_weights(self) -> Sequence[float]:
        """The modes' weights, up to a common factor."""
        return (1.0,) * len(self.centres())

    def stds(self) -> float | Sequence[float]:
        """The modes' standard deviation, one number or one for each."""
        raise NotImplementedError(f"{type(self).__name__} does not define stds()")

    def noisy_dims(self) -> int | None:
        """How many leading coordinates vary within a mode; None means all."""
        return None

    def shape(self) -> Shape:
        """Shape of one point."""
        return (len(self.centres()[0]),)

    def classes(self) -> int:
        """Number of modes, which are the labels."""
        return len(self.centres())

    def known_modes(self) -> bool:
        """Always."""
        return True

    def check(self, spec: Spec) -> Iterator[Problem]:
        """Warn of modes too far or too near, by the moments of those with a weight, coordinate after coordinate."""
        stds = self.stds()
        widths = [stds] * self.classes() if isinstance(stds, int | float) else stds
        there = [mode for mode in zip(self.mode_weights(), self.centres(), widths, strict=True) if mode[0] > 0]
        whole = sum(weight for weight, _, _ in there)
        weights = [weight / whole for weight, _, _ in there]
        within = sum(w * std * std for w, (_, _, std) in zip(weights, there, strict=True))
        columns = list(zip(*(centre for _, centre, _ in there), strict=True))
        means = [sum(w * x for w, x in zip(weights, column, strict=True)) for column in columns]
        spreads = [
            math.sqrt(within + sum(w * (x - mean) * (x - mean) for w, x in zip(weights, column, strict=True)))
            for mean, column in zip(means, columns, strict=True)
        ]
        yield from of_scale(means, spreads, "shift and scale the modes (means or radius, and std) to about 1")
        yield from of_bounds(spec, [min(column) for column in columns], [max(column) for column in columns])

    def build(self) -> Any:
        """The mixture as data, drawn without end or a fixed set, on the CPU."""
        import torch

        from allmodes.data import FixedMixture, Mixture, MixtureData

        stds = self.stds()
        std = float(stds) if isinstance(stds, int | float) else torch.tensor(stds)
        means, weights = torch.tensor(self.centres()), torch.tensor(self.mode_weights())
        mixture = Mixture(means, std, weights, self.threshold, self.noisy_dims())
        if self.items is None:
            return MixtureData(mixture)
        return FixedMixture(mixture, apportioned(self.mode_weights(), self.items), self.items_seed)


class WeightedConfig(KnownModesConfig):
    """A mixture whose weights may be chosen: what its kinds share."""

    weights: tuple[Weight, ...] | None = None
    """Weight of each mode, up to a common factor; by default all are equal."""

    @model_validator(mode="after")
    def _weights_fit(self) -> Self:
        if self.weights is not None and len(self.weights) != self.classes():
            raise ValueError(f"weights has {len(self.weights)} entries but there are {self.classes()} modes")
        if self.weights is not None and sum(self.weights) == 0:
            raise ValueError("weights are all zero: at least one mode must have a positive weight")
        return self

    def mode_weights(self) -> Sequence[float]:
        """The weights as given, or equal ones."""
        return super().mode_weights() if self.weights is None else self.weights


class RingConfig(WeightedConfig):
    """Gaussians equally spaced on a circle (the classic ring of Metz et al., 2017: 8 modes).

    Official demos of Unrolled GAN and GDPP place both ends of [0, 2 pi], so that two of their eight modes coincide;
    here all modes are distinct.
    """

    kind: Literal["ring"] = "ring"
    modes: int = Field(8, ge=1, le=10_000)
    """Number of modes."""
    radius: Positive = 1.0
    """Distance of the means from the origin."""
    std: Positive = 0.01
    """Standard deviation of each coordinate within a mode, in the units of `radius`."""
    first_angle: Finite = -math.pi / 2
    """Angle of the first mode in radians, counter-clockwise from the positive x axis."""

    def centres(self) -> Sequence[Point]:
        """Points on the circle, counter-clockwise."""
        return _on_circle(self.modes, self.radius, self.first_angle)

    def stds(self) -> float:
        """The same for all modes."""
        return self.std


class GridConfig(WeightedConfig):
    """Gaussians on a square grid around the origin (the classic 25 modes at {-4,-2,0,2,4}^2)."""

    kind: Literal["grid"] = "grid"
    side: int = Field(5, ge=1, le=100)
    """Number of modes along each axis."""
    spacing: Positive = 2.0
    """Distance between neighbouring means."""
    std: Positive = 0.05
    """Standard deviation of each coordinate within a mode, in the units of `spacing`."""

    def centres(self) -> Sequence[Point]:
        """Row by row of growing first coordinate."""
        axis = [self.spacing * (i - (self.side - 1) / 2) for i in range(self.side)]
        return tuple(product(axis, axis))

    def stds(self) -> float:
        """The same for all modes."""
        return self.std


class CircleConfig(KnownModesConfig):
    """A circle of overlapping Gaussians with a small mode at its centre (Xiao et al., 2018: 3 of 103 points)."""

    kind: Literal["circle"] = "circle"
    modes: int = Field(100, ge=1, le=10_000)
    """Number of modes on the circle; the centre comes last, as one more."""
    radius: Positive = 2.0
    """Radius of the circle."""
    std: Positive = 0.05
    """Standard deviation of each coordinate within a mode, in the units of `radius`."""
    centre: Positive = 3.0
    """Weight of the centre, where each mode on the circle weighs 1."""
    first_angle: Finite = 0.0
    """Angle of the first mode in radians, counter-clockwise from the positive x axis."""

    def centres(self) -> Sequence[Point]:
        """Points on the circle, counter-clockwise, then the origin."""
        return (*_on_circle(self.modes, self.radius, self.first_angle), (0.0, 0.0))

    def mode_weights(self) -> Sequence[float]:
        """One each, and the centre's."""
        return (*(1.0,) * self.modes, self.centre)

    def stds(self) -> float:
        """The same for all modes."""
        return self.std


class MixtureConfig(WeightedConfig):
    """Isotropic Gaussians at means of your choice."""

    kind: Literal["mixture"] = "mixture"
    means: tuple[Annotated[tuple[Finite, ...], Field(min_length=1)], ...] = Field(min_length=1)
    """The modes' means: a list of points with equally many coordinates."""
    std: Positive | tuple[Positive, ...] = 1.0
    """Standard deviation of each coordinate within a mode: one number, or one for each mode."""

    @field_validator("means")
    @classmethod
    def _equally_long(cls, means: tuple[Point, ...]) -> tuple[Point, ...]:
        lengths = sorted({len(mean) for mean in means})
        if len(lengths) > 1:
            raise ValueError(f"means have {lengths[0]} to {lengths[-1]} coordinates: give all the same number")
        return means

    @model_validator(mode="after")
    def _stds_fit(self) -> Self:
        if isinstance(self.std, tuple) and len(self.std) != self.classes():
            raise ValueError(f"std has {len(self.std)} entries but there are {self.classes()} modes")
        return self

    def centres(self) -> Sequence[Point]:
        """As given."""
        return self.means

    def stds(self) -> float | Sequence[float]:
        """As given."""
        return self.std


class HighDimensionalConfig(KnownModesConfig):
    """Ten modes in 1200 dimensions, 700 of them noisy: the data of Srivastava et al. (2017) as PacGAN re-created them.

    The authors did not publish the means. In PacGAN's re-creation all 1200 coordinates of a mean are the same
    number, one of (-1, -0.5, 0, 0.5, -2, -2.5, 10, 0.25, -13, -5.5), and the first 700 have unit noise. The published
    column is not reproducible as specified: a real point lies about sqrt(700) = 26.5 stds from its mean, so the
    "10 stds" that the paper accepts, read as a Euclidean distance, reject all real data. Here a point is of high
    quality within 28.1 stds, as 98.89 % of real points are; a point at the very mean is too, so read the variance ratio
    beside it.
    """

    kind: Literal["high_dimensional"] = "high_dimensional"

    def centres(self) -> Sequence[Point]:
        """Ten points on the diagonal."""
        return tuple((value,) * 1200 for value in (-1.0, -0.5, 0.0, 0.5, -2.0, -2.5, 10.0, 0.25, -13.0, -5.5))

    def stds(self) -> float:
        """Unit noise."""
        return 1.0

    def noisy_dims(self) -> int:
        """The first 700 coordinates."""
        return 700


class DigitsConfig(DatasetConfig):
    """scikit-learn's bundled 8x8 digits: 1,797 grey images in [-1, 1], of which 360 are held out."""

    kind: Literal["digits"] = "digits"

    def shape(self) -> Shape:
        """One channel of 8x8 pixels."""
        return (1, 8, 8)

    def classes(self) -> int:
        """Ten digits."""
        return 10

    def build(self) -> Any:
        """The images, on the CPU; the split is always the same and keeps the classes' shares."""
        from allmodes.data import digits

        return digits()


class TorchvisionConfig(DatasetConfig):
    """An image set that torchvision knows by name, in [-1, 1]; its own test split is held out."""

    free: ClassVar[frozenset[str]] = frozenset({"root", "download"})

    kind: Literal["torchvision"] = "torchvision"
    dataset: Literal["MNIST", "FashionMNIST", "KMNIST", "CIFAR10", "CIFAR100", "SVHN"]
    """Name of the set."""
    root: str = "data"
    """Folder that holds the set's own folder, relative to where the run is started."""
    download: bool = False
    """Whether to fetch what is missing; never done without being asked."""
    size: int | None = Field(None, ge=1, le=4096)
    """Height and width in pixels to resize to; by default the set's own."""
    classes_kept: tuple[Label, ...] | None = Field(None, min_length=1)
    """Labels to keep, renumbered from 0 in this order; by default all."""
    merge: tuple[Annotated[tuple[Label, ...], Field(min_length=1)], ...] | None = Field(None, min_length=1)
    """Labels that make up each class, such as [[5, 7, 9], [8]]; others are left out. Takes the place of
    `classes_kept`."""
    proportions: tuple[Positive, ...] | None = Field(None, min_length=1)
    """Share of each class, up to a common factor: as many of the first items of each are kept as have these shares,
    to train on and held out. By default all are kept."""

    @model_validator(mode="after")
    def _labels_exist(self) -> Self:
        if self.classes_kept is not None and self.merge is not None:
            raise ValueError("classes_kept and merge are both given: merge alone says which labels are kept")
        field = "classes_kept" if self.merge is None else "merge"
        kept = [label for group in self.groups() or () for label in group]
        if len(set(kept)) < len(kept):
            raise ValueError(f"{field} names a label twice")
        if kept and max(kept) >= self._all_classes():
            last = self._all_classes() - 1
            raise ValueError(f"{field} names label {max(kept)} but {self.dataset} has 0 to {last}")
        return self

    @model_validator(mode="after")
    def _proportions_fit(self) -> Self:
        if self.proportions is not None and len(self.proportions) != self.classes():
            raise ValueError(f"proportions has {len(self.proportions)} entries but there are {self.classes()} classes")
        return self

    def groups(self) -> tuple[tuple[int, ...], ...] | None:
        """The set's own labels that make up each class; None for all as they are."""
        if self.classes_kept is not None:
            return tuple((label,) for label in self.classes_kept)
        return self.merge

    def shape(self) -> Shape:
        """Channels, height, width."""
        channels, side = (1, 28) if self.dataset.endswith("MNIST") else (3, 32)
        return (channels, self.size or side, self.size or side)

    def classes(self) -> int:
        """Number of classes kept."""
        groups = self.groups()
        return self._all_classes() if groups is None else len(groups)

    def build(self) -> Any:
        """The images, on the CPU.

        Raises:
            DataError: If the files are missing, unreadable or cannot be downloaded.
        """
        from allmodes.data import torchvision_images

        return torchvision_images(
            self.dataset,
            self.root,
            download=self.download,
            size=self.size,
            groups=self.groups(),
            proportions=self.proportions,
        )

    def _all_classes(self) -> int:
        return 100 if self.dataset == "CIFAR100" else 10


def apportioned(weights: Sequence[float], items: int) -> tuple[int, ...]:
    """Whole numbers in proportion to the weights that add up to `items`, by largest remainders (Hamilton's method)."""
    total = sum(weights)
    quotas = [items * (weight / total) for weight in weights]
    counts = [math.floor(quota) for quota in quotas]
    by_remainder = sorted(range(len(quotas)), key=lambda k: counts[k] - quotas[k])  # stable: the first of equal ones
    for k in by_remainder[: items - sum(counts)]:
        counts[k] += 1
    return tuple(counts)


def _on_circle(n: int, radius: float, first_angle: float) -> tuple[Point, ...]:
    """Return n distinct points: the last is one step short of a full turn."""
    angles = [first_angle + 2 * math.pi * i / n for i in range(n)]
    return tuple((radius * math.cos(angle), radius * math.sin(angle)) for angle in angles)


KINDS: tuple[type[DatasetConfig], ...] = (
    RingConfig,
    GridConfig,
    CircleConfig,
    MixtureConfig,
    HighDimensionalConfig,
    DigitsConfig,
    TorchvisionConfig,
)
