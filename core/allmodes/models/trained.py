"""A trained model that was read back, from a run's folder, an exported model or MLflow."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from allmodes.data.standardisation import Standardisation
from allmodes.game.contracts import NOTHING
from allmodes.game.noise import rng
from allmodes.game.sampling import draw, given_problem
from allmodes.models import checkpoints
from allmodes.models import format as model_format
from allmodes.models.format import ModelError, Page
from allmodes.registry.registry import Registry, installed
from allmodes.runs.run_folder import MODEL_PAGE, RunFolder
from allmodes.specs import recorded, requirements
from allmodes.specs.source import SpecError
from allmodes.system.no_such_file import holds, no_such_file
from allmodes.system.paths import near, place
from allmodes.system.torch_settings import plain_torch
from allmodes_schemas import Given, Shape, Spec


@dataclass(frozen=True)
class Model:
    """A trained model. `folder` holds its spec, `stored` its files; `units` are those that samples come in, if any."""

    spec: Spec
    modules: Mapping[str, nn.Module]
    shape: Shape
    folder: Path
    stored: Path
    units: Standardisation | None = None
    iteration: int | None = None

    @plain_torch()
    def sample(
        self, n: int, seed: int = 0, given: Given = NOTHING, device: str = "cpu", mode: int | Tensor | None = None
    ) -> Tensor:
        """n items (n, *shape) on the CPU, in the units that the data came in (float64); images in [-1, 1].

        The same seed gives the same items on the same machine. `given` holds parts of the latent fixed, where the prior
        has them; `mode=3` is short for `given={"mode": 3}`, and may be a mode for each item (n,).

        Raises ModelError where the prior has no such part or mode.
        """
        drawn = self.drawn(n, seed, given, device, mode)
        return drawn if self.units is None else self.units.restore(drawn)

    def drawn(
        self, n: int, seed: int = 0, given: Given = NOTHING, device: str = "cpu", mode: int | Tensor | None = None
    ) -> Tensor:
        """The same items as the generator makes them: vectors as training sees them, standardised."""
        given = given if mode is None else {**given, "mode": mode}
        if problem := given_problem(self.modules["prior"], given, n):
            raise ModelError(f"{self.folder}: {problem}")
        given = {name: value.to(device) if isinstance(value, Tensor) else value for name, value in given.items()}
        modules = {name: module.to(device) for name, module in self.modules.items()}
        return draw(modules, n, rng(seed, "sample", device), given)

    @classmethod
    def from_pretrained(cls, reference: str | Path, checkpoint: str | None = None) -> Model:
        """`load_run` by the name that other libraries give it."""
        return load_run(reference, checkpoint=checkpoint)

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write the model to a new folder, as `allmodes export` does.

        Raises SpecError where the folder is there already: nothing is overwritten.
        """
        from allmodes.models.export import export

        return export(self, Path(folder))


@plain_torch()
def load_run(reference: str | Path, registry: Registry | None = None, checkpoint: str | None = None) -> Model:
    """The trained model of a run: by its folder, an exported model's folder, or MLflow's `runs:/<id>`.

    Of an experiment's folder it is that of the first seed. A run that has not ended gives its newest checkpoint;
    `checkpoint` asks for one: `best`, `last`, or an iteration.

    Raises SpecError where the folder or a plugin is missing, ModelError where the stored model cannot be read.
    """
    registry = registry or installed()
    if not holds((folder := _local(reference)).exists):
        raise SpecError(no_such_file(near(folder)))
    folder, stored = _places(folder, checkpoint)
    requirements.check_installed(folder, [stored / MODEL_PAGE], registry)
    spec = recorded.spec(folder, registry)
    with advice(folder, stored):
        _compare_versions(model_format.read_page(stored), registry)
        read = model_format.load(spec, stored)
    return Model(spec, read.modules, read.shape, folder, stored, read.units, read.iteration)


def run_folder(reference: str | Path) -> RunFolder:
    """The folder of a run of one seed, given that or its experiment's (then the first seed's)."""
    folder = RunFolder(place(reference))
    return next(iter(folder.runs), folder)


def _local(reference: str | Path) -> Path:
    """The reference itself, or where MLflow put what it refers to."""
    if str(reference).startswith(("runs:/", "models:/", "mlflow-artifacts:/")):
        from allmodes import tracking

        return tracking.download(str(reference))
    return place(reference)


def _places(folder: Path, checkpoint: str | None) -> tuple[Path, Path]:
    """Where the spec and where the model lies."""
    if (folder / MODEL_PAGE).is_file():
        return folder, folder
    run = run_folder(folder)
    if checkpoint is not None:
        return run.path, checkpoints.chosen(run, checkpoint)
    if run.model.is_dir() or not (have := run.checkpoints):
        return run.path, run.model
    return run.path, have[0]


@contextmanager
def advice(folder: Path, stored: Path) -> Iterator[None]:
    """Where a stored model of a run's folder turns out to be damaged, say what to do."""
    try:
        yield
    except model_format.DamagedError as error:
        raise ModelError(f"{error}: {_remedy(folder, stored)}") from None


def _remedy(folder: Path, stored: Path) -> str:
    """What to do about a stored model that is damaged."""
    run = RunFolder(folder)
    if stored == folder:
        return "get the model again from where it came from"
    others = [str(int(one.name)) for one in reversed(run.checkpoints) if one != stored]
    take = f"take another with --checkpoint ({', '.join(others)})" if others else "no other checkpoint is there"
    return take if stored != run.model else f"{take}, or `allmodes resume {folder}` makes the model again"


def _compare_versions(page: Page, registry: Registry) -> None:
    """Say where the plugins that made a model are not those that read it."""
    for name, then, now in requirements.changed_versions(page.get("plugins", {}), registry):
        warnings.warn(f"this model was made with {name} {then}, and {now} is installed", stacklevel=3)
