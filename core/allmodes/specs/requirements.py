"""The plugins that a run was made with, compared with those that are installed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel

from allmodes.registry.registry import Registry
from allmodes.specs.source import SpecError
from allmodes.system import json_pages


def check_installed(run: Path, pages: Iterable[Path], registry: Registry) -> None:
    """Check that the plugins that a run's pages (`run.json`, `model.json`) name are installed, in any version.

    Raises SpecError with a line for each that is not, and the version to install.
    """
    made_with = {name: version for page in pages for name, version in _plugins_of(page).items()}
    have = {plugin.distribution for plugin in registry.plugins.values()}
    lines = [
        f"{run} was made with {name} {version}, which is not installed: pip install '{name}=={version}'"
        for name, version in made_with.items()
        if name not in have
    ]
    if lines:
        raise SpecError("\n".join(lines))


def changed_versions(made_with: Mapping[str, str], registry: Registry) -> Iterator[tuple[str, str, str]]:
    """Distributions that are installed in another version: name, recorded version, installed version."""
    have = {plugin.distribution: plugin.version for plugin in registry.plugins.values()}
    for name, version in made_with.items():
        if have.get(name, version) != version:
            yield name, version, have[name]


def _plugins_of(page: Path) -> dict[str, str]:
    with suppress(OSError, json_pages.PageError):  # the page is checked where it is read
        return json_pages.read(page, _Page).plugins
    return {}


class _Page(BaseModel):
    plugins: dict[str, str] = {}


__all__ = ["changed_versions", "check_installed"]
