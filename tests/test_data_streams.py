"""Streamed data give what they would give in memory; workers end, and fail with a plain message."""

import multiprocessing.util
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset, IterableDataset, TensorDataset

from allmodes.builtin.config.arrays import ArraysConfig
from allmodes.builtin.config.image_folder import ImageFolderConfig
from allmodes.builtin.config.parquet import ParquetConfig
from allmodes.builtin.config.python import PythonConfig
from allmodes.data import Data, DataError, OnDiskData, TensorData, from_dataset
from allmodes.data.files.loading import split
from allmodes.data.files.source import Items, ItemsInMemory
from allmodes.data.files.storage import StoragePolicy
from allmodes.data.files.workers import read_batches
from allmodes.system.memory import free_memory
from files import error_of, folder


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Squares(Dataset[Any]):
    """Item i is i squared; the dataset cannot be pickled, like one that is defined in a notebook."""

    classes = ("even", "odd")

    def __init__(self, items: int = 50) -> None:
        self.items, self.unpicklable = items, lambda: None

    def __len__(self) -> int:
        return self.items

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        return torch.tensor([i * i, i], dtype=torch.float32), i % 2


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Data]:
    """Builds the same data in any form: images of a folder, vectors of an array, rows of Parquet, a Python data set."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    root = tmp_path_factory.mktemp("data")
    folder(root / "images", each=25)
    x = np.random.default_rng(0).normal(5, [1, 100], (60, 2))
    np.save(root / "x.npy", x)
    pq.write_table(pa.table({"a": x[:, 0], "b": x[:, 1]}), root / "x.parquet")
    builders: dict[str, Callable[..., Data]] = {
        "images": lambda **o: ImageFolderConfig(root=str(root / "images"), **o).build(),
        "arrays": lambda **o: ArraysConfig(path=str(root / "x.npy"), **o).build(),
        "parquet": lambda **o: ParquetConfig(path=str(root / "x.parquet"), **o).build(),
        "python": lambda **o: from_dataset(Squares(), **o),
    }
    return lambda form, **options: builders[form](**options)


FORMS = ("images", "arrays", "parquet", "python")


def equal(a: Any, b: Any) -> bool:
    return all(
        (one is None and other is None) or torch.equal(one, other)
        for one, other in ((a.x, b.x), (a.labels, b.labels), (a.index, b.index))
    )


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("form", FORMS)
def test_streamed_batches_and_draws_are_those_of_data_in_memory(
    form: str, workers: int, build: Callable[..., Data]
) -> None:
    resident, streamed = (build(form, memory=memory, workers=workers) for memory in ("resident", "stream"))
    assert isinstance(resident, TensorData)
    assert isinstance(streamed, OnDiskData)
    assert streamed.fingerprint == resident.fingerprint
    assert (streamed.shape, streamed.classes, streamed.items) == (resident.shape, resident.classes, resident.items)
    assert (streamed.class_names, streamed.units) == (resident.class_names, resident.units)
    assert equal(streamed.draw(9, generator()), resident.draw(9, generator()))
    assert equal(streamed.held_out(3, generator()), resident.held_out(3, generator()))
    ours, theirs = streamed.to("cpu").loader(10, seed=3), resident.loader(10, seed=3)
    assert all(equal(next(ours), next(theirs)) for _ in range(12))  # over two epochs
    ours.close()


@pytest.mark.parametrize("workers", [0, 2])
def test_a_resumed_loader_continues_without_reading_earlier_batches(workers: int, build: Callable[..., Data]) -> None:
    unbroken, streamed = build("images", memory="resident").loader(8, 1), build("images", memory="stream").loader(8, 1)
    for _ in range(7):
        next(unbroken)
    next(streamed)
    streamed.load_state_dict(unbroken.state_dict())
    assert streamed.state_dict() == {"served": 7}
    assert all(equal(next(streamed), next(unbroken)) for _ in range(8))
    streamed.close()


def test_a_closed_stream_goes_on_where_it_was(build: Callable[..., Data]) -> None:
    loader, whole = (build("images", memory="stream", workers=2).loader(8, 1) for _ in range(2))
    batches = [next(loader)]
    loader.close()
    batches.append(next(loader))
    assert all(equal(batch, next(whole)) for batch in batches)


def started(loader: Any) -> Any:
    """A loader whose workers read; the first batch is read without them."""
    next(loader)
    next(loader)
    return loader


def test_one_batch_starts_no_workers(build: Callable[..., Data]) -> None:
    loader, before = build("images", memory="stream", workers=2).loader(8, 1), psutil.Process().children()
    next(loader)
    assert psutil.Process().children() == before


def test_workers_end_when_a_loader_is_closed_or_forgotten(build: Callable[..., Data]) -> None:
    data, before = build("images", memory="stream", workers=2), set(psutil.Process().children())
    for end in (lambda loader: loader.close(), lambda loader: None):
        loader = started(data.loader(8, 1))
        assert len(set(psutil.Process().children()) - before) == 2
        end(loader)
        del loader
        assert set(psutil.Process().children()) == before


class Hanging(Squares):
    """A dataset whose workers never end by themselves."""

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        if multiprocessing.parent_process():
            multiprocessing.util.Finalize(None, time.sleep, args=(1000,), exitpriority=0)
        return super().__getitem__(i)


def test_a_worker_that_hangs_at_its_end_is_killed() -> None:
    before = set(psutil.Process().children())
    loader = started(from_dataset(Hanging(), memory="stream", workers=2).loader(8, 1))
    assert len(set(psutil.Process().children()) - before) == 2
    loader.close()
    assert set(psutil.Process().children()) == before


def test_ctrl_c_leaves_workers_reading(build: Callable[..., Data]) -> None:
    before = psutil.Process().children()
    loader = started(build("images", memory="stream", workers=2).loader(8, 1))
    for worker in set(psutil.Process().children()) - set(before):
        worker.send_signal(signal.SIGINT)
        worker.send_signal(signal.SIGTERM)
    assert [len(next(loader).x) for _ in range(20)] == [8] * 20
    loader.close()


def test_a_worker_that_dies_is_an_error_with_a_way_out(build: Callable[..., Data]) -> None:
    before = psutil.Process().children()
    loader = started(build("images", memory="stream", workers=1).loader(8, 1))
    for worker in set(psutil.Process().children()) - set(before):
        worker.kill()

    def exhaust() -> None:
        for _ in range(100):
            next(loader)

    message = error_of(exhaust)
    assert message.startswith("data: a worker process ended (")
    assert message.endswith("): set workers to fewer, or to 0 to read without")


@pytest.mark.parametrize("workers", [0, 2])
def test_an_image_that_breaks_during_training_is_named(workers: int, tmp_path: Path) -> None:
    folder(tmp_path / "images", each=10, size=(64, 64))
    data = ImageFolderConfig(root=str(tmp_path / "images"), memory="stream", workers=workers).build()
    loader = data.loader(18, seed=0)
    next(loader)
    for path in (tmp_path / "images" / "cat").iterdir():
        path.write_bytes(b"gone")
    message = error_of(lambda: next(loader))
    assert message.startswith(f"data: {tmp_path}/images/cat/")
    assert "Traceback" not in message


def test_a_process_that_ends_in_the_middle_leaves_no_worker(tmp_path: Path) -> None:
    folder(tmp_path / "images", each=20)
    code = f"""
import psutil, sys
from allmodes.builtin.config.image_folder import ImageFolderConfig
loader = ImageFolderConfig(root={str(tmp_path / "images")!r}, memory="stream", workers=2).build().loader(8, 0)
next(loader), next(loader)
print(*[child.pid for child in psutil.Process().children()])
sys.kept = loader._ahead  # as a traceback would keep it
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert len(done.stdout.split()) == 2
    assert not any(psutil.pid_exists(int(pid)) for pid in done.stdout.split())
    assert done.stderr == ""


@pytest.mark.parametrize("form", ["images", "arrays"])
def test_a_change_of_folder_does_not_end_a_stream(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder(tmp_path / "images", each=10)
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(20, 2)))
    monkeypatch.chdir(tmp_path)
    kinds = {"images": ImageFolderConfig(root="images", memory="stream", workers=2)}
    kinds["arrays"] = ArraysConfig(path="x.npy", memory="stream", workers=2)  # type: ignore[assignment]
    loader = kinds[form].build().loader(18, seed=0)
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert [len(next(loader).x) for _ in range(3)] == [18] * 3
    loader.close()


# Where items are kept


def test_items_are_streamed_where_they_would_fill_more_than_half_of_the_free_memory() -> None:
    free = free_memory()
    assert 0 < free <= psutil.virtual_memory().total
    assert StoragePolicy("auto").keeps_on_disk(10 * free, "x")
    assert not StoragePolicy("auto").keeps_on_disk(free // 10, "x")
    assert StoragePolicy("stream").keeps_on_disk(1, "x")
    assert not StoragePolicy("resident").keeps_on_disk(10 * free, "x")


def test_the_choice_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "allmodes.data")
    StoragePolicy("auto").keeps_on_disk(2**20, "x.npy")
    assert caplog.messages[0].startswith("data: x.npy: 1 MB of ")
    assert caplog.messages[0].endswith(" MB free: kept in memory")


def test_a_split_is_complete_disjoint_and_fair_to_every_class() -> None:
    labels = torch.tensor([0] * 70 + [1] * 20 + [2] * 10)[torch.randperm(100, generator=generator())]
    train, test = split(100, 0.2, labels, "x")
    assert sorted([*train.tolist(), *test.tolist()]) == list(range(100))
    assert labels[test].bincount().tolist() == [14, 4, 2]


@pytest.mark.parametrize(("items", "share", "out"), [(2, 0.01, 1), (2, 0.99, 1), (10, 0.1, 1), (1000, 0.25, 250)])
def test_a_split_leaves_something_on_either_side(items: int, share: float, out: int) -> None:
    train, test = split(items, share, None, "x")
    assert (len(train), len(test)) == (items - out, out)


# A user's data set


def test_a_torch_dataset_gives_its_items_and_labels() -> None:
    data = from_dataset(Squares(50), held_out=0.2)
    everything = torch.cat([data.x, data.test_x])
    assert sorted(everything[:, 1].tolist()) == list(range(50))
    assert torch.equal(everything[:, 0], everything[:, 1] ** 2)
    assert torch.equal(torch.cat([data.labels, data.test_labels]), everything[:, 1].long() % 2)
    assert (data.items, data.test_items, data.class_names) == (40, 10, ("even", "odd"))


def test_a_test_set_of_its_own_is_held_out_whole() -> None:
    data = from_dataset(Squares(50), test=Squares(8))
    assert (data.items, data.test_items) == (50, 8)


@pytest.mark.parametrize(
    "item",
    [
        torch.arange(48, dtype=torch.uint8).reshape(3, 4, 4),
        torch.arange(48, dtype=torch.uint8).reshape(3, 4, 4).permute(1, 2, 0).numpy(),
        Image.fromarray(torch.arange(48, dtype=torch.uint8).reshape(3, 4, 4).permute(1, 2, 0).numpy()),
    ],
    ids=["tensor", "array", "pil"],
)
def test_images_may_be_tensors_arrays_or_pil(item: object) -> None:
    data = from_dataset([item] * 4)
    assert data.x.dtype == torch.uint8
    assert torch.equal(data.x[0], torch.arange(48, dtype=torch.uint8).reshape(3, 4, 4))


def test_floats_in_zero_to_one_are_mapped_if_their_range_is_set() -> None:
    images = TensorDataset(torch.linspace(0, 1, 4 * 16).reshape(4, 1, 4, 4))
    plain = [images[i][0] for i in range(4)]
    assert error_of(lambda: from_dataset(plain, name="mine")) == (
        "data: mine has values from 0 to 1, but images are bytes or floats in [-1, 1]: "
        "set range: [low, high], such as [0, 1]"
    )
    data = from_dataset(plain, range=(0, 1))
    assert torch.cat([data.x, data.test_x]).aminmax() == (-1, 1)


class Endless(IterableDataset[int]):
    def __iter__(self) -> Iterator[int]:
        return iter(range(3))


class Broken(Squares):
    def __getitem__(self, i: int) -> Any:
        if i == 7:
            raise KeyError("seven")
        return super().__getitem__(i)


def listed(*items: object) -> list[object]:
    return [torch.zeros(2)] * 3 + list(items)


FORMS_OF_ITEMS = "give x or (x, y) with x a vector (F,), an image (C, H, W) or a PIL image, and y a whole number"
FEW = [(torch.zeros(2), 0)] * 3
SHAPES = "has shape (3,), but item 0 has (2,): make them alike"
BYTES = "has (1, 2, 2) of torch.uint8, but item 0 has (1, 2, 2) of torch.float32: make them alike"
UNSEEN = "list has labels, but streaming does not see them all: set their number with classes"


@pytest.mark.parametrize(
    ("dataset", "options", "message"),
    [
        (Endless(), {}, "Endless gives no items by position: give a data set with __len__ and __getitem__"),
        ([], {}, "list has no items"),
        (listed(torch.zeros(3)), {}, f"item 3 of list {SHAPES}"),
        ([torch.zeros(1, 2, 2) - 1, torch.zeros(1, 2, 2).byte()], {}, f"item 1 of list {BYTES}"),
        (listed((torch.zeros(2), 1)), {}, "item 3 of list has a label, but item 0 has none"),
        ([(torch.zeros(2), 0), torch.zeros(2)], {}, "item 1 of list has no label, but item 0 has one"),
        ([(torch.zeros(2), "cat")], {}, "item 0 of list has the label 'cat': give whole numbers from 0"),
        ([*FEW, (torch.zeros(2), -1)], {}, "item 3 of list has label -1, but labels are 0 or more"),
        ([*FEW, (torch.zeros(2), 5)], {"classes": 5}, "item 3 of list has label 5, but labels are from 0 to 4"),
        (FEW, {"memory": "stream"}, UNSEEN),
        ([{"image": 1}], {}, "item 0 of list is one number: make it a vector, such as x[:, None]"),
        (["cat"], {}, f"item 0 of list is of type str: {FORMS_OF_ITEMS}"),
        ([torch.zeros(1, 2, 3, 4)], {}, f"item 0 of list is a tensor of shape (1, 2, 3, 4): {FORMS_OF_ITEMS}"),
        (Broken(), {}, "item 7 of Broken cannot be read: KeyError: 'seven'"),
    ],
)
def test_a_dataset_that_is_not_as_it_should_be_is_refused_by_item(
    dataset: Any, options: dict[str, Any], message: str
) -> None:
    assert error_of(lambda: from_dataset(dataset, **options)) == f"data: {message}"


def test_a_broken_item_in_a_worker_is_named_too_and_ends_the_workers() -> None:
    before, data = set(psutil.Process().children()), from_dataset(Squares(40), memory="stream", workers=2)
    loader = data.loader(data.items, seed=0)
    next(loader)
    data.train.source.whole.dataset = Broken(40)
    with pytest.raises(DataError) as kept:  # with the traceback, which refers to the stream
        next(loader)
    assert str(kept.value) == "data: item 7 of Squares cannot be read: KeyError: 'seven'"
    assert set(psutil.Process().children()) == before


def test_a_stored_spec_records_that_its_data_came_from_python() -> None:
    config = PythonConfig.of(from_dataset(Squares(50)), "squares")
    assert (config.shape(), config.classes(), config.items) == ((2,), 2, 45)
    assert error_of(config.build) == "data: squares came from Python: pass data=... to Experiment"


def test_a_folder_for_temporary_files_that_would_make_workers_hang_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = f"/{'long/' * 20}"
    monkeypatch.setattr("tempfile.tempdir", folder)
    with pytest.raises(DataError) as raised:
        next(read_batches(ItemsInMemory("x", Items(torch.zeros(4, 2))), [[0, 1]], workers=2))
    assert str(raised.value) == (
        f"data: the folder for temporary files, {folder}, has a name too long for worker processes (at most 71 bytes): "
        "set TMPDIR to a shorter one, or workers to 0"
    )
