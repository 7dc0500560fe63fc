"""Feature spaces: differentiable, pure modules from items to vectors, on which distances and metrics are taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from reprlib import repr as short
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import override

from allmodes.data.base import DataError
from allmodes.registry.faults import ContractError, calling
from allmodes.system.torch_settings import seeded_generator
from allmodes_schemas import Shape

CHUNK = 500
"""Items of a chunk, outside training."""


class Features(nn.Module):
    """A map from items (B, *shape) in [-1, 1] (or vectors) to features (B, F), pure and differentiable.

    Attributes:
        facts: Numbers about the space itself, such as a classifier's accuracy; metrics report them beside their own.
    """

    facts: Mapping[str, float] = {}

    def forward(self, x: Tensor) -> Tensor:
        """Compute the features (B, F)."""
        raise NotImplementedError(f"{type(self).__name__} does not define forward(x)")


@torch.no_grad()
def extract_features(module: nn.Module, x: Tensor, device: str | torch.device = "cpu", chunk: int = CHUNK) -> Tensor:
    """Compute features (N, F) of items (N, *shape) on a device in chunks; return them on the CPU.

    Raises ContractError where they are not one row of numbers for each item, or not finite though the items are.
    """
    module = module.to(device)
    with calling("features", module):
        return torch.cat([_check_features(module(part.to(device)), part).cpu() for part in torch.split(x, chunk)])


def _check_features(features: Any, x: Tensor) -> Tensor:
    if not isinstance(features, Tensor):
        raise ContractError(f"gives {short(features)} for {len(x)} items: give a tensor ({len(x)}, F)")
    if features.ndim < 2 or len(features) != len(x):
        raise ContractError(f"gives features of shape {tuple(features.shape)}: give one row for each of {len(x)} items")
    if not features.isfinite().all() and x.isfinite().all():
        raise ContractError("gives features that are not finite, of items that are")
    return features


class Flattened(Features):
    """The items themselves as vectors."""

    @override
    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)


class RandomConv(Features):
    """An untrained convolutional network: three layers with stride 2, averaged to 2x2 cells, F = 16 * channels.

    Weights are normal with variance 2 / fan-in (He et al., 2015), drawn from the seed alone, so that they are the same
    on every machine.

    Raises:
        DataError: If the items are not images.
    """

    def __init__(self, shape: Shape, channels: int = 16, seed: int = 0) -> None:
        super().__init__()
        refuse_vectors("random_conv", shape)
        widths = (shape[0], channels, 2 * channels, 4 * channels)
        with seeded_generator(0):  # initial weights, soon replaced
            convolutions = [nn.Conv2d(sees, gives, 3, stride=2, padding=1) for sees, gives in pairwise(widths)]
        layers = [layer for convolution in convolutions for layer in (convolution, nn.LeakyReLU(0.2))]
        self.layers = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten())
        _draw_weights(convolutions, torch.Generator().manual_seed(seed))
        self.requires_grad_(False)

    @override
    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.layers(x)
        return features


@torch.no_grad()
def _draw_weights(convolutions: list[nn.Conv2d], generator: torch.Generator) -> None:
    for convolution in convolutions:
        fan_in = convolution.weight[0].numel()
        noise = torch.randn(convolution.weight.shape, generator=generator)
        convolution.weight.copy_(noise * (2 / fan_in) ** 0.5)
        convolution.bias.zero_() if convolution.bias is not None else None


class Backbone(Features):
    """One of torchvision's classifiers up to its last hidden layer.

    Items are brought to three channels, to the size that the weights were trained at (bilinear, antialiased, without
    cropping) and to the mean and standard deviation that they expect.

    Args:
        network: From images (B, 3, S, S) to features (B, F).
        size: S in px.
        mean: Mean of each channel on [0, 1], in training.
        std: Standard deviation of each channel on [0, 1].
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, size: int, mean: list[float], std: list[float]) -> None:
        super().__init__()
        self.network, self.size = network, size
        self.register_buffer("mean", torch.tensor(mean)[:, None, None])
        self.register_buffer("std", torch.tensor(std)[:, None, None])
        self.eval().requires_grad_(False)

    @override
    def forward(self, x: Tensor) -> Tensor:
        images = (x.expand(-1, 3, -1, -1) + 1) / 2
        images = F.interpolate(images, (self.size, self.size), mode="bilinear", antialias=True)
        features: Tensor = self.network((images - self.mean) / self.std)
        return features


_LAST: Mapping[str, str] = {"inception_v3": "fc", "vgg16": "classifier.6", "convnext_tiny": "classifier.2"}
"""The layer of the scores; `fc` in networks of the ResNet family."""


def load_backbone(model: str, weights: str, download: bool, shape: Shape) -> Backbone:
    """Load torchvision's `model` with its default weights or those of a file, in evaluation mode, on the CPU.

    Raises:
        DataError: If the items are not images of one or three channels, or the weights are missing or do not fit.
    """
    from torchvision import models

    refuse_vectors(model, shape)
    if shape[0] not in (1, 3):
        raise DataError(f"features {model}: needs images of 1 or 3 channels, but items have shape {shape}")
    trained = models.get_model_weights(model).DEFAULT
    extra: dict[str, Any] = {"init_weights": False} if model == "inception_v3" else {}
    with seeded_generator(0):  # initial weights, soon replaced
        network = models.get_model(model, weights=None, **extra)
    _restore(
        network, model, _default_weights(model, trained, download) if weights == "default" else _read(model, weights)
    )
    owner, _, leaf = _LAST.get(model, "fc").rpartition(".")
    setattr(network.get_submodule(owner), leaf, nn.Identity())
    expected = trained.transforms()
    return Backbone(network, expected.crop_size[0], expected.mean, expected.std)


def _restore(network: nn.Module, model: str, tensors: Mapping[str, Tensor]) -> None:
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"features {model}: the weights do not fit: {reason}") from None


def _default_weights(model: str, trained: Any, download: bool) -> Mapping[str, Tensor]:
    """Load torchvision's own weights from its cache, or from the network if `download` is set."""
    cached = Path(torch.hub.get_dir()) / "checkpoints" / Path(trained.url).name
    if not cached.exists() and not download:
        raise DataError(
            f"features {model}: its weights are not at {cached}: "
            "put them there, set weights to another file, or download: true"
        )
    try:
        tensors: Mapping[str, Tensor] = trained.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except Exception as error:
        raise DataError(f"features {model}: its weights could not be loaded: {error}") from error
    return tensors


def _read(model: str, weights: str) -> Mapping[str, Tensor]:
    """Read a state from a file: safetensors, or tensors in torch's own format (never pickled objects)."""
    from safetensors.torch import load_file

    reader: Callable[[str], Any] = load_file if weights.endswith(".safetensors") else _load_tensors
    try:
        tensors: Mapping[str, Tensor] = reader(weights)
    except Exception as error:  # each format raises several types for a damaged file
        reason = str(error).splitlines()[0]
        raise DataError(f"features {model}: weights {weights!r} cannot be read: {reason}") from error
    return tensors


def _load_tensors(path: str) -> Any:
    return torch.load(path, map_location="cpu", weights_only=True)


def refuse_vectors(features: str, shape: Shape) -> None:
    """Raise DataError where items are not images."""
    if len(shape) != 3:
        raise DataError(f"features {features}: needs images (C, H, W), but items have shape {shape}: take items")
