"""Commands that train nothing: `validate`, `recipes`, `plugins`, `show` and `schema`. They load no torch."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from allmodes.cli import completing, sweeps
from allmodes.cli.app import Overrides, Reference, Vary
from allmodes.cli.console import FAILED, OK, out, print_aligned, print_line, print_text, print_warning
from allmodes.cli.runs import take_latest
from allmodes.drafts.writing import SCHEMA, schema_line
from allmodes.registry.given import with_absent
from allmodes.registry.registry import installed
from allmodes.registry.unknown_kind import unknown_kind
from allmodes.specs import loading, recorded
from allmodes.specs.loading import SpecError, SweepError
from allmodes.specs.renames import renew
from allmodes.system.durable import replace_text
from allmodes.system.no_such_file import holds
from allmodes.system.paths import at_home, looks_like_path
from allmodes.text.printable import printable
from allmodes.text.suggest import did_you_mean
from allmodes_schemas import Spec

Word = Annotated[str | None, Parameter(help="only those in whose names or descriptions this is found")]


def validate(spec: Reference, *, overrides: Overrides = None, vary: Vary = None) -> int:
    """Check a spec without training: types, ranges, and whether its parts fit together."""
    spec = take_latest(spec)
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


def recipes(word: Word = None) -> int:
    """List the ready specs of everything that is installed."""
    everything = [(name, _description(name, path)) for name, path in installed().recipes.items()]
    found = [row for row in everything if _holds(word, row)]
    _check_found(word, found, [name for name, _ in everything], "recipe")
    print_aligned(found)
    return OK


def plugins(word: Word = None) -> int:
    """List plugins with version, origin, kinds and recipes, and why one could not be loaded."""
    from allmodes.cli import tables

    registry = installed()
    listed = list(tables.plugin_rows(registry, lambda text: _holds(word, [text])))
    kinds = tables.kind_rows(registry)
    known = [row for row in kinds if _holds(word, row)]
    _check_found(word, [*listed, *known], [*registry.plugins, *(row[1] for row in kinds)], "plugin or kind")
    if listed:
        out.print(tables.plugins_table(listed))
    if known:
        out.print(tables.kinds_table(known))
    return FAILED if registry.broken else OK


def show(
    thing: Annotated[
        str, Parameter(help="a kind, a recipe, a spec file or a run's folder", completer=completing.things)
    ],
) -> int:
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
            spec = _load(thing)
        except SweepError:
            sweeps.show_first(sweeps.read(thing, ()))
            return OK
        turns = ["# Players, in the order of their turns:", *describe.list_turns(spec)]
        line = schema_line(SCHEMA) if Path(SCHEMA).is_file() else ""
        print_text(line + loading.dump(spec) + "\n".join(turns))
    return OK


def _load(thing: str) -> Spec:
    """The spec of a reference; that of a run also where it names objects of Python, which nobody passed."""
    folder = at_home(thing)
    if objects := list(recorded.objects_named(folder)):
        return recorded.load(folder, with_absent(installed(), objects))
    return loading.load_alone(thing)


def schema(
    *,
    to: Annotated[
        Path | None, Parameter(name=("--out", "-o"), help=f"a file for editors, such as {SCHEMA}; default: print it")
    ] = None,
) -> int:
    """Print the JSON Schema of a spec in this environment, third-party kinds included."""
    text = json.dumps(loading.schema(installed()), indent=2) + "\n"
    if to is None:
        print(text, end="")
        return OK
    to = at_home(to)
    _check_schema(to)
    replace_text(to, text)
    print_line(f"schema   {to}")
    print_line(f"line     {schema_line(to.name).rstrip()}")
    return OK


def _check_schema(to: Path) -> None:
    """Check that a file is new, or a schema that was written before."""
    if not to.parent.is_dir():
        raise SpecError(printable(f"--out {to}: there is no folder {to.parent}"))
    if to.exists() and f'"title": "{loading.TITLE}"' not in _text_of(to):
        raise SpecError(printable(f"--out {to}: already exists, and is no schema of ours: choose another file"))


def _text_of(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _holds(word: str | None, cells: Iterable[str]) -> bool:
    """Whether a row has a word in one of its cells, in any case."""
    return word is None or any(word.lower() in cell.lower() for cell in cells)


def _check_found(word: str | None, found: Sequence[object], names: Sequence[str], what: str) -> None:
    if word is not None and not found:
        raise SpecError(printable(f"no {what} has the word {word!r}{did_you_mean(word, names)}"))


def _description(name: str, path: Path) -> str:
    """Read a recipe's description; one that cannot be read does not hide the others."""
    try:
        return str(loading.read(loading.read_text(path), name).tree.get("description", ""))
    except SpecError as error:
        return f"cannot be read: {error}"


def _is_reference(thing: str) -> bool:
    """Whether a word names a recipe (with a slash), a file (with an ending) or a folder, and not a kind."""
    return looks_like_path(thing) or holds(Path(thing).exists)
