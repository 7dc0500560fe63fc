"""A catalogue of plugins: what exists, and what each needs. It is read as data; nothing of it is ever imported."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version
from pydantic import AfterValidator, Field, StringConstraints, ValidationError

from allmodes.cli import fetching
from allmodes.specs.loading import read_text
from allmodes.specs.messages import describe_errors
from allmodes.specs.source import SpecError, SpecSource, read, shorten
from allmodes.specs.union import plain
from allmodes.system.paths import at_home
from allmodes.text import redact
from allmodes_schemas import Config

VERSION = 1
SHIPPED = "the catalogue of allmodes"


def _requirement(text: str) -> str:
    try:
        Requirement(text)
    except InvalidRequirement:
        raise ValueError(f"{text!r} is no requirement: write it as allmodes>=0.1,<1") from None
    return text


def _range(text: str) -> str:
    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        raise ValueError(f"{text!r} is no range of versions: write it as >=3.11") from None
    return text


def _version(text: str) -> str:
    try:
        Version(text)
    except InvalidVersion:
        raise ValueError(f"{text!r} is no version: write it as '0.1.0'") from None
    return text


def _web(text: str) -> str:
    if text and not text.startswith("https://"):
        raise ValueError(f"{text!r} is no address of a page: begin with https://")
    return text


Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$", max_length=100)]
Line = Annotated[str, StringConstraints(max_length=500)]


class Entry(Config):
    """A plugin of a catalogue, as its latest version is."""

    distribution: Name
    """Name for pip."""
    summary: Line
    """What it brings, in a line."""
    homepage: Annotated[Line, AfterValidator(_web)] = ""
    """Address of its page, https alone."""
    licence: Line = ""
    """Licence as an SPDX expression, such as MIT."""
    kinds: Mapping[Line, tuple[Line, ...]] = Field(default_factory=dict)
    """Names of its kinds by slot."""
    recipes: tuple[Line, ...] = ()
    """Names of its recipes."""
    requires: tuple[Annotated[Line, AfterValidator(_requirement)], ...] = ()
    """What it requires, allmodes among it, as `allmodes>=0.1,<1`."""
    python: Annotated[Line, AfterValidator(_range)] = ""
    """Range of Python's versions."""
    versions: tuple[Annotated[Line, AfterValidator(_version)], ...] = Field(min_length=1)
    """Its versions, in any order."""

    @property
    def latest(self) -> Version:
        """The highest version that is no pre-release; where all are, the highest."""
        found = sorted(map(Version, self.versions))
        return next((one for one in reversed(found) if not one.is_prerelease), found[-1])

    def cells(self) -> tuple[str, ...]:
        """Everything that a search looks at."""
        kinds = (f"{slot} {kind}" for slot, names in self.kinds.items() for kind in names)
        return (self.distribution, self.summary, *kinds, *self.recipes)


class Catalogue(Config):
    """Plugins that exist, in a file of its own version."""

    schema_version: Literal[1]
    """Version of this form of a catalogue."""
    plugins: tuple[Entry, ...]
    """The plugins."""

    def find(self, name: str) -> Entry | None:
        """The plugin of a name, with or without `allmodes-` before it."""
        names = {canonicalize_name(name), canonicalize_name(f"allmodes-{name}")}
        return next((entry for entry in self.plugins if canonicalize_name(entry.distribution) in names), None)


def load(place: str | None) -> Catalogue:
    """Read a catalogue from a file or an https address, by default the one that comes with allmodes.

    Raises SpecError where it cannot be read, or is no catalogue; there is a line for each error.
    """
    if place is None:
        text = (files("allmodes.cli") / "catalogue.json").read_text("utf-8")
        return parse(text, SHIPPED)
    text = fetching.fetch(place) if "://" in place else read_text(at_home(Path(place)))
    return parse(text, title(place))


def title(place: str | None) -> str:
    """What a catalogue is called in messages: its place, without secrets."""
    if place is None:
        return SHIPPED
    return redact.address(place) if "://" in place else place


def parse(text: str, name: str) -> Catalogue:
    """Check the text of a catalogue, YAML or JSON without tags. Raises SpecError as `load` does."""
    source = read(text, name)
    _check_version(source)
    try:
        catalogue = Catalogue.model_validate(plain(source.tree))
    except ValidationError as error:
        raise SpecError("\n".join(shorten(describe_errors(error.errors(), source, Catalogue)))) from None
    _check_twice(catalogue, source)
    return catalogue


def _check_version(source: SpecSource) -> None:
    found = source.tree.get("schema_version")
    if isinstance(found, int) and found > VERSION:
        what = f"this allmodes reads version {VERSION}, not {found}: pip install --upgrade allmodes"
        raise SpecError(source.message(("schema_version",), what))


def _check_twice(catalogue: Catalogue, source: SpecSource) -> None:
    names = [canonicalize_name(entry.distribution) for entry in catalogue.plugins]
    for i, name in enumerate(names):
        if name in names[:i]:
            where = ("plugins", i, "distribution")
            raise SpecError(source.message(where, f"{name} is there already: write one entry with all versions"))
