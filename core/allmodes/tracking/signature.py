"""What a model takes and gives, as MLflow shows and checks it: a number of items, and a table or a tensor."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec

EXAMPLE, SERVING_EXAMPLE = "input_example.json", "serving_input_example.json"
NUMBER, PARAMS = [3], {"seed": 0}


def signature(page: Mapping[str, Any]) -> ModelSignature:
    """The signature of a model with a page `model.json`.

    The input has no name, so that MLflow takes a bare number as well as a table of one cell.
    """
    params = [ParamSpec("seed", DataType.long, 0), ParamSpec("mode", DataType.long, None)]
    return ModelSignature(Schema([ColSpec(DataType.long)]), _outputs(page), ParamSchema(params))


def add_example(model: Model, folder: Path) -> None:
    """Write an example of the input into the folder of a model, and note it on the model's page."""
    for name in (EXAMPLE, SERVING_EXAMPLE):  # for Python, and for a request
        (folder / name).write_text(json.dumps({"inputs": NUMBER, "params": PARAMS}))
    model.saved_input_example_info = {
        "artifact_path": EXAMPLE,
        "type": "json_object",
        "params": "true",
        "serving_input_path": SERVING_EXAMPLE,
    }


def _outputs(page: Mapping[str, Any]) -> Schema | None:
    """Named columns of a table; else a tensor, in double precision where vectors were standardised."""
    if "shape" not in page:
        return None
    units = page.get("units") or {}
    if names := units.get("columns"):
        whole = units.get("whole") or [False] * len(names)
        kinds = [DataType.long if exact else DataType.double for exact in whole]
        return Schema([ColSpec(kind, name) for kind, name in zip(kinds, names, strict=True)])
    number = np.dtype("float64" if units else "float32")
    return Schema([TensorSpec(number, (-1, *page["shape"]))])
