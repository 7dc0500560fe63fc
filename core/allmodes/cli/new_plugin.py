"""A plugin to begin with: a small method that works, with its tests, under the author's name."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from importlib.resources import as_file, files
from importlib.util import find_spec
from pathlib import Path

import allmodes
from allmodes.registry.slots import Plugin
from allmodes.specs.source import SpecError
from allmodes.system import durable
from allmodes.system.paths import at_home

PLACEHOLDER, RANGE = "mymethod", "allmodes>=0.1,<1"
"""What the template says in the place of the author's name and of the versions that it supports."""


def new_plugin(name: str, folder: Path, plugins: Mapping[str, Plugin]) -> Path:
    """Write the distribution `allmodes-<name>` into a folder; returns where it is.

    Raises SpecError where the name is no word, is taken by one of the plugins, or the distribution's folder is there.
    """
    _refuse_name(name, plugins)
    target = at_home(folder) / f"allmodes-{name}"
    if target.exists():
        raise SpecError(f"{target}: is there already, and nothing is overwritten: choose another name or --folder")
    beside = target.with_name(f".{target.name}")
    shutil.rmtree(beside, ignore_errors=True)
    with as_file(files("allmodes") / "template") as template:
        for path in _files_in(template):
            _write(path, beside / str(path.relative_to(template)).replace(PLACEHOLDER, name), name)
    return durable.replace_folder(beside, target)


def supported() -> str:
    """What a plugin that is begun today requires: this minor version or a later one, before the next major one."""
    major, minor = allmodes.__version__.split(".")[:2]
    return f"allmodes>={major}.{minor},<{int(major) + 1}"


def _refuse_name(name: str, plugins: Mapping[str, Plugin]) -> None:
    if not re.fullmatch("[a-z][a-z0-9]*", name):
        rule = "small letters and digits, a letter first, such as mymethod"
        raise SpecError(f"{name!r} is no name of a plugin: take {rule}")
    if taken := plugins.get(name):
        raise SpecError(f"{name!r} is the name of {taken}, which is installed: choose another")
    if find_spec(f"allmodes_{name}"):
        raise SpecError(f"{name!r} would be imported as allmodes_{name}, which is there already: choose another")


def _files_in(template: Path) -> Iterator[Path]:
    """The template's files, without what Python compiled of them."""
    return (path for path in sorted(template.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)


def _write(path: Path, to: Path, name: str) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    text = path.read_text("utf-8").replace(RANGE, supported()).replace(PLACEHOLDER, name)
    to.write_text(text, "utf-8")


__all__ = ["new_plugin", "supported"]
