"""The loader of trained models for MLflow: `mlflow.pyfunc.load_model("runs:/<id>/model").predict(1000)`.

MLflow stores the name of this loader module and no script, so that nothing in the store is code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from allmodes.models.page import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame
    from torch import Tensor

    from allmodes.models.trained import Model

    Items: TypeAlias = NDArray[np.floating] | DataFrame


class Sampler:
    """A trained model whose input is the number of items to draw."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def predict(self, model_input: Any, params: Mapping[str, Any] | None = None) -> Items:
        """Draw the items that `allmodes sample` draws.

        Args:
            model_input: Number of items, also as the only cell of a list, an array or a data frame.
            params: `seed` of the draw, by default 0; `mode` of the latent that all items are drawn from, counted from
                0, by default any.

        Returns:
            Items (n, *shape), in the units of the data (float64); images are float32 in [-1, 1]. Of data whose columns
            have names a data frame with these, in which whole numbers are whole.

        Raises ModelError where the input is not one number from 1 on, or the prior has no such mode.
        """
        number, given = _number(model_input), params or {}
        seed, mode = given.get("seed", 0), given.get("mode")
        samples = self._model.sample(number, int(seed), mode=None if mode is None else int(mode))
        return self._table(samples) if self._names else samples.numpy()

    @property
    def _names(self) -> tuple[str, ...]:
        return self._model.units.columns if self._model.units else ()

    def _table(self, samples: Tensor) -> DataFrame:
        from pandas import DataFrame

        units = self._model.units
        assert units is not None
        frame = DataFrame(units.round(samples).numpy(), columns=list(self._names))
        return frame.astype({name: "int64" for name, exact in zip(units.columns, units.whole, strict=False) if exact})


def _number(model_input: Any) -> int:
    cells = np.asarray(model_input).reshape(-1)
    if len(cells) != 1:
        raise ModelError(f"the input is the number of items to draw, and {len(cells)} numbers were given: give one")
    try:
        number = int(cells[0])
    except (TypeError, ValueError):
        number = 0
    if number < 1:
        raise ModelError(f"the input is the number of items to draw, from 1 on, and {cells[0]!s} was given")
    return number


def _load_pyfunc(path: str) -> Sampler:
    """Load the model from its folder, as MLflow asks of its loader modules; nothing in it is pickled."""
    from allmodes.models.reading import load_run

    return Sampler(load_run(path))
