"""Config of a CSV file."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from typing_extensions import override

from allmodes.builtin.config.files import PLACES, NumbersConfig
from allmodes.system.paths import homely

Name = Annotated[str, BeforeValidator(lambda name: str(name) if isinstance(name, int) else name)]
"""A column's name; where a CSV has no header that is its number, which YAML reads as one."""


def _check_encoding(name: str) -> str:
    try:
        if name != "auto":
            b"a".decode(name)
    except UnicodeError:  # half a letter, of an encoding that there is
        return name
    except LookupError:
        raise ValueError(f"{name!r} is not an encoding of text: write one such as utf-16, latin-1 or cp1252") from None
    return name


class CsvConfig(NumbersConfig):
    """Rows of numbers in a CSV file, read into memory."""

    free: ClassVar[frozenset[str]] = PLACES

    kind: Literal["csv"] = "csv"
    path: str
    """The file, relative to where the run is started."""
    columns: tuple[Name, ...] | None = Field(None, min_length=1)
    """Columns to learn; by default all that hold numbers, but the label and the index of a data frame. A column that
    mostly looks like numbers but does not hold them is an error; others are left out, which the run reports."""
    label: Name | None = None
    """Column of labels, whole numbers or words; by default the one called `label`, in any case."""
    delimiter: Literal["auto", ",", ";", "\t", "|", " "] = "auto"
    """What separates cells; `auto`: what a first line `sep=;` names, else that which gives the first lines equally many
    cells, and the most. A blank stands for any number of them."""
    header: bool | Literal["auto"] = "auto"
    """Whether the first line names the columns; else they are called 1, 2, 3. `auto`: it does, and is refused where it
    looks like data. Lines before it that begin with `#` are passed over."""
    decimal: Literal[".", ","] = "."
    """What stands before decimals."""
    thousands: Literal["none", ",", ".", "'", "space"] = "none"
    """What stands between thousands, as in 1,234.5."""
    missing_values: tuple[str, ...] = ()
    """Texts that mean a missing cell, such as unknown; NA, NaN, null, `-`, `?` and the like do in any case."""
    encoding: Annotated[str, AfterValidator(_check_encoding)] = "auto"
    """Of the text; `auto`: UTF-8, or what a byte-order mark shows."""
    test_path: str | None = None
    """File of rows that are not trained on, with the same columns."""

    @override
    def build(self) -> Any:
        from allmodes.data.files.cells import NumberFormat
        from allmodes.data.files.csv_files import CsvFormat, read_csv

        numbers = NumberFormat(self.decimal, self.thousands, frozenset(text.strip() for text in self.missing_values))
        format = CsvFormat(self.columns, self.label, self.delimiter, self.header, numbers, self.encoding)
        return read_csv(homely(self.path), format, self.options(), self.test_path and homely(self.test_path))

    @model_validator(mode="after")
    def _check_separators(self) -> Self:
        if self.decimal == self.thousands:
            raise ValueError(f"decimal and thousands are both {self.decimal!r}: a number can be read in one way only")
        return self
