"""Base classes of loss terms: contributions to players' objectives, as functions of the step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from torch import Tensor
from typing_extensions import override

from allmodes.game.contracts import Part
from allmodes.game.step import Step
from allmodes.registry.builds import built_from
from allmodes_schemas import LossTermConfig

Loss: TypeAlias = Callable[[Step], Tensor]
"""From a step to a scalar, differentiable in the parameters of the player that it serves."""


@built_from(LossTermConfig)
class LossTerm(Part):
    """A scalar for each player that it serves.

    `losses()` names the players and their functions of the step. A term that depends on the data's scale finds it in
    `fit` and registers it as a buffer.
    """

    def losses(self) -> Mapping[str, Loss]:
        """The functions from the step to a scalar, by player."""
        raise NotImplementedError(f"{type(self).__name__} does not define losses()")

    def forward(self, step: Step, player: str) -> Tensor:
        """The scalar for a player."""
        return self.losses()[player](step)


class Game(LossTerm):
    """An adversarial loss of the players `discriminator` and `generator`."""

    @override
    def losses(self) -> Mapping[str, Loss]:
        return {"discriminator": self.discriminator, "generator": self.generator}

    def discriminator(self, step: Step) -> Tensor:
        """The discriminator's loss ()."""
        raise NotImplementedError(f"{type(self).__name__} does not define discriminator(step)")

    def generator(self, step: Step) -> Tensor:
        """The generator's loss ()."""
        raise NotImplementedError(f"{type(self).__name__} does not define generator(step)")
