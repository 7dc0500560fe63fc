"""Fashion-MNIST with MNIST's ones: every article is there, and as many ones as were asked for, from the right split."""

import os
import struct
from pathlib import Path

import pytest
import torch
from torch import Tensor

from allmodes import DataError, TensorData
from allmodes.testing import DatasetContract
from allmodes_bourgan.data import FashionAndOnesConfig

ROOT = Path(os.environ.get("ALLMODES_DATA", Path(__file__).parents[4] / "shared" / "data"))
TRAINED, TESTED = 200, 40


def idx(path: Path, values: Tensor) -> None:
    """Bytes in the format of MNIST's files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack(f">HBB{values.dim()}I", 0, 8, values.dim(), *values.shape) + values.numpy().tobytes())


def written(root: Path, name: str, bright: int) -> None:
    """A stand-in of which every tenth image has label 1: image i is flat, `bright` + its label, i in the corner."""
    for split, n in (("train", TRAINED), ("t10k", TESTED)):
        i = torch.arange(n)
        images = (bright + i % 10)[:, None, None].expand(n, 28, 28).clone()
        images[:, 0, 0] = i
        idx(root / name / "raw" / f"{split}-images-idx3-ubyte", images.to(torch.uint8))
        idx(root / name / "raw" / f"{split}-labels-idx1-ubyte", (i % 10).to(torch.uint8))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    written(tmp_path, "FashionMNIST", bright=0)
    written(tmp_path, "MNIST", bright=100)
    return tmp_path


def built(root: Path, **options: object) -> TensorData:
    data = FashionAndOnesConfig(root=str(root), **options).build()
    assert isinstance(data, TensorData)
    return data


def refusal(root: Path, **options: object) -> str:
    with pytest.raises(DataError) as error:
        built(root, **options)
    return str(error.value)


def test_articles_keep_their_labels_and_ones_have_a_label_of_their_own(root: Path) -> None:
    data = built(root, ones=10)
    assert (data.items, data.test_items, data.classes) == (TRAINED + 10, TESTED + 2, 11)
    for x, labels in ((data.x, data.labels), (data.test_x, data.test_labels)):
        flat = x[:, 0, 5, 5].long()
        assert torch.equal(flat[labels < 10], labels[labels < 10])
        assert set(flat[labels == 10].tolist()) == {101}
    assert data.class_names[10] == "One"
    assert data.shares()[10] == 10 / 210


def test_ones_are_spread_over_the_whole_file_and_never_taken_twice(root: Path) -> None:
    data = built(root, ones=5)
    corners = data.x[data.labels == 10][:, 0, 0, 0].tolist()
    assert corners == [21, 61, 101, 141, 181]
    everyone = built(root, ones=20)
    assert everyone.x[everyone.labels == 10][:, 0, 0, 0].tolist() == list(range(1, 200, 10))


def test_at_least_one_one_is_held_out(root: Path) -> None:
    assert int((built(root, ones=1).test_labels == 10).sum()) == 1


def test_images_are_resized_to_the_size_in_the_spec(root: Path) -> None:
    config = FashionAndOnesConfig(root=str(root), size=16, ones=3)
    assert config.build().shape == config.shape() == (1, 16, 16)
    assert FashionAndOnesConfig().shape() == (1, 28, 28)
    assert FashionAndOnesConfig().classes() == config.build().classes


def test_the_fingerprint_follows_the_contents(root: Path) -> None:
    first = built(root, ones=5).fingerprint
    assert first == built(root, ones=5).fingerprint
    assert first != built(root, ones=6).fingerprint
    written(root, "MNIST", bright=101)
    assert first != built(root, ones=5).fingerprint


def test_more_ones_than_exist_are_refused(root: Path) -> None:
    assert refusal(root, ones=21) == (
        "data: ones is 21, but MNIST under root has 20 ones to train on, not 21: set ones to 20 or less"
    )


def test_more_ones_than_can_be_held_out_are_refused(root: Path) -> None:
    raw = root / "MNIST" / "raw"
    idx(raw / "t10k-labels-idx1-ubyte", torch.tensor([1, *[0] * (TESTED - 1)], dtype=torch.uint8))
    assert refusal(root, ones=10) == (
        "data: ones is 10, but MNIST under root has 1 ones to hold out, not 2: set ones to 5 or less"
    )


@pytest.mark.parametrize("name", ["FashionMNIST", "MNIST"])
def test_a_set_that_is_missing_is_named(root: Path, name: str) -> None:
    (root / name).rename(root / "elsewhere")
    assert refusal(root) == (
        f"data: {name} is not under '{root}' (looked for {root / name / 'raw'}): "
        "set root to the folder that holds it, or download: true"
    )


def test_where_the_files_are_may_change_when_a_run_goes_on() -> None:
    assert FashionAndOnesConfig.free == {"root", "download"}


class TestContract(DatasetContract):
    @pytest.fixture(autouse=True)
    def _stand_in(self, root: Path) -> None:
        self.config = FashionAndOnesConfig(root=str(root), ones=10)


@pytest.mark.skipif(
    not ((ROOT / "MNIST").is_dir() and (ROOT / "FashionMNIST").is_dir()),
    reason="no MNIST or Fashion-MNIST: set ALLMODES_DATA to the folder that holds both",
)
def test_one_in_a_hundred_real_images_is_a_one() -> None:
    from torchvision.datasets import FashionMNIST

    data = built(ROOT)
    assert data.labels.bincount().tolist() == [6000] * 10 + [600]
    assert data.test_labels.bincount().tolist() == [1000] * 10 + [100]
    assert data.class_names[:10] == tuple(FashionMNIST.classes)
    ones = data.x[data.labels == 10].float()
    assert ones.mean() < 0.5 * data.x[data.labels == 0].float().mean()  # a thin stroke
    assert len(ones.unique(dim=0)) == 600
