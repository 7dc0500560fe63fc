"""The loader of trained models for MLflow: `mlflow.pyfunc.load_model("runs:/<id>/model").predict(1000)`.

MLflow stores the name of this loader module and no script, so that nothing in the store is code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from allmodes.models.trained import Model


class Sampler:
    """A trained model whose input is the number of items to draw."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def predict(self, model_input: Any, params: Mapping[str, Any] | None = None) -> NDArray[np.floating]:
        """Draw items.

        Args:
            model_input: Number of items, also as the first cell of an array or a data frame.
            params: `seed` of the draw, by default 0.

        Returns:
            Items (n, *shape), in the units of the data (float64); images are float32 in [-1, 1].
        """
        number = int(np.asarray(model_input).reshape(-1)[0])
        samples: NDArray[np.floating] = self._model.sample(number, (params or {}).get("seed", 0)).numpy()
        return samples


def _load_pyfunc(path: str) -> Sampler:
    """Load the model from its folder, as MLflow asks of its loader modules; nothing in it is pickled."""
    from allmodes.models.trained import load_run

    return Sampler(load_run(path))
