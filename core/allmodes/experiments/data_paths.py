"""Relative paths of data: where they lie, and what to say if nothing lies there."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from allmodes.builtin.config.files import PLACES
from allmodes.runs.run_folder import RunFolder
from allmodes.system.json_pages import PageError
from allmodes.system.paths import at_home
from allmodes_schemas import Config, Spec

C = TypeVar("C", bound=Config)


def resolve_paths(config: C, here: Path) -> C:
    """Resolve the relative paths of data or a stream against a folder, if that is not the working folder any more."""
    if here == Path.cwd():
        return config
    paths = {name: str(here / at_home(value)) for name, value in config if _is_path(name, value)}
    return config.model_copy(update=paths)


def explain_paths(error: str, spec: Spec, run: Path | None) -> str:
    """Shorten the paths in an error about data, and name the folder that missing relative paths were looked for in.

    Args:
        error: The message.
        spec: The spec with the paths as the user wrote them.
        run: The folder of a run that is resumed, if any.
    """
    here = Path.cwd()
    error = error.replace(f"{here}{os.sep}", "")
    paths = [str(value) for name, value in spec.data if name in PLACES and value is not None]
    if all(at_home(path).is_absolute() or set("*?[") & set(path) or at_home(path).exists() for path in paths):
        return error
    there = _begun_in(run) if run else None
    began = f"; the run was begun in {there}, so go there or give --set data's path anew" if there != str(here) else ""
    return f"{error} (relative paths are looked for in {here}{began if there else ''})"


def _is_path(name: str, value: Any) -> bool:
    """Whether an option is a path; the labels of arrays may also be the name of one of several in a file."""
    labels = name in ("labels", "test_labels") and str(value).lower().endswith(".npy")
    return isinstance(value, str) and (labels or name in PLACES or name == "labels_file")


def _begun_in(run: Path) -> str | None:
    """The working folder in which a run, or the first of an experiment's, was begun, if its page names one."""
    for one in RunFolder(run).runs:
        with suppress(OSError, PageError):  # whoever reads the page for more warns of the damage
            if there := one.read_facts().begun_in:
                return there
    return None
