"""Arrays as people save them: labels of every form, archives with more in them, other byte orders, damaged files."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from allmodes.builtin.config.arrays import ArraysConfig
from allmodes.data import TensorData
from allmodes.data.description import describe_data
from files import refusal

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 3))
Y = np.arange(20) % 3


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", X)
    np.savez("x.npz", x=X, y=Y)


def built(**options: Any) -> TensorData:
    data = ArraysConfig(**{"path": "x.npy", "memory": "resident", **options}).build()
    assert isinstance(data, TensorData)
    return data


@pytest.mark.parametrize(
    "labels",
    [Y[:, None], Y[:, None, None], Y * 1.0, np.eye(3)[Y], np.eye(3, dtype=bool)[Y], Y.astype(str), Y.astype("S")],
    ids=["column", "cube", "floats", "one-hot", "one-hot of bools", "text", "bytes"],
)
def test_labels_of_every_usual_form_are_taken(labels: np.ndarray) -> None:
    np.save("y.npy", Y)
    plain = built(labels="y.npy")
    np.save("y.npy", labels)
    data = built(labels="y.npy")
    assert data.class_names == ("0", "1", "2")
    assert torch.equal(data.labels, plain.labels)
    notes = ("labels are one-hot, of 3 classes",) if labels.shape == (20, 3) else ()
    assert data.origin.notes == notes


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.ones((20, 3)), "y.npy has shape (20, 3), but x.npy has 20 items: give each item one label"),
        (np.full((20, 2), 0.5), "y.npy has shape (20, 2), but x.npy has 20 items: give each item one label"),
        (np.array(3), "y.npy has shape (), but x.npy has 20 items: give each item one label"),
        (Y + 1j, "y.npy holds complex128: give whole numbers or words"),
    ],
)
def test_labels_that_are_not_one_an_item_are_refused(labels: np.ndarray, message: str) -> None:
    np.save("y.npy", labels)
    assert refusal(lambda: built(labels="y.npy")) == message


def test_a_name_of_labels_that_a_single_array_cannot_have_is_refused() -> None:
    assert refusal(lambda: built(labels="y")) == (
        "x.npy is not an .npz that could have an array 'y': give labels as a .npy file"
    )


def test_arrays_that_are_not_learned_are_reported() -> None:
    assert describe_data(built(path="x.npz"), "arrays").endswith("no labels; left out: array 'y'")
    assert built(path="x.npz", labels="y").origin.left_out == ()


@pytest.mark.parametrize("suffix", [".npz", ".NPZ", ".zip"])
def test_archives_are_recognised_by_their_contents(suffix: str) -> None:
    Path("x.npz").rename(f"z{suffix}")
    assert built(path=f"z{suffix}", labels="y").classes == 3


@pytest.mark.parametrize("dtype", [">f4", "<f4", ">f8", "f2"])
@pytest.mark.parametrize("memory", ["resident", "stream"])
def test_images_of_any_byte_order_are_read(dtype: str, memory: str) -> None:
    x = np.linspace(-1, 1, 4 * 25).reshape(4, 5, 5).astype(dtype)
    np.save("x.npy", x)
    data = ArraysConfig(path="x.npy", memory=memory).build()
    found = data.take(torch.arange(3)).x.flatten(1).numpy()
    assert all((np.abs(x.reshape(4, -1) - image).max(1) < 1e-3).sum() == 1 for image in found)


@pytest.mark.parametrize(
    ("name", "keep", "message"),
    [
        ("x.npy", 0, "x.npy cannot be read: it is not a .npy or .npz file"),
        ("x.npy", 5, "x.npy cannot be read: it is not a .npy or .npz file"),
        ("x.npy", 90, "x.npy cannot be read: it is damaged ("),
        ("x.npy", 300, "x.npy cannot be read: it is damaged ("),
        ("x.npz", 0, "x.npz cannot be read: it is damaged ("),
        ("x.npz", 300, "x.npz cannot be read: it is damaged ("),
    ],
)
@pytest.mark.parametrize("memory", ["auto", "resident"])
def test_a_file_that_is_cut_short_is_refused_in_one_line(name: str, keep: int, message: str, memory: str) -> None:
    Path(name).write_bytes(Path(name).read_bytes()[:keep])
    said = refusal(lambda: built(path=name, memory=memory))
    assert said.startswith(message)
    assert "\n" not in said


def test_an_archive_whose_bytes_changed_is_refused() -> None:
    np.savez_compressed("x.npz", x=X)
    stored = bytearray(Path("x.npz").read_bytes())
    stored[60:120] = b"\xff" * 60
    Path("x.npz").write_bytes(stored)
    assert refusal(lambda: built(path="x.npz")).startswith("x.npz cannot be read: it is damaged (")


def test_a_header_that_is_nonsense_is_refused() -> None:
    Path("x.npy").write_bytes(Path("x.npy").read_bytes().replace(b"'descr'", b"(((((((", 1))
    assert refusal(built).startswith("x.npy cannot be read: it is damaged (")


def test_archives_without_arrays_are_refused() -> None:
    with zipfile.ZipFile("x.npz", "w") as file:
        file.writestr("notes.txt", "hello")
    assert refusal(lambda: built(path="x.npz")) == "notes.txt of x.npz is not an array: set x to the name of one"
    zipfile.ZipFile("x.npz", "w").close()
    assert refusal(lambda: built(path="x.npz")) == "x.npz has the arrays none: set x to one of them"
