"""Which arrays of an .npz file are items, labels, and those that are held out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from allmodes.drafts.labels import USUAL
from allmodes.system.paths import at_home

Shape = tuple[int, ...]
X = ("x_train", "train_x", "train_images", "images", "data", "features", "x", "samples")
LABELS = ("y_train", "train_y", "train_labels", "labels", "label", "targets", "target", "classes", "y", *USUAL)
TEST_X = ("x_test", "test_x", "test_images", "x_val", "val_images")
TEST_LABELS = ("y_test", "test_y", "test_labels", "y_val", "val_labels")


def arrays_of(block: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """The arrays to read, each with the reason, by setting; empty for other data, and where the user named some."""
    if block["kind"] != "arrays" or "x" in block or "labels" in block or not block["path"].lower().endswith(".npz"):
        return {}
    shapes = _shapes(block["path"])
    items = {name: shape for name, shape in shapes.items() if len(shape) > 1}
    x = _first(X, items) or (next(iter(items)) if len(items) == 1 else None)
    if x is None:
        return {}
    found = {} if len(shapes) == 1 else {"x": (x, f"its shape is {shapes[x]}, one item a row")}
    if labels := _labels(LABELS, shapes, x):
        found["labels"] = (labels, f"it has one label for each of the {shapes[x][0]:,} items")
    test = _first(TEST_X, {name: shape for name, shape in items.items() if shape[1:] == shapes[x][1:]})
    if test is None or test == x:
        return found
    found["test_x"] = (test, f"its {shapes[test][0]:,} items are called so: they are not trained on")
    if labels and (of_test := _labels(TEST_LABELS, shapes, test)):
        found["test_labels"] = (of_test, "it labels them")
    return found


def _shapes(path: str) -> dict[str, Shape]:
    """Shapes of the arrays by name; empty where the file cannot be read, which its reader says better."""
    import numpy as np

    try:
        with np.load(at_home(path), allow_pickle=False) as file:
            return {name: file[name].shape for name in file.files}
    except Exception:  # numpy and zipfile raise many types for a damaged file
        return {}


def _first(usual: Iterable[str], names: Iterable[str]) -> str | None:
    """The first of the usual names that is there, in any case."""
    have = {name.lower(): name for name in names}
    return next((have[name] for name in usual if name in have), None)


def _labels(usual: Iterable[str], shapes: Mapping[str, Shape], x: str) -> str | None:
    """The array with a usual name that has a number for each item of another."""
    items = shapes[x][0]
    fits = [name for name, shape in shapes.items() if name != x and shape[:1] == (items,) and len(shape) <= 2]
    return _first(usual, fits)
