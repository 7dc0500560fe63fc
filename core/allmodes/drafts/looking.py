"""Reading the user's data as a run will, with the settings that their reader asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from pydantic import ValidationError

from allmodes.builtin.config.networks import SIZES
from allmodes.data.base import DataError
from allmodes.data.finite import FiniteData
from allmodes.drafts import labels
from allmodes.drafts.array_names import arrays_of
from allmodes.drafts.writing import inline
from allmodes.registry.builds import build
from allmodes.registry.registry import Registry
from allmodes.specs.source import SpecError
from allmodes.text.printable import printable
from allmodes.text.suggest import did_you_mean
from allmodes_schemas import DatasetConfig

ATTEMPTS = 12
"""Times that data are read, each with a setting that the time before asked for."""
LARGE, USUAL = 64, 32
"""Side in px of the largest images that are learned as they are, and of those that larger ones become."""
FEW, ENOUGH, MOST_HELD = 1000, 100, 0.3
"""Below so many items more than a tenth is held out: so many items, or this share of all."""


@dataclass(frozen=True)
class Look:
    """The user's data as they were read.

    Attributes:
        block: Settings of the data's block.
        why: The reason for each setting but kind and path.
        data: The data.
    """

    block: Mapping[str, Any]
    why: Mapping[str, str]
    data: FiniteData


class Reader:
    """Reads data again and again, until no setting is missing.

    Args:
        block: Kind and path, and settings of the user's.
        registry: The plugins in use.
        say: Told each setting that is added, with its reason.
    """

    def __init__(self, block: Mapping[str, Any], registry: Registry, say: Callable[[str], None]) -> None:
        self.block, self.why, self._say = dict(block), dict[str, str](), say
        self._given, self._kinds = set(block), registry.of(DatasetConfig)

    def look(self) -> Look:
        """Read the data.

        Raises SpecError for settings that the kind does not have, DataError where no setting of ours helps.
        """
        for name, (value, reason) in arrays_of(self.block).items():
            self._set(name, value, reason)
        self._choose_size()
        data = self._read({})
        if (label := labels.find(self.block, lambda name: self._try(self._labelled(name)))) is not None:
            self.block |= self._labelled(label)
            self._set("label", label, f"{label!r} names classes: metrics can say which are missing")
            data = self._read({})
        if share := self._share(data):
            held = f"there are few items: with a tenth held out, metrics would compare with {data.test_items:,} alone"
            self._set("held_out", share, held)
            data = self._read({})
        return Look(self.block, self.why, data)

    def _choose_size(self) -> None:
        """Choose a size for images that are not square, or too large to begin with; others differ, or need none."""
        if "size" in self.block or "size" not in type(self._config({})).model_fields:
            return
        folder = self.block["kind"] == "image_folder"
        data = self._read({"memory": "stream", "workers": 0} if folder else {})  # headers alone are cheap to read
        if "size" in self.block or len(data.shape) != 3:
            return
        _, height, width = data.shape
        if height != width or height not in SIZES or height > LARGE:
            what = f"the images have {width} x {height} px: {_usual_size(min(height, width))} px train on a CPU"
            self._set("size", _usual_size(min(height, width)), f"{what}, and 64 on a GPU; the middle square is taken")

    def _labelled(self, name: str) -> dict[str, Any]:
        """The settings by which a column holds labels: it is not learned, unless the user asked for that."""
        columns = None if "columns" in self._given else self.block.get("columns")
        others = {} if columns is None else {"columns": [column for column in columns if column != name]}
        return {"label": name, **others}

    def _share(self, data: FiniteData) -> float:
        """The share to hold out of few items, 0 for the default."""
        items = data.items + data.test_items
        if data.origin.held_out or items >= FEW or "held_out" in self.block:
            return 0
        return round(min(MOST_HELD, ENOUGH / items), 2)

    def _read(self, more: Mapping[str, Any]) -> FiniteData:
        for _ in range(ATTEMPTS):
            try:
                return self._build(more)
            except DataError as error:
                settings = {name: value for name, value in error.remedy.items() if name not in self._given}
                if "size" in settings:
                    settings["size"] = _usual_size(settings["size"])
                if all(self.block.get(name) == value for name, value in settings.items()):
                    raise
                for name, value in settings.items():
                    self._set(name, value, str(error).removeprefix("data: "))
        return self._build(more)

    def _try(self, more: Mapping[str, Any]) -> FiniteData | None:
        try:
            return self._build(more)
        except DataError:
            return None

    def _build(self, more: Mapping[str, Any]) -> FiniteData:
        from allmodes.data.base import Data

        return cast("FiniteData", build("data", Data, self._config(more)))

    def _config(self, more: Mapping[str, Any]) -> DatasetConfig:
        kind = self._kinds[self.block["kind"]].config
        try:
            return cast("DatasetConfig", kind.model_validate({**self.block, **more}))
        except ValidationError as error:
            first = error.errors()[0]
            where, unknown = ".".join(map(str, ("data", *first["loc"]))), first["type"] == "extra_forbidden"
            near = did_you_mean(str(first["loc"][-1]), list(kind.model_fields))
            what = f"unknown key{near}" if unknown else first["msg"]
            lists = f"`allmodes show {self.block['kind']}` lists them"
            raise SpecError(printable(f"--set {where}: {what}: {lists}")) from None

    def _set(self, name: str, value: Any, reason: str) -> None:
        self.block[name], self.why[name] = value, reason
        self._say(f"data.{name}: {inline(value)}, since {reason}")


def _usual_size(side: int) -> int:
    """A side in px that networks halve to 4, at most that of the images where these are large enough."""
    return next((size for size in (USUAL, 16) if side >= size), SIZES[0])
