"""Files in folders: which are read, and what is left out and why."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeAlias

from allmodes.data.base import DataError
from allmodes.data.description import counted, listed
from allmodes.runs.run_folder import SIGNATURES

Identity: TypeAlias = tuple[int, int]
"""Device and inode: two paths of one file or folder have the same."""

SYSTEM = frozenset(
    {
        *("@eadir", "@recycle", "@recently-snapshot", "#recycle", "#snapshot", "$recycle.bin"),
        *("system volume information", "lost+found", "thumbs.db", "desktop.ini", "mlruns", "mlartifacts"),
    }
)
"""Names of files and folders that systems make, in small letters."""
OWN = (*SIGNATURES, {"study.json"})
"""Groups of files, of which the folder of a run or a study has one: its figures are not data."""
PRIVATE, RUN = "hidden, or a system's own", "a folder of runs"
DANGLING, BACK = "a link that leads nowhere", "a link back to a folder that holds it"
NAMED = 3
"""Files and folders that a list names; the others are counted."""


class Item(NamedTuple):
    """A file.

    Attributes:
        path: Where it is.
        parts: Names of the folders below the root that matter, and its own.
    """

    path: Path
    parts: tuple[str, ...]


@dataclass
class FolderContents:
    """Files of a folder.

    Attributes:
        items: The files, in the order of their names.
        folders: The folders below it, by the names that lead to them.
        left_out: Others, each with the reason why they are not read.
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


def walk(root: Path, suffixes: Collection[str]) -> FolderContents:
    """Find the files of a folder at any depth whose names end so, without what is hidden or a system's own.

    Linked folders are followed, each once below the same folder, and never back to one that holds them.

    Raises:
        DataError: If a folder cannot be read.
    """
    return _Walk(root, suffixes).contents


def is_private(name: str, folder: bool) -> bool:
    """Whether a name is hidden or a system's own, such as those of copies and caches."""
    return name.startswith((".", "_") if folder else ".") or name.lower() in SYSTEM


def list_few(names: Sequence[str]) -> str:
    """List a few names, and how many more there are."""
    return listed(names, NAMED)


class _Folder(NamedTuple):
    path: Path
    parts: tuple[str, ...]
    above: frozenset[Identity]


class _Walk:
    """One pass over a folder."""

    def __init__(self, root: Path, suffixes: Collection[str]) -> None:
        self.root, self.suffixes, self.contents = root, suffixes, FolderContents()
        self.skipped: dict[str, list[str]] = {reason: [] for reason in (PRIVATE, RUN, DANGLING, BACK)}
        self.others, self.links_out = Counter[str](), list[str]()
        self.entered = set[tuple[tuple[str, ...], Identity]]()
        self.todo = [_Folder(root, (), frozenset())]
        while self.todo:
            self._enter(self.todo.pop())
        self.contents.items.sort(key=lambda item: item.parts)
        # A folder that holds nothing but runs is not one of data.
        above = {folder for run in self.skipped[RUN] for folder in Path(run).parents} - self.contents.holding()
        self.contents.folders = [parts for parts in self.contents.folders if root.joinpath(*parts) not in above]
        self._report()

    def _enter(self, folder: _Folder) -> None:
        me = _identity(folder.path)
        if me in folder.above:
            self.skipped[BACK].append(str(folder.path))
        elif me is not None and (folder.parts[:2], me) not in self.entered:
            self.entered.add((folder.parts[:2], me))
            entries = _entries(folder.path)
            names = {entry.name for entry in entries}
            if folder.parts and any(group <= names for group in OWN):
                self.skipped[RUN].append(str(folder.path))
                return
            self.contents.folders += [folder.parts] if folder.parts else []
            for entry in entries:
                self._look(entry, folder._replace(above=folder.above | {me}))

    def _look(self, entry: os.DirEntry[str], within: _Folder) -> None:
        path, parts, is_folder = within.path / entry.name, (*within.parts, entry.name), _is_folder(entry)
        fits = os.path.splitext(entry.name)[1].lower() in self.suffixes  # noqa: PTH122 - many times faster than a path
        if is_private(entry.name, is_folder):
            self.skipped[PRIVATE] += [str(path)] if is_folder or fits else []
            return
        if entry.is_symlink():
            if _identity(path) is None:
                self.skipped[DANGLING].append(str(path))
                return
            self.contents.linked = True
            self.links_out += [] if path.resolve().is_relative_to(self.root.resolve()) else [str(path)]
        if is_folder:
            self.todo.append(_Folder(path, parts, within.above))
        elif fits and path.is_file():
            self.contents.items.append(Item(path, parts))
        else:
            self.others[path.suffix.lower() or "no suffix"] += 1

    def _report(self) -> None:
        skipped = ((sorted(paths), reason) for reason, paths in self.skipped.items() if paths)
        self.contents.left_out += [f"{list_few(paths)} ({reason})" for paths, reason in skipped]
        if self.others:
            most = sorted(self.others, key=lambda kind: (-self.others[kind], kind))
            kinds = list_few([f"{kind} {self.others[kind]}" for kind in most])
            self.contents.left_out.append(f"{counted(self.others.total(), 'file')} of other kinds ({kinds})")
        if self.links_out:
            links = list_few(sorted(self.links_out))
            self.contents.notes.append(f"links out of {self.root} are followed: {links}")


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise DataError(f"data: {folder} cannot be read: {error.strerror}") from None


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _identity(path: Path) -> Identity | None:
    """Identity of a file, whatever path leads to it; None if none does."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def drop_repeated(items: Sequence[Item], group: Callable[[Item], Hashable]) -> tuple[list[Item], list[Item]]:
    """Divide files into the first of each in its group, its own before linked ones, and repeated ones."""
    seen, kept, again = set[Hashable](), list[Item](), list[Item]()
    folders = {folder: folder.resolve() != folder.absolute() for folder in {item.path.parent for item in items}}
    for item in sorted(items, key=lambda item: (folders[item.path.parent] or item.path.is_symlink(), item.parts)):
        which = group(item), _identity(item.path)
        (again if which in seen else kept).append(item)
        seen.add(which)
    return sorted(kept, key=lambda item: item.parts), again


def same_files(items: Iterable[Item], others: Iterable[Item]) -> list[Item]:
    """The items that are files of the others, too."""
    known = {_identity(item.path) for item in others}
    return [item for item in items if _identity(item.path) in known]
