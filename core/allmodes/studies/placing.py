"""Where a study is trained: what its specs say in their blocks `executor`, and what the command line says over it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from pydantic import ValidationError

from allmodes.specs import messages
from allmodes.specs.executor_block import ExecutorBlock
from allmodes.specs.source import SpecError, SpecSource
from allmodes.studies.executors import Executor, cores, make_executor
from allmodes_schemas import EXECUTORS, ExecutorConfig

Where: TypeAlias = Literal["local", "join", "slurm", "ray"]
OWN = ("kind", "jobs", "pack")
"""Settings that have options of their own on the command line; `--ask` takes the others."""


@dataclass(frozen=True)
class Asked:
    """What the command line says; None where it leaves a setting to the specs."""

    on: Where | None = None
    jobs: int | None = None
    pack: int | None = None
    ask: Mapping[str, Any] = field(default_factory=dict)

    def option(self, name: str) -> str:
        """The option that says a setting."""
        return {"kind": "--on", "jobs": "--jobs", "pack": "--pack"}.get(name, f"--ask {name}=")


def parse_ask(texts: Sequence[str]) -> dict[str, str]:
    """Parse texts such as `partition=gpu`. Raises SpecError."""
    pairs = [text.partition("=") for text in texts]
    for text, (_, sign, _) in zip(texts, pairs, strict=True):
        if not sign:
            raise SpecError(f"--ask {text}: give a name and a value, such as workers=8")
    return {name.strip(): value.strip() for name, _, value in pairs}


def choose_executor(asked: Asked, blocks: Sequence[ExecutorBlock] = (), waits: bool = True) -> Executor:
    """The executor that the command line asks for and, where it says nothing, those specs that say something.

    Raises SpecError where two specs disagree, or something that is asked for cannot be.
    """
    kind = _choose_kind(asked, blocks)
    blocks = [block for block in blocks if block.config.kind == kind]
    given = _check_asked(asked, kind)
    if problems := list(_find_conflicts(blocks, asked, given)):
        raise SpecError("\n".join(problems))
    said = {name: getattr(block.config, name) for block in blocks for name in block.config.model_fields_set}
    config = EXECUTORS[kind].model_validate({**said, **given, "kind": kind})
    for block in blocks if kind in ("local", "join") and "jobs" not in given else ():
        if what := _too_many(block.config.jobs):
            raise SpecError(block.message("jobs", what))
    return make_executor(config, waits)


def choose_for_search(asked: Asked, block: ExecutorBlock | None) -> Executor:
    """The executor of a search. Raises SpecError where others share it: one command suggests the trials."""
    what = "a search is trained by one command"
    if asked.on is None and block is not None and block.config.kind != "local":
        raise SpecError(block.message("kind", f"{what}: say local, or --on local; its best.yaml is trained by any"))
    if asked.on not in (None, "local"):
        raise SpecError(f"--on {asked.on}: {what} here: leave out --on {asked.on}; its best.yaml is trained by any")
    return choose_executor(asked, [] if block is None else [block])


def _choose_kind(asked: Asked, blocks: Sequence[ExecutorBlock]) -> str:
    if asked.on is not None and asked.on not in EXECUTORS:
        raise SpecError(f"--on {asked.on}: there are local, join, slurm and ray")
    if asked.on is not None:
        return asked.on
    if problems := list(_find_conflicts(blocks, asked, {}, only="kind")):
        raise SpecError("\n".join(problems))
    return blocks[0].config.kind if blocks else "local"


def _check_asked(asked: Asked, kind: str) -> dict[str, Any]:
    """The settings that the command line gives, checked."""
    if asked.ask and kind in ("local", "join"):
        raise SpecError(f"--ask is for --on slurm and --on ray, not for {kind}")
    for name in (name for name in asked.ask if name in OWN):
        raise SpecError(f"--ask {name}: say {asked.option(name)}")
    if asked.pack is not None and asked.pack < 1:
        raise SpecError(f"--pack {asked.pack}: at least one run is claimed at a time")
    if asked.jobs is not None and asked.jobs < 1:
        raise SpecError(f"--jobs {asked.jobs}: at least one run is trained at a time")
    if kind in ("local", "join") and (what := _too_many(asked.jobs)):
        raise SpecError(f"--jobs {asked.jobs}: {what}")
    form, options = EXECUTORS[kind], {"jobs": asked.jobs, "pack": asked.pack}
    own = {name: value for name, value in options.items() if value is not None and name in form.model_fields}
    titled = {asked.option(name): {name: value} for name, value in own.items()}
    for title, given in {**titled, "--ask": dict(asked.ask)}.items():
        _validate(form, {"kind": kind, **given}, title)
    return {**asked.ask, **own}


def _validate(form: type[ExecutorConfig], given: Mapping[str, Any], title: str) -> None:
    """Raise SpecError where an option's settings do not fit."""
    try:
        form.model_validate(given)
    except ValidationError as error:
        source = SpecSource(dict(given), title)
        raise SpecError("\n".join(messages.describe_errors(error.errors(), source, form))) from None


def _find_conflicts(
    blocks: Sequence[ExecutorBlock], asked: Asked, given: Mapping[str, Any], only: str = ""
) -> Iterator[str]:
    """A line for each setting in which two blocks differ, unless the command line says it."""
    first: dict[str, ExecutorBlock] = {}
    for block in blocks:
        for name in sorted(block.config.model_fields_set - given.keys()):
            other, own = first.setdefault(name, block), getattr(block.config, name)
            if only in ("", name) and (before := getattr(other.config, name)) != own:
                what = f"{own} is asked for here, and {before} in {other.place(name)}: one command trains all specs in "
                yield block.message(name, f"{what}one place: let them agree, or say {asked.option(name)}")


def _too_many(jobs: int | None) -> str:
    """What is wrong with more processes on this host than make sense; empty where they do."""
    most = 8 * cores()
    return f"there are {cores()} cores here: take at most {most}" if jobs is not None and jobs > most else ""
