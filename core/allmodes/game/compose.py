"""From a checked spec and its data to a composition: fit the prior, build the networks, fit the terms."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from types import MappingProxyType

import torch
from torch import nn

from allmodes.data import Data
from allmodes.game.composition import Composition, Player, Term, fixed_in
from allmodes.game.contracts import Discriminator, Fitting, Functions, Prior
from allmodes.game.noise import Noise
from allmodes.specs import checks
from allmodes.specs.players import players_of, turns_of
from allmodes.system.torch_settings import seeded_generator
from allmodes_schemas import DiscriminatorOptions, LossTermConfig, Shape, Spec


class CompositionError(ValueError):
    """Parts of a spec that turned out not to fit together once the prior had been fitted."""


def stream(seed: int, name: str, device: str | torch.device = "cpu") -> torch.Generator:
    """The seed's own generator of random numbers for one purpose; streams are independent of each other."""
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def compose(
    spec: Spec, data: Data, seed: int, functions: Functions = MappingProxyType({}), prior: Prior | None = None
) -> Composition:
    """Build everything that a spec names, on the CPU, from the seed.

    `functions` are those that came from Python. A prior that is given is taken as it is, and not fitted again.

    Raises CompositionError where the data lack labels, or a shape that they or the fit decided does not suit a network.
    """
    check_data(spec, data)
    noise = Noise(stream(seed, "fit"))
    with seeded_weights(seed):
        prior = prior or _fitted(spec, Fitting(data, noise.at("prior"), functions=functions))
        modules = {"prior": prior, **_networks(spec, prior, data.shape)}
        terms = _terms(spec)
    for term in terms:
        term.loss.fit(Fitting(data, noise.at(term.module), prior, modules["generator"], functions))
    players = players_of(spec)
    return Composition(
        modules,
        terms,
        [Player(p.name, p.modules, p.optimizer or spec.training.optimizer) for p in players.values()],
        turns_of(spec, players),
        frozenset(name for name, auxiliary in spec.auxiliaries.items() if auxiliary.sees == "features"),
        torch.bfloat16 if spec.training.precision == "bfloat16" else None,
        fixed_in(modules),
    )


def _fitted(spec: Spec, fitting: Fitting) -> Prior:
    prior: Prior = spec.prior.build()
    prior.fit(fitting)
    return prior


def check_data(spec: Spec, data: Data) -> None:
    """Refuse data that turn out, now that they are loaded, not to suit the spec; a line for each thing that is wrong.

    Raises CompositionError.
    """
    if problems := checks.problems_of_loaded(spec, data.shape, data.classes):
        raise CompositionError("\n".join(f"{'.'.join(map(str, p.where))}: {p.what}" for p in problems))


@contextmanager
def seeded_weights(seed: int) -> Iterator[None]:
    """A block in which networks that are built have the initial weights of a seed."""
    with seeded_generator(stream(seed, "weights").initial_seed()):
        yield


def _networks(spec: Spec, prior: Prior, shape: Shape) -> dict[str, nn.Module]:
    options = spec.discriminator
    assert isinstance(options, DiscriminatorOptions)
    generator = spec.generator.build(((prior.dim,),), shape)
    packed = (options.pack * shape[0], *shape[1:])
    sees: tuple[Shape, ...] = (packed, (options.pack * prior.sizes["code"],)) if options.joint else (packed,)
    if what := spec.discriminator.misfit(sees, (1,)):
        raise CompositionError(f"discriminator: {what}")
    discriminator = Discriminator(options.network().build(sees, (1,)), options.pack, options.joint)
    auxiliaries = {
        name: config.build(shape if config.sees == "data" else (discriminator.network.feature_dim,), prior.sizes)
        for name, config in spec.auxiliaries.items()
    }
    return {"generator": generator, "discriminator": discriminator, **auxiliaries}


def _terms(spec: Spec) -> list[Term]:
    return [
        Term(name, config.build(), config.weight, config.every, config.start)
        for name, config in zip(term_names(spec.losses), spec.losses, strict=True)
    ]


def term_names(losses: tuple[LossTermConfig, ...]) -> list[str]:
    """Each term's kind, numbered from its second appearance on: `r1`, `r1-2`."""
    kinds = [config.kind for config in losses]
    counts = [kinds[: i + 1].count(kind) for i, kind in enumerate(kinds)]
    return [kind if count == 1 else f"{kind}-{count}" for kind, count in zip(kinds, counts, strict=True)]
