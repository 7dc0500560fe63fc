"""The commands `plugins search` and `plugins info`, beside the list of `plugins`. They load no torch."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Annotated

from cyclopts import App, Parameter
from packaging.utils import canonicalize_name
from rich.table import Table

from allmodes.cli import catalogues, entries, show
from allmodes.cli.catalogues import Entry
from allmodes.cli.console import FAILED, OK, out, print_aligned, print_line, print_text
from allmodes.cli.fitting import Fit, find_fits, installed_version
from allmodes.registry.registry import Registry, installed
from allmodes.specs.source import SpecError
from allmodes.text.printable import printable
from allmodes.text.suggest import did_you_mean

Catalogue = Annotated[
    str | None, Parameter(help="a catalogue's file, or its https address; default: the one that comes with allmodes")
]

group = App(name="plugins")
group.default(show.plugins)
group.command("allmodes.cli.plugin_check:check", name="check")


@group.command
def search(
    *words: Annotated[str, Parameter(help="words of names, kinds or summaries")], catalogue: Catalogue = None
) -> int:
    """List the plugins of a catalogue in which all words are found, installed or not."""
    everything = catalogues.load(catalogue).plugins
    found = [entry for entry in everything if _holds(words, entry)]
    if not found:
        hint = did_you_mean(words[0], [entry.distribution for entry in everything]) if words else ""
        asked = f"has {' and '.join(map(repr, words))}" if words else "is there"
        raise SpecError(printable(f"no plugin of {catalogues.title(catalogue)} {asked}{hint}"))
    print_aligned([(entry.distribution, _describe(entry, words)) for entry in found])
    return OK


@group.command
def info(
    name: Annotated[str, Parameter(help="a plugin's distribution, or its name alone: mymethod")],
    *,
    catalogue: Catalogue = None,
    entry: Annotated[bool, Parameter(negative=(), help="print what is installed as an entry of a catalogue")] = False,
) -> int:
    """Show a plugin of a catalogue, whether it fits what is here, and how to install it. Installs nothing."""
    registry = installed()
    if entry:
        made = entries.make_entry(name, registry).model_dump(mode="json", exclude_defaults=True)
        print_text(json.dumps(made, indent=2, ensure_ascii=False))
        return OK
    found, note = _find(name, catalogue, registry)
    fits = list(find_fits(found, registry))
    out.print(_table(found, fits))
    fitting = all(fit.fits for fit in fits)
    print_line(note or f"install  pip install {found.distribution}" if fitting else "it does not fit what is here")
    return OK if fitting else FAILED


def _find(name: str, place: str | None, registry: Registry) -> tuple[Entry, str]:
    """A plugin of a catalogue, or else one that is installed, with a note that says so."""
    known = catalogues.load(place)
    if found := known.find(name):
        return found, ""
    here = {canonicalize_name(plugin.distribution) for plugin in registry.plugins.values() if not plugin.error}
    if {canonicalize_name(name), canonicalize_name(f"allmodes-{name}")} & here:
        return entries.make_entry(name, registry), f"{catalogues.title(place)} does not have it: this is installed"
    hint = did_you_mean(name, [entry.distribution for entry in known.plugins])
    raise SpecError(printable(f"{catalogues.title(place)} has no plugin {name!r}{hint}"))


def _holds(words: Iterable[str], entry: Entry) -> bool:
    """Whether every word is in one of its cells, in any case."""
    cells = [cell.lower() for cell in entry.cells()]
    return all(any(word.lower() in cell for cell in cells) for word in words)


def _describe(entry: Entry, words: Sequence[str]) -> str:
    """Its summary, whether it is installed, and its kinds that have one of the words."""
    have = installed_version(entry.distribution)
    kinds = [kind for names in entry.kinds.values() for kind in names if any(w.lower() in kind.lower() for w in words)]
    summary = f"{entry.summary.rstrip('.')} ({f'installed: {have}' if have else f'{entry.latest}, not installed'})"
    return f"{summary}: {', '.join(kinds)}" if kinds else summary


def _table(entry: Entry, fits: Sequence[Fit]) -> Table:
    table = Table(title=f"{entry.distribution}: {entry.summary}", title_justify="left", show_header=False)
    table.add_row("versions", ", ".join(entry.versions))
    table.add_row("licence", entry.licence or "not said")
    table.add_row("homepage", entry.homepage or "not said")
    for slot, names in entry.kinds.items():
        table.add_row(slot, "\n".join(names))
    table.add_row("recipes", "\n".join(entry.recipes) or "none")
    table.add_row("fits", "\n".join(f"{fit.what}: {fit.finding}" for fit in fits))
    return table
