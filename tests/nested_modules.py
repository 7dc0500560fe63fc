"""The modules of the kinds in `nested.py`."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from allmodes import Fitting, Head, Latent, LossTerm, Network, Prior
from allmodes.game.contracts import NOTHING


class Scaled(Head):
    """A head whose output is scaled."""

    def __init__(self, network: Network, by: float) -> None:
        super().__init__(network)
        self.by = by

    def forward(self, features: Tensor) -> Tensor:
        return self.by * super().forward(features)


class Mean(Network):
    """The mean of the outputs of networks, each with a trunk of its own."""

    def __init__(self, networks: Sequence[Network]) -> None:
        super().__init__()
        self.trunk, self.head = _Beside([network.trunk for network in networks]), _Average(networks)
        self.feature_dim = sum(network.feature_dim for network in networks)


class _Beside(nn.Module):
    def __init__(self, trunks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.trunks = nn.ModuleList(trunks)

    def forward(self, *inputs: Tensor) -> Tensor:
        return torch.cat([trunk(*inputs) for trunk in self.trunks], 1)


class _Average(nn.Module):
    def __init__(self, networks: Sequence[Network]) -> None:
        super().__init__()
        self.heads = nn.ModuleList([network.head for network in networks])
        self.sizes = [network.feature_dim for network in networks]

    def forward(self, features: Tensor) -> Tensor:
        parts = features.split(self.sizes, 1)
        return torch.stack([head(part) for head, part in zip(self.heads, parts, strict=True)]).mean(0)


class Truncated(Prior):
    """A prior whose entries are clipped."""

    def __init__(self, prior: Prior, at: float) -> None:
        super().__init__()
        self.prior, self.at = prior, at

    def fit(self, fitting: Fitting) -> None:
        super().fit(fitting)
        self.dim, self.sizes = self.prior.dim, self.prior.sizes

    def forward(self, noise: Any, n: int, given: Any = NOTHING) -> Latent:
        latent = self.prior(noise, n, given)
        parts = {name: part.clamp(-self.at, self.at) for name, part in latent.parts.items()}
        return Latent(latent.z.clamp(-self.at, self.at), parts)


class Asking(Truncated):
    """The same, with the sizes of the prior within as its properties."""

    @property
    def dim(self) -> int:  # type: ignore[override]
        """Size of z."""
        return self.prior.dim

    @property
    def sizes(self) -> Mapping[str, int]:  # type: ignore[override]
        """Sizes of the parts."""
        return self.prior.sizes

    def fit(self, fitting: Fitting) -> None:
        self.prior.fit(fitting)


class Found(Prior):
    """Items of the data with noise; the fit keeps eight of them."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("items", torch.zeros(0))

    def fit(self, fitting: Fitting) -> None:
        items = fitting.data.draw(8, fitting.noise.generator).x.flatten(1)
        self.items = items
        self.dim, self.sizes = items.shape[1], {"code": items.shape[1]}

    def forward(self, noise: Any, n: int, given: Any = NOTHING) -> Latent:
        at = (noise.uniform("which", n) * len(self.items)).long()
        z = self.items[at] + 0.1 * noise.normal("code", n, self.dim)
        return Latent(z, {"code": z})


class TopK(LossTerm):
    """A game in which the generator sees the items of the largest scores alone."""

    def __init__(self, game: LossTerm, share: float) -> None:
        super().__init__()
        self.game, self.share = game, share

    def losses(self) -> Mapping[str, Any]:
        losses = dict(self.game.losses())
        return losses | {"generator": partial(self.generator, losses["generator"])}

    def generator(self, loss: Any, step: Any) -> Tensor:
        """The game's loss of the best items."""
        return loss(_Best(step, self.share))


class _Best:
    """A step in which generated items have the largest scores alone."""

    def __init__(self, step: Any, share: float) -> None:
        self.step, self.share = step, share

    def __getattr__(self, name: str) -> Any:
        return getattr(self.step, name)

    def score(self, side: str) -> Tensor:
        score = self.step.score(side)
        k = max(1, round(self.share * len(score)))
        return score.topk(k).values if side == "fake" else score[:k]
