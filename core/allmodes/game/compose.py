"""From a checked spec and its data to a composition: fit the prior, build the networks, fit the terms."""

from __future__ import annotations

from types import MappingProxyType

import torch
from torch import nn

from allmodes.data import Data
from allmodes.game.composition import Composition, Player, Term, fixed_in
from allmodes.game.contracts import Discriminator, Fitting, Functions, Prior
from allmodes.game.noise import Noise, rng, seeded_weights
from allmodes.specs import checks
from allmodes.specs.players import players_of, term_names, turns_of
from allmodes_schemas import DiscriminatorOptions, Shape, Spec


class CompositionError(ValueError):
    """Parts of a spec that turned out not to fit together once the prior had been fitted."""


def compose(
    spec: Spec, data: Data, seed: int, functions: Functions = MappingProxyType({}), prior: Prior | None = None
) -> Composition:
    """Build everything that a spec names, on the CPU, from the seed.

    `functions` are those that came from Python. A prior that is given is taken as it is, and not fitted again.

    Raises CompositionError where the data lack labels, or a shape that they or the fit decided does not suit a network.
    """
    check_data(spec, data)
    noise = Noise(rng(seed, "fit"))
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
