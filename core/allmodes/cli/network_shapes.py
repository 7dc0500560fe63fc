"""The shapes that plain networks of a file take and give, found by one import of it in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

Shapes: TypeAlias = dict[str, tuple[tuple[int, ...], tuple[int, ...]]]
"""By class, the shape that it takes and the one that it gives."""
SIDES = (8, 16, 28, 32, 64, 128)
LIMIT = 120.0
"""Seconds that the import and all trial passes may take."""
MARK = "shapes: "


def find_shapes(path: Path, names: Sequence[str]) -> tuple[Shapes, str]:
    """The shapes of classes that take one tensor, and what went wrong, if anything did; others are left out."""
    command = [sys.executable, "-m", __name__, str(path), *names]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT)  # noqa: S603
    except subprocess.TimeoutExpired:
        return {}, f"importing {path} takes longer than {LIMIT:.0f} s"
    answer = [line for line in done.stdout.splitlines() if line.startswith(MARK)]
    if done.returncode or not answer:
        return {}, f"importing {path} fails: {(done.stderr.strip().splitlines() or ['it ended'])[-1]}"
    found = json.loads(answer[-1].removeprefix(MARK))
    return {name: (tuple(sees), tuple(gives)) for name, (sees, gives) in found.items()}, ""


def main(path: str, *names: str) -> None:
    """Import the file and print the shapes of its classes as JSON."""
    import runpy

    classes = runpy.run_path(path, run_name="allmodes_new_plugin")
    found = {name: shapes for name in names if (shapes := _shapes_of(classes[name])) is not None}
    print(f"{MARK}{json.dumps(found)}")


def _shapes_of(make: Any) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """The first shape that a module takes, and what it gives for it."""
    import torch

    try:
        module = make().eval()
    except Exception:  # its tests will say so
        return None
    for sees in _candidates(module):
        try:
            with torch.no_grad():
                output = module(torch.randn(2, *sees))
        except Exception:  # noqa: S112  another shape may do
            continue
        if (isinstance(output, tuple | list) and len(output) == 2) or output.shape == (2,):
            return sees, (1,)
        return sees, tuple(output.shape[1:])
    return None


def _candidates(module: Any) -> Iterator[tuple[int, ...]]:
    """Shapes that the first layer with weights may take."""
    from torch import nn

    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Bilinear):
            size = layer.in_features if isinstance(layer, nn.Linear) else layer.in1_features
            yield (size,)
            yield from ((c, s, s) for s in SIDES for c in (1, 3) if c * s * s == size)
            return
        if isinstance(layer, nn.modules.conv._ConvNd):
            yield (layer.in_channels,)
            yield from ((layer.in_channels, side, side) for side in SIDES)
            return
    yield (2,)


if __name__ == "__main__":
    main(*sys.argv[1:])
