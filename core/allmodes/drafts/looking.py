"""Reading the user's data as a run will, with the settings that their reader asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from pydantic import ValidationError

from allmodes.builtin.config.networks import SIZES
from allmodes.data.base import DataError
from allmodes.data.description import listed
from allmodes.data.finite import FiniteData
from allmodes.drafts import labels
from allmodes.drafts.array_names import arrays_of
from allmodes.drafts.glimpse import Glimpse, glimpse
from allmodes.drafts.writing import inline
from allmodes.registry.builds import build
from allmodes.registry.registry import Registry
from allmodes.specs.source import SpecError
from allmodes.text.printable import printable
from allmodes.text.suggest import did_you_mean
from allmodes_schemas import DatasetConfig

NOT_SET = ("kind", "path", "root")
"""What is no setting of the user's, but the data themselves."""
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

    @property
    def settings(self) -> list[str]:
        """The options of the data's kind that can be set."""
        return [name for name in self._kinds[self.block["kind"]].config.model_fields if name not in NOT_SET]

    def look(self) -> Look:
        """Read the data.

        Raises SpecError for settings that the kind does not have, DataError where no setting of ours helps.
        """
        for name, (value, reason) in arrays_of(self.block).items():
            self._set(name, value, reason)
        self._choose_size()
        data = self._read({})
        table = glimpse(self.block)
        if (numbers := self._columns_to_learn(data, table)) is not None:
            self._set("columns", *numbers)
            data = self._read({})
        if self._find_label(table):
            data = self._read({})
        if share := self._share(data):
            held = f"there are few items: with a tenth held out, metrics would compare with {data.test_items:,} alone"
            self._set("held_out", share, held)
            data = self._read({})
        self._name_left_out(data, table)
        return Look(self.block, self.why, data)

    def _columns_to_learn(self, data: FiniteData, table: Glimpse) -> tuple[list[str], str] | None:
        """The columns without those that count the rows, and why; None where there are none of these."""
        learned = data.units.columns if data.units else ()
        counting = [name for name in learned if table.counts_rows(name)]
        if not counting or len(counting) == len(learned) or "columns" in self._given:
            return None
        each = listed([repr(name) for name in counting], len(counting))
        why = f"{each} only {'counts' if len(counting) == 1 else 'count'} the rows, so there is nothing to learn"
        return [name for name in learned if name not in counting], why

    def _find_label(self, table: Glimpse) -> bool:
        """Set the column of labels where there is one; of several, name them."""
        found = list(labels.candidates(self.block, table, lambda name: self._try(self._labelled(name))))
        if len(found) == 1:
            (label,) = found
            self.block |= self._labelled(label.name)
            self._set("label", label.name, f"{label.why}: metrics can say which are missing")
        elif found:
            each = " and ".join(f"{one.name!r} ({one.classes})" for one in found)
            self._say(f"no labels are read: {each} may name classes: choose with --set data.label={found[0].name}")
        return len(found) == 1

    def _name_left_out(self, data: FiniteData, table: Glimpse) -> None:
        """Name what is no number among the columns that are not learned, where columns were chosen here."""
        if "columns" in self._given or "columns" not in self.block:
            return
        others = [name for name in table.names if name not in (*self.block["columns"], self.block.get("label"))]
        left_out = tuple(filter(None, map(table.describe, others)))
        data.origin = replace(data.origin, left_out=(*left_out, *data.origin.left_out))

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
        before = self.why.get(name)  # columns may be left out for several reasons
        self.block[name], self.why[name] = value, f"{before}; and {reason}" if before else reason
        self._say(f"data.{name}: {inline(value)}, since {reason}")


def _usual_size(side: int) -> int:
    """A side in px that networks halve to 4, at most that of the images where these are large enough."""
    return next((size for size in (USUAL, 16) if side >= size), SIZES[0])
