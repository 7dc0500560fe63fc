"""Base classes of the modules that plugins build: priors, networks, auxiliaries, and the discriminator of a network.

All of them are pure: they reach networks, gradients and noise only through their arguments, call no global random
function, never look at a value on the host and never branch on data. So the same object runs eagerly, under `vmap`
over seeds and compiled. All are `torch.nn.Module`s: what they learn or fit is a parameter or a buffer, and is
therefore checkpointed, exported and stacked with the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

from allmodes.game.noise import Noise
from allmodes_schemas import Given

if TYPE_CHECKING:
    from allmodes.data.base import Data

Functions: TypeAlias = Mapping[str, Callable[..., Any]]
NOTHING: Given = MappingProxyType({})


class Latent(NamedTuple):
    """A draw of the prior: `z` (B, dim) is the generator's input, `parts` are named slices or companions of it."""

    z: Tensor
    parts: Mapping[str, Tensor] = NOTHING

    @property
    def code(self) -> Tensor:
        """The code (B, code_dim), by default all of z: what reconstructors estimate and joint discriminators see."""
        return self.parts.get("code", self.z)

    def part(self, name: str) -> Tensor:
        """A part by name, `code` included."""
        return self.code if name == "code" else self.parts[name]


@dataclass(frozen=True)
class Fitting:
    """The arguments of `fit`, before training; `prior` and `generator` are None while the prior is fitted.

    `functions` are the user's, by name, from Python: a config that takes one accepts `python:name`.
    """

    data: Data
    noise: Noise
    prior: Prior | None = None
    generator: nn.Module | None = None
    functions: Functions = field(default_factory=dict)


class Prior(nn.Module):
    """A distribution of the latent. `dim` is the size of z, `sizes` that of each part; both are known after `fit`."""

    dim: int
    sizes: Mapping[str, int]

    def forward(self, noise: Noise, n: int, given: Given = NOTHING) -> Latent:
        """Draw n latents from noise, with the parts named in `given` held fixed; in training it is empty.

        `mode` is given as a number from 0 or a tensor (n,) of them, any other part as its entries (n, size).
        """
        raise NotImplementedError(f"{type(self).__name__} does not define forward(noise, n, given)")

    def fit(self, fitting: Fitting) -> None:
        """Adapt to the data before training; results belong into buffers."""


class Network(nn.Module):
    """A network with a trunk to features of size `feature_dim` and a head from there to its output."""

    trunk: nn.Module
    head: nn.Module
    feature_dim: int

    def forward(self, *inputs: Tensor) -> Tensor:
        """From inputs of the shapes it was built for, with a batch axis, to its output."""
        output: Tensor = self.head(self.trunk(*inputs))
        return output


class Auxiliary(nn.Module):
    """A network beside generator and discriminator; the output of `forward` may have any structure."""

    def forward(self, seen: Tensor) -> Any:
        """From data or, where its config has `sees = "features"`, from the discriminator's features to the output."""
        raise NotImplementedError(f"{type(self).__name__} does not define forward(seen)")

    def code(self, output: Any, noise: Noise) -> Tensor:
        """The code that a joint discriminator sees beside real data: (B, code_dim), by default the output itself."""
        code: Tensor = output
        return code


class Discriminator(nn.Module):
    """A network that scores data, or data joint with a code, `pack` items at a time."""

    def __init__(self, network: Network, pack: int = 1, joint: str | None = None) -> None:
        super().__init__()
        self.network, self.pack, self.joint = network, pack, joint

    def forward(self, *seen: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (B/pack,) and features (B/pack, feature_dim)."""
        features = self.network.trunk(*seen)
        return self.network.head(features).squeeze(-1), features


class Dropout(nn.Module):
    """Dropout whose masks come from the run's own noise (torch's draws from a global generator)."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.noise: Noise | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Zero entries with probability p and scale the others by 1/(1-p), in training mode."""
        if not self.training or self.noise is None:
            return x
        keep = self.noise.uniform("mask", *x.shape) >= self.p
        return torch.where(keep, x / (1 - self.p), torch.zeros_like(x))
