"""The command `new-plugin`: a small method that works, with its tests, under the author's name.

The template is a package that works, under the name `mymethod`: it is checked with the rest of the sources, and the
tests run its tests under another name.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from importlib.resources import as_file, files
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

import allmodes
from allmodes.cli.console import OK, print_line
from allmodes.registry.registry import installed
from allmodes.registry.slots import Plugin
from allmodes.specs.source import SpecError
from allmodes.system import durable
from allmodes.system.paths import at_home

PLACEHOLDER, RANGE = "mymethod", "allmodes>=0.1,<1"
"""The template's words for the author's name and for the supported versions."""


def new_plugin(
    name: Annotated[str, Parameter(help="one word, such as mymethod")],
    *,
    folder: Annotated[Path, Parameter(help="where its folder is made")] = Path(),
) -> int:
    """Write a plugin to begin with, which works and passes its tests: allmodes-NAME."""
    written = write_plugin(name, folder, installed().plugins)
    print_line(f"{written} is a plugin that works: make its method yours")
    print_line(f"install  pip install -e '{written}[test]'")
    print_line(f"test     python -m pytest {written}")
    print_line(f"train    allmodes run {name}/ring")
    return OK


def write_plugin(name: str, folder: Path, plugins: Mapping[str, Plugin]) -> Path:
    """Write the distribution `allmodes-<name>` into a folder; returns its path.

    Raises SpecError if the name is invalid or taken by one of the plugins, or if the distribution's folder exists.
    """
    _check_name(name, plugins)
    target = at_home(folder) / f"allmodes-{name}"
    if target.exists():
        raise SpecError(f"{target}: already exists, and nothing is overwritten: choose another name or --folder")
    beside = target.with_name(f".{target.name}")
    shutil.rmtree(beside, ignore_errors=True)
    with as_file(files("allmodes") / "template") as template:
        for path in sorted(template.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                _write(path, beside / str(path.relative_to(template)).replace(PLACEHOLDER, name), name)
    return durable.replace_folder(beside, target)


def supported_versions() -> str:
    """Return the requirement of a plugin begun today: this minor version or later, before the next major one."""
    major, minor = allmodes.__version__.split(".")[:2]
    return f"allmodes>={major}.{minor},<{int(major) + 1}"


def _check_name(name: str, plugins: Mapping[str, Plugin]) -> None:
    if not re.fullmatch("[a-z][a-z0-9]*", name):
        rule = "use lowercase letters and digits, a letter first, such as mymethod"
        raise SpecError(f"{name!r}: invalid plugin name: {rule}")
    if plugin := plugins.get(name):
        raise SpecError(f"{name!r} is the name of {plugin}, which is installed: choose another")
    if find_spec(f"allmodes_{name}"):
        raise SpecError(f"{name!r} would be imported as allmodes_{name}, which already exists: choose another")


def _write(path: Path, to: Path, name: str) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    text = path.read_text("utf-8").replace(RANGE, supported_versions()).replace(PLACEHOLDER, name)
    to.write_text(text, "utf-8")
