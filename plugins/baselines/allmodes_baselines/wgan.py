r"""WGAN (Arjovsky, Chintala, Bottou, 2017; arXiv 1701.07875): a critic whose weights stay in a box.

After each update of the critic, every parameter w of it becomes

.. math:: w \leftarrow \text{clip}_{[-c, c]}(w), \qquad c = 0.01,

which bounds its slope, as the core's `wasserstein` game needs; the game is any.
"""

from __future__ import annotations

from collections.abc import Mapping

from typing_extensions import override

from allmodes import Loss, LossTerm, Step


class Clipping(LossTerm):
    """Clips the discriminator's parameters, and has no loss."""

    def __init__(self, c: float = 0.01) -> None:
        super().__init__()
        self.c, self.follows, self.changes = c, ("discriminator",), ("discriminator",)

    @override
    def losses(self) -> Mapping[str, Loss]:
        return {}

    @override
    def after_update(self, step: Step) -> None:
        for w in step.parameters("discriminator").values():
            w.copy_(w.clamp(-self.c, self.c))
