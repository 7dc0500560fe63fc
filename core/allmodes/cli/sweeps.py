"""What commands that train nothing say of a file that stands for several specs."""

from __future__ import annotations

from collections.abc import Sequence

from allmodes.cli.console import print_line, print_text
from allmodes.registry.registry import installed
from allmodes.specs import loading
from allmodes.specs.axes import parse_axes
from allmodes.specs.members import Member, axes_of, members


def find_members(spec: str, overrides: Sequence[str], vary: Sequence[str] = ()) -> list[Member]:
    """Check and return the members of a file, with what varies besides; raises SpecError."""
    registry = installed()
    source = loading.read_source(spec, registry, overrides)
    return members(source, axes_of(source).with_others(parse_axes(vary)), registry)


def list_members(spec: str, found: Sequence[Member]) -> None:
    """Print that a file is valid, and the names of its members."""
    runs = sum(len(member.spec.seeds) for member in found)
    print_line(f"{spec} is valid: {len(found)} members, {runs} runs (`allmodes compare` trains them)")
    for member in found:
        print_line(f"  {member.name}")


def show_first(found: Sequence[Member]) -> None:
    """Print the first member's spec with every default written out, and the names of all."""
    print_text(loading.dump(found[0].spec) + f"# This is the first of {len(found)} members:")
    for member in found:
        print_line(f"#   {member.name}")
