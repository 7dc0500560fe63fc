"""Config of data that came from Python."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field
from typing_extensions import override

from allmodes_schemas import ANY, DatasetConfig, Sane, Shape


class PythonConfig(DatasetConfig):
    """Data that came from Python, as a stored spec records them. They have to be given again to run it again."""

    kind: Literal["python"] = "python"
    name: str
    """Their name, as it was given to the experiment."""
    item_shape: tuple[Annotated[int, Field(ge=1)], ...] = Field(min_length=1)
    """Shape of one item."""
    labels: int | None = Field(None, ge=1)
    """Number of labels, if any."""
    items: Annotated[int, Sane(ANY)] | None = Field(None, ge=1)
    """Number of training items, if it is finite."""

    @classmethod
    def of(cls, data: Any, name: str = "data") -> Self:
        """Record an `allmodes.data.Data`."""
        return cls(name=name, item_shape=data.shape, labels=data.classes, items=data.items)

    @override
    def shape(self) -> Shape:
        return self.item_shape

    @override
    def classes(self) -> int | None:
        return self.labels

    @override
    def build(self) -> Any:
        """Always raises: pass the data to `Experiment(data=...)`."""
        from allmodes.data.base import DataError

        raise DataError(f"data: {self.name} came from Python: pass data=... to Experiment")
