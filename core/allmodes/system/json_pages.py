"""Pages of JSON in the folders of runs, whose form is checked since anybody can edit them."""

from __future__ import annotations

import json
from collections.abc import Hashable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

T = TypeVar("T")

LARGEST = 64 << 20
"""Bytes of the largest page that is read; ours have kilobytes."""


class PageError(ValueError):
    """A page that exists and cannot be used; the message names the file and the reason."""


def read(path: Path, form: type[T]) -> T:
    """Read a page and convert it to a type.

    Raises:
        FileNotFoundError: There is no page.
        PageError: It is damaged, of another form, or cannot be read.
    """
    try:
        return parse(_read_bytes(path), form)
    except ValueError as error:
        raise PageError(f"{path} is damaged ({error})") from None
    except FileNotFoundError:
        raise
    except OSError as error:
        raise PageError(f"{path} cannot be read ({error.strerror or error})") from None


def parse(content: bytes, form: type[T]) -> T:
    """Convert JSON to a type. Raises ValueError with the reason, in a few words."""
    try:
        found: T = _adapter(cast(Hashable, form)).validate_python(decode(content))
    except ValidationError as error:
        raise ValueError(describe_error(error)) from None
    return found


def decode(content: bytes) -> Any:
    """Decode JSON. Raises ValueError with the reason, in a few words."""
    try:
        return json.loads(content)
    except json.JSONDecodeError as error:
        raise ValueError(f"no JSON: {error.msg} in line {error.lineno}" if content.strip() else "empty") from None
    except UnicodeDecodeError:
        raise ValueError("no text in UTF-8") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _read_bytes(path: Path) -> bytes:
    if (size := path.stat().st_size) > LARGEST:
        raise ValueError(f"{size} bytes are too many for a page")
    return path.read_bytes()


def describe_error(error: ValidationError) -> str:
    """Describe the first error of a validation, and where it is."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))
    return f"{where}: {first['msg']}" if where else first["msg"]


@lru_cache(maxsize=32)
def _adapter(form: Any) -> TypeAdapter[Any]:
    return TypeAdapter(form)
