"""What draws samples from a trained model: the base class of samplers, and the model as they ask for it.

Samplers run on the host, after training: unlike the modules of a step they may look at values and branch on them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from reprlib import repr as short
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from allmodes.game.contracts import NOTHING, Auxiliary, Discriminator, Fitting, Latent, Part
from allmodes.game.noise import Noise
from allmodes.game.views import pack
from allmodes.registry.builds import build, built_from
from allmodes.registry.faults import ContractError
from allmodes_schemas import Given, SamplerConfig, Shape

CHUNK = 1024
"""Items that a network computes at once."""


@built_from(SamplerConfig)
class Sampler(Part):
    """How items are drawn from a trained model, and what has to be found out before: parameters and buffers.

    `fit` is called at each evaluation and before a model is stored, with the model in `Source.of(fitting)`; it begins
    anew each time.

    Attributes:
        kind: The word that picks it in a spec, for messages.
    """

    kind: str = ""

    @override
    def forward(self, model: Source, n: int) -> Tensor:
        """Draw n items (n, *shape) from a model; all randomness comes from it and from `model.noise()`."""
        raise NotImplementedError(f"{type(self).__name__} does not define forward(model, n)")


class Source:
    """A trained model as a sampler asks for it: in evaluation mode, without gradients, on one device.

    Gradients are there within `torch.enable_grad()`. B is a number of items of the sampler's choice.
    """

    def __init__(
        self, modules: Mapping[str, nn.Module], generator: torch.Generator | None, given: Given = NOTHING
    ) -> None:
        self.modules, self.generator, self.given = modules, generator, given

    @classmethod
    def of(cls, fitting: Fitting) -> Source:
        """The model that a sampler is fitted to, with the randomness of the fit."""
        return cls(fitting.modules, fitting.noise.generator)

    @property
    def pack(self) -> int:
        """The number of items that the discriminator judges at once."""
        return self._discriminator.pack

    def noise(self) -> Noise:
        """A source of noise, another one at each call: the same name gives other numbers."""
        return Noise(self.generator)

    def latent(self, n: int) -> Latent:
        """Draw n latents, all with the same parts held fixed where the user asked for some."""
        latent: Latent = self.modules["prior"](self.noise(), n, _repeat(self.given, n))
        return latent

    def items(self, latent: Latent) -> Tensor:
        """Generate the items (B, *shape) of latents."""
        return _in_chunks(self.modules["generator"], latent.z)

    def score(self, x: Tensor, latent: Latent | None = None) -> Tensor:
        """Score items (B,) as the discriminator does: before any sigmoid, larger for real ones unless the game differs.

        A joint discriminator sees the latents' codes beside the items, or without latents, as beside real items, what
        its auxiliary finds. One that packs judges `pack` items at once in their order, which share the score; where
        `pack` does not divide B the first ones come again in the last pack.
        """
        judge = self._discriminator
        things = [x] if judge.joint is None else [x, self._code(judge.joint, x) if latent is None else latent.code]
        order = torch.arange(-(-len(x) // judge.pack) * judge.pack, device=x.device) % len(x)
        seen = [pack(thing[order], judge.pack) for thing in things]
        scores = _in_chunks(lambda *some: judge(*some)[0], *seen)
        return scores.repeat_interleave(judge.pack)[: len(x)]

    @property
    def _discriminator(self) -> Discriminator:
        module = self.modules.get("discriminator")
        if not isinstance(module, Discriminator):
            raise LookupError("the model has no discriminator, which a sampler asks for")
        return module

    def _code(self, name: str, x: Tensor) -> Tensor:
        auxiliary = self.modules[name]
        assert isinstance(auxiliary, Auxiliary)
        return _in_chunks(lambda some: auxiliary.code(auxiliary(some), self.noise()), x)


def build_sampler(config: SamplerConfig) -> Sampler:
    """The sampler of a config. Raises ContractError where it builds something else."""
    sampler = build("sampler", Sampler, config)
    sampler.kind = config.kind
    return sampler


def check_samples(samples: Any, n: int, shape: Shape) -> Tensor:
    """What a sampler returned, if it is n finite items of a shape; raises ContractError."""
    wanted = (n, *shape)
    if not isinstance(samples, Tensor):
        raise ContractError(f"returns {short(samples)}: return a tensor of shape {wanted}")
    if samples.shape != wanted:
        raise ContractError(f"returns a tensor of shape {tuple(samples.shape)}: return n items, {wanted}")
    if not samples.isfinite().all():
        raise ContractError("returns numbers that are not finite")
    return samples


def _repeat(given: Given, n: int) -> Given:
    """The parts of one draw, (size,) or a mode, for n draws."""
    return {name: value.expand(n, -1) if name != "mode" else value for name, value in given.items()}


def _in_chunks(network: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    chunks = zip(*(torch.split(value, CHUNK) for value in inputs), strict=True)
    return torch.cat([network(*chunk) for chunk in chunks])
