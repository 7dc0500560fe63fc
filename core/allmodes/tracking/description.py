"""How MLflow describes a run: plain values within the limits of every store."""

from __future__ import annotations

import contextlib
import getpass
import posixpath
import re
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING

from allmodes.text.markdown import table

if TYPE_CHECKING:
    from allmodes.runs.run import Run

KEY, PARAM, TAG, PLUGINS = 250, 6000, 5000, 50  # letters; number of plugins
SETTINGS, SHOWN = 30, 60  # rows of a table of settings; letters of a value in it


def tags(run: Run) -> dict[str, str]:
    """The components of the spec, versions and user as tags."""
    spec = run.spec
    ours = {
        "spec": spec.name,
        "experiment": run.experiment,
        "game": ", ".join(term.kind for term in spec.losses if term.is_game),
        "prior": spec.prior.kind,
        "data": spec.data.kind,
        "device": run.device,
        "rerunnable": str(run.rerunnable).lower(),
        "folder": str(run.folder.absolute()),
    }
    ours |= {"sampler": spec.sampler.kind} if spec.sampler else {}
    ours |= {"study": run.study, "method": run.folder.parent.name} if run.study else {}
    labels = run.data.get("labels_used")
    ours |= {f"labels.{name}": str(n) for name, n in labels.items()} if isinstance(labels, Mapping) else {}
    plugins = {f"plugin.{name}": version for name, version in sorted(run.plugins.items())[:PLUGINS]}
    return {f"allmodes.{name}": value for name, value in ours.items()} | plugins | _origin()


def labelled(run: Run) -> list[str]:
    """Keys, as MLflow has them, of the numbers with a label: the columns of the view."""
    return [key(name) for name, number in run.spec.evaluation.numbers().items() if number.label]


def _origin() -> dict[str, str]:
    """The user and the program, for columns of MLflow's UI."""
    origin = {"mlflow.source.name": "allmodes", "mlflow.source.type": "LOCAL"}
    with contextlib.suppress(KeyError, OSError, ImportError):  # a container's user may have no name
        origin["mlflow.user"] = getpass.getuser()
    return origin


def params(run: Run) -> dict[str, str]:
    """The resolved spec, a parameter for each setting: `losses.0.kind`; first those that somebody chose."""
    leaves = _leaves(run.spec.model_dump(mode="json", serialize_as_any=True))
    return chosen(run) | {key(path): str(value)[:PARAM] for path, value in leaves}


def chosen(run: Run) -> dict[str, str]:
    """The settings that are not the defaults: kinds, and what specs, recipes and overrides say otherwise."""
    said = run.spec.model_dump(mode="json", serialize_as_any=True, exclude_defaults=True, exclude={"description"})
    leaves = [(path, value) for path, value in _leaves(said) if value not in ({}, [])]
    kinds = [one for one in _leaves(run.spec.model_dump(mode="json", serialize_as_any=True)) if one[0].endswith("kind")]
    return {key(path): str(value)[:PARAM] for path, value in [*kinds, *leaves]}


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, dict | list) and value:
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(inner, f"{path}.{name}" if path else str(name))
    else:
        yield path, value


def key(name: str) -> str:
    """The name with characters replaced that MLflow refuses (a colon on Windows), and paths such as `../x`."""
    return posixpath.normpath(re.sub(r"[^/\w.\- ]", "_", name)).lstrip("./")[:KEY] or "_"


def about(run: Run) -> str:
    """The spec in a few lines of Markdown."""
    spec = run.spec
    losses = ", ".join(f"`{term.kind}`" for term in spec.losses)
    sampler = f", sampler `{spec.sampler.kind}`" if spec.sampler else ""
    made = f"Data `{spec.data.kind}`, prior `{spec.prior.kind}`, losses {losses}{sampler}."
    made += f" Begun with weights of `{spec.training.source}`." if spec.training.source else ""
    return f"{spec.description}\n\n{made}\n\n{_settings(run)}".strip()


def _settings(run: Run) -> str:
    """A table of the settings that are not the defaults, without those of names and seeds."""
    given = {name: value for name, value in chosen(run).items() if not re.match(r"(name|seeds|.*kind)(\.|$)", name)}
    shown = [(f"`{name}`", f"`{value[:SHOWN]}`") for name, value in list(given.items())[:SETTINGS]]
    more = f"\n{len(given) - SETTINGS} more are in `spec.yaml`.\n" if len(given) > SETTINGS else ""
    return f"Settings other than the defaults:\n\n{table(('setting', 'value'), shown)}{more}" if shown else ""


def requirements(run: Run) -> list[str]:
    """The distributions that loading the trained model needs, with their versions."""
    ours = {**run.plugins, **{name: version(name) for name in ("torch", "safetensors")}}
    return [f"{name}=={number}" for name, number in ours.items()]
