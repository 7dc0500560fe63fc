"""Fashion-MNIST with a few of MNIST's ones among them."""

from __future__ import annotations

import torch
from torch import Tensor

from allmodes import DataError, TensorData, torchvision_images

ARTICLES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
"""Fashion-MNIST's classes by label."""


def fashion_and_ones(
    root: str = "data", *, download: bool = False, ones: int = 600, size: int | None = None
) -> TensorData:
    """Fashion-MNIST with labels 0 to 9, and ones of MNIST with label 10; as bytes, from torchvision's files.

    Args:
        root: Folder that holds the folders FashionMNIST and MNIST.
        download: Whether to fetch what is missing.
        ones: Ones to train on; the share of ones among held-out images is the same, at least one image.
        size: Height and width in pixels to resize to.

    Raises:
        DataError: If files are missing, unreadable or cannot be downloaded, or MNIST has fewer ones.
    """
    fashion = torchvision_images("FashionMNIST", root, download=download, size=size)
    digits = torchvision_images("MNIST", root, download=download, size=size, groups=((1,),))
    assert fashion.test_x is not None
    assert digits.test_x is not None
    held_out = max(round(ones * fashion.test_items / fashion.items), 1)
    return TensorData(
        torch.cat([fashion.x, _pick_evenly(digits.x, ones, "to train on", ones)]),
        _join_labels(fashion.labels, ones),
        torch.cat([fashion.test_x, _pick_evenly(digits.test_x, held_out, "to hold out", ones)]),
        _join_labels(fashion.test_labels, held_out),
        classes=len(ARTICLES) + 1,
        class_names=(*ARTICLES, "One"),
    )


def _pick_evenly(images: Tensor, n: int, what: str, ones: int) -> Tensor:
    """Pick evenly spaced images from every part of the file: always the same."""
    if n > len(images):
        few = f"data: ones is {ones}, but MNIST under root has {len(images)} ones {what}, not {n}"
        raise DataError(f"{few}: set ones to {ones * len(images) // n} or less")
    return images[(torch.arange(n) + 0.5).mul(len(images) / n).long()]


def _join_labels(articles: Tensor | None, ones: int) -> Tensor:
    """Join the labels of the articles and of that many ones."""
    assert articles is not None
    return torch.cat([articles, torch.full((ones,), len(ARTICLES))])
