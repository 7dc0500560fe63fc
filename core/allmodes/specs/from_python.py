"""What a spec needs from Python to run again: data, functions, networks, losses and metrics."""

from __future__ import annotations

from allmodes.registry.given import NAME, given_in, is_given, name_of, show_arguments
from allmodes.specs.kinds import kinds_in
from allmodes.specs.named import words_in
from allmodes.specs.union import plain
from allmodes_schemas import Spec

PYTHON = "python"
"""The kind of data that came from Python."""


def arguments_of(spec: Spec) -> str:
    """The arguments of an experiment without which a spec cannot run, as they are passed; empty where it needs none."""
    data = ["data=..."] if spec.data.kind == PYTHON else []
    objects = given_in(spec) | ({"functions": names} if (names := _functions_in(spec)) else {})
    return ", ".join([*data, *([show_arguments(objects)] if objects else [])])


def _functions_in(spec: Spec) -> list[str]:
    """Functions that settings name as `python:name`, where they are no kinds."""
    kinds = set(kinds_in(spec))
    words = dict.fromkeys(word for word in words_in(plain(spec)) if is_given(word) and word not in kinds)
    return [name_of(word) for word in words if NAME.fullmatch(name_of(word))]


__all__ = ["arguments_of"]
