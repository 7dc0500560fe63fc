"""Who trains what, and in which order: derived from a spec before torch is loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from allmodes_schemas import (
    LossTermConfig,
    OptimizerConfig,
    PlayerConfig,
    Spec,
    TurnConfig,
)


def players_of(spec: Spec) -> dict[str, PlayerConfig]:
    """The players of a spec by name: the two of every game, then those that terms add."""
    added = {player.name: player for term in spec.losses for player in term.players()}
    players: dict[str, tuple[str, ...]] = {"discriminator": ("discriminator",), "generator": ("generator",)}
    players |= {name: player.modules for name, player in added.items()}
    for module, trained_by in _trained_by(spec):
        for name in trained_by:
            players[name] = tuple(dict.fromkeys((*players.get(name, ()), module)))
    own = {name: added[name].optimizer if name in added else None for name in players}
    return {
        name: PlayerConfig(name=name, modules=modules, optimizer=_optimizer(spec, name, own[name]))
        for name, modules in players.items()
    }


def turns_of(spec: Spec, players: Mapping[str, PlayerConfig]) -> tuple[TurnConfig, ...]:
    """The schedule written out."""
    schedule = spec.training.schedule
    if schedule == "simultaneous":
        return (TurnConfig(player=tuple(players)),)
    if schedule == "alternating":
        return tuple(
            TurnConfig(player=name, times=spec.training.discriminator_updates if name == "discriminator" else 1)
            for name in players
        )
    return schedule


def _optimizer(spec: Spec, name: str, own: OptimizerConfig | None) -> OptimizerConfig:
    return spec.training.optimizers.get(name) or own or spec.training.optimizer


def _trained_by(spec: Spec) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield "prior", spec.prior.trained_by
    for name, auxiliary in spec.auxiliaries.items():
        yield name, auxiliary.trained_by


def term_names(losses: tuple[LossTermConfig, ...]) -> list[str]:
    """Each term's kind, numbered from its second appearance on: `r1`, `r1-2`."""
    kinds = [config.kind for config in losses]
    counts = [kinds[: i + 1].count(kind) for i, kind in enumerate(kinds)]
    return [kind if count == 1 else f"{kind}-{count}" for kind, count in zip(kinds, counts, strict=True)]
