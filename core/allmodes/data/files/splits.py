"""Which files are trained on and held out, by the names of their folders or their own."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from allmodes.data.base import DataError
from allmodes.data.description import counted
from allmodes.data.files.walk import FolderContents, Item, list_few

Kind: TypeAlias = Literal["train", "test", "validation"]

KINDS: dict[str, Kind] = {
    **dict.fromkeys(("train", "training", "trainset", "trainval", "trn"), "train"),
    **dict.fromkeys(("test", "testing", "testset", "tst", "eval", "evaluation", "holdout", "heldout"), "test"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev"), "validation"),
}
"""Words for files that are trained on and held out, in small letters."""


@dataclass(frozen=True)
class FileSplit:
    """Files to train on and to hold out.

    Attributes:
        train: To train on.
        test: To hold out, or None where names show none.
        held: Name of the place of the latter.
        left_out: Files that are in neither, each with the reason.
        notes: What else may surprise.
    """

    train: list[Item]
    test: list[Item] | None = None
    held: str = ""
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def kind_of(name: str) -> Kind | None:
    """Kind of files that a folder's name shows: one of the usual words in any case, or `split=word`."""
    return KINDS.get(name.rpartition("=")[2].strip().lower())


def split_by_names(found: FolderContents, root: str, any_file: bool = False) -> FileSplit:
    """Divide files by the first level of folders whose names show both kinds, or else by their own names.

    A level has both where its folders are called `train` and `test` (or `training`, `val`, `split=test`, ...), or alike
    but for that word (`seg_train`, `seg_test`); what lies beside them is left out. So have `train_images` and `val`,
    where there are no other folders. One such folder alone is looked through. Names of files show the kind where they
    have the word within (`data_test.parquet`).

    Args:
        found: Files, and folders that may have none.
        root: The folder that holds them.
        any_file: Whether files whose names show nothing are left out beside others; else these show nothing, too.

    Raises:
        DataError: If there are several places to hold out and none to train on, or one of either has no files.
    """
    split = _split(found.items, root, any_file)
    _refuse_empty(found, Path(root))
    return split


def _split(items: Sequence[Item], where: str, any_file: bool) -> FileSplit:
    for depth in range(max((len(item.parts) for item in items), default=0) - 1):
        kinds = _level(items, depth)
        if len(set(kinds.values())) == 1:
            return _split(_without(items, depth), where, any_file)
        if kinds:
            _refuse_no_training(kinds, where)
            return _split_level(items, depth, kinds)
    if not any_file and not all(_kind_in_words(Path(item.parts[-1]).stem) for item in items):
        return FileSplit(list(items))
    kinds = _without_trainval(
        {name: kind for item in items if (kind := _kind_in_words(Path(name := item.parts[-1]).stem))}
    )
    return _split_level(items, -1, kinds) if _has_both(kinds) else FileSplit(list(items))


def _refuse_empty(found: FolderContents, root: Path) -> None:
    """Refuse a folder to train on or to hold out that has no files, beside one that has."""
    holding = found.holding()
    splits = [root.joinpath(*parts) for parts in found.folders if kind_of(parts[-1])]
    beside = {folder.parent for folder in splits if folder in holding}
    for folder in splits:
        if folder not in holding and folder.parent in beside:
            raise DataError(f"data: {folder} has none of the files that are read: add them, or remove it")


def unwrap(items: Sequence[Item], levels: int | None = None) -> tuple[list[Item], int]:
    """Take away outer folders that hold all the others, as archives have them, and count them.

    Args:
        items: Files below a folder.
        levels: How many may be taken away whatever they hold; by default those that hold more than one folder.
    """
    outer, inner = {item.parts[0] for item in items}, {item.parts[1:2] for item in items}
    wraps = len(inner) > 1 if levels is None else levels > 0
    if len(outer) > 1 or not wraps or any(len(item.parts) < 3 for item in items):
        return list(items), 0
    bare, more = unwrap(_without(items, 0), None if levels is None else levels - 1)
    return bare, more + 1


def _level(items: Sequence[Item], depth: int) -> dict[str, Kind]:
    """Kinds that the names of the folders of a level show, if they do."""
    names = {item.parts[depth] for item in items if len(item.parts) > depth + 1}
    exact = _without_trainval({name: kind for name in names if (kind := kind_of(name))})
    for kinds in (exact, _kinds_of_similar(names), _kinds_of_all(names) if exact else {}):
        if _has_both(kinds) and (any("=" in name for name in kinds) or _trains_everywhere(items, depth, kinds)):
            return kinds
    whole = all(len(item.parts) > depth + 1 for item in items)
    return exact if whole and len(exact) == len(names) else {}


def _has_both(kinds: Mapping[str, Kind]) -> bool:
    shown = set(kinds.values())
    return "train" in shown and len(shown) > 1


def _trains_everywhere(items: Sequence[Item], depth: int, kinds: Mapping[str, Kind]) -> bool:
    """Whether each folder above a level has something to train on there."""
    above = {item.parts[:depth] for item in items}
    return above == {item.parts[:depth] for item in items if kinds.get(_folder_at(item, depth)) == "train"}


def _folder_at(item: Item, depth: int) -> str:
    """The folder's name at a level, if it has one; the file's for -1."""
    return item.parts[depth] if depth < len(item.parts) - 1 else ""


def _words(name: str) -> list[str]:
    """The words of a name, as `dataTest_2` and `data-test` have them."""
    return re.findall(r"[^\W\d_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())


def _kind_in_words(name: str) -> Kind | None:
    """Kind that the words of a name show, unless they contradict each other."""
    shown = {KINDS[word] for word in _words(name) if word in KINDS}
    return shown.pop() if len(shown) == 1 else None


def _kinds_of_similar(names: Iterable[str]) -> dict[str, Kind]:
    """Kinds of names that are alike but for the word that shows it, such as `seg_train` and `seg_test`."""
    groups: dict[tuple[str, ...], dict[str, Kind]] = {}
    for name in names:
        if kind := _kind_in_words(name):
            groups.setdefault(tuple(word for word in _words(name) if word not in KINDS), {})[name] = kind
    return {name: kind for group in groups.values() if _has_both(group) for name, kind in group.items()}


def _kinds_of_all(names: Collection[str]) -> dict[str, Kind]:
    """Kinds of names if every one shows its own, such as `train_images` beside `val`."""
    shown = {name: kind for name in names if (kind := _kind_in_words(name))}
    return shown if len(shown) == len(names) else {}


def _without_trainval(kinds: Mapping[str, Kind]) -> dict[str, Kind]:
    """Drop `trainval` beside `train`, whose items it holds once more."""
    both = {name for name in kinds if "trainval" in _words(name)}
    others = any(kind == "train" and name not in both for name, kind in kinds.items())
    return {name: kind for name, kind in kinds.items() if not (others and name in both)}


def _without(items: Iterable[Item], depth: int) -> list[Item]:
    """Items without the name of a level, and without those above it where they are the same for all."""
    above = {item.parts[:depth] for item in items}
    first = depth if len(above) == 1 and not any("=" in name for name in above.copy().pop()) else 0
    return [item._replace(parts=item.parts[first:depth] + item.parts[depth + 1 :]) for item in items]


def _split_level(items: Sequence[Item], depth: int, kinds: Mapping[str, Kind]) -> FileSplit:
    shown = {item: kinds.get(item.parts[-1] if depth < 0 else _folder_at(item, depth)) for item in items}
    held: Kind = "test" if "test" in shown.values() else "validation"
    kept = [item for item, kind in shown.items() if kind in ("train", held)]
    bare = dict(zip(kept, kept if depth < 0 else _without(kept, depth), strict=True))
    train, test = ([bare[item] for item in kept if shown[item] == kind] for kind in ("train", held))
    places = sorted({item.parts[depth] for item in kept if shown[item] == held})
    return FileSplit(train, test, list_few(places), tuple(_left_out(shown, depth, held)))


def _left_out(shown: Mapping[Item, Kind | None], depth: int, held: Kind) -> Iterator[str]:
    """Files that are neither trained on nor held out."""
    whys = {"validation": "the test set is held out", None: "neither to train on nor to hold out"}
    for kind, why in whys.items():
        rest = [item for item, its in shown.items() if its == kind != held]
        if rest:
            places = sorted({item.parts[min(depth, len(item.parts) - 1)] for item in rest})
            yield f"{list_few(places)} ({counted(len(rest), 'file')}: {why})"


def _refuse_no_training(kinds: Mapping[str, Kind], where: str) -> None:
    if "train" not in kinds.values():
        what = f"{' and '.join(sorted(kinds))} to hold out, but no train"
        raise DataError(f"data: {where} has {what}: add what is trained on, or name one of them alone")
