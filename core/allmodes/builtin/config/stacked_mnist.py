"""Stacked MNIST and its metric."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from allmodes.builtin.config.features import ClassifierConfig
from allmodes_schemas import DatasetConfig, Key, MetricConfig, Problem, Shape, Spec


class StackedMnistConfig(DatasetConfig):
    """Three MNIST digits as the channels of an image: 1000 modes, in [-1, 1].

    By default triples are drawn on the fly from the 60,000 training digits, as in Metz et al. (2017) and PacGAN's
    second set-up; held-out triples are made of the 10,000 test digits. PacGAN's first set-up, after Srivastava et al.
    (2017), is `triples: 128000, pooled: true`: a fixed set made of all 70,000, where no image is left unseen.
    """

    free: ClassVar[frozenset[str]] = frozenset({"root", "download"})

    kind: Literal["stacked_mnist"] = "stacked_mnist"
    root: str = "data"
    """Folder that holds the folder MNIST, relative to where the run is started."""
    download: bool = False
    """Whether to fetch what is missing; never done without being asked."""
    size: Literal[28, 32] = 28
    """Height and width in pixels; 32 pads with black."""
    triples: int | None = Field(None, ge=1)
    """A fixed number of training triples; by default fresh ones without end."""
    seed: int = Field(0, ge=0, lt=2**63)
    """Seed of the fixed triples."""
    pooled: bool = False
    """Whether triples are made of MNIST's test digits too."""

    @override
    def shape(self) -> Shape:
        return (3, self.size, self.size)

    @override
    def classes(self) -> int:
        return 1000

    @override
    def build(self) -> Any:
        from allmodes.data.stacked_mnist import stacked_mnist

        return stacked_mnist(**self.model_dump(exclude={"kind"}))


class StackedModesConfig(MetricConfig):
    """Modes of Stacked MNIST by a classifier of its digits, and the KL of their shares."""

    kind: Literal["stacked_mnist"] = "stacked_mnist"
    samples: int = Field(26_000, ge=2)
    """Samples for the line that the literature reports; drawn besides those of the evaluation."""
    sharp: int | None = Field(100_000, ge=2)
    """Samples for the corrected line; none: leave it out."""
    digits: int | None = Field(None, ge=1)
    """Channels of the evaluation's samples whose nearest training digit is looked for; by default none."""
    classifier: ClassifierConfig = ClassifierConfig()
    """The classifier of the channels."""

    @override
    def numbers(self) -> Mapping[str, Key]:
        sharp = {"stacked_kl_sharp": Key("lower")} if self.sharp else {}
        memory = {"stacked_memorisation": Key(), "stacked_copies": Key(unit="share")} if self.digits else {}
        return {
            "stacked_modes": Key("higher", counts=True, label="modes"),
            "stacked_kl": Key("lower"),
            **sharp,
            **memory,
            "stacked_classifier_accuracy": Key("higher", unit="share"),
        }

    @override
    def check(self, spec: Spec) -> Iterable[Problem]:
        if spec.data.kind != "stacked_mnist":
            where = spec.where(self)
            yield Problem(where, f"stacked_mnist measures data of kind stacked_mnist, not {spec.data.kind}: remove it")

    @override
    def build(self) -> Any:
        from allmodes.metrics import StackedModes

        return StackedModes(self.classifier, self.samples, self.sharp, self.digits)


DATA: tuple[type[DatasetConfig], ...] = (StackedMnistConfig,)
METRICS: tuple[type[MetricConfig], ...] = (StackedModesConfig,)
