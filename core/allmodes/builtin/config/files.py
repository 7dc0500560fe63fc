"""Configs of the user's own data: images in a folder, arrays, CSV, Parquet, and what came from Python.

What only the files know, such as the shape of an item, is not asked of them here, so that a spec can be checked where
the data are not. It is checked as soon as they are loaded.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from allmodes.system.paths import homely
from allmodes_schemas import ANY, DatasetConfig, Sane, Shape

Share = Annotated[float, Field(gt=0, lt=1)]
Size = Annotated[int, Field(ge=1, le=4096)]
Memory = Literal["auto", "resident", "stream"]
Name = Annotated[str, BeforeValidator(lambda name: str(name) if isinstance(name, int) else name)]
"""A column's name; where a CSV has no header that is its number, which YAML reads as one."""


def _known_encoding(name: str) -> str:
    try:
        if name != "auto":
            b"a".decode(name)
    except UnicodeError:  # half a letter, of an encoding that there is
        return name
    except LookupError:
        raise ValueError(f"{name!r} is no encoding of text: write one such as utf-16, latin-1 or cp1252") from None
    return name


PLACES = frozenset({"root", "path", "test_path"})
"""Where files lie may change when a run is resumed: that they are the same is seen from their fingerprint."""


class MissingConfig(DatasetConfig):
    """Data in which numbers may be missing: what their kinds share."""

    missing: Literal["refuse", "leave_out"] = "refuse"
    """What becomes of items with a missing or infinite number or a missing label: they are an error that counts them,
    or they are left out, which the run says with their number."""


class HeldOutConfig(DatasetConfig):
    """A user's data: what their kinds share."""

    held_out: Share = 0.1
    """Share of the items that are not trained on: always the same ones, in equal shares of each class. Unused where
    test items are given."""


class KeptConfig(HeldOutConfig):
    """Data that may be too large for memory: what their kinds share."""

    free: ClassVar[frozenset[str]] = frozenset({"memory", "workers", *PLACES})

    memory: Memory = "auto"
    """`resident`: read once into memory; `stream`: read batch by batch, with the same draws; `auto`: resident where
    the items take at most half of the free memory."""
    workers: int = Field(0, ge=0, le=256)
    """Processes that read items, into memory or batch by batch; 0 reads in the process that trains."""

    def keeping(self) -> Any:
        """Where items are kept."""
        from allmodes.data.files.loading import Keeping

        return Keeping(self.memory, self.workers)


class ImagesConfig(KeptConfig):
    """Encoded images: what their kinds share."""

    size: Size | None = None
    """Height and width in pixels to resize to (bilinear, antialiased); without it all images must have one size."""
    crop: bool = True
    """Whether the central square is resized, or the whole image stretched to a square."""
    channels: Literal["auto", "rgb", "grey"] = "auto"
    """What images are converted to; `auto`: grey where the first hundred are, else RGB. Transparency is dropped."""
    skip_unreadable: bool = False
    """Whether images that cannot be read are left out with a warning; they are an error otherwise."""

    def wanted(self) -> Any:
        """What images are made alike to."""
        from allmodes.data.files.images import Wanted

        return Wanted(self.size, self.crop, self.channels, self.skip_unreadable)


class ImageFolderConfig(ImagesConfig):
    """Images in a folder: `root/class/x.png`, or `root/x.png` without labels; `root/train` and `root/test` likewise.

    Folders `test`, `testing`, `eval`, or else `val`, `valid`, `validation`, in any case, are held out.
    """

    kind: Literal["image_folder"] = "image_folder"
    root: str
    """The folder, relative to where the run is started."""
    workers: int = Field(2, ge=0, le=256)
    """Processes that read items, into memory or batch by batch; 0 reads in the process that trains."""

    def build(self) -> Any:
        """The images as bytes, on the CPU.

        Raises:
            DataError: If there is no image, or one cannot be read or made alike.
        """
        from allmodes.data.files.folder import image_folder

        return image_folder(homely(self.root), self.wanted(), self.held_out, self.keeping())


class ArraysConfig(MissingConfig, KeptConfig):
    """Arrays in a .npy or .npz file: vectors (N, F), or images (N, H, W), (N, H, W, C) or (N, C, H, W)."""

    kind: Literal["arrays"] = "arrays"
    path: str
    """The file, relative to where the run is started."""
    x: str | None = None
    """Name of the array of items in an .npz; by default the only one, `x` or `samples`."""
    labels: str | None = None
    """The items' labels: name of an array in the .npz, or path of a .npy file."""
    test_path: str | None = None
    """File of items that are not trained on."""
    test_x: str | None = None
    """Name of the array of test items in an .npz; by default `x`, in `test_path`."""
    test_labels: str | None = None
    """The test items' labels, named likewise; by default `labels`, where that is a name in an .npz."""
    layout: Literal["auto", "NHWC", "NCHW"] = "auto"
    """Where images have their channels; `auto` looks for 1 or 3."""
    range: tuple[float, float] | None = None
    """Values that are black and white, such as [0, 1] or [0, 255]; by default images are bytes or floats in [-1, 1]."""
    standardise: bool = True
    """Whether each column of vectors is given zero mean and unit variance; samples are converted back."""

    @model_validator(mode="after")
    def _range_has_a_span(self) -> Self:
        if self.range is not None and self.range[0] >= self.range[1]:
            raise ValueError(f"range goes from {self.range[0]:g} to {self.range[1]:g}: give black first, then white")
        return self

    def build(self) -> Any:
        """The items, on the CPU.

        Raises:
            DataError: If an array is missing or is not as it should be.
        """
        from allmodes.data.files.arrays import Chosen, arrays

        return arrays(
            homely(self.path),
            Chosen(self.x, self.labels and homely(self.labels)),
            self.held_out,
            self.keeping(),
            self.test_path and homely(self.test_path),
            Chosen(self.test_x or self.x, self._test_labels()) if self.test_path or self.test_x else None,
            self.layout,
            self.range,
            self.standardise,
            self.missing,
        )

    def _test_labels(self) -> str | None:
        own_file = (self.labels or "").lower().endswith(".npy")
        labels = self.test_labels or (None if own_file else self.labels)
        return labels and homely(labels)


class CsvConfig(MissingConfig, HeldOutConfig):
    """Rows of numbers in a CSV file, read into memory."""

    free: ClassVar[frozenset[str]] = PLACES

    kind: Literal["csv"] = "csv"
    path: str
    """The file, relative to where the run is started."""
    columns: tuple[Name, ...] | None = Field(None, min_length=1)
    """Columns to learn; by default all that hold numbers, but the label and the index of a data frame. A column that
    mostly looks like numbers and is none is an error; others are left out, which the run says."""
    label: Name | None = None
    """Column of labels, whole numbers or words; by default the one called `label`, in any case."""
    delimiter: Literal["auto", ",", ";", "\t", "|", " "] = "auto"
    """What separates cells; `auto`: what a first line `sep=;` says, else that which gives the first lines equally many
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
    encoding: Annotated[str, AfterValidator(_known_encoding)] = "auto"
    """Of the text; `auto`: UTF-8, or what a byte-order mark says."""
    test_path: str | None = None
    """File of rows that are not trained on, with the same columns."""
    standardise: bool = True
    """Whether each column is given zero mean and unit variance; samples are converted back."""

    def build(self) -> Any:
        """The rows, on the CPU.

        Raises:
            DataError: If the file, a column or a cell is not as it should be.
        """
        from allmodes.data.files.cells import Writing
        from allmodes.data.files.csv_files import Form, csv_data

        writing = Writing(self.decimal, self.thousands, frozenset(text.strip() for text in self.missing_values))
        form = Form(self.columns, self.label, self.delimiter, self.header, writing, self.encoding)
        test_path = self.test_path and homely(self.test_path)
        return csv_data(homely(self.path), form, self.held_out, test_path, self.standardise, self.missing)

    @model_validator(mode="after")
    def _decimals_are_not_thousands(self) -> Self:
        if self.decimal == self.thousands:
            raise ValueError(f"decimal and thousands are both {self.decimal!r}: a number can be read in one way only")
        return self


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
    workers: int = Field(2, ge=0, le=256)
    """Processes that read items, into memory or batch by batch; 0 reads in the process that trains."""

    @model_validator(mode="after")
    def _images_or_numbers(self) -> Self:
        if self.image is not None and self.columns is not None:
            raise ValueError("image and columns are both given: learn images, or columns of numbers")
        return self

    def build(self) -> Any:
        """The items, on the CPU.

        Raises:
            DataError: If a file, a column or a cell is not as it should be.
        """
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


class PythonConfig(DatasetConfig):
    """Data that came from Python: what a stored spec says of them. They have to be given again to run it again."""

    kind: Literal["python"] = "python"
    name: str
    """What they were called."""
    item_shape: tuple[Annotated[int, Field(ge=1)], ...] = Field(min_length=1)
    """Shape of one item."""
    labels: int | None = Field(None, ge=1)
    """Number of labels, if any."""
    items: Annotated[int, Sane(ANY)] | None = Field(None, ge=1)
    """Number of training items, if it is finite."""

    @classmethod
    def of(cls, data: Any, name: str = "data") -> Self:
        """What a stored spec says of an `allmodes.data.Data`."""
        return cls(name=name, item_shape=data.shape, labels=data.classes, items=data.items)

    def shape(self) -> Shape:
        """As it was."""
        return self.item_shape

    def classes(self) -> int | None:
        """As they were."""
        return self.labels

    def build(self) -> Any:
        """Nothing.

        Raises:
            DataError: Always; it says where the data have to come from.
        """
        from allmodes.data import DataError

        raise DataError(f"data: {self.name} came from Python: pass data=... to Experiment")


KINDS: tuple[type[DatasetConfig], ...] = (
    ImageFolderConfig,
    ArraysConfig,
    CsvConfig,
    ParquetConfig,
    PythonConfig,
)
