"""Data from Python as people have them: items of many forms, labels of many forms, and errors that name the item."""

from collections import namedtuple
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset

from allmodes import Experiment
from allmodes.data import DataError, TensorData, from_dataset
from allmodes.data.description import describe_data
from files import refusal

VECTORS = torch.randn(40, 2, generator=torch.Generator().manual_seed(0))
LABELS = [i % 3 for i in range(40)]


def built(dataset: Any, **options: Any) -> TensorData:
    data = from_dataset(dataset, memory="resident", **options)
    assert isinstance(data, TensorData)
    return data


def everything(data: TensorData) -> tuple[torch.Tensor, list[int] | None]:
    """All items in the order of their first number, and their labels."""
    x = torch.cat([data.x, data.test_x])
    order = x.flatten(1)[:, 0].argsort()
    labels = None if data.labels is None else torch.cat([data.labels, data.test_labels])[order].tolist()
    return x[order], labels


# Forms of items


Pair = namedtuple("Pair", "image label")
Turned = namedtuple("Turned", "label image")
Plain = namedtuple("Plain", "left right")


@dataclass
class Record:
    """An item with names."""

    pixel_values: torch.Tensor
    labels: int


FORMS: dict[str, Callable[[torch.Tensor, int], Any]] = {
    "tuple": lambda x, y: (x, y),
    "list": lambda x, y: [x, y],
    "named tuple": Pair,
    "named tuple the other way round": lambda x, y: Turned(y, x),
    "named tuple of other names": Plain,
    "mapping": lambda x, y: {"x": x, "y": y},
    "mapping as of Hugging Face": lambda x, y: {"image": x.numpy(), "label": y, "id": 3},
    "mapping in capitals": lambda x, y: {"Image": x.tolist(), "Label": y},
    "mapping with one other key": lambda x, y: {"target": y, "point": x},
    "data class": Record,
    "numpy": lambda x, y: (x.numpy(), np.int64(y)),
    "big-endian": lambda x, y: (x.numpy().astype(">f8"), np.array(y)),
    "numbers": lambda x, y: (x.tolist(), float(y)),
    "label of shape (1,)": lambda x, y: (x, torch.tensor([y])),
    "label of shape (1, 1)": lambda x, y: (x, np.array([[y]])),
    "label in a list": lambda x, y: (x, [y]),
    "one-hot label": lambda x, y: (x, torch.eye(3)[y]),
    "one-hot label of bools": lambda x, y: (x, np.eye(3, dtype=bool)[y]),
    "that learns": lambda x, y: (x.clone().requires_grad_(), y),
    "sparse": lambda x, y: (x.to_sparse(), y),
    "double": lambda x, y: (x.double(), torch.tensor(float(y))),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("memory", ["resident", "stream"])
def test_items_of_every_usual_form_are_taken_with_their_labels(form: str, memory: str) -> None:
    items = [FORMS[form](x, y) for x, y in zip(VECTORS, LABELS, strict=True)]
    data = from_dataset(items, memory=memory, classes=3)
    plain = built(list(zip(VECTORS, LABELS, strict=True)), classes=3)
    batch, same = data.take(torch.arange(data.items)), plain.take(torch.arange(plain.items))
    torch.testing.assert_close(batch.x, same.x)
    assert batch.labels is not None
    assert batch.labels.tolist() == same.labels.tolist()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "items",
    [
        TensorDataset(VECTORS),
        [(x,) for x in VECTORS],
        [[x] for x in VECTORS],
        [(x, None) for x in VECTORS],
        [{"x": x} for x in VECTORS],
        [{"point": x, "label": None} for x in VECTORS],
        VECTORS,
        VECTORS.numpy(),
        VECTORS.tolist(),
        [tuple(x) for x in VECTORS.tolist()],
        Subset(TensorDataset(VECTORS), range(40)),
    ],
    ids=range(11),
)
def test_items_without_labels_are_taken_in_every_form(items: Any) -> None:
    data = built(items)
    assert torch.allclose(everything(data)[0], everything(built(list(VECTORS)))[0])
    assert (data.labels, data.classes) == (None, None)


def test_a_recipe_takes_torch_s_own_form_without_labels() -> None:
    experiment = Experiment.from_recipe(
        "gan/ring", ["evaluation.metrics=[wasserstein]"], data=TensorDataset(VECTORS), track=False
    )
    assert experiment.data.items == 36


def test_keys_that_are_not_learned_are_reported_and_may_be_chosen() -> None:
    items = [{"img": x, "fine_label": y, "coarse_label": 0} for x, y in zip(VECTORS, LABELS, strict=True)]
    assert describe_data(built(items), "python") == (
        "data: list: 36 items to train on, 4 held out; vectors of 2 numbers; no labels; "
        "left out: key 'fine_label', key 'coarse_label'"
    )
    chosen = built(items, label="fine_label")
    assert (chosen.classes, chosen.origin.left_out) == (3, ("key 'coarse_label'",))


def test_one_hot_labels_are_reported() -> None:
    data = built([(x, torch.eye(5)[y]) for x, y in zip(VECTORS, LABELS, strict=True)])
    assert (data.classes, data.origin.notes) == (
        5,
        ("labels are one-hot, of 5 classes", "no item has the label 3, 4"),
    )


def test_names_of_classes_come_from_the_features_of_hugging_face() -> None:
    class HuggingFace(list[Any]):
        features = {"image": None, "label": SimpleNamespace(names=["ant", "bee", "cow"])}

    data = built(HuggingFace({"image": x, "label": y} for x, y in zip(VECTORS, LABELS, strict=True)))
    assert data.class_names == ("ant", "bee", "cow")


def test_listed_labels_that_differ_from_those_of_the_items_are_ignored() -> None:
    class Mapped(Dataset[Any]):
        targets = [0] * 40
        classes = ("ant", "bee", "cow")

        def __len__(self) -> int:
            return 40

        def __getitem__(self, i: int) -> Any:
            return VECTORS[i], LABELS[i]

    data = from_dataset(Mapped(), memory="stream", classes=3)
    assert data.class_names is None
    assert data.shares().tolist() == built(Mapped(), classes=3).shares().tolist() != [1, 0, 0]


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_settings_of_torch_do_not_change_data(device: str) -> None:
    plain = built([(x, y) for x, y in zip(VECTORS, LABELS, strict=True)])
    torch.set_default_device(device)
    torch.set_default_dtype(torch.float64)
    try:
        data = built(list(zip(VECTORS, LABELS, strict=True)))
    finally:
        torch.set_default_device(None)
        torch.set_default_dtype(torch.float32)
    assert data.fingerprint == plain.fingerprint
    assert data.labels.device.type == "cpu"


def test_items_that_change_are_reported() -> None:
    class Changing(Dataset[torch.Tensor]):
        def __len__(self) -> int:
            return 40

        def __getitem__(self, i: int) -> torch.Tensor:
            return torch.rand(2)

    assert built(Changing()).origin.notes == ("item 0 differs each time it is read: give items without random changes",)


# Images


def photo(mode: str, **options: Any) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 255, (4, 6, 3)).astype(np.uint8)
    return Image.fromarray(pixels).convert(mode)


@pytest.mark.parametrize(
    ("mode", "channels"), [("1", 1), ("L", 1), ("LA", 1), ("P", 3), ("RGB", 3), ("RGBA", 3), ("CMYK", 3), ("HSV", 3)]
)
def test_images_of_pillow_are_grey_or_rgb_as_those_of_files_are(mode: str, channels: int) -> None:
    assert built([photo(mode)] * 4).shape == (channels, 4, 6)


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_images_of_more_bits_are_refused_and_not_clipped(mode: str) -> None:
    image = Image.fromarray(np.full((4, 6), 40_000, np.uint16)) if mode == "I;16" else photo("L").convert(mode)
    assert refusal(lambda: built([image] * 4)) == (
        f"item 0 of list has pixels of mode {mode}: convert it to 8 bits per channel"
    )


def test_images_of_pillow_are_turned_upright() -> None:
    image = photo("RGB")
    image.getexif()[0x0112] = 6
    assert built([image] * 4).shape == (3, 6, 4)


# What is wrong


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(("value", "name"), [(NAN, "nan"), (INF, "inf"), (-INF, "-inf"), (1e300, "inf")])
@pytest.mark.parametrize("memory", ["resident", "stream"])
def test_a_vector_that_is_not_finite_is_named(value: float, name: str, memory: str) -> None:
    x = VECTORS.double()
    x[5, 1] = value
    remedy = "give finite numbers, or leave the item out"
    assert refusal(lambda: from_dataset(x, memory=memory)) == f"item 5 of Tensor has {name} at [1]: {remedy}"
    assert refusal(lambda: from_dataset(VECTORS, test=x, memory=memory)) == (
        f"item 5 of the test set of Tensor has {name} at [1]: {remedy}"
    )


def test_a_pixel_that_is_not_finite_is_named() -> None:
    x = torch.rand(6, 3, 4, 4) * 2 - 1
    x[3, 1, 2, 0] = NAN
    assert refusal(lambda: built(x)).startswith("item 3 of Tensor has nan at [1, 2, 0]: give finite numbers")


def test_a_late_item_that_is_not_finite_ends_a_streamed_pass_by_name() -> None:
    x = torch.zeros(3000, 2)
    x[1501] = NAN
    data = from_dataset(x, memory="stream")
    loader = data.loader(data.items, seed=0)
    assert refusal(lambda: next(loader)).startswith("item 1501 of Tensor has nan at [0]")


FORMS_OF_ITEMS = "give x or (x, y) with x a vector (F,), an image (C, H, W) or a PIL image, and y a whole number"
WHOLE = "give whole numbers from 0"
masked = np.ma.masked_array([1.0, 2.0], [True, False])


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([1.0, 2.0], "item 0 of list is one number: make it a vector, such as x[:, None]"),
        (torch.zeros(5), "item 0 of Tensor is one number: make it a vector, such as x[:, None]"),
        (np.zeros(5), "item 0 of ndarray is one number: make it a vector, such as x[:, None]"),
        (torch.zeros(5, 0), f"item 0 of Tensor is a tensor of shape (0,): {FORMS_OF_ITEMS}"),
        (torch.ones(5, 2).cfloat(), f"item 0 of Tensor is a tensor of shape (2,) of torch.complex64: {FORMS_OF_ITEMS}"),
        (np.array([["a", "b"]] * 3), f"item 0 of ndarray is of type ndarray: {FORMS_OF_ITEMS}"),
        (np.array([[1, None]] * 3), f"item 0 of ndarray is of type ndarray: {FORMS_OF_ITEMS}"),
        ([object()], f"item 0 of list is of type object: {FORMS_OF_ITEMS}"),
        ([None], f"item 0 of list is of type NoneType: {FORMS_OF_ITEMS}"),
        ([masked] * 3, "item 0 of list has masked values: fill them in, or leave the item out"),
        ([(VECTORS[0], 1, 2)] * 3, "item 0 of list has 3 parts: give x or (x, y)"),
        ([()] * 3, "item 0 of list has 0 parts: give x or (x, y)"),
        ([(VECTORS[0], 1.5)] * 3, f"item 0 of list has the label 1.5: {WHOLE}"),
        ([(VECTORS[0], NAN)] * 3, f"item 0 of list has the label nan: {WHOLE}"),
        ([(VECTORS[0], INF)] * 3, f"item 0 of list has the label inf: {WHOLE}"),
        ([(VECTORS[0], 10**30)] * 3, f"item 0 of list has the label 1e+30: {WHOLE}"),
        ([(VECTORS[0], [0.2, 0.8])] * 3, f"item 0 of list has the label [0.2, 0.8]: {WHOLE}"),
        ([(VECTORS[0], [1, 1, 0])] * 3, f"item 0 of list has the label [1, 1, 0]: {WHOLE}"),
        ([(VECTORS[0], torch.eye(3)[0]), (VECTORS[0], 1)], f"item 1 of list has the label 1: {WHOLE}"),
        ([(VECTORS[0], [1, 0]), (VECTORS[0], [1, 0, 0])], f"item 1 of list has the label [1, 0, 0]: {WHOLE}"),
        ([(VECTORS[0], "3")] * 3, f"item 0 of list has the label '3': {WHOLE}"),
        (
            [{"a": VECTORS[0], "b": VECTORS[0]}] * 3,
            "item 0 of list has the keys 'a', 'b': choose the one to learn, such as from_dataset(..., x='a')",
        ),
        (
            [{"image": VECTORS[0], "x": VECTORS[0], "id": 1}] * 3,
            "item 0 of list has the keys 'image', 'x', 'id': "
            "choose the one to learn, such as from_dataset(..., x='image')",
        ),
        (
            [{"x": VECTORS[0], "label": 1, "target": 1}] * 3,
            "item 0 of list has the keys 'x', 'label', 'target': choose the label with label=...",
        ),
        ([{}] * 3, "item 0 of list has the keys none: choose the one to learn, such as from_dataset(..., x='x')"),
        (
            [{"x": VECTORS[0]}, {"y": 1, "z": 2, "w": 3}],
            "item 1 of list has the keys 'y', 'z', 'w': choose the one to learn, such as from_dataset(..., x='z')",
        ),
    ],
)  # fmt: skip
def test_an_item_that_cannot_be_learned_is_named(items: Any, message: str) -> None:
    assert refusal(lambda: built(items)) == message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"x": "pixels"}, "item 0 of list has no key 'pixels'; it has 'img', 'id'"),
        ({"label": "lable"}, "item 0 of list has no key 'lable'; it has 'img', 'id'"),
    ],
)
def test_keys_that_are_not_there_are_refused(options: dict[str, str], message: str) -> None:
    assert refusal(lambda: built([{"img": VECTORS[0], "id": 1}] * 3, **options)) == message


class Endless(IterableDataset[int]):
    def __iter__(self) -> Iterator[int]:
        return iter(range(3))

    def __len__(self) -> int:
        return 3


class Unsized(Dataset[int]):
    def __len__(self) -> int:
        raise TypeError("unknown")

    def __getitem__(self, i: int) -> int:
        return i


NONE = "gives no items by position"


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (Endless(), f"Endless {NONE}: give a data set with __len__ and __getitem__"),
        (iter([VECTORS]), f"list_iterator {NONE}: give a data set with __len__ and __getitem__"),
        (DataLoader(TensorDataset(VECTORS)), f"DataLoader {NONE}: give its dataset"),
        (
            pd.DataFrame(VECTORS.numpy()),
            f"DataFrame {NONE}: give its to_numpy(), or write it to a file that a spec names",
        ),
        (
            {"train": [1], "test": [2]},
            f"dict {NONE}, but by the keys 'train', 'test': give one data set, such as ['train']",
        ),
        ("mine.csv", f"str {NONE}: to learn from a file, name it in a spec, such as data: {{kind: csv, path: ...}}"),
        (
            (VECTORS, torch.tensor(LABELS)),
            f"tuple {NONE}, but is a pair of arrays: give torch.utils.data.TensorDataset(x, y)",
        ),
        (Unsized(), "Unsized does not tell how many items it has: TypeError: unknown"),
        (TensorDataset(torch.zeros(0, 2)), "TensorDataset has no items"),
        (torch.zeros(0, 2), "Tensor has no items"),
        (TensorDataset(torch.zeros(1, 2)), "TensorDataset has 1 items, but one is to train on and one to hold out"),
    ],
)  # fmt: skip
def test_other_objects_than_data_sets_are_refused_with_the_remedy(dataset: Any, message: str) -> None:
    assert refusal(lambda: built(dataset)) == message


def test_an_empty_test_set_is_refused() -> None:
    assert refusal(lambda: built(VECTORS, test=VECTORS[:0])) == "the test set of Tensor has no items"


def test_a_class_of_which_only_a_held_out_item_is_there_counts() -> None:
    data = built([(x, 0) for x in VECTORS], held_out=0.5)
    held = next(i for i, x in enumerate(VECTORS) if (data.test_x == x).all(1).any())
    rare = [(x, 7 if i == held else i % 2) for i, x in enumerate(VECTORS)]
    assert (built(rare, held_out=0.5).classes, int(built(rare, held_out=0.5).labels.max())) == (8, 1)


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        ([0, 1], [0, 5], "the test set of list has the label 5, which the training data do not have"),
        ([0, 1], [None], "list has labels, but the test set of list has none: make them alike"),
        ([None], [0], "the test set of list has labels, but list has none: make them alike"),
    ],
)
def test_a_test_set_of_other_labels_is_refused(train: list[Any], test: list[Any], message: str) -> None:
    items, others = ([(VECTORS[i], label) for i, label in enumerate(labels * 3)] for labels in (train, test))
    assert refusal(lambda: built(items, test=others)) == message


def test_labels_without_an_item_are_reported() -> None:
    assert built([(x, 1 + 2 * (i % 2)) for i, x in enumerate(VECTORS)]).origin.notes == ("no item has the label 0, 2",)


@pytest.mark.parametrize("options", [{"memory": "resident"}, {"memory": "stream", "classes": 10**12 + 40}])
def test_labels_that_are_numbers_of_customers_are_refused(options: dict[str, Any]) -> None:
    assert refusal(lambda: from_dataset([(x, 10**12 + i) for i, x in enumerate(VECTORS)], **options)) == (
        "list has labels up to 1000000000039, but 40 items: number the classes from 0 without gaps"
    )


def test_images_with_transparency_last_are_refused_and_not_turned() -> None:
    with pytest.raises(DataError, match=r"item 0 of Tensor has shape \(8, 6, 4\): is it \(H, W, C\)"):
        from_dataset(torch.zeros(20, 8, 6, 4, dtype=torch.uint8))
