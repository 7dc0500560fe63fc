"""Images of glyphs: a mode for each glyph, place and scale, within which the brightness is continuous.

With m_k the mask of mode k, u_k its unit vector, S^2 = D pixels, and e ~ N(0, std^2 I) of D dimensions:

    x = -0.8 + 1.6 b m_k + e - <e, u_k> u_k,   b uniform in [0.5, 1]

so that a mode is a straight segment in the space of images, and the noise at right angles to it.
"""

from __future__ import annotations

import torch
from torch import Tensor
from typing_extensions import override

from allmodes import Batch, Shape
from allmodes_benchmarks.geometry.sprites import DARK, FAINT, LIGHT
from allmodes_benchmarks.truths.tubes import Tubes


class Sprites(Tubes):
    """Images (1, S, S) in [-1, 1]; the nearest template, up to brightness, is found in closed form.

    Args:
        masks: Pixels that are on (K, S, S).
        std: Standard deviation of the noise of a pixel.
    """

    def __init__(self, masks: Tensor, std: float) -> None:
        super().__init__(torch.ones(len(masks), device=masks.device), std, masks[0].numel())
        self.masks = masks

    @property
    @override
    def shape(self) -> Shape:
        return (1, *self.masks.shape[1:])

    @override
    def to(self, device: str | torch.device) -> Sprites:
        return Sprites(self.masks.to(device), self.std)

    @override
    def draw_of(self, mode: Tensor, generator: torch.Generator) -> Batch:
        masks = self.masks.flatten(1)[mode]
        brightness = FAINT + (1 - FAINT) * torch.rand(len(mode), 1, generator=generator, device=mode.device)
        noise = self.std * torch.randn(masks.shape, generator=generator, device=mode.device)
        noise -= (noise * masks).sum(1, keepdim=True) / masks.sum(1, keepdim=True) * masks
        x = DARK + (LIGHT - DARK) * brightness * masks + noise
        return Batch(x.view(len(mode), *self.shape), mode)

    @override
    def nearest(self, x: Tensor) -> tuple[Tensor, Tensor]:
        best = self._squares(x, self.brightness(x)).min(1)
        return best.indices, best.values.clamp(min=0).sqrt()

    def brightness(self, x: Tensor) -> Tensor:
        """The brightness (n, K) of each mode's item that is nearest to images x (n, D)."""
        templates = (LIGHT - DARK) * self.masks.flatten(1).to(x)
        return ((x - DARK) @ templates.T / templates.square().sum(1)).clamp(FAINT, 1)

    def _squares(self, x: Tensor, brightness: Tensor) -> Tensor:
        """Squared distances (n, K) from each mode's item of a brightness (n, K), in double precision."""
        templates = (LIGHT - DARK) * self.masks.flatten(1).to(x)
        inner, own = (x - DARK) @ templates.T, (x - DARK).square().sum(1, keepdim=True)
        return own - 2 * brightness * inner + brightness.square() * templates.square().sum(1)

    @override
    def landmarks(self) -> Tensor:
        """Every mode at its middle brightness (K, 1, S, S)."""
        return (DARK + (LIGHT - DARK) * (1 + FAINT) / 2 * self.masks)[:, None]

    @override
    def box(self) -> tuple[Tensor, Tensor]:
        """All images."""
        ones = torch.ones(self.dims, device=self.masks.device)
        return -ones, ones

    @override
    def identity(self) -> tuple[object, ...]:
        return "sprites", self.masks, self.std, DARK, LIGHT, FAINT
