"""Images in a folder: those of a class in a folder of their own, or all together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from unicodedata import normalize

from torch import Tensor
from typing_extensions import override

from allmodes.data.base import DataError, DataInfo, Origin
from allmodes.data.description import counted
from allmodes.data.files.image_files import KINDS, SUFFIXES
from allmodes.data.files.images import ImageOptions, Images, make_alike
from allmodes.data.files.labels import class_names_of, class_numbers
from allmodes.data.files.loading import ReadOptions, build_data
from allmodes.data.files.splits import FileSplit, split_by_names, unwrap
from allmodes.data.files.walk import FolderContents, Item, drop_repeated, list_few, same_files, walk
from allmodes.data.finite import FiniteData


class FolderImages(Images):
    """Image files, and the class of each where there are classes."""

    def __init__(self, root: Path, files: Sequence[Path], labels: Tensor | None) -> None:
        self.name, self.files, self.labels, self.here = str(root), files, labels, Path.cwd()

    @override
    def __len__(self) -> int:
        return len(self.files)

    @override
    def file(self, position: int) -> Path:
        return self.here / self.files[position]  # wherever the process has gone since

    @override
    def where(self, position: int) -> str:
        return str(self.files[position])


def read_image_folder(root: str | Path, wanted: ImageOptions, options: ReadOptions) -> FiniteData:
    """Read images of `root/class/x.png`, `root/x.png`, or of `root/train` and `root/test` in one of these forms.

    Args:
        root: The folder.
        wanted: Size and channels.
        options: How images become data.

    Raises:
        DataError: If there is no image, or one cannot be read or made alike.
    """
    root = Path(root)
    if not root.is_dir():
        packed = " but a file: unpack it" if root.is_file() else ""
        raise DataError(f"data: {root} is not a folder{packed}: set root to the folder of images")
    found = walk(root, SUFFIXES)
    if not found.items:
        there = f"; there is {', '.join(found.left_out)}" if found.left_out else ""
        have = f"{root} has no images (looked for {KINDS}{there})"
        raise DataError(f"data: {have}: set root to the folder that holds them")
    split = _sort_out(root, found)
    names = class_names_of({item.parts[0] for item in split.train if _has_class(item)})
    images = _images(root, split.train, names)
    train = make_alike(images, wanted)
    origin = Origin(str(root), split.held, tuple(found.left_out), (*found.notes, *images.notes))
    test = None
    if split.test is not None:
        test = make_alike(_images(root / split.held, split.test, names), wanted, images.format)
    return build_data(train, test, options, DataInfo.named(names, origin))


def _sort_out(root: Path, found: FolderContents) -> FileSplit:
    """Images to train on and to hold out, each once in its class, with the class as the first of its parts."""
    split = split_by_names(found, str(root))
    found.left_out += split.left_out
    train, levels = unwrap(split.train)
    if levels:
        found.notes.append(f"the classes are the folders within {_class_folder(train[0]).parent}")
    train = _sort_by_class(root, found, train)
    test = None if split.test is None else _sort_by_class(root, found, unwrap(split.test, levels)[0])
    if found.linked:
        train, test = _drop_links(found, train), None if test is None else _drop_links(found, test)
        _note_shared(found, train, test or [])
    return replace(split, train=train, test=test)


def _sort_by_class(root: Path, found: FolderContents, items: Sequence[Item]) -> list[Item]:
    """Images in class folders, or all beside one another."""
    items = _normalise_names(items)
    flat = next((item for item in items if not _has_class(item)), None)
    classed = next((item for item in items if _has_class(item)), None)
    if flat and classed:
        have = f"{flat.path} is beside class folders such as {_class_folder(classed)}"
        raise DataError(f"data: {have}: put it into one, or out")
    _refuse_empty(root, found, {_class_folder(item) for item in items if _has_class(item)})
    return items


def _normalise_names(items: Sequence[Item]) -> list[Item]:
    """Name classes by the value of folders such as `label=cat`, with letters in one form, whatever the system."""
    keys = {item.parts[0].partition("=")[:2] for item in items if _has_class(item)}
    start = "".join(keys.pop()) if len(keys) == 1 else ""
    start = start if start.endswith("=") else ""
    names = {name: normalize("NFC", name.removeprefix(start)) for name in {item.parts[0] for item in items}}
    return [item._replace(parts=(names[item.parts[0]], *item.parts[1:])) for item in items]


def _refuse_empty(root: Path, found: FolderContents, classes: set[Path]) -> None:
    """Refuse a folder beside class folders that has no images."""
    holding = found.holding()
    beside = {folder.parent for folder in classes}
    for folder in (root.joinpath(*names) for names in sorted(found.folders)):
        if folder.parent in beside and folder not in holding:
            raise DataError(f"data: class folder {folder} has no images (looked for {KINDS}): remove it")


def _drop_links(found: FolderContents, items: Sequence[Item]) -> list[Item]:
    kept, again = drop_repeated(items, lambda item: item.parts[:-1][:1])
    if again:
        found.left_out.append(f"{list_few([str(item.path) for item in again])} (a link to another file of its class)")
    return kept


def _note_shared(found: FolderContents, train: Sequence[Item], test: Sequence[Item]) -> None:
    """Note files that links put into several classes, or both into training and held-out items."""
    _, again = drop_repeated([*train, *test], lambda item: None)
    if shared := same_files(test, train):
        found.notes.append(f"{counted(len(shared), 'file')} both trained on and held out, such as {shared[0].path}")
    elif again:
        found.notes.append(f"{counted(len(again), 'file')} of several classes, such as {again[0].path}")


def _has_class(item: Item) -> bool:
    return len(item.parts) > 1


def _class_folder(item: Item) -> Path:
    return item.path.parents[len(item.parts) - 2]


def _images(root: Path, items: Sequence[Item], names: Sequence[str]) -> FolderImages:
    """Images and their classes, where those that are trained on have some."""
    missing = next((item for item in items if names and not _has_class(item)), None)
    if missing:
        have = f"{missing.path} is not in a class folder, but images that are trained on are"
        raise DataError(f"data: {have}: put it into one, or set root to the folder that is trained on")
    labels = class_numbers([item.parts[0] for item in items], names, str(root))
    return FolderImages(root, [item.path for item in items], labels)
