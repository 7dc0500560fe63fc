"""Image sets of scikit-learn and torchvision."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from allmodes.data.base import DataError, Origin
from allmodes.data.finite import TensorData
from allmodes.system.paths import at_home


def digits() -> TensorData:
    """Load scikit-learn's 8x8 digits in [-1, 1]: 1,437 to train on and 360 held out, stratified by class."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    pixels, labels = load_digits(return_X_y=True)  # (1797, 64) in 0..16
    halves = train_test_split(
        pixels.reshape(-1, 1, 8, 8) / 8 - 1, labels, test_size=360, stratify=labels, random_state=0
    )
    x, test_x, y, test_y = (torch.from_numpy(half) for half in halves)
    return TensorData(x, y, test_x, test_y, classes=10)


_PLACES = {
    "CIFAR10": "cifar-10-batches-py",
    "CIFAR100": "cifar-100-python",
    "SVHN": "train_32x32.mat",
}


def torchvision_images(
    name: str,
    root: str = "data",
    *,
    download: bool = False,
    size: int | None = None,
    groups: Sequence[Sequence[int]] | None = None,
    proportions: Sequence[float] | None = None,
) -> TensorData:
    """Load one of torchvision's image sets, as bytes.

    Args:
        name: Name of the torchvision class, such as `MNIST`.
        root: Folder that holds the set's own folder.
        download: Whether to fetch missing files.
        size: Height and width in pixels to resize to (bilinear, antialiased).
        groups: Labels that make up each class, numbered from 0 in this order; items of other labels are left out.
        proportions: Share of each class, up to a common factor; the first items of each class are kept.

    Raises:
        DataError: If the files are missing, unreadable or cannot be downloaded.
    """
    splits = (_split(name, root, train, download) for train in (True, False))
    kept = (_keep_groups(_resize(images, size), labels, groups) for images, labels in splits)
    (x, y), (test_x, test_y) = (_keep_proportions(images, labels, proportions) for images, labels in kept)
    data = TensorData(x, y, test_x, test_y, classes=None if groups is None else len(groups))
    data.origin = Origin(f"{name} in {root}", "its test set")
    return data


def _split(name: str, root: str, train: bool, download: bool) -> tuple[Tensor, Tensor]:
    from torchvision import datasets

    root = str(at_home(root))
    which = {"split": "train" if train else "test"} if name == "SVHN" else {"train": train}
    try:
        found = getattr(datasets, name)(root=root, download=download, **which)
    except (OSError, RuntimeError) as error:
        raise DataError(_explain(name, root, download, error)) from error
    labels = torch.as_tensor(found.labels if name == "SVHN" else found.targets)
    return _channels_first(torch.as_tensor(found.data)), labels


def _explain(name: str, root: str, download: bool, error: Exception) -> str:
    place = Path(root) / _PLACES.get(name, f"{name}/raw")
    if download:
        return f"data: {name} could not be downloaded to {root!r}: {error}"
    if place.exists():
        return f"data: {name} under {str(place)!r} is incomplete or damaged ({error}): replace it, or download: true"
    remedy = "set root to the folder that holds it, or download: true"
    return f"data: {name} is not under {root!r} (looked for {place}): {remedy}"


def _channels_first(images: Tensor) -> Tensor:
    """Convert grey (N, H, W) or (N, H, W, 3) to (N, C, H, W)."""
    if images.dim() == 3:
        return images[:, None]
    return images.permute(0, 3, 1, 2).contiguous() if images.shape[-1] == 3 else images


def _resize(images: Tensor, size: int | None) -> Tensor:
    if size is None or images.shape[-2:] == (size, size):
        return images
    from torchvision.transforms.v2.functional import resize

    return torch.cat([resize(chunk, [size, size], antialias=True) for chunk in torch.split(images, 1000)])


def _keep_groups(images: Tensor, labels: Tensor, groups: Sequence[Sequence[int]] | None) -> tuple[Tensor, Tensor]:
    if groups is None:
        return images, labels
    matches = torch.stack([torch.isin(labels, torch.tensor(list(group))) for group in groups], 1)  # (N, classes)
    chosen = matches.any(1)
    return images[chosen], matches[chosen].long().argmax(1)


def _keep_proportions(images: Tensor, labels: Tensor, proportions: Sequence[float] | None) -> tuple[Tensor, Tensor]:
    """Keep as many items as have these proportions, in their order."""
    if proportions is None:
        return images, labels
    shares = torch.tensor(proportions, dtype=torch.float64)
    most = (torch.bincount(labels, minlength=len(shares)) / shares).min()
    places = [(labels == k).nonzero().flatten()[: round(float(most * share))] for k, share in enumerate(shares)]
    kept = torch.cat(places).sort().values
    return images[kept], labels[kept]
