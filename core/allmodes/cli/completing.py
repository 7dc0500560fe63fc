"""What a shell offers when a word of a command is completed: recipes, kinds, runs, specs and folders."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from allmodes.system.paths import at_home

SPECS = (".yaml", ".yml", ".json")
MANY = 500
"""Files of a folder, at most, that are offered."""


class Context(Protocol):
    """What is known when a word is completed."""

    @property
    def incomplete(self) -> str:
        """The word, as far as it was written."""


def references(context: Context) -> list[str]:
    """Recipes, specs, folders on the way to them, and `latest`."""
    return _beginning(context.incomplete, (*_recipes(), "latest", *_paths(context.incomplete, SPECS)))


def trained(context: Context) -> list[str]:
    """Folders of runs, and `latest`."""
    return _beginning(context.incomplete, ("latest", *_runs(), *_paths(context.incomplete, ())))


def things(context: Context) -> list[str]:
    """What can be shown: kinds, recipes, specs and runs."""
    from allmodes.registry.registry import installed

    kinds = [kind.name for _, kind in installed().all_kinds()]
    return _beginning(context.incomplete, (*kinds, "latest", *_recipes(), *_runs(), *_paths(context.incomplete, SPECS)))


def files(context: Context) -> list[str]:
    """Files and folders of any name."""
    return _beginning(context.incomplete, _paths(context.incomplete, ("",)))


def _recipes() -> Iterable[str]:
    from allmodes.registry.registry import installed

    return installed().recipes


def _runs() -> list[str]:
    runs = Path("runs")
    return [str(path) for path in sorted(runs.glob("*/")) if not path.name.startswith(".")] if runs.is_dir() else []


def _paths(begun: str, endings: tuple[str, ...]) -> Iterator[str]:
    """Folders, and files with these endings, that go on with what was begun."""
    folder = begun.rpartition("/")[0] + "/" if "/" in begun else ""
    try:
        with os.scandir(at_home(folder or ".")) as entries:
            found = sorted((entry.name, entry.is_dir()) for entry, _ in zip(entries, range(MANY), strict=False))
    except OSError:
        return
    for name, is_folder in found:
        if not name.startswith(".") and (is_folder or (endings and name.endswith(endings))):
            yield f"{folder}{name}{'/' if is_folder else ''}"


def _beginning(begun: str, words: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(word for word in words if word.startswith(begun)))
