"""The entry of an installed plugin in a catalogue, from its metadata and from what it provides."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata
from importlib.metadata import Distribution
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from allmodes.cli.catalogues import Entry
from allmodes.registry.registry import Registry
from allmodes.registry.slots import CORE, Plugin
from allmodes.specs.source import SpecError
from allmodes.text.suggest import did_you_mean


def find_plugins(name: str, registry: Registry) -> list[Plugin]:
    """The plugins of an installed distribution, by its name or by that of one of them.

    Raises SpecError where there are none.
    """
    names = {canonicalize_name(name), canonicalize_name(f"{CORE}-{name}")}
    found = [plugin for plugin in registry.plugins.values() if canonicalize_name(plugin.distribution) in names]
    found = found or [plugin for plugin in registry.plugins.values() if plugin.name == name]
    if not found:
        known = sorted({plugin.distribution for plugin in registry.plugins.values()})
        raise SpecError(f"no plugin {name!r} is installed{did_you_mean(name, known)}: `allmodes plugins` lists all")
    return found


def make_entry(name: str, registry: Registry) -> Entry:
    """Describe an installed plugin as a catalogue does. Raises SpecError where it is missing or cannot be loaded."""
    plugins = find_plugins(name, registry)
    for plugin in plugins:
        if plugin.error:
            raise SpecError(f"{plugin} could not be loaded: {plugin.error}")
    names, distribution = {plugin.name for plugin in plugins}, metadata.distribution(plugins[0].distribution)
    about: Any = distribution.metadata
    return Entry(
        distribution=plugins[0].distribution,
        summary=about.get("Summary") or "",
        homepage=next(_pages(about), ""),
        licence=about.get("License-Expression") or "",
        kinds=_kinds(names, registry),
        recipes=tuple(name for name in registry.recipes if name.partition("/")[0] in names),
        requires=tuple(_requirements(distribution)),
        python=about.get("Requires-Python") or "",
        versions=(distribution.version,),
    )


def _kinds(names: set[str], registry: Registry) -> dict[str, tuple[str, ...]]:
    found = dict[str, list[str]]()
    for slot, kind in registry.all_kinds():
        if kind.plugin.name in names:
            found.setdefault(slot, []).append(kind.name)
    return {slot: tuple(kinds) for slot, kinds in found.items()}


def _requirements(distribution: Distribution) -> Iterator[str]:
    """What is required without any extra, in a steady order: its own line for each."""
    for text in distribution.requires or ():
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            ranges = sorted(map(str, requirement.specifier), reverse=True)  # >= before <
            yield f"{requirement.name}{','.join(ranges)}"


def _pages(about: Any) -> Iterator[str]:
    """Addresses of the distribution's pages, that of its home first."""
    urls = [text.partition(", ") for text in about.get_all("Project-URL") or ()]
    home = [url for label, _, url in urls if label.lower() in ("homepage", "home", "repository", "source")]
    for url in (about.get("Home-page") or "", *home):
        if url.startswith("https://"):
            yield url
