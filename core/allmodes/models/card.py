"""The model card: a YAML header for model hubs, then what a stranger needs to know about a trained model."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from typing import Any

from ruamel.yaml import YAML

from allmodes.data.standardisation import Standardisation
from allmodes.registry.given import given_in, show_arguments
from allmodes.runs import journal
from allmodes.runs.run_folder import RunFolder
from allmodes.specs.from_python import arguments_of
from allmodes.text.markdown import table
from allmodes.text.numbers import number
from allmodes_schemas import SamplerConfig, Shape, Spec

_USE = """from allmodes import load

samples = load("path/to/this/folder"{}).sample(1000, seed=0)"""


@dataclass(frozen=True)
class Card:
    """The contents of a model card; `beside` holds, by row, the scores of real data and of reference samplers."""

    spec: Spec
    shape: Shape
    units: Standardisation | None
    iteration: int
    plugins: Mapping[str, str]
    measured: Mapping[str, float]
    beside: Mapping[str, Mapping[str, float]]

    def text(self) -> str:
        """The card in Markdown."""
        spec = self.spec
        requirements = " ".join(f'"{name}>={version}"' for name, version in self.plugins.items()) or "allmodes"
        parts = [
            f"---\n{self._header()}---\n",
            f"# {spec.name}\n",
            spec.description or f"A generative adversarial network on {spec.data.kind} data, trained with allmodes.",
            "",
            "![samples](samples.png)\n",
            "## Use\n",
            f"```sh\npip install {requirements}\n```\n",
            f"```python\n{self._use()}\n```\n",
            f"Samples have shape {tuple(self.shape)}{self._units()}.\n",
            "## Training\n",
            "\n".join(f"- {line}" for line in self._training()) + "\n",
            "## Measured\n",
            self._table(),
            f"`spec.yaml` holds every setting; {self._again()}.\n",
        ]
        return "\n".join(parts)

    def _use(self) -> str:
        needed = given_in(self.spec.generator if self.spec.sampler is None else self.spec).get("networks", [])
        return _USE.format(f", {show_arguments({'networks': needed})}" if needed else "")

    def _again(self) -> str:
        """How the model is trained again."""
        if arguments := arguments_of(self.spec):
            what = "what came from Python is not in it, and has to be passed"
            return f'{what}: `Experiment.from_recipe("spec.yaml", {arguments}).run()`'
        return "`allmodes run spec.yaml` trains it again"

    def _header(self) -> str:
        spec, text = self.spec, StringIO()
        judge = () if spec.discriminator is None else (spec.discriminator,)
        components = (spec.prior, spec.generator, *judge, *spec.auxiliaries.values(), *spec.losses, *_sampler(spec))
        header = {
            "library_name": "allmodes",
            "tags": ["gan", *dict.fromkeys(component.kind for component in components)],
            "datasets": [spec.data.kind],
            "metrics": list(self.measured),
            **({"pipeline_tag": "unconditional-image-generation"} if len(self.shape) == 3 else {}),
            **self._results(),
        }
        YAML().dump(header, text)
        return text.getvalue()

    def _results(self) -> dict[str, Any]:
        """What was measured, as model hubs list it: finite numbers alone."""
        finite = {name: float(value) for name, value in self.measured.items() if math.isfinite(value)}
        metrics = [{"type": name, "value": value} for name, value in finite.items()]
        data = {"type": self.spec.data.kind, "name": self.spec.data.kind}
        task = {"type": "unconditional-image-generation" if len(self.shape) == 3 else "other"}
        entry = {"name": self.spec.name, "results": [{"task": task, "dataset": data, "metrics": metrics}]}
        return {"model-index": [entry]} if metrics else {}

    def _units(self) -> str:
        if self.units is None:
            return "; images are in [-1, 1]" if len(self.shape) == 3 else ""
        columns = f": {', '.join(self.units.columns)}" if self.units.columns else ""
        return f", in the units of the data{columns}"

    def _training(self) -> Iterator[str]:
        spec = self.spec
        yield f"data: {spec.data.kind}; prior: {spec.prior.kind}"
        yield f"losses: {', '.join(term.kind for term in spec.losses)}"
        yield from (f"samples: drawn by {sampler.kind}" for sampler in _sampler(spec))
        yield f"{self.iteration or spec.training.iterations:,} iterations of {spec.training.batch_size} items a batch"
        yield f"seed {spec.seeds[0]}"
        if (source := spec.training.source) is not None:
            yield f"begun with weights of {source}"

    def _table(self) -> str:
        columns = {"model": self.measured, **self.beside}
        rows = [(key, *(number(values.get(key)) for values in columns.values())) for key in self.measured]
        return table(("metric", *columns), rows) if rows else "Nothing was measured.\n"


def _sampler(spec: Spec) -> list[SamplerConfig]:
    return [] if spec.sampler is None else [spec.sampler]


def last_measurements(folder: RunFolder, until: int | None) -> dict[str, float]:
    """The last value of each metric in a run's journal, up to the iteration of a model (None: the end)."""
    found: dict[str, float] = {}
    for line in map(journal.numbers, journal.read(folder.metrics)):
        if until is None or line["iteration"] <= until:
            found |= {key.removeprefix("eval/"): value for key, value in line.items() if key.startswith("eval/")}
    return found
