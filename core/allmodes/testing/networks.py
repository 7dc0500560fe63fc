"""The contract of a network."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn
from typing_extensions import override

from allmodes.game.contracts import Discriminator, Network
from allmodes.game.noise import Noise, seeded, seeded_weights
from allmodes.testing.acting import check_acting
from allmodes.testing.modules import B, ModuleContract, draw_items
from allmodes_schemas import KindConfig, NetworkConfig, Shape, Spec


class NetworkContract(ModuleContract):
    """A network maps the shapes that it was built for, through features, and can be trained, stacked, moved and stored.

    Attributes:
        config: The network's settings.
        sees: Shapes of its inputs.
        gives: Shape of its output.
    """

    base = NetworkConfig
    config: ClassVar[NetworkConfig]
    sees: ClassVar[tuple[Shape, ...]] = ((2,),)
    gives: ClassVar[Shape] = (2,)

    def test_its_output_and_features_have_the_shapes_that_it_was_built_for(self) -> None:
        """Discriminators read features (B, feature_dim) from the trunk, and scores from the head."""
        what = self.config.misfit(self.sees, self.gives)
        assert what is None, f"{self.name}: {what}: set `sees` and `gives` in the test to shapes that it takes"
        network = self.build()
        wanted = {"output": (B, *self.gives), "features": (B, network.feature_dim)}
        for name, value in self.compute_outputs(network).items():
            assert tuple(value.shape) == wanted[name], (
                f"{self.name}: {name} of {B} items has shape {tuple(value.shape)}, not {wanted[name]}"
            )

    def test_forward_is_its_head_after_its_trunk(self) -> None:
        """Discriminators and networks around it call trunk and head, and never `forward`."""
        assert type(self.build()).forward is Network.forward, (
            f"{self.name}: {type(self.build()).__name__} overrides forward, which a discriminator never calls: its "
            "score is head(trunk(*inputs)), so do in trunk and head what forward does"
        )

    def test_items_depend_on_each_other_only_where_the_settings_say_so(self) -> None:
        """Penalties on slopes are refused beside networks that normalise batches."""
        network, inputs = self.build(), self.inputs()
        others = tuple(torch.cat([x[:1], 2 * x[1:] + 1]) for x in inputs)
        first, second = (self.use(network, seeded(0), *x)["output"][0] for x in (inputs, others))
        alone, declared = torch.allclose(first, second, rtol=1e-4, atol=1e-5), self.config.normalises_batches()
        assert alone != declared, (
            f"{self.name}: normalises_batches() is {declared}, but an item's output "
            f"{'does not depend' if alone else 'depends'} on the others of its batch: correct it"
        )

    def test_its_parts_act_after_updates_alike_for_stacked_seeds(self) -> None:
        """As the discriminator of a small game where it gives a score of one input, else as the generator."""
        if len(self.sees) > 1:
            pytest.skip("a game of one input is played here")
        if self.gives == (1,):
            check_acting(lambda seed: {"discriminator": Discriminator(self.build(seed))}, self.sees[0], 2, self.name)
        else:
            check_acting(lambda seed: {"generator": self.build(seed)}, self.gives, self.sees[0][0], self.name)

    @override
    def build(self, seed: int = 0) -> Network:
        with seeded_weights(seed):
            network = self.config.build(self.sees, self.gives)
        assert isinstance(network, Network), (
            f"{self.name}: build() must return an allmodes.Network, not {type(network).__name__}"
        )
        return network

    @override
    def inputs(self) -> tuple[Tensor, ...]:
        return draw_items(*self.sees)

    @override
    def use(self, module: nn.Module, noise: Noise, *inputs: Tensor) -> dict[str, Tensor]:
        features = module.trunk(*inputs)  # type: ignore[operator]
        return {"output": module.head(features), "features": features}  # type: ignore[operator]

    @override
    def place(self, settings: Any) -> dict[str, Any]:
        return {"generator": settings}

    @override
    def find(self, spec: Spec) -> KindConfig:
        return spec.generator
