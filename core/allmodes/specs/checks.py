"""Checks across the parts of a spec, made before torch is loaded: each says what is wrong and what to do."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from itertools import chain

from allmodes.specs import hints
from allmodes.specs.effects import problems_of_dues
from allmodes.specs.limits import problems_of_memory
from allmodes.specs.players import players_of, turns_of
from allmodes.text.suggest import did_you_mean
from allmodes_schemas import (
    DiscriminatorOptions,
    FeatureConfig,
    KindConfig,
    LossTermConfig,
    MetricConfig,
    Need,
    PlayerConfig,
    PriorConfig,
    Problem,
    Shape,
    Spec,
)

PARTS = ("generator", "discriminator", "prior")
"""Modules that every spec has."""


def problems_of(spec: Spec) -> list[Problem]:
    """Everything that is wrong with a spec whose types and ranges are right."""
    players = players_of(spec)
    return list(
        chain(
            _games(spec),
            _twice(spec),
            _needs(spec),
            _names(spec),
            (p for p in _unlabelled_streams(spec) if spec.data.classes() is None and spec.data.shape() is not None),
            _discriminator(spec),
            misfits(spec, spec.data.shape()),
            _memory(spec, spec.data.shape()),
            _batches(spec),
            _players(spec, players),
            problems_of_dues(spec, players),
            spec.prior.check(spec),
            *(term.check(spec) for term in spec.losses),
            *(metric.check(spec) for metric in spec.evaluation.metrics),
            spec.data.check(spec),
            hints.of_spec(spec),
        )
    )


def _games(spec: Spec) -> Iterator[Problem]:
    games = [(i, term.kind) for i, term in enumerate(spec.losses) if term.is_game]
    if not games:
        yield Problem(("losses",), "no game among the losses: add one, such as {kind: non_saturating}")
    for i, kind in games[1:]:
        yield Problem(("losses", i), f"{kind} is a second game beside {games[0][1]}: a spec has exactly one")


def _twice(spec: Spec) -> Iterator[Problem]:
    """Seeds and metrics are looked up by their name in what a run writes."""
    metrics = [metric.title() for metric in spec.evaluation.metrics]
    for where, values in ((("seeds",), spec.seeds), (("evaluation", "metrics"), metrics)):
        yield from (
            Problem((*where, i), f"{value} is there already: name it once")
            for i, value in enumerate(values)
            if value in values[:i]
        )


def _asking(spec: Spec) -> list[tuple[tuple[str | int, ...], KindConfig, tuple[Need, ...]]]:
    """Who needs what."""
    return [*((where, config, config.needs) for where, config in _needing(spec)), *_features_needs(spec)]


def _needing(spec: Spec) -> list[tuple[tuple[str | int, ...], PriorConfig | LossTermConfig | MetricConfig]]:
    """The components that may need something, and where they stand."""
    return [
        (("prior",), spec.prior),
        *((("losses", i), term) for i, term in enumerate(spec.losses)),
        *((("evaluation", "metrics", i), metric) for i, metric in enumerate(spec.evaluation.metrics)),
    ]


def _needs(spec: Spec) -> Iterator[Problem]:
    for where, component, needs in _asking(spec):
        yield from (Problem(where, what) for need in needs if (what := _missing(spec, component, need)))


def _features_needs(spec: Spec) -> Iterator[tuple[tuple[str | int, ...], KindConfig, tuple[Need, ...]]]:
    for where, config in _needing(spec):
        for name in type(config).model_fields:
            if isinstance(features := getattr(config, name), FeatureConfig):
                yield (*where, name), features, features.needs


def _missing(spec: Spec, component: KindConfig, need: Need) -> str:
    """What a component lacks and how to provide it, or nothing."""
    asks = f"{component.kind} needs"
    match need.slot:
        case "auxiliary":
            return _missing_auxiliary(spec, component, need)
        case "part" if need.what not in spec.prior.parts():
            return f"{asks} a latent part {need.what!r}, which prior {spec.prior.kind} does not have{_add(need)}"
        case "labels" if spec.data.classes() is None and spec.data.shape() is not None:
            return _no_labels(spec, component, need)
        case "truth" if not spec.data.known_modes():
            return f"{asks} data whose modes are known, which {spec.data.kind} is not{_remedy(need)}"
        case "joint" if not _options(spec).joint:
            return f"{asks} a discriminator that sees a code beside the data{_add(need)}"
        case "stream" if (name := getattr(component, "stream", need.what)) not in spec.streams:
            return f"{asks} a stream of labelled items, but there is no {name!r}{_add(need)}"
    return ""


def _missing_auxiliary(spec: Spec, component: KindConfig, need: Need) -> str:
    giving = [name for name, auxiliary in spec.auxiliaries.items() if auxiliary.gives == need.what]
    named = getattr(component, "auxiliary", None)
    if not giving:
        return f"{component.kind} needs an auxiliary that maps data to {need.what}; none is defined{_add(need)}"
    if named and named not in giving:
        reads = f"{component.kind} reads auxiliary {named!r}, which does not map data to {need.what}"
        return f"{reads}: set auxiliary: {giving[0]}"
    return ""


def _add(need: Need) -> str:
    return f": add {need.remedy}" if need.remedy else ""


def _remedy(need: Need) -> str:
    return f": {need.remedy}" if need.remedy else ""


def _names(spec: Spec) -> Iterator[Problem]:
    for name in spec.auxiliaries:
        if name in PARTS:
            yield Problem(("auxiliaries", name), f"{name!r} is a part of every spec: choose another name")


def _discriminator(spec: Spec) -> Iterator[Problem]:
    yield from _pack(spec)
    if (name := _options(spec).joint) is not None:
        yield from (Problem(("discriminator", "joint"), what) for what in _misjoined(spec, name))
    penalties = [term.kind for term in spec.losses if term.penalises_gradients]
    if penalties and spec.discriminator.normalises_batches():
        yield Problem(
            ("discriminator",),
            f"{penalties[0]} takes gradients item by item, but BatchNorm in the discriminator mixes the items of a "
            "batch: switch it off",
            "warning",
        )


def _memory(spec: Spec, shape: Shape | None) -> Iterator[Problem]:
    """Where shapes do not fit, sizes mean nothing."""
    if not list(misfits(spec, shape)):
        yield from problems_of_memory(spec, shape)


def _batches(spec: Spec) -> Iterator[Problem]:
    """BatchNorm divides by a spread that a single item does not have."""
    batch = spec.training.batch_size
    networks = (
        ("generator", spec.generator, batch),
        ("discriminator", spec.discriminator, batch // _options(spec).pack),
    )
    for name, network, items in networks:
        if items == 1 and network.normalises_batches():
            yield Problem(
                (name,), "BatchNorm needs two items or more at once: raise training.batch_size, or switch it off"
            )


def _pack(spec: Spec) -> Iterator[Problem]:
    pack, batch = _options(spec).pack, spec.training.batch_size
    if rest := batch % pack:
        sizes = " or ".join(str(size) for size in (batch - rest, batch - rest + pack) if size)
        what = f"pack {pack} does not divide training.batch_size {batch}: set that to {sizes}"
        yield Problem(("discriminator", "pack"), what)
    for name, auxiliary in spec.auxiliaries.items():
        if auxiliary.sees == "features" and pack > 1:
            yield Problem(
                ("auxiliaries", name),
                f"{auxiliary.kind} reads the discriminator's features, which belong to {pack} items at once: "
                "set discriminator.pack: 1",
            )


def _misjoined(spec: Spec, name: str) -> Iterator[str]:
    auxiliary = spec.auxiliaries.get(name)
    joint = f"the discriminator is joint with auxiliary {name!r}, which"
    if auxiliary is None:
        yield f"{joint} is not defined{did_you_mean(name, spec.auxiliaries)}: add it under auxiliaries"
    elif auxiliary.sees == "features":
        yield f"{joint} itself reads the discriminator's features: join one that sees the data"
    elif auxiliary.gives != "code":
        yield f"{joint} maps data to {auxiliary.gives}, not to code: join one that does"


def problems_of_loaded(spec: Spec, shape: Shape, classes: int | None) -> list[Problem]:
    """What only the data themselves could tell: that their shape suits no network, or that they have no labels."""
    unlabelled = (p for p in chain(_unlabelled(spec), _unlabelled_streams(spec)) if classes is None)
    return [*unlabelled, *misfits(spec, shape), *_memory(spec, shape)]


def _unlabelled(spec: Spec) -> Iterator[Problem]:
    for where, component, needs in _asking(spec):
        yield from (Problem(where, _no_labels(spec, component, need)) for need in needs if need.slot == "labels")


def _unlabelled_streams(spec: Spec) -> Iterator[Problem]:
    for name, stream in spec.streams.items():
        if stream.labels_file is None:
            what = f"data {spec.data.kind} have no labels: give them in labels_file, a CSV of index,label"
            yield Problem(("streams", name), what)


def _no_labels(spec: Spec, component: KindConfig, need: Need) -> str:
    return f"{component.kind} needs labels, which data {spec.data.kind} does not have{_remedy(need)}"


def misfits(spec: Spec, shape: Shape | None) -> Iterator[Problem]:
    """Networks that cannot take or give items of that shape; none where it is not known yet."""
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
    yield from _added_players(spec)
    for name in spec.training.optimizers:
        if name not in players:
            yield Problem(("training", "optimizers", name), _no_player(name, players))
    yield from _turns(spec, players)


def _added_players(spec: Spec) -> Iterator[Problem]:
    known, seen = (*PARTS, *spec.auxiliaries), dict[str, PlayerConfig]()
    for i, term in enumerate(spec.losses):
        for player in term.players():
            for module in player.modules:
                if module not in known:
                    what = f"player {player.name!r} trains {module!r}, which is not defined"
                    yield Problem(("losses", i), what + did_you_mean(module, known))
            if seen.setdefault(player.name, player) != player:
                yield Problem(("losses", i), f"{term.kind} adds player {player.name!r} otherwise than a loss before it")


def _turns(spec: Spec, players: Mapping[str, PlayerConfig]) -> Iterator[Problem]:
    written = not isinstance(spec.training.schedule, str)
    turns = turns_of(spec, players)
    for i, turn in enumerate(turns):
        where = ("training", "schedule", i) if written else ("training", "schedule")
        unknown = [name for name in turn.players if name not in players]
        yield from (Problem(where, _no_player(name, players)) for name in unknown)
        if not unknown and (what := _overlap(turn.players, players)):
            yield Problem(where, what)
        trained = {module for name in turn.players if name in players for module in players[name].modules}
        yield from (Problem((*where, "inference"), what) for what in _inferred(spec, turn.inference, trained))
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


def _inferred(spec: Spec, names: Iterable[str], trained: Container[str]) -> Iterator[str]:
    known = (*PARTS, *spec.auxiliaries)
    for name in names:
        if name not in known:
            yield f"there is no part {name!r}{did_you_mean(name, known)}; the parts are {', '.join(known)}"
        elif name in trained:
            yield f"the turn trains {name!r}, which therefore does not run as in evaluation: leave it out"


def _no_player(name: str, players: Mapping[str, PlayerConfig]) -> str:
    return f"there is no player {name!r}{did_you_mean(name, players)}; the players are {', '.join(players)}"


def _options(spec: Spec) -> DiscriminatorOptions:
    assert isinstance(spec.discriminator, DiscriminatorOptions)
    return spec.discriminator
