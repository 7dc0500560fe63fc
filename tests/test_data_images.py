"""Images of folders and Parquet files: every pixel and label where it belongs, and errors that name the file."""

import io
import os
import struct
import warnings
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from allmodes.builtin import FILES
from allmodes.builtin.config.image_folder import ImageFolderConfig
from allmodes.builtin.config.parquet import ParquetConfig
from allmodes.data import TensorData
from files import error_of, folder, picture

DATA = Path(os.environ.get("ALLMODES_DATA", Path(__file__).parents[1] / "../shared/data"))
KINDS_READ = "png, jpg, jpeg, jfif, webp, bmp, gif, tif, pgm, ppm"
LOOKED = f"looked for {KINDS_READ}"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def built(**options: object) -> TensorData:
    data = ImageFolderConfig(**{"root": "images", "workers": 0, "memory": "resident", **options}).build()
    assert isinstance(data, TensorData)
    return data


def pairs(data: TensorData) -> set[tuple[int, bytes]]:
    """Label and pixels of every item, trained on or not."""
    x, y = torch.cat([data.x, data.test_x]), torch.cat([data.labels, data.test_labels])
    return {(int(label), image.numpy().tobytes()) for image, label in zip(x, y, strict=True)}


def encoded(pixels: np.ndarray, form: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form)
    return file.getvalue()


# Folders


def test_every_image_is_read_with_the_label_of_its_folder() -> None:
    written = {
        (label, picture(Path(f"images/{name}/{i}.png"), seed=10 * label + i).transpose(2, 0, 1).tobytes())
        for label, name in enumerate(("cat", "dog", "emu"))
        for i in range(10)
    }
    data = built(held_out=0.2)
    assert pairs(data) == written
    assert data.class_names == ("cat", "dog", "emu")
    assert (data.shape, data.classes, data.items, data.test_items) == ((3, 8, 8), 3, 24, 6)


def test_the_held_out_share_is_the_same_in_every_class_and_always_the_same_items() -> None:
    folder(Path("images"), ("cat", "dog"), each=20)
    data = built(held_out=0.25)
    assert data.test_labels.bincount().tolist() == [5, 5]
    assert torch.equal(data.test_x, built(held_out=0.25).test_x)


def test_a_flat_folder_has_no_labels() -> None:
    for i in range(10):
        picture(Path(f"images/{i}.png"), seed=i)
    data = built()
    assert (data.labels, data.classes, data.class_names, data.items) == (None, None, None, 9)


@pytest.mark.parametrize("test", ["test", "val", "valid", "validation"])
def test_train_and_test_folders_are_recognised(test: str) -> None:
    folder(Path("images/train"), each=6)
    folder(Path("images") / test, each=4)
    data = built()
    assert (data.items, data.test_items, data.class_names) == (12, 8, ("cat", "dog"))


def test_all_formats_are_read_and_other_files_are_ignored() -> None:
    suffixes = ("png", "jpg", "jpeg", "jfif", "jpe", "webp", "bmp", "dib", "gif", "tif", "tiff", "ppm", "pnm", "PNG")
    for i, suffix in enumerate(suffixes):
        picture(Path(f"images/{i}.{suffix}"), seed=i)
    Path("images/notes.txt").write_text("not an image")
    Path("images/.hidden.png").write_text("not an image")
    data = built()
    assert data.items + data.test_items == len(suffixes)


def test_a_jpeg_is_read_as_pillow_reads_it() -> None:
    for i in range(2):
        picture(Path(f"images/{i}.jpg"), seed=7)
    flat = np.asarray(Image.open("images/0.jpg"))
    assert np.array_equal(built().x[0].permute(1, 2, 0).numpy(), flat)


def test_grey_images_have_one_channel_unless_colour_is_asked_for() -> None:
    for i in range(4):
        picture(Path(f"images/{i}.png"), seed=i, mode="L")
    assert built().shape == (1, 8, 8)
    assert built(channels="rgb").shape == (3, 8, 8)
    assert torch.equal(built(channels="rgb").x[:, :1], built().x)


def test_colour_images_become_grey_if_that_is_asked_for_and_mixed_ones_become_colour() -> None:
    for i in range(4):
        picture(Path(f"images/{i}.png"), seed=i, mode="L" if i == 0 else "RGB")
    assert built().shape == (3, 8, 8)
    grey = built(channels="grey")
    assert grey.shape == (1, 8, 8)
    assert {bytes(x) for x in torch.cat([grey.x, grey.test_x]).numpy()} == {
        Image.open(f"images/{i}.png").convert("L").tobytes() for i in range(4)
    }


def test_size_crops_the_central_square_and_resizes_it() -> None:
    left, middle, right = (np.full((8, 8, 3), value, np.uint8) for value in (0, 100, 255))
    Path("images").mkdir()
    for i in range(2):
        Image.fromarray(np.hstack([left, middle, right])).save(f"images/{i}.png")
    assert (built(size=4).x == 100).all()
    assert built(size=4).shape == (3, 4, 4)
    assert built(size=4, crop=False).x[0, 0, 0].tolist()[0] < 50


def test_pillow_warns_of_nothing_by_itself() -> None:
    for i in range(10):
        picture(Path(f"images/{i}.png"), seed=i)
        palette = Image.open(f"images/{i}.png").convert("P")
        palette.save(f"images/{i}.png", transparency=bytes(range(256)))
    with pytest.warns(UserWarning, match="Palette images with Transparency"):  # else there is nothing to test
        Image.open("images/0.png").convert("RGB")
    with warnings.catch_warnings(action="error"):
        data = built()
    assert data.items == 9
    assert "transparency is dropped" in " ".join(data.origin.notes)


def test_photographs_are_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned by a quarter
    for i in range(2):
        picture(Path(f"images/{i}.png"), seed=i, size=(6, 4), exif=exif)
    assert built().shape == (3, 6, 4)


def test_the_files_are_not_asked_when_a_spec_is_checked() -> None:
    config = ImageFolderConfig(root="nowhere", size=32)
    assert (config.shape(), config.classes()) == (None, None)


# Folders that are wrong


def test_a_folder_that_is_missing_is_named() -> None:
    assert error_of(built) == "data: images is not a folder: set root to the folder of images"


def test_the_error_of_an_empty_folder_names_the_kinds_of_files() -> None:
    Path("images").mkdir()
    Path("images/notes.txt").touch()
    assert error_of(built) == (
        f"data: images has no images ({LOOKED}; there is 1 file of other kinds (.txt 1)): "
        "set root to the folder that holds them"
    )


def test_a_class_folder_without_images_is_named() -> None:
    folder(Path("images"))
    Path("images/emu").mkdir()
    assert error_of(built) == f"data: class folder images/emu has no images ({LOOKED}): remove it"


def test_images_beside_class_folders_are_refused() -> None:
    folder(Path("images"))
    picture(Path("images/stray.png"))
    assert error_of(built) == (
        "data: images/stray.png is beside class folders such as images/cat: put it into one, or out"
    )


def test_a_test_folder_with_another_class_is_refused() -> None:
    folder(Path("images/train"))
    folder(Path("images/test"), ("cat", "cow"))
    assert error_of(built) == "data: images/test has the label 'cow', which the training data do not have"


def test_two_sizes_without_a_size_are_refused_by_name() -> None:
    folder(Path("images"), each=3)
    picture(Path("images/dog/01.png"), size=(9, 8))
    message = (
        "data: images/cat/00.png has 8 x 8 px but images/dog/01.png has 9 x 8 px: set size, to which all are resized"
    )
    assert error_of(built) == error_of(built_streamed) == message
    assert built(size=8).items == 5


def built_streamed(**options: object) -> object:
    return ImageFolderConfig(**{"root": "images", "workers": 0, "memory": "stream", **options}).build()


def test_an_image_that_cannot_be_read_is_named() -> None:
    folder(Path("images"), each=3)
    Path("images/dog/01.png").write_bytes(b"no image")
    message = (
        f"data: images/dog/01.png cannot be read (it is none of {KINDS_READ}): "
        "repair or remove it, or set skip_unreadable: true"
    )
    assert error_of(built) == error_of(built_streamed) == message


def test_a_truncated_image_is_named() -> None:
    folder(Path("images"), each=3, size=(64, 64))
    path = Path("images/dog/01.png")
    path.write_bytes(path.read_bytes()[:5000])
    message = error_of(built)
    assert message.startswith("data: images/dog/01.png cannot be read (image file is truncated")
    assert message.endswith("): repair or remove it, or set skip_unreadable: true")


@pytest.mark.parametrize("memory", ["resident", "stream"])
def test_unreadable_images_are_left_out_with_a_warning_if_that_is_wanted(memory: str) -> None:
    folder(Path("images"), each=10, size=(32, 32))
    for i in range(4):
        path = Path(f"images/cat/0{i}.png")
        path.write_bytes(path.read_bytes()[: 60 * i])
    with pytest.warns(UserWarning, match="left out") as found:
        data = ImageFolderConfig(root="images", skip_unreadable=True, memory=memory, workers=0).build()
    assert [str(warning.message) for warning in found] == [
        "data: 4 of 20 images cannot be read and are left out: "
        "images/cat/00.png, images/cat/01.png, images/cat/02.png, ..."
    ]
    assert data.items + data.test_items == 16


def test_a_folder_without_a_readable_image_is_refused() -> None:
    Path("images").mkdir()
    Path("images/a.png").touch()
    with pytest.warns(UserWarning, match="1 of 1 images"):
        message = error_of(lambda: built(skip_unreadable=True))
    assert message == "data: none of the 1 images of images can be read"


def test_a_single_image_is_too_few() -> None:
    picture(Path("images/a.png"))
    assert error_of(built) == "data: images has 1 items, but one is to train on and one to hold out"


def test_colour_that_comes_late_among_grey_images_is_refused() -> None:
    for i in range(250):
        picture(Path(f"images/{i:03d}.png"), mode="RGB" if i == 1 else "L")
    assert error_of(built) == (
        "data: images/001.png is in colour but images/000.png is grey: set channels to rgb or grey"
    )


def test_sixteen_bits_are_refused() -> None:
    folder(Path("images"), each=2)
    Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save("images/cat/00.png")
    assert error_of(built) == ("data: images/cat/00.png has pixels of mode I;16: convert it to 8 bits per channel")


def bomb(side: int) -> bytes:
    """A PNG of a few bytes that says it is side x side px."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(
    ("side", "what"), [(10_000, "has 10000 x 10000 px"), (60_000, "is a decompression bomb or very large")]
)
def test_a_decompression_bomb_is_refused(side: int, what: str) -> None:
    folder(Path("images"), each=2)
    Path("images/cat/00.png").write_bytes(bomb(side))
    assert error_of(built) == (
        f"data: images/cat/00.png {what}; at most 89,478,485 px are read: make it smaller, or set skip_unreadable: true"
    )


def test_a_postscript_program_is_never_run() -> None:
    folder(Path("images"), each=2)
    Path("images/cat/00.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n")
    assert error_of(built).startswith("data: images/cat/00.png cannot be read (it is none of png")


# Parquet


def parquet(path: str, images: list[bytes | None], labels: list[object] | None = None, plain: bool = False) -> str:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    cells = images if plain else [None if image is None else {"bytes": image, "path": None} for image in images]
    kind = pa.binary() if plain else pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    columns = {"image": pa.array(cells, kind)} | ({} if labels is None else {"label": pa.array(labels)})
    pq.write_table(pa.table(columns), path, row_group_size=7)
    return path


def pictures(n: int, start: int = 0) -> list[np.ndarray]:
    return [np.random.default_rng(start + i).integers(0, 256, (8, 8, 3)).astype(np.uint8) for i in range(n)]


def rows(**options: object) -> TensorData:
    data = ParquetConfig(**{"path": "x.parquet", "workers": 0, "memory": "resident", **options}).build()
    assert isinstance(data, TensorData)
    return data


@pytest.mark.parametrize("plain", [True, False])
def test_every_image_of_a_parquet_file_is_read_with_its_label(plain: bool) -> None:
    images = pictures(20)
    parquet("x.parquet", [encoded(image) for image in images], [i % 4 for i in range(20)], plain)
    assert pairs(rows()) == {(i % 4, image.transpose(2, 0, 1).tobytes()) for i, image in enumerate(images)}


def test_words_as_labels_are_numbered_in_their_order() -> None:
    parquet("x.parquet", [encoded(image) for image in pictures(6)], ["dog", "cat", "emu"] * 2)
    assert rows().class_names == ("cat", "dog", "emu")


def test_a_folder_of_several_files_is_read_as_one_and_divided_by_name() -> None:
    parquet("parts/a.parquet", [encoded(image) for image in pictures(5)])
    parquet("parts/b.parquet", [encoded(image) for image in pictures(7, 5)])
    assert rows(path="parts").items + rows(path="parts/*.parquet").test_items == 12
    parquet("split/train-0.parquet", [encoded(image) for image in pictures(5)])
    parquet("split/test-0.parquet", [encoded(image) for image in pictures(3, 5)])
    assert (rows(path="split").items, rows(path="split").test_items) == (5, 3)


@pytest.mark.parametrize("memory", ["resident", "stream"])
def test_a_cell_without_an_image_is_named_with_file_and_row(memory: str) -> None:
    images: list[bytes | None] = [encoded(image) for image in pictures(9)]
    parquet("parts/a.parquet", list(images))
    images[2] = b"no image"
    parquet("parts/b.parquet", images)
    message = error_of(lambda: ParquetConfig(path="parts", memory=memory, workers=0).build())
    assert message.startswith("data: parts/b.parquet, row 3 cannot be read (it is none of png")


def test_an_empty_cell_is_named_and_can_be_skipped() -> None:
    images: list[bytes | None] = [encoded(image) for image in pictures(9)]
    images[4] = None
    parquet("x.parquet", images)
    assert error_of(rows).startswith("data: x.parquet, row 5 cannot be read")
    with pytest.warns(UserWarning, match="1 of 9 images cannot be read and are left out: x.parquet, row 5"):
        assert rows(skip_unreadable=True).items == 7


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": "y.parquet"}, "data: y.parquet is neither a Parquet file nor a folder or pattern of some"),
        ({"image": "imag"}, "data: x.parquet has no column 'imag' (did you mean 'image'?); it has image, label"),
        ({"label": "lable"}, "data: x.parquet has no column 'lable' (did you mean 'label'?); it has image, label"),
        ({"image": "label"}, "data: column 'label' of x.parquet holds int64, not bytes of images"),
        (
            {"columns": ["image"]},
            "data: column 'image' of x.parquet holds struct<bytes: binary, path: string>, not numbers: "
            "leave it out of columns",
        ),
    ],
)
def test_columns_that_are_not_there_are_refused(options: dict[str, object], message: str) -> None:
    parquet("x.parquet", [encoded(image) for image in pictures(4)], [0, 1, 0, 1])
    assert error_of(lambda: rows(**options)) == message


def test_a_missing_label_is_named_with_its_row() -> None:
    parquet("x.parquet", [encoded(image) for image in pictures(4)], [0, 1, None, 1])
    assert error_of(rows) == (
        "data: x.parquet has missing cells in 1 of 4 rows: 'label' has 1 (first: x.parquet, row 3): "
        "correct them, or set missing: leave_out to learn from the others"
    )


def test_a_file_that_is_not_parquet_is_refused() -> None:
    Path("x.parquet").write_text("a,b\n1,2\n")
    assert error_of(rows).startswith("data: x.parquet cannot be read as Parquet: ")


def test_the_copy_that_is_streamed_from_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = TemporaryDirectory()  # pytest's own folder may have too long a name for workers
    monkeypatch.setattr("tempfile.tempdir", scratch.name)
    parquet("x.parquet", [encoded(image) for image in pictures(9)])
    data = ParquetConfig(path="x.parquet", memory="stream", workers=2).build()
    loader = data.loader(4, seed=0)
    next(loader), next(loader)
    assert len(list(Path(scratch.name).glob("allmodes-*"))) == 1
    loader.close()
    next(data.loader(4, seed=0))
    del data, loader
    assert not list(Path(scratch.name).glob("allmodes-*"))
    scratch.cleanup()


@pytest.mark.skipif(
    not (DATA / "cifar10/test.parquet").is_file(), reason="no CIFAR-10: set ALLMODES_DATA to the folder of cifar10"
)
def test_cifar10_has_a_thousand_images_of_each_class() -> None:
    data = ParquetConfig(path=str(DATA / "cifar10/test.parquet"), held_out=0.2, memory="resident").build()
    assert (data.shape, data.items, data.test_items, data.classes) == ((3, 32, 32), 8000, 2000, 10)
    assert data.labels.bincount().tolist() == [800] * 10
    assert data.test_labels.bincount().tolist() == [200] * 10


# Configs


@pytest.mark.parametrize("kind", FILES)
def test_every_setting_is_described(kind: type[ImageFolderConfig]) -> None:
    assert not [name for name, field in kind.model_fields.items() if name != "kind" and not field.description]


def test_images_and_numbers_are_not_read_at_once() -> None:
    with pytest.raises(ValidationError, match="image and columns are both given: learn images, or columns of numbers"):
        ParquetConfig(path="x", image="image", columns=["a"])
