"""Pictures in the form of MLflow's UI: a PNG and a small copy, named by key, step and time."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

from allmodes.tracking.events import Figure

SMALL = 256  # pixels of the longer side


class DamagedError(Exception):
    """A picture that cannot be read; the message names it."""


@contextlib.contextmanager
def named_for_slider(event: Figure, run_id: str, path: Path) -> Iterator[Path]:
    """Yield a folder with the picture under the name that MLflow's slider over steps looks for.

    MLflow's own `log_image` draws a random number for the name, so that a picture sent again would show twice.
    """
    number = uuid.uuid5(uuid.NAMESPACE_URL, f"{run_id}/{event.key}/{event.iteration}/{event.time}")
    key = event.key.replace("/", "~")
    name = f"{key}+step+{event.iteration}+timestamp+{event.time}+{number}"
    with tempfile.TemporaryDirectory(prefix="allmodes-") as folder:
        _shrink(path, Path(folder) / f"{name}+compressed.webp")
        shutil.copyfile(path, Path(folder) / f"{name}.png")
        yield Path(folder)


def _shrink(path: Path, to: Path) -> None:
    from PIL import Image

    try:
        with Image.open(path) as file:
            image = file.convert("RGBA")
    except Exception as error:  # damaged files raise many kinds
        raise DamagedError(f"{path} is left out, since it cannot be read as a PNG") from error
    image.thumbnail((SMALL, SMALL))
    image.save(to)
