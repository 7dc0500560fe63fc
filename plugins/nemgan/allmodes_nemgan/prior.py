r"""The latent of NEMGAN: a discrete mode plus continuous noise, with a gradient that reaches the modes' probabilities.

With :math:`v \sim U(0, 1)`, :math:`\pi = \text{softmax}(\alpha)` and :math:`c_k = \pi_1 + \dots + \pi_k`, the released
code gates K modes by

.. math:: H_k = 1 - \text{hs}(s (v - c_k)^3), \quad y_1 = H_1, \quad y_k = (1 - H_{k-1}) H_k

where :math:`\text{hs}(t) = \text{clip}(t/5 + 1/2, 0, 1)` and s = 1e7, so that y is a unit vector but for v within
b = (2.5/s)^(1/3) = 0.0063 of a boundary. Over v the slope of the gate integrates to 1: where bands do not overlap, the
mean of dy/dalpha is exactly d pi / d alpha. Then

.. math:: z = n + [0; y], \quad n \sim U(-0.3, 0.3)^{50}.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from typing_extensions import override

from allmodes import NOTHING, Given, Latent, Noise, Prior


class ModeMixture(Prior):
    """Noise (n, dim) plus a unit vector for the mode.

    Parts: `code` is z itself, `mode` the unit vector y (n, K), `noise` the noise. Draws with the mode given, and all
    draws in evaluation mode, are exactly of one mode: draws between two modes are the gradient's device.

    Args:
        dim: Size of z.
        positions: The coordinate that carries each of the K modes.
        weights: Probabilities of the modes up to a common factor; where they are learned, those to begin with.
        noise: Half the width of the uniform noise.
        learned: Whether alpha, the logarithms of the weights, is a parameter.
        gradient: `steep`, the gate above, or `straight_through`: y is a unit vector and dy/dalpha is d pi / d alpha.
        steepness: s.
    """

    alpha: Tensor
    directions: Tensor

    def __init__(
        self,
        dim: int,
        positions: Sequence[int],
        weights: Sequence[float],
        noise: float = 0.3,
        learned: bool = False,
        gradient: str = "steep",
        steepness: float = 1e7,
    ) -> None:
        super().__init__()
        self.dim, self.modes, self.noise = dim, len(positions), noise
        self.sizes = {"code": dim, "mode": self.modes, "noise": dim}
        self.learned, self.gradient, self.steepness = learned, gradient, steepness
        alpha = torch.tensor(weights).log()
        if learned:
            self.alpha = nn.Parameter(alpha)
        else:
            self.register_buffer("alpha", alpha)
        directions = torch.zeros(self.modes, dim)
        directions[torch.arange(self.modes), torch.tensor(positions)] = 1.0
        self.register_buffer("directions", directions, persistent=False)  # (K, dim)

    @property
    def weights(self) -> Tensor:
        """pi (K,)."""
        return self.alpha.softmax(0)

    @override
    def forward(self, noise: Noise, n: int, given: Given = NOTHING) -> Latent:
        # given["mode"] is a number from 0, or one for each draw (n,)
        y = self._fix_mode(given["mode"], n) if "mode" in given else self._draw_mode(noise.uniform("v", n, 1))  # (n, K)
        spread = self.noise * (2 * noise.uniform("noise", n, self.dim) - 1)  # (n, dim)
        z = spread + y @ self.directions
        return Latent(z, {"code": z, "mode": y, "noise": spread})

    def _fix_mode(self, mode: int | Tensor, n: int) -> Tensor:
        numbers = torch.arange(self.modes, device=self.alpha.device)
        chosen = torch.as_tensor(mode, device=self.alpha.device).expand(n)
        return (chosen[:, None] == numbers).to(self.alpha.dtype)

    def _draw_mode(self, v: Tensor) -> Tensor:
        """y (n, K) of v (n, 1)."""
        weights = self.weights
        c = weights.cumsum(0)[:-1]  # beyond the last mode is nothing: its gate is always open
        if self.learned and self.training and self.gradient == "steep":
            return combine_gates(1 - hard_sigmoid(self.steepness * (v - c) ** 3))
        y = combine_gates((v < c).to(weights.dtype))
        return y + (weights - weights.detach()) if self.learned else y


def combine_gates(gates: Tensor) -> Tensor:
    """y_k = (1 - H_{k-1}) H_k (n, K) of the gates H_1 to H_{K-1} (n, K-1); there is no gate before the first mode."""
    opened = torch.cat([gates, torch.ones_like(gates[:, :1])], 1)
    before = torch.cat([torch.zeros_like(gates[:, :1]), gates], 1)
    return (1 - before) * opened


def hard_sigmoid(t: Tensor) -> Tensor:
    """clip(t/5 + 1/2, 0, 1), as in Keras; its gradient is selected, not multiplied, to 0 where it is flat."""
    return (0.2 * t + 0.5).clamp(0, 1)
