"""What a search found: its trials in the order of their numbers, the best one's spec, and what to make of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from rich.table import Table

from allmodes.specs import loading
from allmodes.specs.search_plan import SearchPlan
from allmodes.studies.comparison import Comparison
from allmodes.studies.monitor import Warn
from allmodes.studies.trials import Trial, Trials
from allmodes.system.durable import replace_text
from allmodes.system.paths import near
from allmodes.text.markdown import table

PAGE, BEST = "search.md", "best.yaml"
FIRST = 10
"""Trials that the terminal shows."""
FRESH = 5
"""Seeds that are proposed for measuring the best trial again."""


def write(trials: Trials, comparison: Comparison, warn: Warn) -> None:
    """Write `search.md` and the best trial's spec `best.yaml` to the study's folder; a full disk costs a warning."""
    try:
        replace_text(comparison.folder / PAGE, markdown(trials, comparison))
        if best := find_best(trials):
            replace_text(comparison.folder / BEST, describe_best(trials.plan, best))
    except OSError as error:
        warn(f"{comparison.folder}: cannot write what the search found: {error.strerror or error}")


def rank(trials: Trials) -> list[Trial]:
    """The trials, the best first; those without a number at the end."""
    sign = 1 if trials.plan.better == "lower" else -1
    known = [trial for trial in trials.all() if trial.value is not None]
    others = [trial for trial in trials.all() if trial.value is None]
    return sorted(known, key=lambda trial: sign * (trial.value or 0)) + others


def find_best(trials: Trials) -> Trial | None:
    """The best complete trial, if there is one."""
    return next((trial for trial in rank(trials) if trial.value is not None), None)


def describe_best(plan: SearchPlan, best: Trial) -> str:
    """The best trial's spec as a file of its own, with a comment that says where it comes from."""
    spec = plan.member(best.number, best.values).spec
    comment = f"# {best.name} of a search by {plan.config.by}, {best.value:.6g} ({plan.better} is better): selected,\n"
    more = "# so the number is too good: measure it again on fresh seeds.\n"
    return comment + more + loading.dump(spec.model_copy(update={"name": f"{plan.name[:95]}-best"}))


def markdown(trials: Trials, comparison: Comparison) -> str:
    """Format the trials, what to make of the best, and the errors of those that failed."""
    plan = trials.plan
    header = ["trial", "state", plan.config.by, *(axis.title for axis in plan.axes)]
    lines = [[trial.name, _state(trial), _value(trial), *_settings(plan, trial)] for trial in rank(trials)]
    said = "\n".join(f"{line}\n" for line in notes(trials, comparison))
    failed = "".join(f"- {trial.name}: {trial.error}\n" for trial in trials.all() if trial.error)
    return f"# {comparison.study.name}\n\n{said}\n{table(header, lines)}" + (f"\nFailed:\n\n{failed}" if failed else "")


def terminal(trials: Trials, title: str) -> Table:
    """Make a table of the best trials."""
    plan, ranked = trials.plan, rank(trials)
    rich = Table(title=title, title_justify="left")
    for i, name in enumerate(["trial", plan.config.by, *(axis.title for axis in plan.axes)]):
        rich.add_column(name, justify="right" if i else "left", overflow="fold")
    for trial in ranked[:FIRST]:
        rich.add_row(trial.name, _value(trial) or _state(trial), *_settings(plan, trial))
    rich.caption = f"{len(ranked) - FIRST} more in {near(trials.folder / PAGE)}" if len(ranked) > FIRST else None
    return rich


def notes(trials: Trials, comparison: Comparison) -> Iterator[str]:
    """Say how far the search is, and what the best number is worth."""
    known, config = trials.all(), trials.plan.config
    ended = [trial for trial in known if trial.end]
    counts = {end: sum(trial.end == end for trial in ended) for end in ("complete", "pruned", "failed")}
    each = ", ".join(f"{n} {end}" for end, n in counts.items() if n)
    yield f"{len(ended)} of {config.trials} trials: {each or 'none has ended'}."
    if best := find_best(trials):
        path, first = near(comparison.folder / BEST), max(trials.plan.start.seeds) + 1
        yield (
            f"The best, {best.name}, is the best of {counts['complete']} by {config.by} {best.value:.4g}: a selected "
            f"number is too good. Measure it on fresh seeds: allmodes run {path} --seeds {first}-{first + FRESH - 1}"
        )
        if (equal := sum(trial.end == "complete" and trial.value == best.value for trial in known)) > 1:
            yield f"{equal} trials have this number: {best.name} is named as the first of them, not as better."


def _state(trial: Trial) -> str:
    return trial.end or "not finished"


def _value(trial: Trial) -> str:
    return "" if trial.value is None else f"{trial.value:.6g}"


def _settings(plan: SearchPlan, trial: Trial) -> Sequence[str]:
    return [_text(trial.values[axis.title]) for axis in plan.axes]


def _text(value: object) -> str:
    if isinstance(value, str):
        return value.partition("=")[2] if value.count("=") == 1 else value
    return f"{value:.6g}" if isinstance(value, float) else json.dumps(value)


__all__ = ["BEST", "PAGE", "describe_best", "find_best", "markdown", "notes", "rank", "terminal", "write"]
