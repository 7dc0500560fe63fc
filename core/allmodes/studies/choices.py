"""How a comparison is shown: labels in place of names, the columns of its tables, and the baseline of its tests."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from reprlib import repr as short
from typing import TYPE_CHECKING

from allmodes.specs.source import SpecError
from allmodes.text.suggest import did_you_mean

if TYPE_CHECKING:
    from allmodes.studies.study import StudyEntry

COST_TITLES = {
    "images": "images seen",
    "generator_updates": "G updates",
    "discriminator_updates": "D updates",
    "generator_parameters": "G parameters",
    "discriminator_parameters": "D parameters",
    "other_parameters": "other parameters",
    "seconds": "seconds",
    "cpu_seconds": "CPU seconds",
}
"""Costs of a run by name, as tables call them."""
ALL = "all"
"""The word for all columns, which undoes a choice of an earlier command."""


@dataclass(frozen=True)
class Shown:
    """How a comparison is shown; what a command does not say is kept from the command before, in `study.json`.

    Attributes:
        labels: By the name of a method or a column, what tables and figures call it.
        columns: Metrics and costs, by name or pattern, in the order of the columns; all where it is empty.
        baseline: The method, or a pattern of methods, that statistics compare the others with.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    baseline: str = ""

    def over(self, before: Shown) -> Shown:
        """What is shown if this is said after what was said before; an empty label undoes one."""
        labels = {name: label for name, label in {**before.labels, **self.labels}.items() if label}
        columns = () if self.columns == (ALL,) else self.columns or before.columns
        return Shown(labels, columns, self.baseline or before.baseline)

    def choose(self, names: Iterable[str], standard: Sequence[str]) -> list[str]:
        """The names that the columns choose, in their order; the standard ones where nothing was chosen."""
        known = list(names)
        chosen = [name for pattern in self.columns for name in known if fnmatchcase(name, pattern)]
        return list(dict.fromkeys(chosen)) if self.columns else list(standard)


AS_IS = Shown()
"""Names as they are, and all columns."""


def parse_labels(texts: Iterable[str]) -> dict[str, str]:
    """Read labels such as `wide=Wide generator`, split at the last equals sign until `settle` knows the names.

    Raises SpecError where one has no name.
    """
    found = {}
    for text in texts:
        name, _, label = text.rpartition("=")
        if not name.strip():
            raise SpecError(f"--label {short(text)}: give a method or a column and its label: wide='Wide generator'")
        found[name] = label
    return found


def parse_columns(text: str | Sequence[str] | None) -> tuple[str, ...]:
    """Read columns such as `modes,w1`, or a list of them."""
    names = text.split(",") if isinstance(text, str) else text or ()
    return tuple(name.strip() for name in names if name.strip())


def settle(shown: Shown, entries: Sequence[StudyEntry], measured: Iterable[str] = ()) -> Shown:
    """Settle which methods and columns labels mean, and check that all that is named is there.

    A study has its methods, declared numbers, measured ones, and costs. The names of methods of a sweep have equals
    signs of their own: `lr=0.1=Slow` is a label of `lr=0.1`.

    Raises SpecError with a line for each label, column and baseline that names nothing.
    """
    methods = [entry.name for entry in entries]
    declared = [name for entry in entries for name in entry.spec.evaluation.numbers()]
    columns = list(dict.fromkeys([*declared, *measured, *COST_TITLES]))
    shown = replace(shown, labels=dict(_split_again(*one, (*methods, *columns)) for one in shown.labels.items()))
    problems = [
        *(_unknown("--columns", name, "column", columns) for name in shown.columns if not _matches(name, columns)),
        *(
            _unknown("--label", name, "method or column", [*methods, *columns])
            for name in shown.labels
            if name not in (*methods, *columns)
        ),
        *_baseline_problems(shown.baseline, methods),
        *_equal_labels(
            {entry.name: shown.labels.get(entry.name) or entry.spec.label or entry.name for entry in entries}
        ),
    ]
    if problems:
        raise SpecError("\n".join(problems))
    return shown


def _split_again(name: str, label: str, known: Collection[str]) -> tuple[str, str]:
    """Split a label after the longest name that it can begin with."""
    whole = f"{name}={label}"
    longest = max((one for one in known if whole.startswith(f"{one}=")), key=len, default=name)
    return longest.strip(), whole.removeprefix(f"{longest}=").strip()


def _matches(pattern: str, names: Iterable[str]) -> bool:
    return pattern == ALL or any(fnmatchcase(name, pattern) for name in names)


def _unknown(option: str, name: str, what: str, known: Sequence[str]) -> str:
    return f"{option} {name}: the study has no such {what}{did_you_mean(name, known)}: it has {', '.join(known)}"


def _equal_labels(labels: Mapping[str, str]) -> Iterator[str]:
    first: dict[str, str] = {}
    for method, label in labels.items():
        if (other := first.setdefault(label, method)) != method:
            yield f"{other} and {method} are both labelled {short(label)}: give each a label of its own"


def _baseline_problems(baseline: str, methods: Sequence[str]) -> list[str]:
    if not baseline or _matches(baseline, methods):
        return []
    return [f"--baseline {short(baseline)}: no method of the study matches: it has {', '.join(methods)}"]
