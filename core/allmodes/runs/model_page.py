"""The page `model.json` of a stored model: its digest, and a copy of a model without the trainer's state."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from allmodes.runs.run_folder import MODEL_PAGE, STATE
from allmodes.system import json_pages


def digest(page: Mapping[str, Any]) -> str:
    """A digest of everything that decides what the model computes, which the plugins' versions do not."""
    content = {key: value for key, value in page.items() if key not in ("digest", "format", "plugins")}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def read(folder: Path) -> dict[str, Any]:
    """Read the page of a stored model.

    Raises FileNotFoundError where there is none, PageError where it is damaged.
    """
    page = json_pages.read(folder / MODEL_PAGE, dict[str, Any])
    if "digest" in page and page["digest"] != digest(page):
        raise json_pages.PageError(f"{folder / MODEL_PAGE} is damaged: it is not what was written (another sha256)")
    return page


def copy_model(stored: Path, to: Path) -> None:
    """Copy a stored model to a new folder, that of a checkpoint without the trainer's state.

    Raises FileNotFoundError where it is gone, PageError where it is a checkpoint whose page is damaged.
    """
    shutil.copytree(stored, to, ignore=shutil.ignore_patterns(STATE))
    if (stored / STATE).exists():
        page = read(stored)
        page.get("files", {}).pop(STATE, None)
        (to / MODEL_PAGE).write_text(json.dumps(page | {"digest": digest(page)}, indent=1))
