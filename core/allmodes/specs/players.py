"""Who trains which modules, and in which order: derived from a spec, and checked, before torch is loaded."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from allmodes.registry.given import name_of
from allmodes.text.suggest import did_you_mean
from allmodes_schemas import (
    KindConfig,
    Location,
    LossTermConfig,
    PlayerConfig,
    PriorConfig,
    Problem,
    Spec,
    TurnConfig,
    kinds_within,
)

MODULES = ("generator", "discriminator", "prior")
"""Names of the core's modules, of which a spec may lack the discriminator."""


class Origin(NamedTuple):
    """A component that brings a player: it adds the player, or names it in `trained_by`."""

    where: Location
    config: KindConfig
    brings: str

    def unserved(self, player: str, served: Collection[str]) -> str:
        """What is wrong with a player for whom there is no loss, where `served` are those who have one."""
        hint = did_you_mean(player, served)
        return f"{self.brings} player {player!r}, whom no loss serves{hint}: losses serve {', '.join(served)}"


def origins_of(spec: Spec) -> dict[str, Origin]:
    """The innermost component that brings each player, by the player's name; the game's two are brought by none."""
    found: dict[str, Origin] = {}
    for where, config in kinds_within(spec):
        for name in _present(spec, getattr(config, "trained_by", ())):
            found[name] = Origin(where, config, "is trained by")
    for where, config in kinds_within(spec):
        if isinstance(config, LossTermConfig):
            found |= {player.name: Origin(where, config, "adds") for player in config.players()}
    game = _present(spec, ("discriminator", "generator"))
    return {name: origin for name, origin in found.items() if name not in game}


def modules_of(spec: Spec) -> tuple[str, ...]:
    """Names of the networks that a spec has and of its prior, which players train."""
    return (*_present(spec, MODULES), *spec.auxiliaries)


def term_module(name: str) -> str:
    """The name of a term among the modules."""
    return f"losses/{name}"


def players_of(spec: Spec) -> dict[str, PlayerConfig]:
    """The players of a spec by name: those of the game, then those that terms add."""
    added = {player.name: player for term in spec.losses for player in term.players()}
    players: dict[str, tuple[str, ...]] = {name: (name,) for name in _present(spec, ("discriminator", "generator"))}
    players |= {name: player.modules for name, player in added.items()}
    for _, _, module, trained_by in _list_trained(spec):
        for name in _present(spec, trained_by):
            players[name] = tuple(dict.fromkeys((*players.get(name, ()), module)))
    training = spec.training
    own = {name: added[name].optimizer if name in added else None for name in players}
    return {
        name: PlayerConfig(
            name=name, modules=modules, optimizer=training.optimizers.get(name) or own[name] or training.optimizer
        )
        for name, modules in players.items()
    }


def turns_of(spec: Spec, players: Mapping[str, PlayerConfig]) -> tuple[TurnConfig, ...]:
    """The schedule written out."""
    schedule, updates = spec.training.schedule, {"discriminator": spec.training.discriminator_updates}
    if schedule == "simultaneous":
        return (TurnConfig(player=tuple(players)),)
    if schedule == "alternating":
        return tuple(TurnConfig(player=name, times=updates.get(name, 1)) for name in players)
    return schedule


def term_names(losses: tuple[LossTermConfig, ...]) -> list[str]:
    """Each term's kind, or name in Python, numbered from its second appearance on: `r1`, `r1-2`."""
    kinds = [name_of(config.kind) for config in losses]
    counts = [kinds[: i + 1].count(kind) for i, kind in enumerate(kinds)]
    return [kind if count == 1 else f"{kind}-{count}" for kind, count in zip(kinds, counts, strict=True)]


def check_players(spec: Spec, players: Mapping[str, PlayerConfig]) -> Iterator[Problem]:
    """Problems of the players that terms add, of optimisers by player, and of the schedule."""
    yield from _check_added_players(spec)
    yield from _check_served(spec, players)
    yield from _check_unserved(spec, players)
    yield from _check_untrained(spec)
    for name in spec.training.optimizers:
        if name not in players:
            yield Problem(("training", "optimizers", name), _unknown("player", name, players))
    if spec.discriminator is None and spec.training.discriminator_updates > 1:
        what = "there is no discriminator to update: leave it out"
        yield Problem(("training", "discriminator_updates"), what)
    yield from _check_schedule(spec, players)


def check_modules(player: str, trains: Iterable[str], modules: Collection[str]) -> Iterator[str]:
    """Messages about modules that a player trains and that do not exist."""
    for module in trains:
        if module not in modules:
            yield f"player {player!r} trains {module!r}, which is not defined{did_you_mean(module, modules)}"


def check_served(term: str, serves: Iterable[str], players: Collection[str]) -> Iterator[str]:
    """Messages about players that a term has a loss for and that do not exist."""
    for name in serves:
        if name not in players:
            yield f"{term} has a loss for a player that nobody has: {_unknown('player', name, players)}"


def check_turn(turn: TurnConfig, trains: Mapping[str, Collection[str]], modules: Collection[str]) -> Iterator[Problem]:
    """Problems of a turn, located within it; `trains` are the modules of each player, `modules` all that exist."""
    unknown = [name for name in turn.players if name not in trains]
    yield from (Problem((), _unknown("player", name, trains)) for name in unknown)
    if not unknown and (message := _overlap(turn.players, trains)):
        yield Problem((), message)
    trained = {module for name in turn.players for module in trains.get(name, ())}
    for name in turn.inference:
        if name not in modules:
            yield Problem(("inference",), _unknown("module", name, modules))
        elif name in trained:
            message = f"the turn trains {name!r}, which therefore does not run as in evaluation: leave it out"
            yield Problem(("inference",), message)


def _list_trained(spec: Spec) -> Iterator[tuple[Location, KindConfig, str, tuple[str, ...]]]:
    """Components that say themselves who trains them, with their places and modules."""
    yield ("prior",), spec.prior, "prior", _trainers_within(spec.prior, PriorConfig)
    for name, auxiliary in spec.auxiliaries.items():
        yield ("auxiliaries", name), auxiliary, name, auxiliary.trained_by
    for i, (name, term) in enumerate(zip(term_names(spec.losses), spec.losses, strict=True)):
        yield ("losses", i), term, term_module(name), _trainers_within(term, LossTermConfig)


def _trainers_within(config: PriorConfig | LossTermConfig, slot: type[PriorConfig | LossTermConfig]) -> tuple[str, ...]:
    """Players that train a component, those included that train one of the same slot within it."""
    inner = [kind for _, kind in kinds_within(config) if isinstance(kind, slot)]
    return tuple(dict.fromkeys(player for kind in inner for player in kind.trained_by))


def _present(spec: Spec, names: tuple[str, ...]) -> tuple[str, ...]:
    """Names of players or modules without the discriminator's, where a spec has none."""
    return tuple(name for name in names if name != "discriminator" or spec.discriminator is not None)


def _check_added_players(spec: Spec) -> Iterator[Problem]:
    modules, first = modules_of(spec), dict[str, PlayerConfig]()
    for i, term in enumerate(spec.losses):
        for player in term.players():
            yield from (Problem(("losses", i), m) for m in check_modules(player.name, player.modules, modules))
            if first.setdefault(player.name, player) != player:
                message = f"{term.kind} redefines player {player.name!r} with other settings than a loss before it"
                yield Problem(("losses", i), message)


def _check_served(spec: Spec, players: Mapping[str, PlayerConfig]) -> Iterator[Problem]:
    """Terms with a loss for a player that nobody has, and players that terms add and that train nothing."""
    for i, term in enumerate(spec.losses):
        yield from (Problem(("losses", i), message) for message in check_served(term.kind, term.serves, players))
        for player in term.players():
            if not players[player.name].modules:
                remedy = "give it modules, or name it in trained_by of what it trains"
                yield Problem(("losses", i), f"player {player.name!r} trains nothing: {remedy}")


def _check_unserved(spec: Spec, players: Mapping[str, PlayerConfig]) -> Iterator[Problem]:
    """Players that components bring and for whom there is no loss, where all losses say whom they serve."""
    if all(term.serves for term in spec.losses):
        served = list(dict.fromkeys(name for term in spec.losses for name in term.serves))
        for name, origin in origins_of(spec).items():
            if name not in served and players[name].modules:
                yield Problem(origin.where, f"{origin.config.kind} {origin.unserved(name, served)}")


def _check_untrained(spec: Spec) -> Iterator[Problem]:
    """Components that only a discriminator would train, which the spec does not have."""
    for where, config, _, trained_by in _list_trained(spec):
        if trained_by and not _present(spec, trained_by):
            what = f"{config.kind} is trained by the discriminator alone, which this spec does not have"
            yield Problem(where, f"{what}, so it never learns: add discriminator: {{kind: mlp}}, or leave it out")


def _check_schedule(spec: Spec, players: Mapping[str, PlayerConfig]) -> Iterator[Problem]:
    schedule, turns = ("training", "schedule"), turns_of(spec, players)
    trains = {name: player.modules for name, player in players.items()}
    for i, turn in enumerate(turns):
        where = schedule if isinstance(spec.training.schedule, str) else (*schedule, i)
        for problem in check_turn(turn, trains, modules_of(spec)):
            yield Problem((*where, *problem.where), problem.what)
    for name in sorted(set(players) - {name for turn in turns for name in turn.players}):
        yield Problem(schedule, f"player {name!r} has no turn, so it never learns: add a turn for it")


def _overlap(names: Iterable[str], trains: Mapping[str, Collection[str]]) -> str:
    first: dict[str, str] = {}
    for name in names:
        for module in trains[name]:
            if module in first:
                return (
                    f"players {first[module]!r} and {name!r} both train {module!r} and cannot take a simultaneous "
                    "turn: use schedule: alternating, or give them turns of their own"
                )
            first[module] = name
    return ""


def _unknown(noun: str, name: str, known: Collection[str]) -> str:
    return f"there is no {noun} {name!r}{did_you_mean(name, known)}; the {noun}s are {', '.join(known)}"
