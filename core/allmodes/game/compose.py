"""Build a composition from a checked spec and its data: fit the prior, build the networks, fit the terms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType, SimpleNamespace
from typing import Any

import torch
from torch import nn

from allmodes.data.base import Data
from allmodes.game.composition import Composition, Player, Term
from allmodes.game.contracts import Auxiliary, Discriminator, Fitting, Functions, Network, Part, Prior
from allmodes.game.losses import Game, LossTerm
from allmodes.game.noise import Noise, rng, seeded_weights
from allmodes.game.output_checks import check_judge, check_prior, first_checks
from allmodes.game.parts import fit
from allmodes.game.samplers import build_sampler
from allmodes.registry.builds import build
from allmodes.registry.faults import FAULTS, ContractError, as_error, calling, calls, describe
from allmodes.registry.given import given_in
from allmodes.specs.checks import check_loaded
from allmodes.specs.players import origins_of, players_of, term_names, turns_of
from allmodes.specs.shapes import discriminator_inputs, discriminator_options
from allmodes_schemas import LossTermConfig, PlayerConfig, Shape, Spec


class CompositionError(ValueError):
    """A spec whose data lack labels, or whose networks cannot map the shapes of the loaded data or the fitted prior."""


def compose(
    spec: Spec, data: Data, seed: int, functions: Functions = MappingProxyType({}), prior: Prior | None = None
) -> Composition:
    """Build everything that a spec names, on the CPU, from the seed.

    `functions` are the user's, by name, from Python. A prior that is passed is used as it is, and not fitted again.

    Raises CompositionError where the data lack labels, or a network cannot map shapes that the data or the fit decided.
    """
    check_data(spec, data)
    noise = Noise(rng(seed, "fit"))
    with seeded_weights(seed):
        prior = prior or _fit_prior(spec, Fitting(data, noise.at("prior"), functions=functions))
        modules = {"prior": prior, **build_networks(spec, prior, data.shape)}
        terms, players = _terms(spec), players_of(spec)
        for term in terms:
            _check_trained(term, players)
        if spec.sampler is not None:
            modules["sampler"] = build_sampler(spec.sampler)
    fitting = Fitting(data, noise, prior, modules["generator"], functions, modules)
    for name, part in _parts(modules, terms):
        fit(name, part, fitting.within(name))
    origins = origins_of(spec)
    composition = _composition(
        modules,
        terms,
        [
            Player(p.name, p.modules, p.optimizer or spec.training.optimizer, origins.get(p.name))
            for p in players.values()
        ],
        turns_of(spec, players),
        frozenset(name for name, auxiliary in spec.auxiliaries.items() if auxiliary.sees == "features"),
        torch.bfloat16 if spec.training.precision == "bfloat16" else None,
        _fixed_parameters({**modules, **{term.module: term.loss for term in terms}}),
    )
    composition.untried = first_checks(modules, data.shape)
    return composition


def _composition(*arguments: Any) -> Composition:
    """A composition; raises CompositionError where the spec's players, turns and terms contradict each other."""
    try:
        return Composition(*arguments)
    except ValueError as error:
        if calls(error):
            raise
        raise CompositionError(str(error)) from error


def _parts(modules: Mapping[str, nn.Module], terms: Iterable[Term]) -> Iterator[tuple[str, Part]]:
    """What is fitted once the networks are built: they, then the terms. A sampler is fitted at each evaluation."""
    named = {**modules, **{term.module: term.loss for term in terms}}
    others = {name: module for name, module in named.items() if name not in ("prior", "sampler")}
    return ((name, module) for name, module in others.items() if isinstance(module, Part))


def _fit_prior(spec: Spec, fitting: Fitting) -> Prior:
    prior = build("prior", Prior, spec.prior)
    fit("prior", prior, fitting)
    check_prior(prior)
    return prior


def check_data(spec: Spec, data: Data) -> None:
    """Check that loaded data suit the spec.

    Raises CompositionError with a line for each problem.
    """
    if problems := check_loaded(spec, data.shape, data.classes):
        raise CompositionError("\n".join(f"{'.'.join(map(str, p.where))}: {p.what}" for p in problems))


def build_networks(spec: Spec, prior: Prior, shape: Shape) -> dict[str, nn.Module]:
    """Generator, discriminator and auxiliaries, by name."""
    if reason := spec.generator.misfit(((prior.dim,),), shape):
        raise CompositionError(f"generator: {reason}")
    networks: dict[str, nn.Module] = {"generator": build("generator", Network, spec.generator, ((prior.dim,),), shape)}
    features: Shape = ()
    if spec.discriminator is not None:
        networks["discriminator"] = discriminator = _judge(spec, prior, shape)
        features = (discriminator.network.feature_dim,)
    parts = {"z": prior.dim, **prior.sizes}
    for name, config in spec.auxiliaries.items():
        seen = shape if config.sees == "data" else features
        networks[name] = build(f"auxiliary {name!r}", Auxiliary, config, seen, parts)
    return networks


def try_networks(spec: Spec, shape: Shape) -> None:
    """Build the networks of a spec that names some of Python, if their shapes are known before the prior is fitted.

    Raises CompositionError where one cannot be built, or does not map them.
    """
    sizes = spec.prior.parts()
    if not given_in(spec).get("networks") or (dim := spec.prior.size()) is None or None in sizes.values():
        return
    prior: Any = SimpleNamespace(dim=dim, sizes=sizes)
    try:
        with seeded_weights(spec.seeds[0]):
            build_networks(spec, prior, shape)
    except FAULTS as error:
        if not calls(error):
            raise
        raise CompositionError(describe(as_error(error))) from error


def _judge(spec: Spec, prior: Prior, shape: Shape) -> Discriminator:
    """The discriminator of a spec that has one."""
    options = discriminator_options(spec)
    sees = discriminator_inputs(spec, shape, prior.sizes["code"])
    if reason := options.alone().misfit(sees, (1,)):
        raise CompositionError(f"discriminator: {reason}")
    network = build("discriminator", Network, options.alone(), sees, (1,))
    check_judge(network)
    return Discriminator(network, options.pack, options.joint)


def _terms(spec: Spec) -> list[Term]:
    return [
        Term(name, _build_term(config), config.weight, config.every, config.start)
        for name, config in zip(term_names(spec.losses), spec.losses, strict=True)
    ]


def _build_term(config: LossTermConfig) -> LossTerm:
    """A loss; raises ContractError where it is a game and its settings do not say so."""
    term = build("loss", LossTerm, config)
    if isinstance(term, Game) and not config.is_game:
        with calling(f"loss {config.kind}", config):
            raise ContractError("build() returns a Game: set is_game: ClassVar[bool] = True in its settings")
    return term


def _check_trained(term: Term, players: Mapping[str, PlayerConfig]) -> None:
    """Raise ContractError where a term that nobody trains was built with parameters that are to be trained."""
    trained = any(term.module in player.modules for player in players.values())
    idle = [name for name, parameter in term.loss.named_parameters() if parameter.requires_grad and not trained]
    if idle:
        with calling(f"loss {term.name}", term.loss):
            remedy = "name their players in trained_by of its config, or freeze them with requires_grad_(False)"
            raise ContractError(f"nobody trains its {', '.join(idle[:3])}: {remedy}")


def _fixed_parameters(modules: Mapping[str, nn.Module]) -> frozenset[str]:
    """Parameters, named `module:parameter`, that modules were built with and that require no gradients."""
    named = ((f"{module}:{name}", p) for module, inside in modules.items() for name, p in inside.named_parameters())
    return frozenset(key for key, parameter in named if not parameter.requires_grad)
