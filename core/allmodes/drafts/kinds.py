"""Which kind of data a file, a folder or a pattern of the user's is."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from allmodes.data.description import counted, listed
from allmodes.data.files.image_files import SUFFIXES as IMAGES
from allmodes.data.files.parquet_places import GLOB
from allmodes.data.files.parquet_places import SUFFIXES as PARQUET
from allmodes.runs.run_folder import RunFolder
from allmodes.specs.source import SpecError
from allmodes.system.no_such_file import holds, no_such_file
from allmodes.system.paths import SPECS, at_home
from allmodes.text.printable import printable

TABLES, ARRAYS = (".csv", ".tsv", ".tab", ".txt", ".dat"), (".npz", ".npy")
PACKED = (".gz", ".bz2", ".xz")
"""Endings of compressed files, which are read where they are tables."""
LOOKED = 100_000
"""Entries of a folder, at most, that are looked at."""
READ = "a CSV, Parquet, .npz or .npy file, or a folder of images or Parquet files"
REMEDIES = {
    (".zip", ".tar", ".tgz", ".7z", ".rar"): "an archive: unpack it, and name the folder",
    (".xlsx", ".xls", ".ods"): "a spreadsheet: save the sheet as CSV",
    (".json", ".jsonl", ".feather", ".arrow", ".dta", ".sav"): "not read: convert it to CSV or Parquet",
    (".pkl", ".pickle", ".joblib"): "a pickle, which is never loaded: save numbers as .npy, or a table as Parquet",
    (".pt", ".pth", ".mat", ".h5", ".hdf5"): "not read: save its arrays with numpy.savez",
    IMAGES: "one picture: name the folder that holds all of them",
    SPECS: "a spec already: train it with allmodes run",
}


def block_of(data: str) -> dict[str, str]:
    """The kind of data and its path, as settings of the data's block.

    Raises SpecError where there is no such file, or nothing that is read.
    """
    path = at_home(data)
    if set(GLOB) & set(data) and path.suffix.lower() in PARQUET:
        return {"kind": "parquet", "path": data}
    if holds(path.is_dir):
        return _of_folder(data, path)
    if not holds(path.is_file):
        raise SpecError(no_such_file(data))
    return _of_file(data, path)


def _of_file(data: str, path: Path) -> dict[str, str]:
    endings = [ending.lower() for ending in path.suffixes if ending.lower() not in PACKED]
    ending = endings[-1] if endings else ""
    for kind, those in (("csv", TABLES), ("parquet", PARQUET), ("arrays", ARRAYS)):
        if ending in those:
            return {"kind": kind, "path": data}
    found = next((what for those, what in REMEDIES.items() if ending in those), f"not known by its ending: give {READ}")
    raise SpecError(printable(f"{data}: this is {found}"))


def _of_folder(data: str, path: Path) -> dict[str, str]:
    if holds(RunFolder(path).spec.is_file):
        raise SpecError(
            printable(f"{data}: this is the folder of a run: train its spec again with allmodes run {data}")
        )
    files = list(islice(_files(path), LOOKED))
    images, tables = (sum(file.suffix.lower() in those for file in files) for those in (IMAGES, PARQUET))
    if images and not tables:
        return {"kind": "image_folder", "root": data}
    if tables and not images:
        return {"kind": "parquet", "path": data}
    if images:
        both = f"{counted(images, 'image')} and {counted(tables, 'Parquet file')}"
        raise SpecError(printable(f"{data} holds {both}: name the folder or pattern of one of them"))
    raise SpecError(printable(f"{data} holds {_others(files)}: give {READ}"))


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if not path.name.startswith(".") and holds(path.is_file))


def _others(files: list[Path]) -> str:
    """What a folder holds that is not read as one, such as several CSV files."""
    if not files:
        return "no files"
    names = sorted(file.name for file in files)
    readable = [file.name for file in files if file.suffix.lower() in (*TABLES, *ARRAYS)]
    one = f", of which one can be named ({listed(sorted(readable), 3)})" if readable else f" ({listed(names, 3)})"
    return f"neither images nor Parquet files but {counted(len(files), 'other')}{one}"
