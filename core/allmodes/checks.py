"""Checks across the parts of a spec, made before torch is loaded: each says what is wrong and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from allmodes.players import players_of, turns_of
from allmodes.registry import did_you_mean
from allmodes_schemas import DiscriminatorOptions, Need, PlayerConfig, Problem, Shape, Spec


def problems_of(spec: Spec) -> list[Problem]:
    """Everything that is wrong with a spec whose types and ranges are right."""
    players = players_of(spec)
    return list(
        chain(
            _games(spec),
            _needs(spec),
            _discriminator(spec),
            _shapes(spec),
            _players(spec, players),
            *(term.check(spec) for term in spec.losses),
        )
    )


def _games(spec: Spec) -> Iterator[Problem]:
    games = [(i, term.kind) for i, term in enumerate(spec.losses) if term.is_game]
    if not games:
        yield Problem(("losses",), "no game among the losses: add one, such as {kind: non_saturating}")
    for i, kind in games[1:]:
        yield Problem(("losses", i), f"{kind} is a second game beside {games[0][1]}: a spec has exactly one")


def _needs(spec: Spec) -> Iterator[Problem]:
    asking = [
        (("prior",), spec.prior.kind, spec.prior.needs, ""),
        *((("losses", i), t.kind, t.needs, getattr(t, "auxiliary", "")) for i, t in enumerate(spec.losses)),
        *((("evaluation", "metrics", i), m.kind, m.needs, "") for i, m in enumerate(spec.evaluation.metrics)),
    ]
    for where, kind, needs, auxiliary in asking:
        for need in needs:
            if what := _missing(spec, kind, need, auxiliary):
                yield Problem(where, what + (f": add {need.remedy}" if need.remedy and ": " not in what else ""))


def _missing(spec: Spec, kind: str, need: Need, auxiliary: str) -> str:
    """What a component lacks, or nothing."""
    match need.slot:
        case "auxiliary":
            return _missing_auxiliary(spec, kind, need, auxiliary)
        case "part" if need.what not in spec.prior.parts():
            return f"{kind} needs a latent part {need.what!r}, which prior {spec.prior.kind} does not have"
        case "labels" if spec.data.classes() is None and spec.data.shape() is not None:
            return f"{kind} needs labels, which data {spec.data.kind} does not have"
        case "truth" if not spec.data.known_modes():
            return f"{kind} needs data whose modes are known, which {spec.data.kind} is not"
        case "joint" if not _options(spec).joint:
            return f"{kind} needs a discriminator that sees a code beside the data"
    return ""


def _missing_auxiliary(spec: Spec, kind: str, need: Need, name: str) -> str:
    giving = [n for n, auxiliary in spec.auxiliaries.items() if auxiliary.gives == need.what]
    if not giving:
        return f"{kind} needs an auxiliary that maps data to {need.what}; none is defined"
    if name and name not in giving:
        return f"{kind} reads auxiliary {name!r}, which does not map data to {need.what}: set auxiliary: {giving[0]}"
    return ""


def _discriminator(spec: Spec) -> Iterator[Problem]:
    options, batch = _options(spec), spec.training.batch_size
    if batch % options.pack:
        yield Problem(
            ("discriminator", "pack"),
            f"pack {options.pack} does not divide training.batch_size {batch}: set it to {batch - batch % options.pack}"
            f" or {batch + options.pack - batch % options.pack}",
        )
    if options.joint is not None and options.joint not in spec.auxiliaries:
        yield Problem(
            ("discriminator", "joint"),
            f"the discriminator is joint with auxiliary {options.joint!r}, which is not defined"
            f"{did_you_mean(options.joint, spec.auxiliaries)}: add it under auxiliaries",
        )
    for name, auxiliary in spec.auxiliaries.items():
        if auxiliary.sees == "features" and options.pack > 1:
            yield Problem(
                ("auxiliaries", name),
                f"{auxiliary.kind} reads the discriminator's features, which belong to {options.pack} items at once: "
                "set discriminator.pack: 1",
            )
    penalties = [term.kind for term in spec.losses if term.penalises_gradients]
    if penalties and spec.discriminator.normalises_batches():
        yield Problem(
            ("discriminator",),
            f"{penalties[0]} takes gradients item by item, but BatchNorm in the discriminator mixes the items of a "
            "batch: switch it off",
            "warning",
        )


def _shapes(spec: Spec) -> Iterator[Problem]:
    shape = spec.data.shape()
    if shape is None:
        return
    code = spec.prior.parts().get("code") or 1
    options = _options(spec)
    packed = (options.pack * shape[0], *shape[1:])
    sees: tuple[Shape, ...] = (packed, (options.pack * code,)) if options.joint else (packed,)
    if what := spec.generator.misfit(((code,),), shape):
        yield Problem(("generator",), what)
    if what := spec.discriminator.misfit(sees, (1,)):
        yield Problem(("discriminator",), what)
    for name, auxiliary in spec.auxiliaries.items():
        if auxiliary.sees == "data" and (what := auxiliary.misfit(shape)):
            yield Problem(("auxiliaries", name), what)


def _players(spec: Spec, players: Mapping[str, PlayerConfig]) -> Iterator[Problem]:
    known = {"generator", "discriminator", "prior", *spec.auxiliaries}
    for player in players.values():
        for module in player.modules:
            if module not in known:
                yield Problem(("losses",), f"player {player.name!r} trains {module!r}, which is not defined")
    for name in spec.training.optimizers:
        if name not in players:
            yield Problem(("training", "optimizers", name), _no_player(name, players))
    yield from _turns(spec, players)


def _turns(spec: Spec, players: Mapping[str, PlayerConfig]) -> Iterator[Problem]:
    written = not isinstance(spec.training.schedule, str)
    turns = turns_of(spec, players)
    for i, turn in enumerate(turns):
        where = ("training", "schedule", i) if written else ("training", "schedule")
        unknown = [name for name in turn.players if name not in players]
        yield from (Problem(where, _no_player(name, players)) for name in unknown)
        if not unknown and (what := _overlap(turn.players, players)):
            yield Problem(where, what)
    never = set(players) - {name for turn in turns for name in turn.players}
    for name in sorted(never):
        yield Problem(("training", "schedule"), f"player {name!r} has no turn, so it never learns: add a turn for it")


def _overlap(names: Iterable[str], players: Mapping[str, PlayerConfig]) -> str:
    seen: dict[str, str] = {}
    for name in names:
        for module in players[name].modules:
            if module in seen:
                return (
                    f"players {seen[module]!r} and {name!r} both train {module!r} and cannot take a simultaneous turn: "
                    "use schedule: alternating, or give them turns of their own"
                )
            seen[module] = name
    return ""


def _no_player(name: str, players: Mapping[str, PlayerConfig]) -> str:
    return f"there is no player {name!r}{did_you_mean(name, players)}; the players are {', '.join(players)}"


def _options(spec: Spec) -> DiscriminatorOptions:
    assert isinstance(spec.discriminator, DiscriminatorOptions)
    return spec.discriminator
