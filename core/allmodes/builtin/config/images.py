"""Configs of image sets that come with a library: scikit-learn's digits, torchvision's sets."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator
from typing_extensions import override

from allmodes.builtin.config.ranges import Label, Positive, Size
from allmodes_schemas import DatasetConfig, Shape


class DigitsConfig(DatasetConfig):
    """scikit-learn's bundled 8x8 digits: 1,797 grey images in [-1, 1], of which 360 are held out."""

    kind: Literal["digits"] = "digits"

    @override
    def shape(self) -> Shape:
        return (1, 8, 8)

    @override
    def classes(self) -> int:
        return 10

    @override
    def build(self) -> Any:
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
    size: Size | None = None
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
    def _check_labels(self) -> Self:
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
    def _check_proportions(self) -> Self:
        if self.proportions is not None and len(self.proportions) != self.classes():
            raise ValueError(f"proportions has {len(self.proportions)} entries but there are {self.classes()} classes")
        return self

    def groups(self) -> tuple[tuple[int, ...], ...] | None:
        """The set's own labels that make up each class; None for all as they are."""
        if self.classes_kept is not None:
            return tuple((label,) for label in self.classes_kept)
        return self.merge

    @override
    def shape(self) -> Shape:
        channels, side = (1, 28) if self.dataset.endswith("MNIST") else (3, 32)
        return (channels, self.size or side, self.size or side)

    @override
    def classes(self) -> int:
        groups = self.groups()
        return self._all_classes() if groups is None else len(groups)

    @override
    def build(self) -> Any:
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


KINDS: tuple[type[DatasetConfig], ...] = (DigitsConfig, TorchvisionConfig)
