"""Whether a plugin of a catalogue fits this allmodes, this Python and what is installed, before anybody installs it."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from allmodes.cli.catalogues import Entry
from allmodes.registry.registry import Registry


@dataclass(frozen=True)
class Fit:
    """What a plugin needs of one thing, and whether it has it: False is a reason not to install."""

    what: str
    finding: str
    fits: bool = True


def find_fits(entry: Entry, registry: Registry) -> Iterator[Fit]:
    """Hold what a plugin requires to what is here: Python, each distribution, the plugin itself, and its name."""
    yield _of_python(entry)
    for text in entry.requires:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield _of_distribution(requirement)
    yield _of_itself(entry)
    yield from _of_names(entry, registry)


def installed_version(distribution: str) -> str | None:
    """The version of a distribution that is installed, or None."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _of_python(entry: Entry) -> Fit:
    have = platform.python_version()
    if SpecifierSet(entry.python).contains(have, prereleases=True):
        return Fit(f"Python {have}", "fits")
    return Fit(f"Python {have}", f"does not fit: needs Python {entry.python}", fits=False)


def _of_distribution(requirement: Requirement) -> Fit:
    have = installed_version(requirement.name)
    if have is None:
        return Fit(requirement.name, f"is not installed: pip installs {requirement}")
    what = f"{requirement.name} {have}"
    if requirement.specifier.contains(have, prereleases=True):
        return Fit(what, "fits")
    advice = "take another version of the plugin" if requirement.name == "allmodes" else "pip would replace it"
    return Fit(what, f"does not fit: needs {requirement}: {advice}", fits=False)


def _of_itself(entry: Entry) -> Fit:
    have = installed_version(entry.distribution)
    if have is None:
        return Fit(entry.distribution, "is not installed")
    newer = f", and {entry.latest} is newer" if Version(have) < entry.latest else ""
    return Fit(entry.distribution, f"{have} is installed{newer}")


def _of_names(entry: Entry, registry: Registry) -> Iterator[Fit]:
    """Other distributions with a plugin of the same name, of which allmodes takes one alone."""
    words = {kind.partition(".")[0] for names in entry.kinds.values() for kind in names}
    for word in sorted(words | {recipe.partition("/")[0] for recipe in entry.recipes}):
        other = registry.plugins.get(word)
        if other and canonicalize_name(other.distribution) != canonicalize_name(entry.distribution):
            yield Fit(word, f"does not fit: {other} has a plugin of that name: uninstall it first", fits=False)
