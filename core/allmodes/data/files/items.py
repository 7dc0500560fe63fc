"""One item of a data set from Python: the value that is learned, as a tensor, and the label, as a number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from numbers import Real
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from allmodes.data.base import DataError
from allmodes.data.files.image_files import GREY, check_mode

USUAL = ("image", "img", "pixel_values", "x", "pixels", "picture", "images", "input", "inputs", "features", "data")
"""Keys of the value that is learned, in small letters; an item must have one of them only."""
LABELS = ("label", "labels", "y", "target", "targets", "class")
"""Keys of labels, likewise."""
SHOWN = 10
"""Numbers of a label that a message shows."""


@dataclass(frozen=True)
class Keys:
    """Keys of the value that is learned and of the label, for items with keys; None for the usual ones."""

    x: str | None = None
    label: str | None = None

    def unpack(self, item: Any, where: str) -> tuple[Any, Any]:
        """Divide an item into the value that is learned, and its label or None.

        Raises:
            DataError: If it has neither one value, nor two, nor keys that show which.
        """
        named = as_mapping(item)
        if named is not None:
            label = self._label_key(named, where)
            return named[self._x_key(named, label, where)], None if label is None else named[label]
        if not isinstance(item, tuple | list) or _is_vector(item):
            return item, None
        if len(item) not in (1, 2):
            raise DataError(f"data: {where} has {len(item)} parts: give x or (x, y)")
        return item[0], item[1] if len(item) == 2 else None

    def unused(self, item: Any) -> tuple[str, ...]:
        """Keys of an item that are not learned."""
        named = as_mapping(item)
        if named is None:
            return ()
        label = self._label_key(named, "")
        return tuple(str(key) for key in named if key not in (label, self._x_key(named, label, "")))

    def _x_key(self, named: Mapping[Any, Any], label: Any, where: str) -> Any:
        usual = [key for key in named if str(key).lower() in USUAL and key != label]
        usual = usual or [key for key in named if key != label]
        if self.x is None and len(usual) != 1:
            raise DataError(
                f"data: {where} has the keys {_join_keys(named)}: choose the one to learn, {_such(usual or named)}"
            )
        return usual[0] if self.x is None else _present(self.x, named, where)

    def _label_key(self, named: Mapping[Any, Any], where: str) -> Any:
        if self.label is not None:
            return _present(self.label, named, where)
        usual = [key for key in named if str(key).lower() in LABELS and key != self.x]
        if len(usual) > 1:
            raise DataError(f"data: {where} has the keys {_join_keys(named)}: choose the label with label=...")
        return usual[0] if usual else None


def as_mapping(item: Any) -> Mapping[Any, Any] | None:
    """The values of an item by key: of a mapping, a dataclass, or a named tuple that has one of the usual keys."""
    if isinstance(item, Mapping):
        return item
    if is_dataclass(item) and not isinstance(item, type):
        return {field.name: getattr(item, field.name) for field in fields(item)}
    names = [str(name).lower() for name in getattr(item, "_fields", ())]
    has_x = sum(name in USUAL for name in names) == 1
    return dict(zip(item._fields, item, strict=True)) if has_x and not _is_vector(item) else None


def to_tensor(x: Any, where: str) -> Tensor:
    """Convert a tensor, array, image or list of numbers to a tensor on the CPU; images to bytes, grey or RGB, upright.

    Raises:
        DataError: If it is none of them, or has masked values.
    """
    if isinstance(x, Image.Image):
        return torch.from_numpy(_pixels(x, where))
    if isinstance(x, Tensor):
        return x.detach().to_dense().cpu() if x.layout != torch.strided else x.detach().cpu()
    if np.ma.is_masked(x):
        raise DataError(f"data: {where} has masked values: fill them in, or leave the item out")
    try:
        array = np.asarray(x if hasattr(x, "__array__") else _check_numbers(x))
        return torch.from_numpy(array.astype(array.dtype.newbyteorder("="), order="C"))
    except (TypeError, ValueError):
        raise DataError(f"data: {where} is {describe_type(x)}: {FORMS}") from None


FORMS = "give x or (x, y) with x a vector (F,), an image (C, H, W) or a PIL image, and y a whole number"


def describe_type(x: Any) -> str:
    """Type of something that is not an item, for messages."""
    if isinstance(x, Tensor):
        kind = f" of {x.dtype}" if x.is_complex() else ""
        return f"a tensor of shape {tuple(x.shape)}{kind}"
    return f"of type {type(x).__name__}"


def numbers_of(label: Any) -> list[float]:
    """The numbers of a label, such as the one of `7`, `tensor([7])` or `np.int64(7)`; none where it is not a number."""
    if isinstance(label, Tensor):
        label = label.detach().cpu().numpy()
    if isinstance(label, np.ndarray | np.generic):
        return list(label.reshape(-1).tolist()) if label.dtype.kind in "iufb" else []
    if isinstance(label, list | tuple):
        return list(label) if all(isinstance(value, Real) for value in label) else []
    return [label] if isinstance(label, Real) else []  # type: ignore[list-item]


def describe_label(label: Any) -> str:
    """A label as messages show it."""
    numbers = numbers_of(label)
    if not numbers:
        return repr(label)[:100]
    few = ", ".join(f"{number:g}" for number in numbers[:SHOWN])
    return few if len(numbers) == 1 else f"[{few}{', ...' if len(numbers) > SHOWN else ''}]"


def _pixels(image: Image.Image, where: str) -> np.ndarray[Any, Any]:
    check_mode(image, where)
    upright = ImageOps.exif_transpose(image)
    return np.array(upright.convert("L" if image.mode in GREY else "RGB"))


def _check_numbers(x: Any) -> Any:
    """Refuse anything but numbers, or lists of them."""
    if not isinstance(x, Real | list | tuple):
        raise TypeError(type(x))
    return x


def _is_vector(item: Sequence[Any]) -> bool:
    """Whether a tuple or list has two or more numbers, and nothing else."""
    return len(item) > 1 and all(isinstance(value, Real) for value in item)


def _present(key: str, named: Mapping[Any, Any], where: str) -> str:
    if key not in named:
        raise DataError(f"data: {where} has no key {key!r}; it has {_join_keys(named)}")
    return key


def _join_keys(named: Mapping[Any, Any]) -> str:
    return ", ".join(repr(key) for key in named) or "none"


def _such(keys: Any) -> str:
    key = next(iter(keys), "x")
    return f"such as from_dataset(..., x={key!r})"
