"""Small image files for tests of data, and the messages of errors."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from allmodes.data import DataError


def picture(
    path: Path, seed: int = 0, size: tuple[int, int] = (8, 8), mode: str = "RGB", **options: object
) -> np.ndarray:
    """Writes an image of random bytes (a flat one where the format is lossy) and returns its pixels (H, W[, C])."""
    path.parent.mkdir(parents=True, exist_ok=True)
    width, height = size
    shape = (height, width) if mode == "L" else (height, width, 3)
    lossy = path.suffix in (".jpg", ".jpeg", ".webp")
    rng = np.random.default_rng(seed)
    pixels = np.full(shape, 10 * seed % 256, np.uint8) if lossy else rng.integers(0, 256, shape).astype(np.uint8)
    Image.fromarray(pixels, mode="L" if mode == "L" else "RGB").save(path, **options)
    return pixels


def folder(root: Path, classes: tuple[str, ...] = ("cat", "dog"), each: int = 10, **options: object) -> Path:
    """Class folders of images."""
    for i, name in enumerate(classes):
        for j in range(each):
            picture(root / name / f"{j:02d}.png", seed=100 * i + j, **options)
    return root


def error_of(build: Callable[[], object]) -> str:
    """The message of the `DataError` that a call raises."""
    with pytest.raises(DataError) as error:
        build()
    return str(error.value)


def refusal(build: Callable[[], object]) -> str:
    """The message likewise, without its beginning `data: `."""
    return error_of(build).removeprefix("data: ")
