"""The API in Sphinx's words: directives that take names and texts from docstrings.

`conf.py` appends them to the pages `api.md`, `hooks.md` and `testing.md` when the site is built.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any

from pydantic import BaseModel

import allmodes
from allmodes import testing
from allmodes.registry import hookspecs

ROOMS = (
    "experiments",
    "studies",
    "models",
    "runs",
    "registry",
    "specs",
    "schemas",
    "game",
    "data",
    "metrics",
    "builtin",
)
"""Rooms that the door hands names on from, in the order of the page; all others follow."""
OPTIONS = {"class": ("members", "member-order: bysource", "exclude-members: model_config, model_post_init")}


def door() -> str:
    """Return everything that `allmodes` hands out, by the room that it is from."""
    homes: dict[str, list[str]] = {}
    for name in allmodes.__all__:
        homes.setdefault(_room(getattr(allmodes, name)), []).append(name)
    return "\n".join(
        part for room in (*ROOMS, *sorted(homes.keys() - set(ROOMS))) for part in _section(room, homes.get(room, []))
    )


def hooks() -> str:
    """Return every hook with its arguments."""
    groups = (hookspecs.Providers, hookspecs.Observers)
    hooks = [f"{group.__name__}.{name}" for group in groups for name in vars(group) if not name.startswith("_")]
    return "\n".join(["## All hooks", *(_directive("method", f"{hookspecs.__name__}.{hook}") for hook in hooks)])


def contracts() -> str:
    """Return every contract with its attributes and tests."""
    kinds = ["kinds.KindContract", *(name for name in testing.__all__ if name.endswith("Contract"))]
    tools = [name for name in testing.__all__ if name not in kinds]
    parts = ["## All contracts", *(_directive("class", f"allmodes.testing.{name}") for name in kinds)]
    if tools:
        parts += [
            "## Tools",
            *(_directive(_sort(getattr(testing, name)), f"allmodes.testing.{name}") for name in tools),
        ]
    return "\n".join(parts)


def _section(room: str, names: Iterable[str]) -> Iterator[str]:
    """Yield a heading with the room's duty, and a directive for each name."""
    if names:
        home = import_module("allmodes_schemas" if room == "schemas" else f"allmodes.{room}")
        yield f"## {room.capitalize()}\n\n{inspect.getdoc(home)}\n".partition("\n\n\n")[0]
        yield from (_directive(_sort(getattr(allmodes, name)), f"allmodes.{name}") for name in names)


def _room(value: Any) -> str:
    """Return the room that a name is defined in."""
    module = getattr(value, "__module__", "")
    return module.split(".")[1] if module.startswith("allmodes.") else "schemas"


def _sort(value: Any) -> str:
    return "class" if inspect.isclass(value) else "function" if inspect.isroutine(value) else "data"


def _directive(sort: str, name: str) -> str:
    options = "".join(f"   :{option}\n" if ":" in option else f"   :{option}:\n" for option in OPTIONS.get(sort, ()))
    return f"```{{eval-rst}}\n.. auto{sort}:: {name}\n{options}```\n"


def process_docstring(app: Any, sort: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Make a docstring reStructuredText: outside of backticks, stars and bars stand for themselves."""
    if sort == "data" or (lines[:1] and lines[0].startswith("Alias for field")):
        lines.clear()  # the docstring of the type that is aliased
    if sort in ("property", "attribute") and len(lines) > 1 and lines[-1].startswith(":type:"):
        # A property's "what: (shape)" is not a type, as napoleon takes it for.
        lines[:] = [f"{lines[-1].removeprefix(':type: ')}: {lines[0]}"]
    lines[:] = [re.sub(r"(`[^`]*`)|([*|])", lambda found: found[1] or f"\\{found[2]}", line) for line in lines]


def process_signature(app: Any, sort: str, name: str, value: Any, *rest: Any) -> tuple[str, None] | None:
    """Leave out the signature of a config, whose fields are listed below it."""
    return ("", None) if sort == "class" and issubclass(value, BaseModel) else None
