"""Settings without effect: turns and losses that never come, weights of 0, ramps outside the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, TypeAlias

from allmodes_schemas import (
    Config,
    Location,
    LossTermConfig,
    PlayerConfig,
    Problem,
    Ramp,
    Scheduled,
    Spec,
    TurnConfig,
    at,
)

Severity: TypeAlias = Literal["error", "warning"]


def check_effects(spec: Spec, players: Mapping[str, PlayerConfig]) -> Iterator[Problem]:
    """Errors for settings without effect in any run, warnings for those of this run, which may be short on purpose."""
    yield from _turns(spec)
    yield from _losses(spec)
    yield from _wrapped_losses(spec)
    yield from _idle(spec, players)
    yield from _ramps(spec)
    yield from _cadences(spec)
    yield from _measurements(spec)


def _turns(spec: Spec) -> Iterator[Problem]:
    schedule = spec.training.schedule
    for i, turn in enumerate(() if isinstance(schedule, str) else schedule):
        if reason := _never_due(turn, turn.end):
            yield Problem(("training", "schedule", i), f"the turn is never taken: {reason}")
        elif reason := _beyond_run(turn, spec.training.iterations):
            yield Problem(("training", "schedule", i), f"the turn is not taken in this run: {reason}", "warning")
        elif reason := _once_in_run(turn, spec.training.iterations):
            yield Problem(
                ("training", "schedule", i, "every"), f"the turn is taken once in this run: {reason}", "warning"
            )


def _losses(spec: Spec) -> Iterator[Problem]:
    for i, term in enumerate(spec.losses):
        highest = max(_ends(term.weight, spec))
        if term.is_game and highest <= 0:
            yield Problem(("losses", i, "weight"), f"a game cannot have weight {highest:g}: give it a positive one")
        elif _is_zero(term.weight, spec):
            yield Problem(("losses", i, "weight"), f"{term.kind} has weight 0 throughout: remove it", "warning")
        if reason := _beyond_run(term, spec.training.iterations):
            severity: Severity = "error" if term.is_game else "warning"
            yield Problem(("losses", i), f"{term.kind} never counts in this run: {reason}", severity)
        elif reason := _once_in_run(term, spec.training.iterations):
            yield Problem(("losses", i, "every"), f"{term.kind} counts once in this run: {reason}", "warning")


def _wrapped_losses(spec: Spec) -> Iterator[Problem]:
    """Weights and cadences of losses for which another one stands."""
    for term in spec.each(LossTermConfig):
        inner = getattr(term, term.wraps) if term.wraps else term
        for name in ("weight", "every", "start") if term.wraps else ():
            if getattr(inner, name) != LossTermConfig.__pydantic_fields__[name].default:
                reason = f"{term.kind} stands for {inner.kind} and counts by its own {name}: set that instead"
                yield Problem((*spec.where(inner), name), reason)


def _idle(spec: Spec, players: Mapping[str, PlayerConfig]) -> Iterator[Problem]:
    """Players that losses add and for which none of them has an effect."""
    added: dict[str, list[LossTermConfig]] = {}
    for term in spec.losses:
        for player in term.players():
            added.setdefault(player.name, []).append(term)
    for name, terms in added.items():
        if name in players and all(_silent(term, spec) for term in terms):
            reason = f"player {name!r} learns nothing in this run, of {' and '.join(term.kind for term in terms)}"
            yield Problem(("losses", spec.losses.index(terms[0])), reason, "warning")


def _ramps(spec: Spec) -> Iterator[Problem]:
    for where, ramp in _ramps_in(spec, ()):
        iterations, last = spec.training.iterations, ramp.begin + ramp.over
        if ramp.start == ramp.end:
            yield Problem(where, f"the ramp goes from {ramp.start:g} to itself: write the number", "warning")
        elif ramp.begin >= iterations - 1:
            yield Problem(
                where, f"the ramp begins at iteration {ramp.begin:,}, after the run's {iterations:,}", "warning"
            )
        elif last > iterations:
            reached = f"it is {ramp.at(iterations - 1):.3g}, not {ramp.end:g}, at the end"
            yield Problem(where, f"the ramp goes on to iteration {last:,} of {iterations:,}: {reached}", "warning")
        elif where[-1] == "lr" and ramp.end == 0 and (idle := iterations - last) > 1:
            reason = f"the rate is 0 from iteration {last:,} on: the {idle:,} iterations after it train nothing by it"
            yield Problem(where, reason, "warning")
    for i, term in enumerate(spec.losses):
        if isinstance(term.weight, Ramp) and term.start >= term.weight.begin + term.weight.over:
            reason = f"the ramp is over before the term counts, from iteration {term.start:,} on"
            yield Problem(("losses", i, "weight"), reason, "warning")


def _cadences(spec: Spec) -> Iterator[Problem]:
    """Cadences that are longer than the run."""
    training, iterations = spec.training, spec.training.iterations
    cadences: tuple[tuple[Location, Config, str, str], ...] = (
        (("evaluation", "every"), spec.evaluation, "every", "the run is measured at its end alone"),
        (("training", "log_every"), training, "log_every", "losses are logged at the first iteration alone"),
        (("training", "checkpoints", "every"), training.checkpoints, "every", "the run is saved at its end"),
    )
    for where, config, name, effect in cadences:
        every = getattr(config, name)
        if every > iterations and every != type(config).__pydantic_fields__[name].default:
            yield Problem(
                where, f"{every:,} is more than the {iterations:,} iterations of the run: {effect}", "warning"
            )


def _measurements(spec: Spec) -> Iterator[Problem]:
    """Cadences of metrics and pictures that are shorter than the evaluation's."""
    every, drawn = spec.evaluation.every, spec.evaluation.figure_every
    if drawn and drawn < every:
        what = f"{drawn:,} is less than evaluation.every ({every:,}): pictures are drawn at each evaluation"
        yield Problem(("evaluation", "figure_every"), what, "warning")
    for i, metric in enumerate(spec.evaluation.metrics):
        if metric.every and metric.every < every:
            effect = f"{metric.title()} is measured at each evaluation"
            what = f"{metric.every:,} is less than evaluation.every ({every:,}): {effect}"
            yield Problem(("evaluation", "metrics", i, "every"), what, "warning")


def _never_due(due: TurnConfig, end: int | None) -> str:
    if end is None or _first(due) < end:
        return ""
    return f"it begins at iteration {_first(due):,} and ends before {end:,}"


def _beyond_run(due: TurnConfig | LossTermConfig, iterations: int) -> str:
    if (first := _first(due)) < iterations:
        return ""
    return f"it begins at iteration {first:,}, and the run has {iterations:,}"


def _once_in_run(due: TurnConfig | LossTermConfig, iterations: int) -> str:
    return f"every {due.every:,} of {iterations:,} iterations" if due.every > iterations else ""


def _first(due: TurnConfig | LossTermConfig) -> int:
    """The first iteration at which something is due."""
    return -(-due.start // due.every) * due.every


def _is_zero(weight: Scheduled, spec: Spec) -> bool:
    return not any(_ends(weight, spec))


def _silent(term: LossTermConfig, spec: Spec) -> bool:
    return _is_zero(term.weight, spec) or bool(_beyond_run(term, spec.training.iterations))


def _ends(weight: Scheduled, spec: Spec) -> tuple[float, float]:
    """A value at the first and last iteration; a ramp is monotonic between them."""
    return at(weight, 0), at(weight, spec.training.iterations - 1)


def _ramps_in(value: object, where: Location) -> Iterator[tuple[Location, Ramp]]:
    if isinstance(value, Ramp):
        yield where, value
    elif isinstance(value, Config):
        for name, inner in value:
            yield from _ramps_in(inner, (*where, name))
    elif isinstance(value, Mapping | tuple | list):
        for key, inner in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from _ramps_in(inner, (*where, key))


__all__ = ["check_effects"]
