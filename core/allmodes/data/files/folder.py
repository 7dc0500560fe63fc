"""Images in a folder: those of a class in a folder of their own, or all together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from unicodedata import normalize

from torch import Tensor

from allmodes.data.base import DataError, DataInfo, Origin
from allmodes.data.description import counted
from allmodes.data.files.images import KINDS, SUFFIXES, ImageOptions, Images, made_alike
from allmodes.data.files.labels import names_of, numbered
from allmodes.data.files.loading import data_of, parts
from allmodes.data.files.places import Found, Halves, Item, common, divided, named, once, unwrapped, walk
from allmodes.data.files.storage import StoragePolicy
from allmodes.data.finite import FiniteData


class Files(Images):
    """Image files, and the class of each where there are classes."""

    def __init__(self, root: Path, files: Sequence[Path], labels: Tensor | None) -> None:
        self.name, self.files, self.labels, self.here = str(root), files, labels, Path.cwd()

    def __len__(self) -> int:
        """Number of files."""
        return len(self.files)

    def file(self, position: int) -> Path:
        """The file, wherever the process has gone since."""
        return self.here / self.files[position]

    def where(self, position: int) -> str:
        """The file's path."""
        return str(self.files[position])


def image_folder(root: str | Path, wanted: ImageOptions, held_out: float, keeping: StoragePolicy) -> FiniteData:
    """Images of `root/class/x.png`, `root/x.png`, or of `root/train` and `root/test` in one of these forms.

    Args:
        root: The folder.
        wanted: Size and channels.
        held_out: Share of the images that are not trained on, where no names of folders tell which.
        keeping: Where the images are kept.

    Raises:
        DataError: If there is no image, or one cannot be read or made alike.
    """
    root = Path(root)
    if not root.is_dir():
        packed = ", but a file: unpack it" if root.is_file() else ""
        raise DataError(f"data: {root} is no folder{packed}: set root to the folder of images")
    found = walk(root, SUFFIXES)
    if not found.items:
        raise DataError(f"data: {root} has no images ({_looked(found)}): set root to the folder that holds them")
    halves = _sorted_out(root, found)
    names = names_of({item.parts[0] for item in halves.train if _has_class(item)})
    images = _files(root, halves.train, names)
    seen = made_alike(images, wanted)
    origin = Origin(str(root), halves.held, tuple(found.left_out), (*found.notes, *images.notes))
    facts = DataInfo(len(names) or None, names or None, origin=origin)
    if halves.test is None:
        return data_of(*parts(seen, held_out), keeping, facts)
    others = _files(root / halves.held, halves.test, names)
    return data_of(seen, made_alike(others, wanted, images.look), keeping, facts)


def _sorted_out(root: Path, found: Found) -> Halves:
    """Images to train on and to hold out, each once in its class, with the class as the first of its parts."""
    halves = divided(found, str(root))
    found.left_out += halves.left_out
    train, levels = unwrapped(halves.train)
    if levels:
        found.notes.append(f"the classes are the folders within {_class_folder(train[0]).parent}")
    train = _classed(root, found, train)
    test = None if halves.test is None else _classed(root, found, unwrapped(halves.test, levels)[0])
    if found.linked:
        train, test = _once(found, train), None if test is None else _once(found, test)
        _note_shared(found, train, test or [])
    return Halves(train, test, halves.held)


def _classed(root: Path, found: Found, items: Sequence[Item]) -> list[Item]:
    """Images in class folders, or all beside one another."""
    bare = _named(items)
    flat = next((item for item in bare if not _has_class(item)), None)
    classed = next((item for item in bare if _has_class(item)), None)
    if flat and classed:
        what = f"{flat.path} is beside class folders such as {_class_folder(classed)}"
        raise DataError(f"data: {what}: put it into one, or out")
    _refuse_empty(root, found, {_class_folder(item) for item in bare if _has_class(item)})
    return bare


def _named(items: Sequence[Item]) -> list[Item]:
    """With the value of folders such as `label=cat`, and letters in one form, whatever system wrote them."""
    keys = {item.parts[0].partition("=")[:2] for item in items if _has_class(item)}
    start = "".join(keys.pop()) if len(keys) == 1 else ""
    start = start if start.endswith("=") else ""
    names = {name: normalize("NFC", name.removeprefix(start)) for name in {item.parts[0] for item in items}}
    return [item._replace(parts=(names[item.parts[0]], *item.parts[1:])) for item in items]


def _refuse_empty(root: Path, found: Found, classes: set[Path]) -> None:
    """Refuse a folder beside class folders that has no images."""
    holding = found.holding()
    beside = {folder.parent for folder in classes}
    for folder in (root.joinpath(*names) for names in sorted(found.folders)):
        if folder.parent in beside and folder not in holding:
            raise DataError(f"data: class folder {folder} has no images (looked for {KINDS}): remove it")


def _once(found: Found, items: Sequence[Item]) -> list[Item]:
    kept, again = once(items, lambda item: item.parts[:-1][:1])
    if again:
        found.left_out.append(f"{named([str(item.path) for item in again])} (a link to another file of its class)")
    return kept


def _note_shared(found: Found, train: Sequence[Item], test: Sequence[Item]) -> None:
    """Say which files links put into several classes, or on both sides."""
    _, again = once([*train, *test], lambda item: None)
    shared = common(test, train)
    if shared:
        found.notes.append(f"{counted(len(shared), 'file')} both trained on and held out, such as {shared[0].path}")
    elif again:
        found.notes.append(f"{counted(len(again), 'file')} of several classes, such as {again[0].path}")


def _has_class(item: Item) -> bool:
    return len(item.parts) > 1


def _class_folder(item: Item) -> Path:
    return item.path.parents[len(item.parts) - 2]


def _looked(found: Found) -> str:
    there = f"; there is {', '.join(found.left_out)}" if found.left_out else ""
    return f"looked for {KINDS}{there}"


def _files(root: Path, items: Sequence[Item], names: Sequence[str]) -> Files:
    """Images and their classes, where those that are trained on have some."""
    missing = next((item for item in items if names and not _has_class(item)), None)
    if missing:
        what = f"{missing.path} is in no class folder, but images that are trained on are"
        raise DataError(f"data: {what}: put it into one, or set root to the folder that is trained on")
    labels = numbered([item.parts[0] for item in items], names, str(root)) if names else None
    return Files(root, [item.path for item in items], labels)
