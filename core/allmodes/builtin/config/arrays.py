"""Config of NumPy arrays."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import model_validator
from typing_extensions import override

from allmodes.builtin.config.files import NumbersConfig, StoredConfig
from allmodes.system.paths import homely


class ArraysConfig(NumbersConfig, StoredConfig):
    """Arrays in a .npy or .npz file: vectors (N, F), or images (N, H, W), (N, H, W, C) or (N, C, H, W)."""

    kind: Literal["arrays"] = "arrays"
    path: str
    """The file, relative to where the run is started."""
    x: str | None = None
    """Name of the array of items in an .npz; by default the only one, `x` or `samples`."""
    labels: str | None = None
    """The items' labels: name of an array in the .npz, or path of a .npy file."""
    test_path: str | None = None
    """File of items that are not trained on."""
    test_x: str | None = None
    """Name of the array of test items in an .npz; by default `x`, in `test_path`."""
    test_labels: str | None = None
    """The test items' labels, named likewise; by default `labels`, where that is a name in an .npz."""
    layout: Literal["auto", "NHWC", "NCHW"] = "auto"
    """Where images have their channels; `auto` looks for 1 or 3."""
    range: tuple[float, float] | None = None
    """Values that are black and white, such as [0, 1] or [0, 255]; by default images are bytes or floats in [-1, 1]."""

    @model_validator(mode="after")
    def _check_range(self) -> Self:
        if self.range is not None and self.range[0] >= self.range[1]:
            raise ValueError(f"range goes from {self.range[0]:g} to {self.range[1]:g}: give black first, then white")
        return self

    @override
    def build(self) -> Any:
        from allmodes.data.files.arrays import ArrayNames, read_arrays

        has_test = bool(self.test_path or self.test_x)
        return read_arrays(
            homely(self.path),
            ArrayNames(self.x, self.labels and homely(self.labels)),
            self.options(),
            self.test_path and homely(self.test_path),
            ArrayNames(self.test_x or self.x, self._test_labels()) if has_test else None,
            self.layout,
            self.range,
        )

    def _test_labels(self) -> str | None:
        own_file = (self.labels or "").lower().endswith(".npy")
        labels = self.test_labels or (None if own_file else self.labels)
        return labels and homely(labels)
