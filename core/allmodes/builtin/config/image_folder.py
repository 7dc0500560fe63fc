"""Config of images in a folder."""

from __future__ import annotations

from typing import Any, Literal

from typing_extensions import override

from allmodes.builtin.config.files import ImagesConfig
from allmodes.builtin.config.ranges import Workers
from allmodes.system.paths import homely


class ImageFolderConfig(ImagesConfig):
    """Images in a folder: `root/class/x.png`, or `root/x.png` without labels; `root/train` and `root/test` likewise.

    Folders `test`, `testing`, `eval`, or else `val`, `valid`, `validation`, in any case, are held out.
    """

    kind: Literal["image_folder"] = "image_folder"
    root: str
    """The folder, relative to where the run is started."""
    workers: Workers = 2
    """Processes that read items, into memory or batch by batch; 0 reads in the process that trains."""

    @override
    def build(self) -> Any:
        from allmodes.data.files.folder import image_folder

        return image_folder(homely(self.root), self.wanted(), self.held_out, self.keeping())
