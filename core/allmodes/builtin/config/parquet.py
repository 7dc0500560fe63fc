"""Config of Parquet files."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator
from typing_extensions import override

from allmodes.builtin.config.files import ImagesConfig, MissingConfig
from allmodes.builtin.config.ranges import Workers
from allmodes.system.paths import homely


class ParquetConfig(MissingConfig, ImagesConfig):
    """Rows of Parquet files: encoded images (the columns that Hugging Face writes), or numbers."""

    kind: Literal["parquet"] = "parquet"
    path: str
    """A file, a folder of files, or a pattern such as `data/part-*.parquet`; folders, partitions or files with `train`
    and `test` (or `validation`, ...) in their names are trained on and held out."""
    image: str | None = None
    """Column of encoded images: bytes, or a struct with a field `bytes`; by default the only one there is, if any."""
    columns: tuple[str, ...] | None = Field(None, min_length=1)
    """Columns of numbers to learn; by default all but the label and the index of a data frame, where there are no
    images."""
    label: str | None = None
    """Column of labels, whole numbers or words; by default the one called `label`, in any case."""
    test_path: str | None = None
    """File, folder or pattern of rows that are not trained on."""
    standardise: bool = True
    """Whether each column of numbers is given zero mean and unit variance; samples are converted back."""
    workers: Workers = 2
    """Processes that read items, into memory or batch by batch; 0 reads in the process that trains."""

    @model_validator(mode="after")
    def _check_columns(self) -> Self:
        if self.image is not None and self.columns is not None:
            raise ValueError("image and columns are both given: learn images, or columns of numbers")
        return self

    @override
    def build(self) -> Any:
        from allmodes.data.files.parquet import Columns, parquet_data

        columns = Columns(self.image, self.columns, self.label)
        return parquet_data(
            homely(self.path),
            columns,
            self.wanted(),
            self.held_out,
            self.keeping(),
            self.test_path and homely(self.test_path),
            self.standardise,
            self.missing,
        )
