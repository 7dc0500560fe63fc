r"""Several generators in one (MAD-GAN: Ghosh et al., CVPR 2018, arXiv 1704.02906; MGAN: Hoang et al., ICLR 2018).

The latent says which of k networks makes an item, by a unit vector e_i of its part `mode`, the last k entries of z:

.. math:: G(n, e_i) = G_i(n), \quad i \text{ uniform on } 1, \dots, k.

A loss finds the generator of each item as `step.latent.part("mode")` (B, k); metrics and `sample --mode i` hold it
fixed. With `shared` the generators have their trunks for themselves and one head together; the trunk of `dcgan` is the
first layer, and sharing all layers but the first is what MGAN does.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from typing_extensions import override

from allmodes import NOTHING, Fitting, Given, Head, Latent, Network, Noise, Prior, Trunk
from allmodes_baselines.modes import one_hot


class Modes(Prior):
    """A latent of any kind beside a unit vector of k equally likely modes: z = (inner z, mode)."""

    weights: Tensor

    def __init__(self, prior: Prior, modes: int) -> None:
        super().__init__()
        self.prior, self.modes = prior, modes
        self.register_buffer("weights", torch.full((modes,), 1 / modes), persistent=False)

    @override
    def offer(self, name: str) -> Tensor:
        offered: Tensor = self.weights if name == "weights" else self.prior.offer(name)
        return offered

    @override
    def fit(self, fitting: Fitting) -> None:
        super().fit(fitting)
        self.dim, self.sizes = self.prior.dim + self.modes, {**self.prior.sizes, "mode": self.modes}

    @override
    def forward(self, noise: Noise, n: int, given: Given = NOTHING) -> Latent:
        rest = {name: value for name, value in given.items() if name != "mode"}
        inner = self.prior(noise.at("inner"), n, rest)
        mode = one_hot(noise, inner.z, self.modes, given)  # (n, k)
        return Latent(torch.cat([inner.z, mode], 1), {**inner.parts, "code": inner.code, "mode": mode})


class Trunks(nn.Module):
    """The features of the network that the last k entries of z pick, beside these entries: (B, F + k)."""

    def __init__(self, networks: Sequence[Network]) -> None:
        super().__init__()
        self.each = nn.ModuleList(Trunk(network) for network in networks)

    @override
    def forward(self, z: Tensor) -> Tensor:
        n, mode = z[:, : -len(self.each)], z[:, -len(self.each) :]
        return torch.cat([pick(mode, [trunk(n) for trunk in self.each]), mode], 1)


class Heads(nn.Module):
    """The output of the head that the last k entries of the features pick; one head serves all."""

    def __init__(self, heads: Sequence[nn.Module], k: int) -> None:
        super().__init__()
        self.each, self.k = nn.ModuleList(heads), k

    @override
    def forward(self, features: Tensor) -> Tensor:
        inner, mode = features[:, : -self.k], features[:, -self.k :]
        outputs = [head(inner) for head in self.each]
        return outputs[0] if len(outputs) == 1 else pick(mode, outputs)


class Generators(Network):
    """k networks of one kind, each item made by one of them; with `shared` they have one head."""

    def __init__(self, networks: Sequence[Network], shared: bool = False) -> None:
        super().__init__()
        for network in networks[1:] if shared else ():
            network.head = nn.Identity()
        self.trunk = Trunks(networks)
        self.head = Heads([Head(network) for network in (networks[:1] if shared else networks)], len(networks))
        self.feature_dim = networks[0].feature_dim + len(networks)


def pick(mode: Tensor, outputs: Sequence[Tensor]) -> Tensor:
    """For each item the output (B, ...) of its mode (B, k), a unit vector."""
    return torch.einsum("bk,kb...->b...", mode, torch.stack(list(outputs)))
