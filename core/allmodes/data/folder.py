"""Images in a folder: those of a class in a folder of their own, or all together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from torch import Tensor

from allmodes.data.base import DataError
from allmodes.data.finite import FiniteData
from allmodes.data.labels import names_of, numbered
from allmodes.data.pictures import KINDS, SUFFIXES, Images, Wanted, made_alike
from allmodes.data.sources import Facts, Keeping, data_of, parts

TEST = ("test", "val", "valid", "validation")
"""Folders beside `train` whose images are held out; the first that is there."""


class Files(Images):
    """Image files, and the class of each where there are classes."""

    def __init__(self, root: Path, files: Sequence[Path], labels: Tensor | None) -> None:
        self.name, self.files, self.labels = str(root), files, labels

    def __len__(self) -> int:
        """Number of files."""
        return len(self.files)

    def file(self, position: int) -> Path:
        """The file."""
        return self.files[position]

    def where(self, position: int) -> str:
        """The file's path."""
        return str(self.files[position])


def image_folder(root: str | Path, wanted: Wanted, held_out: float, keeping: Keeping) -> FiniteData:
    """Images of `root/class/x.png`, `root/x.png`, or of `root/train` and `root/test` in one of these forms.

    Args:
        root: The folder.
        wanted: Size and channels.
        held_out: Share of the images that are not trained on, where there is no folder of test images.
        keeping: Where the images are kept.

    Raises:
        DataError: If there is no image, or one cannot be read or made alike.
    """
    root = Path(root)
    if not root.is_dir():
        raise DataError(f"data: {root} is no folder: set root to the folder of images")
    train, test = _split(root) or (root, None)
    images, names = _files(train)
    seen, facts = made_alike(images, wanted), Facts(len(names) or None, tuple(names) or None)
    if test is None:
        return data_of(*parts(seen, held_out), keeping, facts)
    others, _ = _files(test, names)
    return data_of(seen, made_alike(others, wanted, images.look), keeping, facts)


def _split(root: Path) -> tuple[Path, Path] | None:
    tests = [root / name for name in TEST if (root / name).is_dir()]
    return (root / "train", tests[0]) if tests and (root / "train").is_dir() else None


def _files(root: Path, known: Sequence[str] | None = None) -> tuple[Files, Sequence[str]]:
    """The images of a folder and the names of their classes, which may be known."""
    found = [(file, folder) for folder in _classes(root) for file in _images(root / folder, deep=bool(folder))]
    if not found:
        raise DataError(f"data: {root} has no images (looked for {KINDS}): set root to the folder that holds them")
    folders = [folder for _, folder in found]
    names = names_of(set(folders) - {""}) if known is None else known
    labels = None if folders == [""] * len(found) and not names else numbered(folders, names, str(root))
    return Files(root, [file for file, _ in found], labels), names


def _classes(root: Path) -> list[str]:
    """Names of the class folders, or one empty name where the images are in the folder itself."""
    folders = sorted(path.name for path in root.iterdir() if path.is_dir() and path.name[0] not in "._")
    flat = next(_images(root, deep=False), None)
    if not folders or (flat and not any(_has_images(root / folder) for folder in folders)):
        return [""]
    if flat:
        raise DataError(f"data: {flat} is beside class folders such as {root / folders[0]}: put it into one, or out")
    for folder in folders:
        if not _has_images(root / folder):
            raise DataError(f"data: class folder {root / folder} has no images (looked for {KINDS}): remove it")
    return folders


def _has_images(folder: Path) -> bool:
    return any(map(_is_image, folder.rglob("*")))


def _images(folder: Path, deep: bool) -> Iterator[Path]:
    """Image files in the order of their names, also of folders within where it is a class."""
    for path in sorted(folder.rglob("*") if deep else folder.iterdir()):
        if _is_image(path):
            yield path


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and path.name[0] != "." and path.is_file()
