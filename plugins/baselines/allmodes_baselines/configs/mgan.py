"""Settings of MGAN's classifier and its loss."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from allmodes import AuxiliaryConfig, LossTermConfig, MlpConfig, Need, NetworkConfig, Shape

_LATENT = "prior: {kind: baselines.modes}"
_CLASSIFIER = "auxiliaries.classifier: {kind: baselines.classifier}"


class ClassifierConfig(AuxiliaryConfig):
    """MGAN's C: a head on the discriminator's features that guesses which generator made an item."""

    kind: Literal["baselines.classifier"] = "baselines.classifier"
    gives: ClassVar[str] = "mode"
    sees: ClassVar[Literal["data", "features"]] = "features"
    trained_by: ClassVar[tuple[str, ...]] = ("discriminator",)

    network: NetworkConfig = MlpConfig(hidden=())
    """The body, from the features to a logit for each generator; by default one layer, as in the authors' code."""

    @property
    @override
    def form(self) -> Literal["logits"]:
        return "logits"

    @override
    def build(self, sees: Shape, parts: Mapping[str, int]) -> Any:
        """C for features of shape `sees`.

        Raises CompositionError where the latent has no modes.
        """
        from allmodes import CompositionError
        from allmodes_baselines.mgan import Classifier

        if "mode" not in parts:
            raise CompositionError(f"{self.kind} tells modes apart, which the prior lacks: take {_LATENT}")
        return Classifier(self.network.build((sees,), (parts["mode"],)))


class WhichGeneratorConfig(LossTermConfig):
    """A classifier should find which generator made an item, and they should help it (Hoang et al., 2018)."""

    kind: Literal["baselines.which_generator"] = "baselines.which_generator"
    needs: ClassVar[tuple[Need, ...]] = (
        Need("part", "mode", _LATENT), Need("auxiliary", "mode", _CLASSIFIER, form="logits"),
    )  # fmt: skip
    serves: ClassVar[tuple[str, ...]] = ("discriminator", "generator")

    auxiliary: str = "classifier"
    """The classifier C."""
    beta: float = Field(0.01, ge=0)
    """Factor for the generators; the discriminator's layers and C have 1."""

    @override
    def build(self) -> Any:
        from allmodes_baselines.mgan import WhichGenerator

        return WhichGenerator(self.auxiliary, self.beta)
