r"""DiffAugment (Zhao, Liu, Lin, Zhu, Han; NeurIPS 2020; arXiv 2006.10738): D sees transformed items alone.

.. math:: D \leftarrow D \circ T, \quad T \text{ random, differentiable, on data and on what is generated}

in the turns of both players, so that D cannot learn few data by heart and G learns through T. Items that D judges
together (`pack`) are transformed as one. A penalty on slopes takes them before T, as StyleGAN2-ADA does.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from typing_extensions import override

from allmodes import Network, Noisy, Trunk
from allmodes_baselines.augment import TRANSFORMS


class Transformed(Noisy, Trunk):
    """A trunk whose first input is transformed in training."""

    def __init__(self, network: Network, transforms: Sequence[str]) -> None:
        super().__init__(network)
        self.transforms = tuple(transforms)

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        x, *beside = inputs
        if self.noise is not None:
            for name in self.transforms:
                x = TRANSFORMS[name](x, self.noise.at(name))
        return super().forward(x, *beside)
