"""Reading trained models: from a run's folder, an exported model or MLflow, and what is said where one cannot be."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from allmodes.game.given import give_all
from allmodes.game.plain_networks import give_network
from allmodes.models import checkpoints
from allmodes.models import format as model_format
from allmodes.models.page import DamagedError, ModelError, Page, read_page
from allmodes.models.trained import Model
from allmodes.registry.given import given_in, show_arguments, with_given
from allmodes.registry.registry import Registry, installed
from allmodes.runs.run_folder import MODEL_PAGE, RunFolder
from allmodes.specs import recorded, requirements
from allmodes.specs.source import SpecError
from allmodes.system.no_such_file import holds, no_such_file
from allmodes.system.paths import MLFLOW, at_home, near, place
from allmodes.system.torch_settings import plain_torch
from allmodes_schemas import NetworkConfig, Spec


class AbsentNetworksError(SpecError):
    """A model whose networks of Python were not passed; `missing` are their names by keyword argument."""

    def __init__(self, reference: str | Path, missing: Mapping[str, list[str]]) -> None:
        call = f"load_run({str(reference)!r}, {show_arguments(missing)})"
        super().__init__(f"{reference}: its model has networks of Python, which no file holds: pass them: {call}")
        self.missing = missing


@plain_torch()
def load_run(
    reference: str | Path,
    registry: Registry | None = None,
    checkpoint: str | None = None,
    networks: Mapping[str, Any] | None = None,
) -> Model:
    """Load the trained model of a run: by its folder, an exported model's folder, or MLflow's `runs:/<id>`.

    Of an experiment's folder it is that of the first seed. A run that has not ended gives its newest checkpoint;
    `checkpoint` asks for one: `best`, `last`, or an iteration. `networks` are those that came from Python, as they were
    passed to the experiment: `networks={"mine": Generator}`.

    Raises SpecError where the folder, a plugin or such a network is missing, ModelError where the stored model cannot
    be read.
    """
    registry = registry or installed()
    if networks is not None:
        registry = with_given(registry, {NetworkConfig: give_all("networks", networks, give_network)})
    if not holds((folder := local_folder(reference)).exists):
        raise SpecError(no_such_file(near(folder)))
    folder, stored = _locate(folder, checkpoint)
    requirements.check_installed(folder, [stored / MODEL_PAGE], registry)
    spec = recorded.load(folder, registry)
    _check_passed(spec, reference)
    return read_model(spec, folder, stored, registry)


def load(
    reference: str | Path,
    registry: Registry | None = None,
    checkpoint: str | None = None,
    networks: Mapping[str, Any] | None = None,
) -> Model:
    """Load a trained model: of a run, of a folder that `Model.save` wrote, or of MLflow, as `load_run` does."""
    return load_run(reference, registry, checkpoint, networks)


def read_model(spec: Spec, folder: Path, stored: Path, registry: Registry) -> Model:
    """Read the model of a run whose spec is known from the folder that it is stored in.

    Raises ModelError where it cannot be read.
    """
    with advise_on_damage(folder, stored):
        _warn_of_versions(read_page(stored), registry)
        model = model_format.load(spec, stored)
    return Model(spec, model.modules, model.shape, folder, stored, model.units, model.iteration)


def _check_passed(spec: Spec, reference: str | Path) -> None:
    """Raise AbsentNetworksError where networks of Python that samples are drawn with were not passed."""
    drawn_with = (spec.generator,) if spec.sampler is None else (spec.generator, spec.discriminator, spec.auxiliaries)
    if missing := given_in(drawn_with, absent=True):
        raise AbsentNetworksError(reference, missing)


@contextmanager
def advise_on_damage(folder: Path, stored: Path) -> Iterator[None]:
    """Add what to do to the message where a stored model of a run's folder turns out to be damaged."""
    try:
        yield
    except DamagedError as error:
        raise ModelError(f"{error}: {_remedy(folder, stored)}") from None


def local_folder(reference: str | Path, here: Path = Path()) -> Path:
    """The folder of a reference, downloaded if it is one of MLflow's; a relative path is looked for in `here`."""
    if str(reference).startswith(MLFLOW):
        from allmodes import tracking

        return tracking.download(str(reference))
    return place(here / at_home(reference))


def _locate(folder: Path, checkpoint: str | None) -> tuple[Path, Path]:
    """The folders that hold the spec and the model."""
    if (folder / MODEL_PAGE).is_file():
        return folder, folder
    run = next(iter(RunFolder(folder).runs), RunFolder(folder))
    if checkpoint is not None:
        return run.path, checkpoints.find_checkpoint(run, checkpoint)
    if run.model.is_dir() or not (saved := run.checkpoints):
        return run.path, run.model
    return run.path, saved[0]


def _remedy(folder: Path, stored: Path) -> str:
    """What to do about a stored model that is damaged."""
    if stored == folder:
        return "get the model again from where it came from"
    run = RunFolder(folder)
    others = [str(int(one.name)) for one in reversed(run.checkpoints) if one != stored]
    take = f"take another with --checkpoint ({', '.join(others)})" if others else "no other checkpoint is there"
    return f"{take}, or `allmodes resume {folder}` makes the model again" if stored == run.model else take


def _warn_of_versions(page: Page, registry: Registry) -> None:
    """Warn where the installed plugins have other versions than those that made a model."""
    for name, then, now in requirements.changed_versions(page.get("plugins", {}), registry):
        warnings.warn(f"this model was made with {name} {then}, and {now} is installed", stacklevel=3)
