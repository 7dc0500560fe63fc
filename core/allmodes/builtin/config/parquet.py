"""Config of Parquet files."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator
from typing_extensions import override

from allmodes.builtin.config.files import ImagesConfig, NumbersConfig
from allmodes.system.paths import homely


class ParquetConfig(NumbersConfig, ImagesConfig):
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

    @model_validator(mode="after")
    def _check_columns(self) -> Self:
        if self.image is not None and self.columns is not None:
            raise ValueError("image and columns are both given: learn images, or columns of numbers")
        return self

    @override
    def build(self) -> Any:
        from allmodes.data.files.parquet import ParquetColumns, read_parquet

        columns = ParquetColumns(self.image, self.columns, self.label)
        test_path = self.test_path and homely(self.test_path)
        return read_parquet(homely(self.path), columns, self.image_options(), self.options(), test_path)
