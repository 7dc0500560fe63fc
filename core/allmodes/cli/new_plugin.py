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
from allmodes.cli.network_shapes import Shapes, find_shapes
from allmodes.cli.plugin_text import files_of
from allmodes.cli.plugin_words import kind_of
from allmodes.cli.python_file import Reading, read_file
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
    from_: Annotated[
        Path | None, Parameter(name="--from", help="a Python file of yours: its networks, losses and metrics")
    ] = None,
) -> int:
    """Write a plugin to begin with, which works and passes its tests, or one around a file of yours: allmodes-NAME."""
    if from_ is not None:
        return _around_file(name, folder, from_)
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
    target = _check_free(name, folder, plugins)
    beside = target.with_name(f".{target.name}")
    shutil.rmtree(beside, ignore_errors=True)
    with as_file(files("allmodes") / "template") as template:
        for path in sorted(template.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                _write(path, beside / str(path.relative_to(template)).replace(PLACEHOLDER, name), name)
    return durable.replace_folder(beside, target)


def _around_file(name: str, folder: Path, file: Path) -> int:
    """Write a plugin around a file, and say what it has, and what was left out."""
    written, reading, notes = write_around(name, folder, file, installed().plugins)
    print_line(f"{written} is a plugin of what {file.name} has")
    for found in reading.found:
        what = f"{found.slot} {kind_of(found, name)}"
        options = ", ".join(option.name for option in found.options)
        print_line(f"{found.name}: {what}{f', options {options}' if options else ''}")
    for line in (*(f"left out: {reason}" for reason in reading.left_out), *notes):
        print_line(line)
    print_line(f"install  pip install -e '{written}[test]'")
    print_line(f"test     python -m pytest {written}")
    return OK


def write_around(
    name: str, folder: Path, file: Path, plugins: Mapping[str, Plugin]
) -> tuple[Path, Reading, tuple[str, ...]]:
    """Write the distribution `allmodes-<name>` around a file; returns its path, what was found, and notes.

    The file is read, and imported once, in a process of its own, to find shapes. Raises SpecError as `write_plugin`
    does, and where the file has nothing for a plugin, or cannot be in a package.
    """
    target = _check_free(name, folder, plugins)
    reading = read_file(at_home(file))
    shapes, notes = _find_shapes(reading, name)
    texts = files_of(reading, name, shapes) | {"pyproject.toml": _project(name, reading)} | _around(name)
    beside = target.with_name(f".{target.name}")
    shutil.rmtree(beside, ignore_errors=True)
    for path, text in texts.items():
        (beside / path).parent.mkdir(parents=True, exist_ok=True)
        (beside / path).write_text(text, "utf-8")
    return durable.replace_folder(beside, target), reading, notes


def _find_shapes(reading: Reading, name: str) -> tuple[Shapes, tuple[str, ...]]:
    """The shapes of networks that are not told theirs, with notes on what was done for that, and what is left to do."""
    plain = [found.name for found in reading.found if found.slot == "network" and "sees" not in found.gives]
    if not plain:
        return {}, ()
    shapes, failed = find_shapes(reading.path, plain)
    own = "imported once, in a process of its own, to find the shapes of"
    notes = [failed or f"{reading.path.name} was {own} {', '.join(plain)}"]
    if unknown := [one for one in plain if one not in shapes]:
        notes.append(f"no shapes were found for {', '.join(unknown)}: set sees and gives in tests/test_{name}.py")
    return shapes, tuple(notes)


def _project(name: str, reading: Reading) -> str:
    """The template's `pyproject.toml` with a description of its own."""
    text = (files("allmodes") / "template" / "pyproject.toml").read_text("utf-8")
    about = f'description = "Networks, losses and metrics for allmodes, from {reading.path.name}"'
    text = re.sub("^description = .*$", lambda _: about, text, flags=re.MULTILINE)
    return text.replace(RANGE, supported_versions()).replace(PLACEHOLDER, name)


def _around(name: str) -> dict[str, str]:
    """The template's files that any plugin has: its licence, and the workflow that tests it."""
    template = files("allmodes") / "template"
    paths = ("LICENSE", ".github/workflows/test.yml")
    return {path: (template / path).read_text("utf-8").replace(PLACEHOLDER, name) for path in paths}


def supported_versions() -> str:
    """Return the requirement of a plugin begun today: this minor version or later, before the next major one."""
    major, minor = allmodes.__version__.split(".")[:2]
    return f"allmodes>={major}.{minor},<{int(major) + 1}"


def _check_free(name: str, folder: Path, plugins: Mapping[str, Plugin]) -> Path:
    """The folder of a new distribution; raises SpecError where the name is invalid or taken, or the folder exists."""
    _check_name(name, plugins)
    target = at_home(folder) / f"allmodes-{name}"
    if target.exists():
        raise SpecError(f"{target}: already exists, and nothing is overwritten: choose another name or --folder")
    return target


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
