"""A small classifier of the data's labels, trained once and cached; its last layer is a feature space."""

from __future__ import annotations

import hashlib
import logging
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from math import prod
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from safetensors.torch import save as serialised
from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import override

from allmodes.data import Data, DataError, TensorData
from allmodes.metrics.features import Features, extract_features
from allmodes.system import durable
from allmodes.system.paths import cache_folder
from allmodes.system.torch_settings import seeded_generator
from allmodes_schemas import Shape

log = logging.getLogger("allmodes.features")

DIGEST = "sha256"
VERSION = 1
"""Part of the cache's key: raise it when network or training change."""
HELD_OUT = 10_000
"""Items for the accuracy, where the data set has no fixed number of held-out items."""


@dataclass(frozen=True)
class Training:
    """How a classifier is trained: Adam with a one-cycle learning rate, cross-entropy, no augmentation.

    Attributes:
        iterations: Updates.
        batch_size: Items per update.
        lr: Largest learning rate.
        width: Channels of the first layer; deeper ones double, up to fourfold.
        features: Units of the last hidden layer, F.
        seed: Of initial weights and order.
    """

    iterations: int = 1500
    batch_size: int = 128
    lr: float = 3e-3
    width: int = 16
    features: int = 128
    seed: int = 0


class Classifier(Features):
    """Scores of K labels on top of F features; the `accuracy` on held-out items is a buffer, which is saved with it."""

    accuracy: Tensor

    def __init__(self, shape: Shape, classes: int, width: int = 16, features: int = 128) -> None:
        super().__init__()
        trunk, flat = _convolutions(shape, width) if len(shape) == 3 else _layers(shape, 16 * width)
        self.trunk = nn.Sequential(*trunk, nn.Linear(flat, features), nn.ReLU())
        self.head = nn.Linear(features, classes)
        self.register_buffer("accuracy", torch.tensor(0.0, dtype=torch.float64))

    @property
    @override
    def facts(self) -> Mapping[str, float]:  # type: ignore[override]
        return {"accuracy": float(self.accuracy)}

    @override
    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.trunk(x)
        return features

    def scores(self, x: Tensor) -> Tensor:
        """Compute logits (B, K)."""
        scores: Tensor = self.head(self(x))
        return scores

    def labels(self, x: Tensor, device: str | torch.device = "cpu") -> Tensor:
        """Return the most likely label (N,) of each item, on the CPU."""
        scores: Tensor = self.head.to("cpu")(extract_features(self.trunk, x, device))
        return scores.argmax(1)


def _convolutions(shape: Shape, width: int) -> tuple[list[nn.Module], int]:
    """Make 3x3 convolutions that halve images until they are below 8 px, and one more; return them and their size."""
    channels, (height, side) = shape[0], shape[1:]
    layers: list[nn.Module] = []
    wider = width
    while min(height, side) >= 8:
        layers += _convolution(channels, wider, stride=2)
        channels, wider, height, side = wider, min(2 * wider, 4 * width), (height + 1) // 2, (side + 1) // 2
    return [*layers, *_convolution(channels, wider, stride=1), nn.Flatten()], wider * height * side


def _convolution(sees: int, gives: int, stride: int) -> list[nn.Module]:
    return [nn.Conv2d(sees, gives, 3, stride, padding=1, bias=False), nn.BatchNorm2d(gives), nn.ReLU()]


def _layers(shape: Shape, hidden: int) -> tuple[list[nn.Module], int]:
    return [nn.Flatten(), nn.Linear(prod(shape), hidden), nn.ReLU()], hidden


def load_classifier(data: Data, training: Training) -> Classifier:
    """Load the classifier of these data from the cache, or train and store it; on the CPU, in evaluation mode.

    Raises:
        DataError: If the data have no labels.
    """
    if data.classes is None:
        raise DataError("features classifier: the data have no labels: take data with labels, or other features")
    path = cache_folder() / "classifiers" / f"{_key(data, training)}.safetensors"
    network = _blank(data, training)
    if not _restore(network, path):
        network = train(data.to("cpu"), training)
        _store(network, path)
    return network.eval().requires_grad_(False)


@torch.enable_grad()  # a prior's fit, which runs without gradients, may be the first to ask for it
def train(data: Data, training: Training) -> Classifier:
    """Train a classifier on training items and measure its accuracy on held-out ones; the seed decides everything."""
    log.info("features: training a classifier of the labels, once for these data: a minute or two for images")
    network = _blank(data, training).train()
    optimizer = torch.optim.Adam(network.parameters(), training.lr)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, training.lr, total_steps=training.iterations)
    loader = data.loader(min(training.batch_size, data.items or training.batch_size), training.seed)
    for batch in islice(loader, training.iterations):
        loss = F.cross_entropy(network.scores(batch.x), _labels(batch.labels))
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        cycle.step()
    network.eval().accuracy.fill_(_accuracy(network, data, training.seed))
    return network


def _accuracy(network: Classifier, data: Data, seed: int) -> float:
    items = len(data.test_x) if isinstance(data, TensorData) and data.test_x is not None else HELD_OUT
    held_out = data.held_out(items, torch.Generator().manual_seed(seed))
    return float((network.labels(held_out.x) == _labels(held_out.labels)).double().mean())


def _labels(labels: Tensor | None) -> Tensor:
    if labels is None:
        raise DataError("features classifier: some items have no labels: give test items labels too")
    return labels


def _blank(data: Data, training: Training) -> Classifier:
    """Make a classifier with initial weights from the seed; torch's global generator does not change."""
    with seeded_generator(training.seed):
        return Classifier(tuple(data.shape), data.classes or 0, training.width, training.features)


def _key(data: Data, training: Training) -> str:
    return hashlib.sha256(f"{VERSION}/{data.fingerprint}/{asdict(training)}".encode()).hexdigest()[:32]


def _restore(network: Classifier, path: Path) -> bool:
    """Read weights from the cache if they are there; return whether that worked. A damaged file costs a warning."""
    if not path.exists():
        return False
    try:
        network.load_state_dict(_read(path))
    except Exception as error:  # safetensors raises several types for a damaged file
        reason = str(error).splitlines()[0]
        warnings.warn(f"the cached classifier {path} is damaged ({reason}): training it again", stacklevel=4)
        return False
    return True


def _read(path: Path) -> dict[str, Tensor]:
    """Read the weights of a file and compare their digest; files of older versions have none."""
    with safe_open(path, "pt") as file:
        expected = (file.metadata() or {}).get(DIGEST)
    tensors: dict[str, Tensor] = load_file(path)
    if expected not in (None, _digest(tensors)):
        raise ValueError("it is not what was written (another sha256)")
    return tensors


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        digest.update(name.encode() + value.numpy().tobytes())
    return digest.hexdigest()


def _store(network: Classifier, path: Path) -> None:
    """Write the weights with their digest; if the cache cannot be written, warn."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        tensors = network.state_dict()
        durable.replace(path, serialised(tensors, {DIGEST: _digest(tensors)}))
    except OSError as error:
        warnings.warn(f"the classifier could not be kept in {path.parent}: {error}", stacklevel=4)
