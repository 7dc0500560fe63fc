"""The base class of reference samplers: what a game has to beat."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from allmodes.data.base import Data
from allmodes.registry.builds import build, built_from
from allmodes_schemas import ReferenceConfig


@built_from(ReferenceConfig)
class ReferenceSampler:
    """A sampler that no game trained, measured beside every model. It lives on the CPU."""

    def fit(self, data: Data, generator: torch.Generator) -> None:
        """Learn from the training items of data, on the CPU; all randomness comes from the generator."""
        raise NotImplementedError(f"{type(self).__name__} does not define fit(data, generator)")

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Draw n items (n, *shape); all randomness comes from the generator."""
        raise NotImplementedError(f"{type(self).__name__} does not define draw(n, generator)")


def build_references(configs: Iterable[ReferenceConfig]) -> dict[str, ReferenceSampler]:
    """Build reference samplers by the titles of their rows."""
    return {config.row(): build("reference", ReferenceSampler, config) for config in configs}
