"""Data as Python and notebooks show them: in a line, and as HTML with a few items."""

from __future__ import annotations

from contextlib import suppress
from io import BytesIO
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from allmodes.data.description import describe_data
from allmodes.text import curves, html
from allmodes.text.html import Html

if TYPE_CHECKING:
    from allmodes.data.base import Data

POINTS, IMAGES = 300, 12
"""Items of a preview: points in a plane, or images in a row."""
TALL = 48
"""Least height of a previewed image in pixels; smaller ones are enlarged by a whole number."""


def data_text(data: Data) -> str:
    """Describe data in a line: `MixtureData(drawn without end; vectors of 2 numbers; ...)`."""
    return f"{type(data).__name__}({'; '.join(_facts(data))})"


def data_html(data: Data) -> Html:
    """Say what the data are, beside a few training items."""
    lines = html.block(*map(html.line, _facts(data)))
    return html.block(html.heading(type(data).__name__), html.beside(lines, _preview(data)))


def _facts(data: Data) -> list[str]:
    """What the data are; of a stranger's that lack what is described, nothing."""
    name = type(data).__name__
    with suppress(Exception):  # a debugger asks for a description, too
        line = describe_data(data, name).removeprefix("data: ").removeprefix(f"{name}: ")
        return [*line.split("; "), *_identity(data)]
    return []


def _identity(data: Data) -> list[str]:
    modes = [] if data.truth is None else [f"{len(data.truth.weights):,} known modes"]
    return [*modes, f"fingerprint {data.fingerprint}", f"on {data.device}"]


def _preview(data: Data) -> Html:
    """A few items as points or images; of any other shape, or where drawing them fails, nothing."""
    with suppress(Exception):  # a description is no place to fail
        if data.shape == (2,):
            return _points(_draw(data, POINTS))
        if len(data.shape) == 3 and data.shape[0] in (1, 3):
            return html.picture(_strip(_draw(data, IMAGES)), "training items", 720)
    return Html("")


def _draw(data: Data, n: int) -> Tensor:
    return data.draw(n, torch.Generator(data.device).manual_seed(0)).x.detach().float().cpu()


def _points(x: Tensor) -> Html:
    return curves.scatter("training items", [(float(a), float(b)) for a, b in x.tolist()])


def _strip(x: Tensor) -> bytes:
    """Images (n, C, H, W) in [-1, 1] beside each other, as a PNG."""
    from PIL import Image

    pixels = ((x.clamp(-1, 1) + 1) * 127.5).round().byte().permute(2, 0, 3, 1).flatten(1, 2)  # (H, n W, C)
    image = Image.fromarray(pixels.squeeze(-1).numpy())
    times = max(1, TALL // image.height)
    buffer = BytesIO()
    image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST).save(buffer, "png")
    return buffer.getvalue()
