"""Metadata of installed distributions: supported versions, and where they were installed from.

Supported versions are those that the package requires (`Requires-Dist`), read before it is imported: nothing is
declared twice, and a plugin that would fail in some odd way names the version to install instead.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache, cached_property
from importlib.metadata import Distribution, version
from os import PathLike
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from typing_extensions import override


class ReadOnce(Distribution):
    """A distribution whose metadata are read and parsed once, however often they are asked for."""

    def __init__(self, distribution: Distribution) -> None:
        self._distribution = distribution

    @cached_property
    def metadata(self) -> Any:
        """The fields of the file METADATA."""
        return self._distribution.metadata

    @override
    def read_text(self, filename: str) -> str | None:
        return self._distribution.read_text(filename)

    @override
    def locate_file(self, path: str | PathLike[str]) -> Any:
        return self._distribution.locate_file(path)


def unsupported_version(distribution: Distribution, name: str) -> str:
    """The reason why a distribution does not support the installed version of `name`; empty where it does.

    Raises InvalidRequirement where the distribution's requirements cannot be read.
    """
    have, supported = _loaded_version(name), SpecifierSet(",".join(map(str, _ranges(distribution, name))))
    if supported.contains(have, prereleases=True):
        return ""
    own, shown = distribution.metadata["Name"], ",".join(sorted(map(str, supported), reverse=True))  # >= before <
    supports = f"{own} {distribution.version} supports {name} {shown}, and this is {name} {have}"
    return f"{supports}: pip install --upgrade {own}, or pip install '{name}{shown}'"


def describe_copies(used: Distribution, other: Distribution) -> str:
    """The warning about two versions of one distribution, of which the first on the path is used."""
    name, left = used.metadata["Name"], f"{other.version} (in {origin(other)})"
    return f"{name} is installed twice: {used.version} (in {origin(used)}) is used, and {left} is not: uninstall one"


def origin(distribution: Distribution) -> str:
    """Where a distribution was installed from: a folder or an address (PEP 610), else the folder that it lies in."""
    direct: dict[str, Any] = json.loads(distribution.read_text("direct_url.json") or "{}")
    if "url" not in direct:
        return str(Path(str(distribution.locate_file(""))))
    place = direct["url"].removeprefix("file://")
    commit = direct.get("vcs_info", {}).get("commit_id", "")
    editable = direct.get("dir_info", {}).get("editable", False)
    return f"{place}{commit and f' at {commit[:9]}'}{' (editable)' if editable else ''}"


@cache
def _loaded_version(name: str) -> str:
    """The version of a distribution that is imported: it stays, so that its metadata are read once."""
    return version(name)


def _ranges(distribution: Distribution, name: str) -> Iterator[SpecifierSet]:
    """The version ranges of `name` that a distribution requires without any extra."""
    for text in distribution.requires or ():
        requirement = Requirement(text)
        if requirement.name == name and (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
            yield requirement.specifier
