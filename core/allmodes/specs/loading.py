"""Read a file into a checked spec; each problem is reported with file, line, column and the remedy."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from io import StringIO
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from ruamel.yaml import YAML

from allmodes.registry import faults
from allmodes.registry.registry import Registry, installed, installed_for, owners
from allmodes.runs.run_folder import RunFolder
from allmodes.specs import executor_block, messages, safe_yaml
from allmodes.specs.checks import check_spec
from allmodes.specs.control import check_source
from allmodes.specs.executor_block import read_executor
from allmodes.specs.from_python import arguments_of
from allmodes.specs.limits import check_sizes
from allmodes.specs.named import kinds_named, words_in
from allmodes.specs.renames import renew
from allmodes.specs.source import SpecError, SpecSource, SweepError, override, read, shorten
from allmodes.specs.union import plain, spec_model
from allmodes.system.no_such_file import holds, no_such_file
from allmodes.system.paths import at_home, looks_like_path
from allmodes.system.pauses import no_garbage
from allmodes.text.printable import printable
from allmodes.text.suggest import did_you_mean, nearest
from allmodes_schemas import Config, Location, Placement, Problem, Spec, Sweep

TITLE = "allmodes experiment"
"""Title of the JSON Schema of a spec."""
JOINED = ("$defs", "properties")
"""Its keys that what a file says beside the spec is added to."""


def load(reference: str, registry: Registry, overrides: Iterable[str] = ()) -> Spec:
    """The checked spec of a file, recipe or run, with overrides such as `training.iterations=2000`.

    Raises SpecError with a line for each problem; warnings go through `warnings.warn`.
    """
    return check(read_source(reference, registry, overrides), registry)


def load_alone(reference: str, overrides: Sequence[str] = ()) -> Spec:
    """Like `load`, in two thirds of the time, for a spec that is compared with no other.

    Only those of the installed plugins are loaded that the spec names, and its class knows only the kinds that it
    names. A spec that is refused so is read again by all that is installed, which says why.
    """
    with no_garbage(), warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        spec = _load_alone(reference, overrides)
    if spec is None:
        return load(reference, installed(), overrides)
    for warning in found:
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return spec


def _load_alone(reference: str, overrides: Sequence[str]) -> Spec | None:
    """The spec, or None where it is refused."""
    registry = installed_for([reference])
    with suppress(SpecError):
        source = read_source(reference, registry, overrides)
        words = list(words_in(_plain_tree(source.tree, source.name)))
        if not owners(words) & registry.plugins.keys() <= owners([reference]):
            registry = installed_for([reference, *words])
        return check(source, registry.only(kinds_named(words, registry)))
    return None


def read_source(reference: str, registry: Registry, overrides: Iterable[str] = ()) -> SpecSource:
    """The parsed file of a reference, with overrides, before it is checked."""
    source = read(*locate(reference, registry))
    for change in overrides:
        override(source, change)
    return source


def load_stored(folder: str | Path, registry: Registry) -> Spec:
    """The checked spec in the folder of an existing run."""
    return check_again(read(*locate(str(folder), registry)), registry)


def parse(values: Mapping[str, Any], registry: Registry) -> Spec:
    """A checked spec from Python values: plain mappings, or config objects in the place of blocks."""
    return check(SpecSource(_plain_tree(values, "spec"), "spec"), registry)


def locate(reference: str, registry: Registry) -> tuple[str, str]:
    """Text and name of a spec by reference: a file, a recipe, or the folder of a run."""
    for path in (RunFolder(at_home(reference)).spec, at_home(reference)):
        if holds(path.is_file):
            return read_text(path), str(path)
    if recipe := registry.recipes.get(reference):
        return read_text(recipe), reference
    raise SpecError(_describe_unknown(reference, registry))


def _describe_unknown(reference: str, registry: Registry) -> str:
    """The message for a reference that is neither a file, a folder nor a recipe, with a near miss."""
    if holds(Path(reference).is_dir):
        return printable(f"{reference}: not the folder of a run: it has no spec.yaml")
    owner, slash, _ = reference.partition("/")
    owners = {*registry.plugins, *(name.partition("/")[0] for name in registry.recipes)}
    if looks_like_path(reference) and not (slash and nearest(owner, owners)):
        return no_such_file(reference)
    broken = registry.broken.get(owner)
    hint = f" ({broken} could not be loaded: {broken.error})" if broken else did_you_mean(reference, registry.recipes)
    hint = hint or ": `allmodes recipes` lists them"
    return printable(f"{reference}: neither a file, a run's folder nor a recipe{hint}")


def check(source: SpecSource, registry: Registry) -> Spec:
    """Validate a parsed spec against the installed kinds, then across its components."""
    with faults.tracing():
        spec = _check(source, registry)
    if spec.training.source is not None and not _is_begun(Path(source.name).parent):
        _report(list(check_source(spec)), source)
    return spec


def _is_begun(folder: Path) -> bool:
    """Whether a spec lies with runs of it, which go on without the one that they began with."""
    return bool(RunFolder(folder).runs)


def _check(source: SpecSource, registry: Registry) -> Spec:
    values = _plain_tree(source.tree, source.name)
    check_single(values, source)
    read_executor(source)  # is checked, and no part of the spec
    values.pop(executor_block.KEY, None)
    _raise([*_check_plugins(values), *_check_integers(values)], source)
    _report(renew(values, registry, source.overridden), source)
    model = spec_model(registry)
    try:
        spec = model.model_validate(values)
    except ValidationError as error:
        raise SpecError("\n".join(messages.describe_errors(error.errors(), source, model))) from None
    _report(check_sizes(spec), source)
    _report(check_spec(spec, registry), source)
    return spec


def check_single(values: Mapping[str, Any], source: SpecSource) -> None:
    """Check that a file is one spec; raises SweepError where it stands for several."""
    if found := [key for key in Sweep.model_fields if key in values]:
        how = f"`allmodes compare {source.name}` trains and tabulates them (in Python: allmodes.compare)"
        raise SweepError(source.message(tuple(found[:1]), f"this file stands for several specs: {how}"))


def check_again(source: SpecSource, registry: Registry) -> Spec:
    """The checked spec of an existing run, without the warnings that were given when it began."""
    with warnings.catch_warnings(action="ignore"), faults.tracing():
        return _check(source, registry)


def dump(spec: Spec) -> str:
    """A spec as YAML with every default written out, except those of deprecated options, which may be removed.

    One that needs objects of Python says so in its first line.
    """
    yaml, written = YAML(), StringIO()
    if arguments := arguments_of(spec):
        written.write(f"# Not enough to run again: pass {arguments} to Experiment.from_recipe.\n")
    yaml.width = 120
    yaml.dump(dump_values(spec), written)
    return written.getvalue()


def dump_values(spec: Spec) -> dict[str, Any]:
    """A spec as plain values, as `dump` writes them."""
    return spec.model_dump(mode="json", exclude=_deprecated_defaults(spec))


def schema(registry: Registry) -> dict[str, Any]:
    """The JSON Schema of a spec with the kinds that are installed, for editors."""
    dialect = "https://json-schema.org/draft/2020-12/schema"
    parts = [model.model_json_schema() for model in (spec_model(registry), Sweep, Placement)]
    joined = {key: {name: one for part in parts for name, one in part.get(key, {}).items()} for key in JOINED}
    return {"$schema": dialect, **parts[0], **joined, "title": TITLE}


def _deprecated_defaults(value: Any) -> dict[Any, Any]:
    """Deprecated options at their default, at any depth, as the argument `exclude` of pydantic."""
    fields = type(value).model_fields if isinstance(value, Config) else {}
    found = {
        key: _is_deprecated_default(fields.get(key), inner) or _deprecated_defaults(inner)
        for key, inner in _entries(value)
    }
    return {key: inner for key, inner in found.items() if inner}


def _is_deprecated_default(field: FieldInfo | None, value: Any) -> bool:
    if field is None or field.deprecation_message is None:
        return False
    return bool(plain(value) == plain(field.get_default(call_default_factory=True)))


def _entries(value: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, Config):
        return value  # unlike attributes, which warn where they are deprecated
    if isinstance(value, Mapping):
        return value.items()
    return enumerate(value) if isinstance(value, list | tuple) else ()


def _plain_tree(values: Any, name: str) -> Any:
    try:
        tree = plain(values)
    except RecursionError:
        raise SpecError(printable(f"{name}: {safe_yaml.TOO_DEEP}")) from None
    if _count(tree) > safe_yaml.VALUES:
        raise SpecError(printable(f"{name}: {safe_yaml.TOO_LARGE}"))
    return tree


def _count(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(_count, inner))


def read_text(path: Path) -> str:
    """The text of a spec's file, read up to the size that a spec may have."""
    try:
        with path.open("rb") as file:
            content = file.read(safe_yaml.BYTES + 1)
            return content.decode("utf-8", "strict" if len(content) <= safe_yaml.BYTES else "replace")
    except OSError as error:
        raise SpecError(printable(f"{path}: cannot be read: {error.strerror or error}")) from None
    except UnicodeDecodeError as error:
        raise SpecError(printable(f"{path}{_describe_bytes(error)}")) from None


def _describe_bytes(error: UnicodeDecodeError) -> str:
    """The place of the first byte that is not UTF-8, and the way out."""
    if error.object[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return ": this is text in UTF-16: save it as UTF-8"
    before = error.object[: error.start]
    line, column = before.count(b"\n") + 1, len(before.rpartition(b"\n")[2].decode("utf-8", "replace")) + 1
    return f":{line}:{column}: the byte {error.object[error.start]:#04x} is not text in UTF-8: save the file as UTF-8"


def _check_plugins(values: Mapping[str, Any]) -> Iterator[Problem]:
    """Requirements such as `allmodes-acme>=0.1` that the environment does not meet."""
    required = values.get("plugins")
    for i, text in enumerate(required if isinstance(required, list) else ()):
        if isinstance(text, str) and (message := _missing_requirement(text)):
            yield Problem(("plugins", i), message)


def _missing_requirement(text: str) -> str:
    try:
        requirement = Requirement(text)
        have = version(requirement.name)
    except InvalidRequirement:
        return f"{text!r} is not a valid requirement such as allmodes-acme>=0.1"
    except PackageNotFoundError:
        return f"{text} is not installed: pip install '{text}'"
    if requirement.specifier.contains(have, prereleases=True):
        return ""
    return f"{requirement.name} {have} is installed, but the spec asks for {text}: pip install '{text}'"


def _check_integers(value: Any, where: Location = ()) -> Iterator[Problem]:
    """Whole numbers beyond the 64 bits of a tensor."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        yield Problem(where, "is too large a number: whole numbers have at most 63 bits")
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ()):
        yield from _check_integers(inner, (*where, key))


def _report(problems: Sequence[Problem], source: SpecSource) -> None:
    """Warn of problems that are warnings; raise SpecError for the others."""
    for problem in problems:
        if problem.severity == "warning":
            warnings.warn(source.message(problem.where, problem.what), stacklevel=3)
    _raise([problem for problem in problems if problem.severity == "error"], source)


def _raise(problems: Sequence[Problem], source: SpecSource) -> None:
    if problems:
        raise SpecError("\n".join(shorten([source.message(problem.where, problem.what) for problem in problems])))


__all__ = [
    "SpecError",
    "SpecSource",
    "SweepError",
    "check",
    "check_again",
    "dump",
    "load",
    "load_alone",
    "load_stored",
    "locate",
    "parse",
    "plain",
    "read",
    "read_source",
    "read_text",
    "schema",
    "spec_model",
]
