"""The contract of a feature space."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from typing_extensions import override

from allmodes.testing.kinds import KindContract
from allmodes.testing.randomness import own_randomness
from allmodes_schemas import FeatureConfig, KindConfig, Spec

N = 8


class FeatureContract(KindContract):
    """A feature space maps each item to a vector, always the same one.

    Attributes:
        config: The settings of the features.
        data: Data whose items have features, as in a spec; by default the ring.
    """

    base = FeatureConfig
    config: ClassVar[FeatureConfig]
    data: ClassVar[Mapping[str, Any]] = MappingProxyType({"kind": "ring"})

    def test_each_item_has_a_vector(self) -> None:
        """Features have shape (B, F)."""
        features = self.features()
        assert features.dim() == 2, (
            f"{self.name}: features of {N} items have shape {tuple(features.shape)}: flatten them"
        )
        assert len(features) == N, f"{self.name}: {N} items have {len(features)} features: give a row for each"
        assert features.isfinite().all(), f"{self.name}: features hold numbers that are not finite"

    def test_an_items_features_do_not_depend_on_the_others(self) -> None:
        """Items are read in chunks of any size."""
        module, items = self.build(), self.items()
        together, alone = module(items)[:1], module(items[:1])
        assert torch.allclose(together, alone, rtol=1e-4, atol=1e-5), (
            f"{self.name}: an item alone has other features than among others: return the module in evaluation mode"
        )

    def test_two_builds_give_the_same_features(self) -> None:
        """Runs are compared in the same features."""
        with own_randomness(
            f"{self.name}: building or using it", "make a torch.Generator of your own, seeded by a setting"
        ):
            one, other = self.features(), self.features()
        assert torch.equal(one, other), f"{self.name}: two builds give different features of the same items"

    def build(self) -> nn.Module:
        """Build the features for the data."""
        module: nn.Module = self.config.build(self.data_of(self.data))
        return module

    def items(self) -> Tensor:
        """Draw items of the data."""
        x: Tensor = self.data_of(self.data).draw(N, torch.Generator().manual_seed(0)).x
        return x

    @torch.no_grad()
    def features(self) -> Tensor:
        """Compute the features of some items."""
        features: Tensor = self.build()(self.items())
        return features

    @override
    def place(self, settings: Any) -> dict[str, Any]:
        return {"evaluation": {"metrics": [{"kind": "fid", "features": settings}]}}

    @override
    def find(self, spec: Spec) -> KindConfig:
        found: KindConfig = spec.evaluation.metrics[0].features  # type: ignore[attr-defined]
        return found
