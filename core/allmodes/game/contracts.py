"""Base classes of the modules that plugins build: priors, networks, auxiliaries, and the discriminator of a network.

All of them are pure: they reach networks, gradients and noise only through their arguments, call no global random
function, never look at a value on the host and never branch on data. So the same object runs eagerly, under `vmap`
over seeds and compiled. All are `torch.nn.Module`s: what they learn or fit is a parameter or a buffer, and is
therefore checkpointed, exported and stacked with the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self, TypeAlias

import torch
from torch import Tensor, nn
from typing_extensions import override

from allmodes.game.noise import Noise
from allmodes.registry.builds import built_from
from allmodes_schemas import AuxiliaryConfig, FeatureConfig, Form, Given, NetworkConfig, PriorConfig

if TYPE_CHECKING:
    from allmodes.data.base import Data
    from allmodes.game.step import Step

Functions: TypeAlias = Mapping[str, Callable[..., Any]]
NOTHING: Given = MappingProxyType({})
built_from(FeatureConfig)(nn.Module)


class Latent(NamedTuple):
    """A draw of the prior: `z` (B, dim) is the generator's input, `parts` are named slices or companions of it."""

    z: Tensor
    parts: Mapping[str, Tensor] = NOTHING

    @property
    def code(self) -> Tensor:
        """The code (B, code_dim), by default all of z: what reconstructors estimate and joint discriminators see."""
        return self.parts.get("code", self.z)

    def moved(self, z: Tensor) -> Latent:
        """The latent at another z (B, dim), whose code is z; the other parts are not known there."""
        return Latent(z)

    def part(self, name: str) -> Tensor:
        """A part by name; `code` and `z` are always there."""
        if name == "code":
            return self.code
        return self.z if name == "z" else self.parts[name]


@dataclass(frozen=True)
class Fitting:
    """The arguments of `fit`: the data, noise of its own, and the modules by name that exist so far.

    The prior is fitted first, before networks are built for it, and finds no modules; all others find the networks,
    and in a fit again everything that the run trains, on its device. `prior` and `generator` are short for two of them.
    `iteration` counts from 0, the fit before training. `functions` are the user's, by name, from Python: a config that
    takes one accepts `python:name`.
    """

    data: Data
    noise: Noise
    prior: Prior | None = None
    generator: nn.Module | None = None
    functions: Functions = field(default_factory=dict)
    modules: Mapping[str, nn.Module] = field(default_factory=dict)
    iteration: int = 0

    def within(self, name: str) -> Fitting:
        """The same arguments with noise of its own for a part within the part that is fitted."""
        return replace(self, noise=self.noise.at(name))


class Part(nn.Module):
    """A module that a run adapts: fitted to the data before training, fitted again, or acting after updates.

    Priors, networks, auxiliaries and loss terms are parts, and any module within one may be one.

    Attributes:
        refit: Iterations after which, again and again, `fit` is called; None: only before training.
        follows: Players after whose updates `after_update` is called; by default those that train the module in which
            the part lies or, of a loss term, those that it serves. A loss term's are called only while the term counts,
            and without `follows` a part within a module that nobody trains rests.
        changes: Names of further modules in whose tensors `after_update` writes.
    """

    refit: int | None = None
    follows: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()

    def fit(self, fitting: Fitting) -> None:
        """Adapt to the data, on the host, in evaluation mode; results belong into buffers (`copy_`, of one shape).

        Gradients are off: a fit that trains something switches them on (`torch.enable_grad()`). By default the parts
        within are fitted; a part that overrides this calls `super().fit(fitting)` if it has any.
        """
        for name, part in parts_below(self):
            part.fit(fitting.within(name))

    def after_update(self, step: Step) -> None:
        """Act after an update of the players in `follows`, on the step that their losses were computed from.

        `step` still has what the losses asked for, from before the update: `step.score("real")` costs no forward pass.
        What is asked for here first is computed with the updated modules, and tensors of modules (`step.tensor`,
        `step.offer`) are those of now; views are named again. Gradients are off. Write in place, into the
        part's own buffers and into tensors of the modules in `changes` (`step.parameters(module)`), with `copy_`; look
        at no value, so that the same code runs for stacked seeds: `w.copy_(w.clamp(-c, c))`, `torch.where`.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define after_update(step)")

    @property
    def acts(self) -> bool:
        """Whether it defines `after_update`."""
        return type(self).after_update is not Part.after_update


def parts_below(module: nn.Module) -> Iterator[tuple[str, Part]]:
    """The parts within a module by path, but none within another part."""
    for name, child in module.named_children():
        if isinstance(child, Part):
            yield name, child
        else:
            yield from ((f"{name}.{path}", part) for path, part in parts_below(child))


class Noisy(nn.Module):
    """A module within another that draws noise of its own in training, such as dropout or an augmentation.

    `noise` is a source that is new in each call of the module in which it lies, and None in evaluation: then the module
    draws nothing.
    """

    noise: Noise | None = None

    @override
    def train(self, mode: bool = True) -> Self:
        if not mode:
            self.noise = None
        return super().train(mode)


class Gaussian(NamedTuple):
    """A normal distribution with independent entries: an auxiliary's estimate of the form `gaussian`."""

    mean: Tensor
    log_variance: Tensor


@built_from(PriorConfig)
class Prior(Part):
    """A distribution of the latent. `dim` is the size of z, `sizes` that of each part; both are known after `fit`.

    Attributes:
        interpolation: How latents between two of its draws are found where a user does not say: on the arc
            (`spherical`), where draws have about the same length, as those of a Gaussian, or on the straight line.
    """

    dim: int
    sizes: Mapping[str, int]
    interpolation: Literal["spherical", "linear"] = "linear"

    def forward(self, noise: Noise, n: int, given: Given = NOTHING) -> Latent:
        """Draw n latents from noise, with the parts named in `given` held fixed; in training it is empty.

        `mode` is given as a number from 0 or a tensor (n,) of them, any other part as its entries (n, size).
        """
        raise NotImplementedError(f"{type(self).__name__} does not define forward(noise, n, given)")

    def offer(self, name: str) -> Any:
        """What its config lists in `offers`, by default the attribute of that name: a tensor, or a method to call.

        A tensor depends on parameters and buffers alone. `weights` are the probabilities of the part `mode` (modes,).
        """
        return getattr(self, name)


@built_from(NetworkConfig)
class Network(Part):
    """A network with a trunk to features of size `feature_dim` and a head from there to its output.

    Discriminators, and networks around it, call trunk and head: do not override `forward`.
    """

    trunk: nn.Module
    head: nn.Module
    feature_dim: int

    def forward(self, *inputs: Tensor) -> Tensor:
        """From inputs of the shapes it was built for, with a batch axis, to its output."""
        output: Tensor = self.head(self.trunk(*inputs))
        return output


@built_from(AuxiliaryConfig)
class Auxiliary(Part):
    """A network beside generator and discriminator; the output of `forward` may have any structure."""

    def forward(self, seen: Tensor) -> Any:
        """From data or, where its config has `sees = "features"`, from the discriminator's features to the output."""
        raise NotImplementedError(f"{type(self).__name__} does not define forward(seen)")

    def code(self, output: Any, noise: Noise) -> Tensor:
        """The code that a joint discriminator sees beside real data: (B, code_dim), by default the output itself."""
        code: Tensor = output
        return code

    def estimate(self, output: Any) -> Any:
        """The estimate of the part that it gives, in the form of its config, by default the output itself."""
        return output


def in_form(estimate: Any, form: Form) -> Any:
    """An estimate as it was asked for: where that is a `point`, of a `gaussian` its mean (B, size)."""
    return estimate.mean if form == "point" and isinstance(estimate, Gaussian) else estimate


class Discriminator(Part):
    """A network that scores data, or data joint with a code, `pack` items at a time."""

    def __init__(self, network: Network, pack: int = 1, joint: str | None = None) -> None:
        super().__init__()
        self.network, self.pack, self.joint = network, pack, joint

    def forward(self, *seen: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (B/pack,) and features (B/pack, feature_dim)."""
        features = self.network.trunk(*seen)
        return self.network.head(features).squeeze(-1), features


class Dropout(Noisy):
    """Dropout whose masks come from the run's own noise (torch's draws from a global generator)."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Zero entries with probability p and scale the others by 1/(1-p), in training mode."""
        if self.noise is None:
            return x
        keep = self.noise.uniform("mask", *x.shape) >= self.p
        return torch.where(keep, x / (1 - self.p), torch.zeros_like(x))
