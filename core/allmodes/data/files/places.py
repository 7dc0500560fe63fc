"""Files in folders: which are read, what is left out and why, and which are held out by the name of their place."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from allmodes.data.base import DataError
from allmodes.data.description import counted, listed
from allmodes.runs.run_folder import SIGNATURES

Kind: TypeAlias = Literal["train", "test", "validation"]
Identity: TypeAlias = tuple[int, int]
"""Device and inode: two paths of one file or folder have the same."""

KINDS: dict[str, Kind] = {
    **dict.fromkeys(("train", "training", "trainset", "trainval", "trn"), "train"),
    **dict.fromkeys(("test", "testing", "testset", "tst", "eval", "evaluation", "holdout", "heldout"), "test"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev"), "validation"),
}
"""Names of what is trained on and held out, in small letters."""
SYSTEM = frozenset(
    {
        *("@eadir", "@recycle", "@recently-snapshot", "#recycle", "#snapshot", "$recycle.bin"),
        *("system volume information", "lost+found", "thumbs.db", "desktop.ini", "mlruns", "mlartifacts"),
    }
)
"""What systems put beside the files of people, in small letters."""
RUN = (*SIGNATURES, {"study.json"})
"""Files of which a folder of our own has all of one group: its pictures are no data."""
NAMED = 3
"""How many of those that are left out are named."""


class Item(NamedTuple):
    """A file.

    Attributes:
        path: Where it is.
        parts: Names of the folders below the root that tell what it is, and its own.
    """

    path: Path
    parts: tuple[str, ...]


@dataclass
class Found:
    """What a folder holds.

    Attributes:
        items: The files, in the order of their names.
        folders: The folders below it, by the names that lead to them.
        left_out: What is there but not read, each with the reason.
        notes: What else may surprise.
        linked: Whether a link leads to some of it.
    """

    items: list[Item] = field(default_factory=list)
    folders: list[tuple[str, ...]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    linked: bool = False

    def holding(self) -> set[Path]:
        """The folders that have files, at any depth."""
        places = {item.path.parent for item in self.items}
        return {folder for place in places for folder in (place, *place.parents)}


@dataclass(frozen=True)
class Halves:
    """Files to train on and to hold out.

    Attributes:
        train: To train on.
        test: To hold out, or None where names tell none.
        held: What the place of the latter is called.
        left_out: What is in neither, each with the reason.
    """

    train: list[Item]
    test: list[Item] | None = None
    held: str = ""
    left_out: tuple[str, ...] = ()


def walk(root: Path, suffixes: Collection[str]) -> Found:
    """The files of a folder at any depth whose names end so, without what is hidden or a system's own.

    Linked folders are followed, each once below the same folder, and never back to one that holds them.

    Raises:
        DataError: If a folder cannot be read.
    """
    return _Walk(root, suffixes).found


def is_private(name: str, folder: bool) -> bool:
    """Whether a name is hidden or a system's own: copies, caches and the like, which are nobody's data."""
    return name.startswith((".", "_") if folder else ".") or name.lower() in SYSTEM


def named(names: Sequence[str]) -> str:
    """A few names, and how many more there are."""
    return listed(names, NAMED)


class _Folder(NamedTuple):
    path: Path
    parts: tuple[str, ...]
    above: frozenset[Identity]


class _Walk:
    """One pass over a folder."""

    def __init__(self, root: Path, suffixes: Collection[str]) -> None:
        self.root, self.real, self.suffixes, self.found = root, root.resolve(), suffixes, Found()
        self.private, self.dangling, self.back, self.out = list[str](), list[str](), list[str](), list[str]()
        self.runs = list[Path]()
        self.others = Counter[str]()
        self.entered = set[tuple[tuple[str, ...], Identity]]()
        self.todo = [_Folder(root, (), frozenset())]
        while self.todo:
            self._enter(self.todo.pop())
        self.found.items.sort(key=lambda item: item.parts)
        self._forget_runs()
        self._tell()

    def _enter(self, folder: _Folder) -> None:
        me = _identity(folder.path)
        if me in folder.above:
            self.back.append(str(folder.path))
            return
        if me is None or (folder.parts[:2], me) in self.entered:
            return
        self.entered.add((folder.parts[:2], me))
        entries = _entries(folder.path)
        if folder.parts and _is_run({entry.name for entry in entries}):
            self.runs.append(folder.path)
            return
        self.found.folders += [folder.parts] if folder.parts else []
        for entry in entries:
            self._look(entry, folder._replace(above=folder.above | {me}))

    def _forget_runs(self) -> None:
        """Take folders that hold nothing but runs for no folders of data."""
        above = {folder for run in self.runs for folder in run.parents} - self.found.holding()
        self.found.folders = [parts for parts in self.found.folders if self.root.joinpath(*parts) not in above]

    def _look(self, entry: os.DirEntry[str], within: _Folder) -> None:
        path, parts = within.path / entry.name, (*within.parts, entry.name)
        is_folder = _is_folder(entry)
        if is_private(entry.name, is_folder):
            self.private += [str(path)] if is_folder or self._wanted(entry.name) else []
        elif entry.is_symlink() and _identity(path) is None:
            self.dangling.append(str(path))
        else:
            if entry.is_symlink():
                self._follow(path)
            self._take(path, parts, within, is_folder)

    def _follow(self, link: Path) -> None:
        self.found.linked = True
        self.out += [str(link)] if self._leads_out(link) else []

    def _take(self, path: Path, parts: tuple[str, ...], within: _Folder, is_folder: bool) -> None:
        if is_folder:
            self.todo.append(_Folder(path, parts, within.above))
        elif self._wanted(path.name) and path.is_file():
            self.found.items.append(Item(path, parts))
        else:
            self.others[path.suffix.lower() or "no suffix"] += 1

    def _wanted(self, name: str) -> bool:
        return os.path.splitext(name)[1].lower() in self.suffixes  # noqa: PTH122 - many times faster than a path

    def _leads_out(self, path: Path) -> bool:
        return not path.resolve().is_relative_to(self.real)

    def _tell(self) -> None:
        told = (
            (self.private, "hidden, or a system's own"),
            ([str(run) for run in self.runs], "a folder of runs"),
            (self.dangling, "a link that leads nowhere"),
            (self.back, "a link back to a folder that holds it"),
        )
        self.found.left_out += [f"{named(sorted(paths))} ({why})" for paths, why in told if paths]
        if self.others:
            most = sorted(self.others, key=lambda kind: (-self.others[kind], kind))
            kinds = named([f"{kind} {self.others[kind]}" for kind in most])
            self.found.left_out.append(f"{counted(self.others.total(), 'file')} of other kinds ({kinds})")
        if self.out:
            self.found.notes.append(f"links out of {self.root} are followed: {named(sorted(self.out))}")


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise DataError(f"data: {folder} cannot be read: {error.strerror}") from None


def _is_run(names: set[str]) -> bool:
    return any(group <= names for group in RUN)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _identity(path: Path) -> Identity | None:
    """What is the same for two paths of one file; None where there is nothing behind a path."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


# Splits


def kind_of(name: str) -> Kind | None:
    """What a folder's name says of those in it: one of the usual words in any case, or `split=word`."""
    return KINDS.get(name.rpartition("=")[2].strip().lower())


def divided(found: Found, root: str, any_file: bool = False) -> Halves:
    """Files to train on and to hold out, as the first level of folders tells that has both, or else their own names.

    A level has both where its folders are called `train` and `test` (or `training`, `val`, `split=test`, ...), or alike
    but for that word (`seg_train`, `seg_test`); what lies beside them is left out. So have `train_images` and `val`,
    where there are no other folders. One such folder alone is looked through. Names of files tell them apart where they
    have the word within (`data_test.parquet`).

    Args:
        found: Files, and folders that may have none.
        root: The folder that holds them.
        any_file: Whether files whose names tell nothing are left out beside others; else these tell nothing, too.

    Raises:
        DataError: If there are several places to hold out and none to train on, or one of either has no files.
    """
    halves = _divided(found.items, root, any_file)
    _refuse_empty(found, Path(root))
    return halves


def _divided(items: Sequence[Item], where: str, any_file: bool) -> Halves:
    for depth in range(max((len(item.parts) for item in items), default=0) - 1):
        kinds = _level(items, depth)
        if len(set(kinds.values())) == 1:
            return _divided(_without(items, depth), where, any_file)
        if kinds:
            _refuse_no_training(kinds, where)
            return _halved(items, depth, kinds)
    if not any_file and not all(_spoken(Path(item.parts[-1]).stem) for item in items):
        return Halves(list(items))
    kinds = _each_once({name: kind for item in items if (kind := _spoken(Path(name := item.parts[-1]).stem))})
    return _halved(items, -1, kinds) if _has_both(kinds) else Halves(list(items))


def _refuse_empty(found: Found, root: Path) -> None:
    """Refuse a folder to train on or to hold out that has no files, beside one that has."""
    holding = found.holding()
    splits = [root.joinpath(*parts) for parts in found.folders if kind_of(parts[-1])]
    beside = {folder.parent for folder in splits if folder in holding}
    for folder in splits:
        if folder not in holding and folder.parent in beside:
            raise DataError(f"data: {folder} has none of the files that are read: add them, or remove it")


def unwrapped(items: Sequence[Item], levels: int | None = None) -> tuple[list[Item], int]:
    """Without outer folders that hold all the others, as archives have them, and how many were taken away.

    Args:
        items: Files below a folder.
        levels: How many may be taken away whatever they hold; by default those that hold more than one folder.
    """
    outer, inner = {item.parts[0] for item in items}, {item.parts[1:2] for item in items}
    wraps = len(inner) > 1 if levels is None else levels > 0
    if len(outer) > 1 or not wraps or any(len(item.parts) < 3 for item in items):
        return list(items), 0
    bare, more = unwrapped(_without(items, 0), None if levels is None else levels - 1)
    return bare, more + 1


def once(items: Sequence[Item], group: Callable[[Item], Hashable]) -> tuple[list[Item], list[Item]]:
    """The files of which a group has each once, its own before linked ones, and those that are left out."""
    seen, kept, again = set[Hashable](), list[Item](), list[Item]()
    folders = {folder: folder.resolve() != folder.absolute() for folder in {item.path.parent for item in items}}
    for item in sorted(items, key=lambda item: (folders[item.path.parent] or item.path.is_symlink(), item.parts)):
        which = group(item), _identity(item.path)
        (again if which in seen else kept).append(item)
        seen.add(which)
    return sorted(kept, key=lambda item: item.parts), again


def common(items: Iterable[Item], others: Iterable[Item]) -> list[Item]:
    """Those of the items that are files of the others, too."""
    known = {_identity(item.path) for item in others}
    return [item for item in items if _identity(item.path) in known]


def _level(items: Sequence[Item], depth: int) -> dict[str, Kind]:
    """What the names of the folders of a level tell, if they do."""
    names = {item.parts[depth] for item in items if len(item.parts) > depth + 1}
    exact = _each_once({name: kind for name in names if (kind := kind_of(name))})
    for kinds in (exact, _alike(names), _all_told(names) if exact else {}):
        if _has_both(kinds) and (any("=" in name for name in kinds) or _everywhere(items, depth, kinds)):
            return kinds
    whole = all(len(item.parts) > depth + 1 for item in items)
    return exact if whole and len(exact) == len(names) else {}


def _has_both(kinds: Mapping[str, Kind]) -> bool:
    told = set(kinds.values())
    return "train" in told and len(told) > 1


def _everywhere(items: Sequence[Item], depth: int, kinds: Mapping[str, Kind]) -> bool:
    """Whether each folder above a level has something to train on there."""
    above = {item.parts[:depth] for item in items}
    return above == {item.parts[:depth] for item in items if kinds.get(_at(item, depth)) == "train"}


def _at(item: Item, depth: int) -> str:
    """The folder's name at a level, if it has one; the file's for -1."""
    return item.parts[depth] if depth < len(item.parts) - 1 else ""


def _words(name: str) -> list[str]:
    """The words of a name, as `dataTest_2` and `data-test` have them."""
    return re.findall(r"[^\W\d_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())


def _spoken(name: str) -> Kind | None:
    """What the words of a name tell, unless they contradict each other."""
    told = {KINDS[word] for word in _words(name) if word in KINDS}
    return told.pop() if len(told) == 1 else None


def _alike(names: Iterable[str]) -> dict[str, Kind]:
    """What names tell that are alike but for the word that tells it, such as `seg_train` and `seg_test`."""
    groups: dict[tuple[str, ...], dict[str, Kind]] = {}
    for name in names:
        if kind := _spoken(name):
            groups.setdefault(tuple(word for word in _words(name) if word not in KINDS), {})[name] = kind
    return {name: kind for group in groups.values() if _has_both(group) for name, kind in group.items()}


def _all_told(names: Collection[str]) -> dict[str, Kind]:
    """What names tell where every one does, such as `train_images` beside `val`."""
    told = {name: kind for name in names if (kind := _spoken(name))}
    return told if len(told) == len(names) else {}


def _each_once(kinds: Mapping[str, Kind]) -> dict[str, Kind]:
    """Without `trainval` beside `train`, whose items it holds once more."""
    both = {name for name in kinds if "trainval" in _words(name)}
    others = any(kind == "train" and name not in both for name, kind in kinds.items())
    return {name: kind for name, kind in kinds.items() if not (others and name in both)}


def _without(items: Iterable[Item], depth: int) -> list[Item]:
    """Items without the name of a level, and without those above it where they are the same for all."""
    above = {item.parts[:depth] for item in items}
    first = depth if len(above) == 1 and not any("=" in name for name in above.copy().pop()) else 0
    return [item._replace(parts=item.parts[first:depth] + item.parts[depth + 1 :]) for item in items]


def _halved(items: Sequence[Item], depth: int, kinds: Mapping[str, Kind]) -> Halves:
    told = {item: kinds.get(item.parts[-1] if depth < 0 else _at(item, depth)) for item in items}
    held: Kind = "test" if "test" in told.values() else "validation"
    kept = [item for item, kind in told.items() if kind in ("train", held)]
    bare = dict(zip(kept, kept if depth < 0 else _without(kept, depth), strict=True))
    train, test = ([bare[item] for item in kept if told[item] == kind] for kind in ("train", held))
    places = sorted({item.parts[depth] for item in kept if told[item] == held})
    return Halves(train, test, named(places), tuple(_beside(told, depth, held)))


def _beside(told: Mapping[Item, Kind | None], depth: int, held: Kind) -> Iterator[str]:
    """What is neither trained on nor held out."""
    whys = {"validation": "the test set is held out", None: "neither to train on nor to hold out"}
    for kind, why in whys.items():
        rest = [item for item, its in told.items() if its == kind != held]
        if rest:
            places = sorted({item.parts[min(depth, len(item.parts) - 1)] for item in rest})
            yield f"{named(places)} ({counted(len(rest), 'file')}: {why})"


def _refuse_no_training(kinds: Mapping[str, Kind], where: str) -> None:
    if "train" not in kinds.values():
        what = f"{' and '.join(sorted(kinds))} to hold out, but no train"
        raise DataError(f"data: {where} has {what}: add what is trained on, or name one of them alone")
