"""Parquet files by paths, folders and patterns: which are trained on, which are held out."""

from __future__ import annotations

from pathlib import Path

from allmodes.data.base import DataError
from allmodes.data.description import counted
from allmodes.data.files.splits import FileSplit, split_by_names
from allmodes.data.files.walk import FolderContents, Item, drop_repeated, is_private, list_few, same_files, walk

GLOB = "*?["
SUFFIXES = (".parquet", ".pq", ".parq")


def find_places(path: str, test_path: str | None = None) -> FileSplit:
    """Find the files that are trained on and held out, each once.

    Args:
        path: A file, folder or pattern; names of folders or files within show what is held out.
        test_path: Held-out files, folder or pattern; where names within show held-out files, these alone.

    Raises:
        DataError: If there are none.
    """
    found = _find(path)
    split = split_by_names(found, path, any_file=True)
    if test_path is None:
        left_out, held = (*found.left_out, *split.left_out), f"{path}/{split.held}"
        return FileSplit(split.train, split.test, held, left_out, tuple(found.notes))
    other = _find(test_path)
    other_split = split_by_names(other, test_path, any_file=True)
    test = other_split.train if other_split.test is None else other_split.test
    within = set(same_files(split.train, test))
    train = [item for item in split.train if item not in within]
    if not train:
        have = f"path {path} and test_path {test_path} name the same files"
        raise DataError(f"data: {have}: there is nothing to train on")
    rest = len(found.items) - len(train)
    left_out = (f"{counted(rest, 'file')} of {path} (test_path is held out)",) if rest else ()
    return FileSplit(train, test, test_path, (*found.left_out, *left_out), (*found.notes, *other.notes))


def _find(path: str) -> FolderContents:
    """The files that a path, folder or pattern names, in the order of their names, each once."""
    place = Path(path)
    if place.is_file():
        return FolderContents([Item(place, (place.name,))])
    found = walk(place, SUFFIXES) if place.is_dir() else _match(place)
    if not found.items:
        there = f"; there is {', '.join(found.left_out)}" if found.left_out else ""
        raise DataError(f"data: {path} is neither a Parquet file nor a folder or pattern of some{there}")
    found.items, again = drop_repeated(found.items, lambda item: None)
    found.left_out += [f"{list_few([str(item.path) for item in again])} (a link to another file)"] if again else []
    return found


def _match(pattern: Path) -> FolderContents:
    """The files that a pattern matches, and those of folders that it matches."""
    found, first = FolderContents(), next((i for i, part in enumerate(pattern.parts) if set(part) & set(GLOB)), None)
    if first is None:
        return found
    above = Path(*pattern.parts[:first])
    for place in above.glob(str(Path(*pattern.parts[first:]))):
        names = place.relative_to(above).parts
        if any(is_private(name, True) for name in names[:-1]) or is_private(names[-1], place.is_dir()):
            found.left_out.append(f"{place} (hidden, or a system's own)")
        elif place.is_dir():
            within = walk(place, SUFFIXES)
            found.items += [item._replace(parts=(*names, *item.parts)) for item in within.items]
        else:
            found.items.append(Item(place, names))
    return found
