r"""ADA, adaptive augmentation (Karras, Aittala, Hellsten, Laine, Lehtinen, Aila; NeurIPS 2020; arXiv 2006.06676).

Each transform befalls an item with probability p. As long as p is below about 0.8 the generator is not led to make
transformed items. A discriminator that is too sure of its data raises p, and else p falls:

.. math:: p \leftarrow p + \frac{B}{N}\,\text{sign}(r - t) \text{ within } [0, 1], \qquad r = \text{mean sign } D(x)

after each update of D on B items, so that p takes N of them from 0 to 1. The authors move p every fourth update, by the
mean r of the four.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from typing_extensions import override

from allmodes import Network, Noisy, Part, Step, Trunk
from allmodes_baselines.augment import TRANSFORMS


class Adapted(Noisy, Trunk, Part):
    """A trunk whose first input is transformed in training, by each transform with probability p ()."""

    p: Tensor

    def __init__(self, network: Network, transforms: Sequence[str], target: float, items: int) -> None:
        super().__init__(network)
        self.transforms, self.target, self.items = tuple(transforms), target, items
        self.register_buffer("p", torch.zeros(()))

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        x, *beside = inputs
        if self.noise is not None:
            for name in self.transforms:
                on = self.noise.uniform(f"{name}?", len(x), *[1] * (x.dim() - 1)) < self.p
                x = torch.where(on, TRANSFORMS[name](x, self.noise.at(name)), x)
        return super().forward(x, *beside)

    @override
    def after_update(self, step: Step) -> None:
        r = step.score("real").sign().mean()
        self.p.copy_((self.p + step.n / self.items * (r - self.target).sign()).clamp(0, 1))
