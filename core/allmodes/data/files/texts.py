"""Text files as people bring them: compressed or not, in UTF-8 or with a mark of its encoding."""

from __future__ import annotations

import bz2
import codecs
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any

from allmodes.data.base import DataError

COMPRESSED: Mapping[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
"""First bytes of compressed files, and what opens them."""
OTHERS: Mapping[bytes, str] = {
    b"PK\x03\x04": "a ZIP archive or a spreadsheet (.xlsx)",
    b"\xd0\xcf\x11\xe0": "a spreadsheet (.xls)",
    b"PAR1": "a Parquet file: give it as data of kind parquet",
    b"\x93NUMPY": "an array of NumPy: give it as data of kind arrays",
}
"""First bytes of files that are not text, and what messages call them."""
MARKS: Mapping[bytes, str] = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Byte-order marks of encodings other than UTF-8."""


@contextmanager
def open_text(path: Path, encoding: str) -> Iterator[IO[str]]:
    """Open a text file with its line ends as they are. `auto` is UTF-8, or the encoding of a byte-order mark.

    Raises:
        DataError: If it cannot be read, or is not text in this encoding.
    """
    try:
        with _open_unpacked(path) as packed, TextIOWrapper(packed, _encoding(path, encoding), newline="") as text:
            yield text
    except UnicodeError:
        raise DataError(f"data: {_find_undecodable(path, encoding)}") from None
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        what = getattr(error, "strerror", None) or f"it is damaged ({error})"
        raise DataError(f"data: {path} cannot be read: {what}") from None


def _open_unpacked(path: Path) -> Any:
    start = _start(path)
    for mark, what in OTHERS.items():
        if start.startswith(mark):
            raise DataError(f"data: {path} is not a CSV but {what}")
    return next((how(path) for mark, how in COMPRESSED.items() if start.startswith(mark)), None) or path.open("rb")


def _encoding(path: Path, encoding: str) -> str:
    if encoding != "auto":
        return encoding
    with _open_unpacked(path) as file:
        start = file.read(4)
    return next((name for mark, name in MARKS.items() if start.startswith(mark)), "utf-8-sig")


def _find_undecodable(path: Path, encoding: str) -> str:
    """Where a file is not text in an encoding."""
    encoding = _encoding(path, encoding)
    remedy = "save it as CSV in UTF-8, or set encoding, such as cp1252 (Windows) or latin-1"
    if encoding == "utf-8-sig":
        with _open_unpacked(path) as file:
            for number, line in enumerate(file, 1):
                try:
                    line.decode("utf-8")
                except UnicodeDecodeError:
                    return f"{path}, line {number} is not text in UTF-8: {remedy}"
    return f"{path} is not text in {encoding.upper().removesuffix('-SIG')}: {remedy}"


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(8)
