"""Ways between latents as a file: images in a grid, points as ways over the data, a moving picture, or arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from math import ceil, sqrt
from pathlib import Path

import torch
from torch import Tensor

from allmodes.data import DataError, TensorData
from allmodes.experiments.frames import MOVING, check_moving, encode_frames, read_frames
from allmodes.figures.files import render
from allmodes.figures.images import CELL, join
from allmodes.figures.points import Plane, plane_of
from allmodes.figures.style import new_figure
from allmodes.models.latents import Way
from allmodes.models.trained import Model
from allmodes.registry.given import AbsentError
from allmodes.specs.source import SpecError
from allmodes.system.durable import replace
from allmodes.system.paths import near, place
from allmodes.system.torch_settings import plain_torch

ENDINGS = (".png", *MOVING, ".npz")
PAIRS, STEPS = 64, 120
"""Ways in a file, and items on each, at most."""
PIXELS = 40_000_000
"""Pixels of a picture at most."""
MILLISECONDS = 160
"""How long a frame of a moving picture is shown."""
BEHIND = 1000
"""Samples that are drawn behind the ways where the data cannot be read."""


@dataclass
class Interpolation:
    """Ways between latents of a model that were drawn from a seed.

    Attributes:
        z: The latents (pairs, steps, dim).
        items: What is generated from them (pairs, steps, *shape); vectors standardised.
        how: The form of the ways.
        missing: Why the data are not drawn behind the ways, if they should be and are not.
    """

    model: Model
    z: Tensor
    items: Tensor
    how: Way
    missing: str = field(default="", init=False)

    @plain_torch()
    def write(self, to: str | Path) -> Path:
        """Write them to a new file: `.npz`, `.png`, or `.gif`, `.webp` and `.mp4` with a frame for each step.

        An npz has the arrays `samples` (pairs, steps, *shape) in the units of the data, and `latents` (pairs, steps,
        dim). Images stand in a grid, a row for each way; points are joined to lines over the data.

        Raises SpecError where the file exists, has another ending, would have more than 40 million pixels, or is an MP4
        and the system's ffmpeg is missing or fails.
        """
        file = check_file(to)
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".npz":
            return replace(file, self._arrays())
        draw = self._draw_images if len(self.model.shape) == 3 else self._point_drawer()
        if file.suffix == ".png":
            return replace(file, draw(self.items))
        frames = read_frames(BytesIO(draw(self.items, step)) for step in range(self.items.shape[1]))
        return replace(file, encode_frames(list(frames), file.suffix, MILLISECONDS))

    def _arrays(self) -> bytes:
        import numpy as np

        items, units, file = self.items, self.model.units, BytesIO()
        samples = units.round(units.restore(items.flatten(0, 1))).reshape(items.shape) if units else items
        np.savez_compressed(file, samples=samples.numpy(), latents=self.z.numpy())
        return file.getvalue()

    def _draw_images(self, items: Tensor, step: int | None = None) -> bytes:
        """Draw all images, a row for each way, or those of one step side by side."""
        from PIL import Image

        pairs, steps = items.shape[:2]
        rows, columns = (pairs, steps) if step is None else (ceil(pairs / ceil(sqrt(pairs))), ceil(sqrt(pairs)))
        shown, size = items.flatten(0, 1) if step is None else items[:, step], items.shape[-1]
        zoom = max(1, ceil(CELL / size))
        if (pixels := rows * columns * (zoom * size) ** 2) > PIXELS:
            raise SpecError(f"the picture would have {pixels:,} pixels: take fewer pairs or steps, or write an .npz")
        file = BytesIO()
        Image.fromarray(join(shown, rows, columns, zoom)).save(file, "PNG")
        return file.getvalue()

    def _point_drawer(self) -> Callable[..., bytes]:
        plane, behind = self._plane()

        def draw(items: Tensor, step: int | None = None) -> bytes:
            figure = new_figure()
            plane.draw_paths(figure.add_subplot(), items if step is None else items[:, : step + 1], behind)
            return render(figure, "png")

        return draw

    def _plane(self) -> tuple[Plane, str]:
        """The plane of the data and what they are called, or, where they cannot be read, of the model's samples."""
        try:
            data = self.model.spec.data.build()
            if tuple(data.shape) == tuple(self.model.shape):
                return plane_of(data), "real"
            self.missing = f"its data have shape {tuple(data.shape)} now"
        except (DataError, AbsentError, SpecError, OSError) as error:
            self.missing = f"its data cannot be read ({error})"
        return plane_of(TensorData(self.model.draw(BEHIND))), "samples of the model"


def check_file(to: str | Path) -> Path:
    """The file for ways between latents. Raises SpecError where it exists or has another ending."""
    file = place(to)
    if file.suffix not in ENDINGS:
        raise SpecError(f"--out {near(file)}: the file must end in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}")
    if file.exists():
        raise SpecError(f"--out {near(file)}: already exists, and nothing is overwritten: choose another")
    check_moving(file.suffix)
    return file


def check_size(pairs: int, steps: int) -> None:
    """Raise SpecError where there are too few or too many pairs of latents, or steps between them."""
    if not 1 <= pairs <= PAIRS:
        raise SpecError(f"--pairs {pairs}: from 1 to {PAIRS} pairs of latents")
    if not 2 <= steps <= STEPS:
        raise SpecError(f"--steps {steps}: from 2 to {STEPS} items on each way, both ends included")


@plain_torch()
def interpolate_pairs(
    model: Model, pairs: int = 4, steps: int = 9, seed: int = 0, how: Way | None = None
) -> Interpolation:
    """Draw pairs of latents from a seed, and generate the items on the ways between the two of each."""
    check_size(pairs, steps)
    ends = model.latent(2 * pairs, seed).z
    z = model.path(ends[:pairs], ends[pairs:], steps, how)
    items = model.make(z.flatten(0, 1))
    return Interpolation(model, z, torch.unflatten(items, 0, (pairs, steps)), how or model.way)
