"""Trained models as Python and notebooks show them: in a line, and as HTML with what was measured and drawn."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from torch import nn

from allmodes.models.card import last_measurements
from allmodes.runs.run_folder import RunFolder
from allmodes.system.paths import near
from allmodes.text import html
from allmodes.text.html import Html
from allmodes.text.numbers import number

if TYPE_CHECKING:
    from allmodes.models.trained import Model


def model_text(model: Model) -> str:
    """Describe a model in a line: `Model(ring: iteration 2,000, seed 0, items (2,), 17,154 parameters; in ...)`."""
    facts = ", ".join(f"{name} {text}" for name, text in _facts(model).items())
    return f"Model({model.spec.name}: {facts}; in {near(model.folder)})"


def model_html(model: Model) -> Html:
    """Say what a model is, beside what it scored when it was last measured and the picture that is stored with it."""
    heading = html.heading(model.spec.name, f"in {near(model.folder)}")
    kinds = {"prior": model.spec.prior.kind, "generator": model.spec.generator.kind}
    kinds |= {"sampler": model.spec.sampler.kind} if model.spec.sampler else {}
    return html.block(heading, html.beside(html.facts({**kinds, **_facts(model)}), _measured(model), _picture(model)))


def _facts(model: Model) -> dict[str, str]:
    at = {} if model.iteration is None else {"iteration": f"{model.iteration:,}"}
    columns = {"columns": ", ".join(model.units.columns)} if model.units and model.units.columns else {}
    size = {"parameters": f"{_count(model.modules):,}"}
    return {**at, "seed": str(model.spec.seeds[0]), "items": str(tuple(model.shape)), **columns, **size}


def _count(modules: Mapping[str, nn.Module]) -> int:
    return sum(parameter.numel() for module in modules.values() for parameter in module.parameters())


def _measured(model: Model) -> Html:
    """What the run's log says of this iteration, beside real data; nothing for a model without a log."""
    run = RunFolder(model.folder)
    with suppress(OSError, ValueError):
        measured, outcome = last_measurements(run, model.iteration), run.outcome()
        floors = {} if outcome is None else outcome.floors
        rows = [(name, number(value), number(floors.get(name))) for name, value in measured.items()]
        return html.table(("metric", "model", "real data"), rows) if rows else Html("")
    return Html("")


def _picture(model: Model) -> Html:
    run = RunFolder(model.folder)
    drawn = {int(file.stem.rpartition("-")[2]): file for file in run.figures.glob("samples-*[0-9].png")}
    upto = [file for at, file in sorted(drawn.items()) if model.iteration is None or at <= model.iteration]
    for file in (run.picture, *reversed(upto)):
        with suppress(OSError):
            return html.picture(file.read_bytes(), file.name)
    return Html("")
