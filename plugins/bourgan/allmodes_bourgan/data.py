"""Settings of BourGAN's data."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from allmodes import DatasetConfig, Shape


class FashionAndOnesConfig(DatasetConfig):
    """Fashion-MNIST and a few of MNIST's ones: a small mode far from the others (after Xiao et al., 2018).

    How many ones the authors added is not known to us: 600 beside 60,000 articles, 0.99 % of all, is our choice. Labels
    0 to 9 are Fashion-MNIST's, 10 is the ones. Images are in [-1, 1]; both test splits are held out, the ones among
    them in the same proportion.
    """

    free: ClassVar[frozenset[str]] = frozenset({"root", "download"})

    kind: Literal["bourgan.fashion_and_ones"] = "bourgan.fashion_and_ones"
    root: str = "data"
    """Folder that holds the folders FashionMNIST and MNIST, relative to where the run is started."""
    download: bool = False
    """Whether to fetch what is missing; never done without being asked."""
    ones: int = Field(600, ge=1)
    """Ones to train on: always the same, evenly spaced among MNIST's."""
    size: int | None = Field(None, ge=1, le=4096)
    """Height and width in pixels to resize to; by default 28."""

    @override
    def shape(self) -> Shape:
        side = self.size or 28
        return (1, side, side)

    @override
    def classes(self) -> int:
        return 11

    @override
    def build(self) -> Any:
        """The images, on the CPU.

        Raises:
            DataError: If files are missing, unreadable or cannot be downloaded, or MNIST has fewer ones.
        """
        from allmodes_bourgan.images import fashion_and_ones

        return fashion_and_ones(**self.model_dump(exclude={"kind"}))
