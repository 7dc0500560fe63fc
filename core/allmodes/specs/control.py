"""Checks of what ends training before its last iteration, or goes back: their metrics, players and directions."""

from __future__ import annotations

from collections.abc import Iterator

from allmodes.runs.run_folder import MODEL_PAGE, RunFolder
from allmodes.specs.players import players_of
from allmodes.system.no_such_file import holds, no_such_file
from allmodes.system.paths import MLFLOW, place
from allmodes.text.suggest import did_you_mean
from allmodes_schemas import EarlyStoppingConfig, Problem, RewindConfig, Spec


def check_control(spec: Spec) -> Iterator[Problem]:
    """Problems of early stopping and of rewinds."""
    if (stopping := spec.training.early_stopping) is not None:
        where = ("training", "early_stopping")
        yield from _check_number(spec, (*where, "metric"), stopping.metric, stopping.better)
        yield from _check_best(spec, stopping)
        yield from _check_evaluations(spec, stopping)

    if (rewind := spec.training.rewind) is not None:
        if rewind.metric is not None:
            yield from _check_number(spec, ("training", "rewind", "metric"), rewind.metric, "auto")
        yield from _check_players(spec, rewind)
        yield from _check_signs(spec, rewind)


def _check_players(spec: Spec, rewind: RewindConfig) -> Iterator[Problem]:
    """Players that the spec does not have."""
    players = players_of(spec)
    for i, name in enumerate(rewind.players):
        if name not in players:
            what = f"there is no player {name!r}{did_you_mean(name, players)}: the players are {', '.join(players)}"
            yield Problem(("training", "rewind", "players", i), what)


def _check_signs(spec: Spec, rewind: RewindConfig) -> Iterator[Problem]:
    """No sign at all, or a collapse that no metric of the spec could show."""
    counted = any(number.counts for number in spec.evaluation.numbers().values())
    if not rewind.signs and rewind.metric is None:
        yield Problem(("training", "rewind", "signs"), "nothing sends the run back: name a sign, or metric and limit")
    elif "collapse" in rewind.signs and not counted:
        what = "no metric of this spec counts modes or classes, so a collapse is never seen"
        remedy = "add one, such as modes, or set signs: [divergence]"
        yield Problem(("training", "rewind", "signs"), f"{what}: {remedy}", "warning")


def check_source(spec: Spec) -> Iterator[Problem]:
    """A run to begin with that is not there; MLflow's addresses are looked up when training begins."""
    if (reference := spec.training.source) is None or reference.startswith(MLFLOW):
        return
    folder, where = place(reference), ("training", "from")
    if not holds(folder.exists):
        yield Problem(where, no_such_file(reference))
    elif not (folder / MODEL_PAGE).is_file() and not RunFolder(folder).runs:
        what = "is neither the folder of a run nor an exported model"
        yield Problem(where, f"{reference} {what}: give the folder that `allmodes run` or `allmodes export` printed")


def _check_number(spec: Spec, where: tuple[str, ...], name: str, better: str) -> Iterator[Problem]:
    """A number that no metric gives, or of which nobody knows which values are better."""
    known = spec.evaluation.numbers()
    if name not in known:
        some = f"there are {', '.join(known)}" if known else "it has none: add one, such as metrics: [modes]"
        what = f"{name!r} is not a number of this spec's evaluation.metrics{did_you_mean(name, known)}: {some}"
        yield Problem(where, what)
    elif better == "auto" and known[name].better is None:
        yield Problem(where, f"{name} does not say which values are better: set better: higher or better: lower")


def _check_best(spec: Spec, stopping: EarlyStoppingConfig) -> Iterator[Problem]:
    """Two numbers whose best checkpoints would be kept."""
    best = spec.training.checkpoints.best
    if stopping.keep == "best" and best not in (None, stopping.metric):
        kept = f"training.checkpoints.best keeps the checkpoint of the best {best}"
        remedy = "leave that out, or name the same number"
        yield Problem(("training", "early_stopping", "keep"), f"{kept}, not of {stopping.metric}: {remedy}")


def _check_evaluations(spec: Spec, stopping: EarlyStoppingConfig) -> Iterator[Problem]:
    """A run with too few evaluations to be stopped."""
    cadences = [one.every or 1 for one in spec.evaluation.metrics if stopping.metric in one.numbers()]
    every = max([spec.evaluation.every, *cadences])
    counted = spec.training.iterations // every - max(stopping.start - 1, 0) // every
    if counted <= stopping.patience and stopping.metric in spec.evaluation.numbers():
        what = (
            f"{counted} evaluations measure {stopping.metric}, too few to stop the run at patience {stopping.patience}"
        )
        remedy = "evaluate more often (evaluation.every), or set less patience"
        yield Problem(("training", "early_stopping", "patience"), f"{what}: {remedy}", "warning")
