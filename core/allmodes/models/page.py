"""The page `model.json` of a stored model: its form, the digests that reveal damage, and the errors of reading it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Self, TypeAlias

from pydantic import BaseModel, Field, NonNegativeInt, PositiveInt, ValidationError, model_validator

from allmodes.runs import model_page
from allmodes.runs.run_folder import MODEL_PAGE
from allmodes.system import json_pages

Page: TypeAlias = dict[str, Any]

FORMAT = 4
"""The format that is written: in 3 the prior alone had sizes, under `prior`, and not the priors within modules."""
READABLE = (3, 4)
DIGESTED = (".safetensors", ".pt")
"""Endings of the files that decide what a stored model computes."""


class ModelError(ValueError):
    """A stored model or checkpoint that cannot be read."""


class DamagedError(ModelError):
    """A stored model with a missing or changed file; the message names it."""


def write_page(page: Page, folder: Path) -> None:
    """Write the page of the model whose files lie in a folder, with a digest of each file and of the page itself."""
    files = sorted(path for path in folder.iterdir() if path.suffix in DIGESTED)
    digests = {path.name: _file_digest(path) for path in files}
    page = json.loads(json.dumps({"format": FORMAT, **page, "files": digests}))
    (folder / MODEL_PAGE).write_text(json.dumps({**page, "digest": model_page.digest(page)}, indent=1))


def read_page(folder: Path) -> Page:
    """Read the page of a stored model; every file that it names is there.

    Raises ModelError.
    """
    path = folder / MODEL_PAGE
    try:
        page = json_pages.read(path, dict[str, Any])
    except FileNotFoundError:
        if list(folder.glob("*.safetensors")):
            raise DamagedError(f"{path} is missing") from None
        raise ModelError(f"{folder} holds no model: the run has not saved one yet") from None
    except json_pages.PageError as error:
        raise DamagedError(str(error)) from None
    if "digest" in page and page["digest"] != model_page.digest(page):
        raise DamagedError(f"{path} is damaged: it is not what was written (another sha256)")
    _check_format(page, folder)
    page = _renew(page)
    _check_form(page, path)
    if missing := [name for name in page.get("files", ()) if not (folder / name).is_file()]:
        raise DamagedError(f"{folder / missing[0]} is missing")
    return page


def check_digest(path: Path, problem: str = "is damaged: it is not what was written (another sha256)") -> None:
    """Check that a file of a stored model is the one that was written.

    Raises DamagedError with the problem where it is not, or cannot be read.
    """
    try:
        digest = read_page(path.parent).get("files", {}).get(path.name)
        if digest is not None and _file_digest(path) != digest:
            raise DamagedError(f"{path} {problem}")
    except OSError as error:
        raise DamagedError(f"{path} cannot be read ({error.strerror or error})") from None


def find_damage(folder: Path) -> str:
    """The first damaged or missing file of a stored model, as a message; empty where all are as they were written."""
    try:
        for name in read_page(folder).get("files", ()):
            check_digest(folder / name)
    except ModelError as error:
        return str(error)
    return ""


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_format(page: Page, folder: Path) -> None:
    if (version := page.get("format")) not in READABLE:
        readable = f"this version of allmodes reads formats {' and '.join(map(str, READABLE))}"
        raise ModelError(f"{folder} has format {version}; {readable}: it may have been written by a newer one")


def _renew(page: Page) -> Page:
    """A page as the current format has it."""
    return {"priors": {"prior": page.get("prior")}, **page} if page["format"] == 3 else page


def _check_form(page: Page, path: Path) -> None:
    try:
        _PageForm.model_validate(page)
    except ValidationError as error:
        raise DamagedError(f"{path} is damaged ({json_pages.describe_error(error)})") from None


class _LatentForm(BaseModel):
    dim: PositiveInt
    sizes: dict[str, NonNegativeInt]


class _UnitsForm(BaseModel):
    mean: list[float]
    std: list[float]


class _PageForm(BaseModel):
    """The entries that a page must have; others are ignored."""

    iteration: NonNegativeInt | None
    shape: list[PositiveInt] = Field(min_length=1)
    units: _UnitsForm | None
    priors: dict[str, _LatentForm]
    plugins: dict[str, str] = {}
    files: dict[str, str] = {}

    @model_validator(mode="after")
    def _units_fit_shape(self) -> Self:
        if self.units and not len(self.units.mean) == len(self.units.std) == self.shape[0]:
            raise ValueError("units are not those of the shape")
        if "prior" not in self.priors:
            raise ValueError("priors: prior is missing")
        return self
