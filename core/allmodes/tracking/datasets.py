"""The data of a run as MLflow's data sets: what is trained on, and the part that is held out.

They are made by hand, since MLflow's own classes load pandas.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from allmodes.runs.run import Run

DIGEST, NAME, SCHEMA = 36, 500, 60_000  # letters
TRAINING, HELD_OUT = "training", "evaluation"
"""The contexts in which a run uses data."""


def trained_on(run: Run) -> dict[str, str]:
    """The fields of the data set that a run is trained on, named after its file or folder, or else its kind."""
    return _dataset(run, _name(run), run.data.get("items"))


def held_out(run: Run) -> dict[str, str] | None:
    """The fields of the part that is not trained on; None where such items are drawn afresh or unknown."""
    if not (number := run.data.get("held_out")):
        return None
    place = str(run.data.get("held_out_from") or "")
    return _dataset(run, Path(place).name if _is_file(place) else f"{_name(run)}, held out", number, place)


def _dataset(run: Run, name: str, items: object, place: str = "") -> dict[str, str]:
    profile = {"items": items, **{fact: run.data.get(fact) for fact in ("shape", "classes") if fact in run.data}}
    return {
        "name": name[:NAME],
        "digest": str(run.data.get("fingerprint", "unknown"))[:DIGEST],
        **_source(run, place or str(run.data.get("source") or "")),
        "profile": json.dumps(profile, default=str),
        **_schema(run.data),
    }


def _name(run: Run) -> str:
    source = str(run.data.get("source") or "")
    if _is_file(source):
        return Path(source).name
    return source.partition(" in ")[0] or str(run.data.get("kind", run.spec.data.kind))


def _source(run: Run, place: str) -> dict[str, str]:
    """A file or folder by its path; other data by the settings that make them."""
    if _is_file(place):
        return {"source_type": "local", "source": json.dumps({"uri": place})}
    settings = run.spec.data.model_dump(mode="json", serialize_as_any=True)
    return {"source_type": "code", "source": json.dumps({"tags": {"mlflow.source.name": "allmodes", **settings}})}


def _is_file(place: str) -> bool:
    return bool(place) and Path(place).is_absolute() and Path(place).exists()


def _schema(data: Mapping[str, Any]) -> dict[str, str]:
    """The columns of a table, or the shape of items; left out where it is too long for MLflow or not known."""
    if not (shape := data.get("shape")):
        return {}
    spec = {"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, *shape]}}
    schema: dict[str, Any] = {"mlflow_tensorspec": {"features": json.dumps([spec]), "targets": None}}
    if columns := data.get("columns"):
        schema = {"mlflow_colspec": [{"type": "float", "name": name, "required": True} for name in columns]}
    text = json.dumps(schema)
    return {"schema": text} if len(text) <= SCHEMA else {}
