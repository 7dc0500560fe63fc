"""What commands that train nothing say of a file that stands for several specs."""

from __future__ import annotations

from collections.abc import Sequence

from allmodes.cli.console import print_line, print_text
from allmodes.registry.registry import installed
from allmodes.specs import loading
from allmodes.specs.axis_reader import parse_axes
from allmodes.specs.members import Member, axes_of, members
from allmodes.specs.search_plan import SearchPlan, read_plan


def read(spec: str, overrides: Sequence[str], vary: Sequence[str] = ()) -> SearchPlan | list[Member]:
    """Check and return the search of a file, or its members, with what varies besides; raises SpecError."""
    registry = installed()
    source = loading.read_source(spec, registry, overrides)
    if "search" in source.tree:
        return read_plan(source, parse_axes(vary), registry)
    return members(source, axes_of(source).with_others(parse_axes(vary)), registry)


def tell_valid(spec: str, found: SearchPlan | Sequence[Member]) -> None:
    """Print that a file is valid, and the names of its members or the space of its search."""
    print_line(f"{spec} is valid: {_count(found)} (`allmodes compare` trains them)")
    for line in _lines(found):
        print_line(f"  {line}")


def show_first(found: SearchPlan | Sequence[Member]) -> None:
    """Print the first spec with every default written out, and the names of all members or the space of the search."""
    first = found.start if isinstance(found, SearchPlan) else found[0].spec
    print_text(f"{loading.dump(first)}# This is the first of {_count(found)}:")
    for line in _lines(found):
        print_line(f"#   {line}")


def _count(found: SearchPlan | Sequence[Member]) -> str:
    if isinstance(found, SearchPlan):
        by = f"{found.config.by} ({found.better} is better)"
        runs = found.config.trials * len(found.start.seeds)
        return f"{found.config.trials} trials of a search by {by}, {runs} runs"
    return f"{len(found)} members, {sum(len(member.spec.seeds) for member in found)} runs"


def _lines(found: SearchPlan | Sequence[Member]) -> list[str]:
    return found.describe() if isinstance(found, SearchPlan) else [member.name for member in found]
