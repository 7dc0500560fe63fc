"""Writing samples to files: arrays, tables, a picture, or a folder of pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path

from torch import Tensor

from allmodes.models.trained import Model
from allmodes.specs.source import SpecError


def check(to: Path) -> None:
    """Check the file or folder for samples, before anything is drawn.

    Raises SpecError for an unknown ending, a file that exists and a folder that is not empty.
    """
    if to.suffix not in _WRITERS:
        endings = ", ".join(filter(None, _WRITERS))
        raise SpecError(f"--out {to}: the file must end in {endings}; without an ending it is a folder of pictures")
    if not to.suffix and to.is_dir() and any(to.iterdir()):
        raise SpecError(f"--out {to}: the folder is not empty, and nothing is overwritten: choose another")
    if to.suffix and to.exists():
        raise SpecError(f"--out {to}: already exists, and nothing is overwritten: choose another")


def free_file(file: Path) -> Path:
    """Return the file, or, if it exists, the first of its name with a number that does not: `samples-2.npz`."""
    numbered = (file.with_stem(f"{file.stem}-{number}") for number in count(2))
    return file if not file.exists() else next(path for path in numbered if not path.exists())


def write(model: Model, samples: Tensor, to: Path) -> None:
    """Write samples (N, *shape) in the format of the file's ending; makes the folders on its path."""
    to.parent.mkdir(parents=True, exist_ok=True)
    _WRITERS[to.suffix](model, samples, to)


def _write_npz(model: Model, samples: Tensor, to: Path) -> None:
    import numpy as np

    np.savez_compressed(to, samples=_round(model, samples).numpy(), columns=np.array(_columns(model), dtype=str))


def _write_csv(model: Model, samples: Tensor, to: Path) -> None:
    """Write numbers as the shortest text that is read back as the same."""
    import csv

    names, whole = _columns(model), _whole(model, samples)
    with to.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerows([names] if names else [])
        for row in _round(model, samples).flatten(1).numpy():
            writer.writerow([int(value) if exact else value for value, exact in zip(row, whole, strict=True)])


def _write_parquet(model: Model, samples: Tensor, to: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = _round(model, samples).flatten(1).numpy().T
    names = _columns(model) or tuple(str(i) for i in range(1, len(columns) + 1))
    whole = _whole(model, samples)
    arrays = [column.astype("int64") if exact else column for column, exact in zip(columns, whole, strict=True)]
    pq.write_table(pa.table(dict(zip(names, map(pa.array, arrays), strict=True))), to)


def _columns(model: Model) -> tuple[str, ...]:
    return model.units.columns if model.units else ()


def _whole(model: Model, samples: Tensor) -> tuple[bool, ...]:
    """Return which columns hold whole numbers in the data."""
    return (model.units.whole if model.units else ()) or (False,) * samples[0].numel()


def _round(model: Model, samples: Tensor) -> Tensor:
    return model.units.round(samples) if model.units else samples


def _write_png(model: Model, samples: Tensor, to: Path) -> None:
    from allmodes.data import TensorData
    from allmodes.figures.draw import draw_samples

    items = model.units.standardise(samples) if model.units else samples
    draw_samples(items, TensorData(items), to, beside=False)


def _write_images(model: Model, samples: Tensor, to: Path) -> None:
    """Write a PNG for each image, named by its number."""
    from PIL import Image

    if len(model.shape) != 3 or model.shape[0] not in (1, 3):
        raise SpecError(f"--out {to}: a folder takes pictures, but these samples have shape {model.shape}: use .npz")
    to.mkdir(exist_ok=True)
    pixels = ((samples.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    for i, image in enumerate(pixels):
        Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image).save(to / f"{i:06d}.png")


_WRITERS: Mapping[str, Callable[[Model, Tensor, Path], None]] = {
    ".npz": _write_npz,
    ".csv": _write_csv,
    ".parquet": _write_parquet,
    ".png": _write_png,
    "": _write_images,
}
