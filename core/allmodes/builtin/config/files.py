"""Base configs of the user's own files.

What only the files know, such as the shape of an item, is checked when they are loaded, so that a spec can be checked
where the files are not.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

from typing_extensions import override

from allmodes.builtin.config.ranges import Share, Size, Workers
from allmodes_schemas import DatasetConfig

if TYPE_CHECKING:
    from allmodes.data.files.images import ImageOptions
    from allmodes.data.files.loading import ReadOptions

PLACES = frozenset({"root", "path", "test_path"})
"""Options that may change when a run is resumed: the fingerprint of the data shows whether they are the same."""


class HeldOutConfig(DatasetConfig):
    """Base config of data of which a share is held out."""

    held_out: Share = 0.1
    """Share of the items that are not trained on: always the same ones, in equal shares of each class. Unused where
    test items are given."""

    def options(self) -> ReadOptions:
        """How items become data (imports torch)."""
        from allmodes.data.files.loading import ReadOptions

        return ReadOptions(self.held_out)


class NumbersConfig(HeldOutConfig):
    """Base config of numbers, of which some may be missing."""

    missing: Literal["refuse", "leave_out"] = "refuse"
    """What becomes of items with a missing or infinite number or a missing label: they are an error that counts them,
    or they are left out, which the run reports with their number."""
    standardise: bool = True
    """Whether each column of numbers is given zero mean and unit variance; samples are converted back."""

    @override
    def options(self) -> ReadOptions:
        return replace(super().options(), missing=self.missing, standardise=self.standardise)


class StoredConfig(HeldOutConfig):
    """Base config of data that may be too large for memory."""

    free: ClassVar[frozenset[str]] = frozenset({"memory", "workers", *PLACES})

    memory: Literal["auto", "resident", "stream"] = "auto"
    """`resident`: read once into memory; `stream`: read batch by batch, with the same draws; `auto`: resident where
    the items take at most half of the free memory."""
    workers: Workers = 0
    """Processes that read items, into memory or batch by batch; 0 reads in the process that trains."""

    @override
    def options(self) -> ReadOptions:
        from allmodes.data.files.storage import StoragePolicy

        return replace(super().options(), storage=StoragePolicy(self.memory, self.workers))


class ImagesConfig(StoredConfig):
    """Base config of encoded images."""

    workers: Workers = 2
    """Processes that read items, into memory or batch by batch; 0 reads in the process that trains."""
    size: Size | None = None
    """Height and width in pixels to resize to (bilinear, antialiased); without it all images must have one size."""
    crop: bool = True
    """Whether the central square is resized, or the whole image stretched to a square."""
    channels: Literal["auto", "rgb", "grey"] = "auto"
    """What images are converted to; `auto`: grey where the first hundred are, else RGB. Transparency is dropped."""
    skip_unreadable: bool = False
    """Whether images that cannot be read are left out with a warning; they are an error otherwise."""

    def image_options(self) -> ImageOptions:
        """How images are made alike (imports torch)."""
        from allmodes.data.files.images import ImageOptions

        return ImageOptions(self.size, self.crop, self.channels, self.skip_unreadable)
