"""A trained model to give away: a folder with its spec, its weights and a model card, which `load_run` reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from allmodes.data import TensorData
from allmodes.figures import drawing
from allmodes.models import format as model_format
from allmodes.models.trained import Model
from allmodes.runs import journal
from allmodes.runs.run_folder import RunFolder
from allmodes.specs import loading
from allmodes.specs.source import SpecError
from allmodes.system.paths import near, place
from allmodes.text.markdown import table
from allmodes.text.numbers import number
from allmodes_schemas import KindConfig, Spec

_USE = """from allmodes import load_run

samples = load_run("path/to/this/folder").sample(1000, seed=0)"""

PICTURED = 1000
"""Samples in the card's picture."""


def export(model: Model, folder: Path) -> Path:
    """Write the model to a new folder: `spec.yaml`, `model.json`, safetensors, `samples.png`, `README.md`.

    Raises SpecError where the folder is there already: nothing is overwritten.
    """
    folder = place(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SpecError(f"{near(folder)}: is there already, and nothing is overwritten: choose another folder")
    folder.mkdir(parents=True, exist_ok=True)
    stored = model_format.read_page(model.stored)
    page = model_format.page_of(model.modules, model.shape, model.units, model.iteration or 0)
    page |= {"plugins": stored.get("plugins", {})}
    made = model_format.save(model.modules, page, folder / "new", lambda beside: _describe(model, page, beside))
    for path in made.iterdir():  # the folder itself stays: somebody may work in it
        path.replace(folder / path.name)
    made.rmdir()
    return folder


def _describe(model: Model, page: model_format.Page, folder: Path) -> None:
    files = RunFolder(folder)
    files.spec.write_text(loading.dump(model.spec), encoding="utf-8")
    samples = model.drawn(PICTURED)
    drawing.draw_samples(samples, TensorData(samples), files.picture)
    (folder / "README.md").write_text(card(model, page["plugins"]), encoding="utf-8")


def card(model: Model, plugins: Mapping[str, str]) -> str:
    """The model card: a YAML header for model hubs, then what a stranger needs to know."""
    spec = model.spec
    measured, floors = _measured(model)
    parts = [
        f"---\n{_header(spec, measured)}---\n",
        f"# {spec.name}\n",
        spec.description or f"A generative adversarial network on {spec.data.kind} data, trained with allmodes.",
        "",
        "![samples](samples.png)\n",
        "## Use\n",
        f"```sh\npip install {_requirements(plugins)}\n```\n",
        f"```python\n{_USE}\n```\n",
        f"Samples have shape {tuple(model.shape)}{_units(model)}.\n",
        "## Training\n",
        "\n".join(f"- {line}" for line in _training(model)) + "\n",
        "## Measured\n",
        _table(measured, floors),
        "`spec.yaml` holds every setting; `allmodes run spec.yaml` trains it again.\n",
    ]
    return "\n".join(parts)


def _requirements(plugins: Mapping[str, str]) -> str:
    return " ".join(f'"{name}>={version}"' for name, version in plugins.items()) or "allmodes"


def _header(spec: Spec, measured: Mapping[str, float]) -> str:
    header: dict[str, Any] = {
        "library_name": "allmodes",
        "tags": ["gan", *dict.fromkeys(c.kind for c in _components(spec))],
        "datasets": [spec.data.kind],
        "metrics": list(measured),
    }
    text = StringIO()
    YAML().dump(header, text)
    return text.getvalue()


def _components(spec: Spec) -> Iterator[KindConfig]:
    yield from (spec.prior, spec.generator, spec.discriminator, *spec.auxiliaries.values(), *spec.losses)


def _units(model: Model) -> str:
    if model.units is None:
        return "; images are in [-1, 1]" if len(model.shape) == 3 else ""
    named = f": {', '.join(model.units.columns)}" if model.units.columns else ""
    return f", in the units of the data{named}"


def _training(model: Model) -> Iterator[str]:
    spec = model.spec
    yield f"data: {spec.data.kind}; prior: {spec.prior.kind}"
    yield f"losses: {', '.join(term.kind for term in spec.losses)}"
    yield f"{model.iteration or spec.training.iterations:,} iterations of {spec.training.batch_size} items a batch"
    yield f"seed {spec.seeds[0]}"


def _measured(model: Model) -> tuple[dict[str, float], dict[str, float]]:
    """The last measurements up to the model's iteration, and what real data score."""
    until = model.iteration if model.iteration is not None else float("inf")
    files, found = RunFolder(model.folder), dict[str, float]()
    for line in map(journal.numbers, journal.read(files.metrics)):
        if line["iteration"] <= until:
            found |= {key.removeprefix("eval/"): value for key, value in line.items() if key.startswith("eval/")}
    outcome = files.outcome()
    return found, {} if outcome is None else dict(outcome.floors)


def _table(measured: Mapping[str, float], floors: Mapping[str, float]) -> str:
    rows = [(key, number(value), number(floors.get(key))) for key, value in measured.items()]
    return table(("metric", "model", "real data"), rows) if rows else "Nothing was measured.\n"
