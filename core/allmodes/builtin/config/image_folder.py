"""Config of images in a folder."""

from __future__ import annotations

from typing import Any, Literal

from typing_extensions import override

from allmodes.builtin.config.files import ImagesConfig
from allmodes.system.paths import homely


class ImageFolderConfig(ImagesConfig):
    """Images in a folder: `root/class/x.png`, or `root/x.png` without labels; `root/train` and `root/test` likewise.

    Folders `test`, `testing`, `eval`, or else `val`, `valid`, `validation`, in any case, are held out.
    """

    kind: Literal["image_folder"] = "image_folder"
    root: str
    """The folder, relative to where the run is started."""

    @override
    def build(self) -> Any:
        from allmodes.data.files.folder import read_image_folder

        return read_image_folder(homely(self.root), self.image_options(), self.options())
