"""Commands that train nothing: `validate`, `recipes`, `plugins`, `show` and `schema`. They load no torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.text import Text

from allmodes.cli import sweeps
from allmodes.cli.app import Overrides, Reference, Vary
from allmodes.cli.console import FAILED, OK, out, print_line, print_text, print_warning
from allmodes.cli.runs import take_latest
from allmodes.registry.registry import installed
from allmodes.registry.unknown_kind import unknown_kind
from allmodes.specs import loading
from allmodes.specs.loading import SpecError, SweepError
from allmodes.specs.renames import renew
from allmodes.system.no_such_file import holds
from allmodes.system.paths import looks_like_path
from allmodes.text.printable import printable


def validate(spec: Reference, *, overrides: Overrides = None, vary: Vary = None) -> int:
    """Check a spec without training: types, ranges, and whether its parts fit together."""
    try:
        checked = None if vary else loading.load_alone(spec, overrides or ())
    except SweepError:
        checked = None
    if checked is None:
        sweeps.tell_valid(spec, sweeps.read(spec, overrides or (), vary or ()))
        return OK
    terms = ", ".join(term.kind for term in checked.losses)
    print_line(f"{spec} is valid: {checked.data.kind}, {checked.prior.kind}, {terms}")
    return OK


def recipes() -> int:
    """List the ready specs of everything that is installed."""
    for name, path in installed().recipes.items():
        out.print(Text.assemble((f"{name:24}", "bold"), " ", printable(_description(name, path))), soft_wrap=True)
    return OK


def plugins() -> int:
    """List plugins with version, origin, kinds and recipes, and why one could not be loaded."""
    from allmodes.cli import tables

    registry = installed()
    out.print(tables.plugins_table(registry))
    out.print(tables.kinds_table(registry))
    return FAILED if registry.broken else OK


def show(thing: Annotated[str, Parameter(help="a kind, a recipe, a spec file or a run's folder")]) -> int:
    """Show a kind with its options, what it requires and provides, or a spec with every default written out."""
    from allmodes.cli import describe, tables

    registry, thing = installed(), take_latest(thing)
    block = {"kind": thing}
    for renamed in renew(block, registry):
        print_warning(renamed.what)
    found = [(slot, kind) for slot, kind in registry.all_kinds() if kind.name == block["kind"]]
    if not found and not _is_reference(thing):
        raise SpecError(unknown_kind(registry, None, thing))
    for slot, kind in found:
        out.print(tables.kind_table(slot, kind))
        out.print(tables.options_table(kind.config))
    if not found:
        try:
            spec = loading.load_alone(thing)
        except SweepError:
            sweeps.show_first(sweeps.read(thing, ()))
            return OK
        turns = ["# Players, in the order of their turns:", *describe.list_turns(spec)]
        print_text(loading.dump(spec) + "\n".join(turns))
    return OK


def schema() -> int:
    """Print the JSON Schema of a spec in this environment, third-party kinds included."""
    print(json.dumps(loading.schema(installed()), indent=2))
    return OK


def _description(name: str, path: Path) -> str:
    """Read a recipe's description; one that cannot be read does not hide the others."""
    try:
        return str(loading.read(loading.read_text(path), name).tree.get("description", ""))
    except SpecError as error:
        return f"cannot be read: {error}"


def _is_reference(thing: str) -> bool:
    """Whether a word names a recipe (with a slash), a file (with an ending) or a folder, and not a kind."""
    return looks_like_path(thing) or holds(Path(thing).exists)
