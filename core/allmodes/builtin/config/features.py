"""Configs of the core's feature spaces."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from allmodes_schemas import FeatureConfig, Need, Renamed


class ItemsConfig(FeatureConfig):
    """The items themselves, flattened: the pixels of images, the numbers of rows."""

    renamed: ClassVar[tuple[Renamed, ...]] = (Renamed("pixels", "items", since="0.1", until="1.0"),)

    kind: Literal["items"] = "items"

    @override
    def build(self, data: Any) -> Any:
        from allmodes.metrics.features import Flattened

        return Flattened().eval()


class RandomConvConfig(FeatureConfig):
    """An untrained convolutional network, the same for the same seed on every machine; needs no labels, no download."""

    kind: Literal["random_conv"] = "random_conv"
    channels: int = Field(16, ge=1, le=256)
    """Channels of the first layer; there are 16 times as many features."""
    seed: int = Field(0, ge=0, lt=2**63)
    """Seed of the weights."""

    @override
    def build(self, data: Any) -> Any:
        from allmodes.metrics.features import RandomConv

        return RandomConv(data.shape, self.channels, self.seed).eval()


class TorchvisionFeaturesConfig(FeatureConfig):
    """The last hidden layer of one of torchvision's classifiers, trained on ImageNet."""

    kind: Literal["torchvision"] = "torchvision"
    model: Literal["resnet18", "resnet34", "resnet50", "vgg16", "convnext_tiny", "inception_v3"] = "resnet18"
    """The network; its `inception_v3` is not the one that published FIDs use."""
    weights: str = "default"
    """`default` (torchvision's), or a file with the whole network's state (.safetensors, or torch's own format)."""
    download: bool = False
    """Whether default weights are fetched where they are missing; never done without being asked."""

    @override
    def title(self) -> str:
        return self.model

    @override
    def build(self, data: Any) -> Any:
        from allmodes.metrics.features import load_backbone

        return load_backbone(self.model, self.weights, self.download, data.shape)


class ClassifierConfig(FeatureConfig):
    """The last hidden layer of a small classifier that is trained once on the data's labels and then cached."""

    kind: Literal["classifier"] = "classifier"
    needs: ClassVar[tuple[Need, ...]] = (Need("labels", remedy="take data with labels, or other features"),)
    iterations: int = Field(1500, ge=1)
    """Updates of its training."""
    batch_size: int = Field(128, ge=2)
    """Items per update."""
    lr: float = Field(3e-3, gt=0)
    """Largest learning rate of its one-cycle schedule."""
    width: int = Field(16, ge=1, le=256)
    """Channels of the first layer; deeper ones double, up to fourfold. Vectors: 16 times as many hidden units."""
    features: int = Field(128, ge=1, le=4096)
    """Units of the last hidden layer."""
    seed: int = Field(0, ge=0, lt=2**63)
    """Seed of its weights and order of items."""

    @override
    def build(self, data: Any) -> Any:
        from allmodes.metrics.classifier import Training, load_classifier

        return load_classifier(data, Training(**self.model_dump(exclude={"kind"})))


KINDS: tuple[type[FeatureConfig], ...] = (ItemsConfig, RandomConvConfig, TorchvisionFeaturesConfig, ClassifierConfig)
