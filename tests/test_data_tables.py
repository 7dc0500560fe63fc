"""Arrays, CSV and numbers in Parquet: every number where it belongs, its units kept, errors with file, row, column."""

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from allmodes.builtin.config.arrays import ArraysConfig
from allmodes.builtin.config.csv_file import CsvConfig
from allmodes.builtin.config.parquet import ParquetConfig
from allmodes.data import TensorData
from allmodes.data.standardisation import Standardisation
from files import refusal

FILL = "correct them or choose other columns, or set missing: leave_out to learn from the rows without"
FILL_ITEMS = "correct them, or set missing: leave_out to learn from the rows without"
SPECIES = (
    "'species' 3 of 3 (first in line 2: 'x'): correct them, or list them in missing_values if they mean that a number "
    "is missing; or leave the column out of columns"
)
ENCODING = "save it as CSV in UTF-8, or set encoding, such as cp1252 (Windows) or latin-1"
Text = str | bytes


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def table(text: Text, **options: object) -> TensorData:
    Path("f.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    data = CsvConfig(path="f.csv", **options).build()
    assert isinstance(data, TensorData)
    return data


def arrays(**options: object) -> TensorData:
    data = ArraysConfig(**{"path": "x.npy", "memory": "resident", **options}).build()
    assert isinstance(data, TensorData)
    return data


def everything(data: TensorData) -> torch.Tensor:
    """All items, in the user's units."""
    x = torch.cat([data.x, data.test_x])
    return x if data.units is None else data.units.restore(x.double())


def rows(n: int = 10) -> str:
    return "a,b,label\n" + "".join(f"{i},{i * i},{'odd' if i % 2 else 'even'}\n" for i in range(n))


# Units


def test_training_rows_have_zero_mean_and_unit_variance_and_come_back_in_their_units() -> None:
    x = np.random.default_rng(0).normal([1e6, -3], [0.5, 100], (200, 2))
    np.save("x.npy", x)
    data = arrays()
    assert torch.allclose(data.x.mean(0), torch.zeros(2), atol=1e-5)
    assert torch.allclose(data.x.std(0, correction=0), torch.ones(2), atol=1e-5)
    back = everything(data).numpy()
    assert np.allclose(back[back[:, 0].argsort()], x[x[:, 0].argsort()], rtol=1e-6)


def test_held_out_rows_are_standardised_by_the_rows_that_are_trained_on() -> None:
    np.save("x.npy", np.array([[-1.0], [1.0]]))
    np.save("test.npy", np.array([[3.0], [5.0]]))
    assert arrays(test_path="test.npy").test_x.flatten().tolist() == [3, 5]


@given(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3), st.lists(st.floats(1e-3, 1e6), min_size=3, max_size=3))
@settings(max_examples=50)
def test_restoring_undoes_standardising(mean: list[float], std: list[float]) -> None:
    units, x = Standardisation(tuple(mean), tuple(std)), torch.randn(5, 3, dtype=torch.float64)
    assert torch.allclose(units.standardise(units.restore(x)), x, atol=1e-6)
    assert Standardisation.of(units.page()) == units


def test_without_standardising_the_numbers_stay_and_the_columns_keep_their_names() -> None:
    data = table(rows(), standardise=False)
    assert sorted(torch.cat([data.x, data.test_x])[:, 0].tolist()) == list(range(10))
    assert data.units == Standardisation((0.0, 0.0), (1.0, 1.0), ("a", "b"))


# CSV


def test_all_columns_of_numbers_are_read_and_label_is_the_label() -> None:
    data = table("name," + rows().replace("\n", "\nx,", 10).removesuffix("x,"))
    assert data.units is not None
    assert data.units.columns == ("a", "b")
    assert (data.shape, data.items, data.test_items, data.class_names) == ((2,), 9, 1, ("even", "odd"))
    found = everything(data)
    assert torch.allclose(found[:, 1], found[:, 0] ** 2, atol=1e-4)
    assert torch.equal(found[:, 0].round().long() % 2, torch.cat([data.labels, data.test_labels]))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_spreadsheets_way_of_writing_is_understood(delimiter: str, end: str, start: str) -> None:
    text = start + rows().replace(",", delimiter).replace("\n", end)
    assert table(text).units == table(rows()).units


def test_a_file_without_header_has_numbered_columns() -> None:
    data = table("1,2,cat\n3,5,dog\n5,6,cat\n", header=False, columns=[2], label=3)
    assert data.units is not None
    assert (data.units.columns, data.class_names) == (("2",), ("cat", "dog"))
    assert sorted(everything(data).flatten().tolist()) == pytest.approx([2, 5, 6])


def test_columns_are_read_in_the_order_that_is_asked_for() -> None:
    data = table(rows(), columns=["b", "a"])
    assert torch.allclose(everything(data)[:, 0], everything(data)[:, 1] ** 2, atol=1e-4)


def test_whole_numbers_as_labels_are_numbered_in_their_order() -> None:
    data = table("a,label\n1,10\n2,9\n3,10\n4,100\n")
    assert data.class_names == ("9", "10", "100")


def test_a_test_file_is_held_out_with_the_same_labels() -> None:
    Path("test.csv").write_text("label,b,a\nodd,7,3\n")
    data = table(rows(), test_path="test.csv", standardise=False)
    assert (data.items, data.test_x.tolist(), data.test_labels.tolist()) == (10, [[3.0, 7.0]], [1])


@given(
    st.lists(st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=2), min_size=2, max_size=20),
    st.sampled_from(",;\t|"),
)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_the_output_of_a_csv_writer_is_read(values: list[list[float]], delimiter: str) -> None:
    with Path("g.csv").open("w", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows([["first, or so", "second"], *values])
    data = CsvConfig(path="g.csv", standardise=False).build()
    found = sorted(torch.cat([data.x, data.test_x]).tolist())
    assert found == sorted(torch.tensor(values, dtype=torch.float64).float().tolist())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "f.csv is empty"),
        ("a,b\n", "f.csv has a header but no rows"),
        ("a,b\n1,2\n\n3,\n", f"f.csv has missing cells in 1 of 2 rows: 'b' has 1 (first: line 4): {FILL}"),
        ("a,b\n1,2\n3,NA\n", f"f.csv has missing cells in 1 of 2 rows: 'b' has 1 (first: line 3): {FILL}"),
        ("a,b\n1,2\n3,nan\n", f"f.csv has missing cells in 1 of 2 rows: 'b' has 1 (first: line 3): {FILL}"),
        ("a,b\n1,2\n-inf,1\n", f"f.csv has infinite cells in 1 of 2 rows: 'a' has 1 (first: line 3): {FILL}"),
        (
            "a;b\n1;2\n3;1,5\n",
            "f.csv has 1 column with cells that are not numbers: 'b' 1 of 2 (first in line 3: '1,5'): "
            "decimals take a point, or set decimal: ','; or set columns to those to learn",
        ),
        ('a,b,c\n1,2,"two\nlines"\n3,4\n', "f.csv, line 4 has 2 cells, but there are 3 columns"),
        ("a,b\n1,2,3\n", "f.csv, line 2 has 3 cells, but there are 2 columns"),
        ("a,a\n1,2\n", "f.csv names the column 'a' twice (columns 1 and 2): rename one"),
        (
            "a,b\nx,2020-01-31\n",
            "f.csv has no column of numbers; it has column 'a' (text such as 'x'), "
            "column 'b' (dates or times such as '2020-01-31')",
        ),
        ("a,label\n1,x\n2,\n", f"f.csv has missing cells in 1 of 2 rows: 'label' has 1 (first: line 3): {FILL}"),
        ("a\n1\n", "f.csv has 1 items, but one is to train on and one to hold out"),
        (b"a\n\xff\n", f"f.csv, line 2 is not text in UTF-8: {ENCODING}"),
    ],
)
def test_a_csv_that_is_not_as_it_should_be_is_refused_with_its_line(text: Text, message: str) -> None:
    assert refusal(lambda: table(text)) == message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": ["hight"]}, "f.csv has no column 'hight' (did you mean 'height'?); it has height, species"),
        ({"label": "specie"}, "f.csv has no column 'specie' (did you mean 'species'?); it has height, species"),
        ({"columns": ["species"]}, f"f.csv has 1 column with cells that are not numbers: {SPECIES}"),
        ({"test_path": "no.csv"}, "no.csv cannot be read: No such file or directory"),
    ],
)
def test_columns_and_files_that_are_not_there_are_refused(options: dict[str, object], message: str) -> None:
    assert refusal(lambda: table("height,species\n1,x\n2,y\n3,x\n", **options)) == message


def test_a_constant_column_is_refused_unless_it_is_not_standardised() -> None:
    text = "a,c\n" + "".join(f"{i},3\n" for i in range(20))
    assert refusal(lambda: table(text)) == (
        "column 'c' of f.csv is constant (3 in all 18 rows that are trained on): "
        "leave it out, or set standardise: false"
    )
    assert table(text, standardise=False).shape == (2,)
    assert table(text, columns=["a"]).shape == (1,)


def test_a_label_that_only_the_test_file_has_is_refused() -> None:
    Path("test.csv").write_text("a,b,label\n1,2,prime\n")
    assert refusal(lambda: table(rows(), test_path="test.csv")) == (
        "test.csv has the label 'prime', which the training data do not have"
    )


# Parquet


def parquet(path: str = "f.parquet", **columns: object) -> None:
    pq.write_table(pa.table(columns), path, row_group_size=4)


def test_numbers_of_any_type_are_read_from_parquet() -> None:
    parquet(a=list(range(12)), b=[i / 8 for i in range(12)], c=[i % 3 == 0 for i in range(12)], word=["x"] * 12)
    data = ParquetConfig(path="f.parquet", memory="resident").build()
    assert data.units.columns == ("a", "b", "c")
    found = everything(data)
    assert torch.allclose(found[:, 1] * 8, found[:, 0], atol=1e-5)
    assert torch.equal(found[:, 2].round(), (found[:, 0].round() % 3 == 0).double())


@pytest.mark.parametrize("memory", ["resident", "stream"])
@pytest.mark.parametrize(
    ("values", "what"),
    [([1.0, None], "missing"), ([1.0, float("inf")], "infinite"), ([float("nan"), 1.0], "missing")],
)
def test_a_bad_cell_of_parquet_is_named_with_its_row(memory: str, values: list[float | None], what: str) -> None:
    Path("parts").mkdir()
    parquet("parts/a.parquet", a=[1.0, 2.0], b=[1.0, 2.0])
    parquet("parts/b.parquet", a=[3.0, 4.0], b=values)
    build = ParquetConfig(path="parts", memory=memory).build
    row = 1 if values[0] != 1 else 2
    assert refusal(build) == (
        f"parts has {what} cells in 1 of 4 rows: 'b' has 1 (first: parts/b.parquet, row {row}): {FILL}"
    )


def test_words_are_not_numbers_in_parquet() -> None:
    parquet(a=[1, 2], word=["x", "y"])
    assert refusal(ParquetConfig(path="f.parquet", columns=["word"]).build) == (
        "column 'word' of f.parquet holds string, not numbers: leave it out of columns"
    )


def test_parts_with_other_columns_are_refused() -> None:
    Path("parts").mkdir()
    parquet("parts/a.parquet", a=[1.0], b=[2.0])
    parquet("parts/b.parquet", a=[1.0])
    assert refusal(ParquetConfig(path="parts").build) == (
        "parts/b.parquet has no column 'b', which parts/a.parquet has"
    )


def test_parquet_without_rows_is_refused() -> None:
    parquet(a=pa.array([], pa.float64()))
    assert refusal(ParquetConfig(path="f.parquet").build) == "f.parquet has no rows"


# Arrays


def test_an_npz_gives_items_labels_and_their_test_parts() -> None:
    x = np.random.default_rng(0).integers(0, 256, (6, 5, 5)).astype(np.uint8)
    np.savez("x.npz", x_train=x[:4], y_train=[3, 7, 3, 7], x_test=x[4:], y_test=[7, 3])
    data = arrays(path="x.npz", x="x_train", labels="y_train", test_x="x_test", test_labels="y_test")
    assert (data.shape, data.class_names) == ((1, 5, 5), ("3", "7"))
    assert np.array_equal(data.x[:, 0].numpy(), x[:4])
    assert np.array_equal(data.test_x[:, 0].numpy(), x[4:])
    assert (data.labels.tolist(), data.test_labels.tolist()) == ([0, 1, 0, 1], [1, 0])


@pytest.mark.parametrize("memory", ["resident", "stream"])
def test_labels_may_be_a_file_of_their_own(memory: str) -> None:
    np.save("x.npy", np.arange(20.0).reshape(10, 2))
    np.save("y.npy", np.array(["cat", "dog"] * 5))
    data = ArraysConfig(path="x.npy", labels="y.npy", memory=memory).build()
    assert data.class_names == ("cat", "dog")


@pytest.mark.parametrize(("axes", "layout"), [((0, 3, 1, 2), "auto"), ((0, 1, 2, 3), "auto"), ((0, 1, 2, 3), "NHWC")])
def test_channels_are_found_at_either_end(axes: tuple[int, ...], layout: str) -> None:
    x = np.random.default_rng(0).integers(0, 256, (4, 5, 6, 3)).astype(np.uint8)
    np.save("x.npy", x.transpose(axes))
    data = arrays(layout=layout)
    found = {bytes(image) for image in torch.cat([data.x, data.test_x]).numpy()}
    assert found == {image.transpose(2, 0, 1).tobytes() for image in x}


@pytest.mark.parametrize("memory", ["resident", "stream"])
def test_a_range_is_mapped_to_minus_one_and_one(memory: str) -> None:
    np.save("x.npy", np.linspace(0, 255, 4 * 16).reshape(4, 4, 4))
    data = ArraysConfig(path="x.npy", range=(0, 255), memory=memory).build()
    generator = torch.Generator().manual_seed(0)
    found = torch.cat([data.take(torch.arange(3)).x, data.held_out(1, generator).x])
    assert torch.allclose(found.flatten().sort().values, torch.linspace(-1, 1, 64), atol=1e-6)


AXES = "give vectors (N, F) or images (N, H, W), (N, H, W, C) or (N, C, H, W)"
CONSTANT = "is constant (1 in all 2 rows that are trained on): leave it out, or set standardise: false"
LAYOUT = "set layout to NHWC or NCHW"
PIXELS = np.linspace(0, 3, 32).reshape(2, 4, 4)
BEYOND = "but images are bytes or floats in [-1, 1]: set range: [low, high]"


@pytest.mark.parametrize(
    ("array", "options", "message"),
    [
        (np.zeros(5), {}, f"x.npy has shape (5,): {AXES}"),
        (np.zeros((0, 5)), {}, "x.npy has shape (0, 5): there are no items"),
        (np.array(["a", "b"])[:, None], {}, "x.npy holds <U1: give whole numbers or floats"),
        (np.ones((2, 2), complex), {}, "x.npy holds complex128: give whole numbers or floats"),
        (
            np.array([[1.0], [np.nan]]),
            {},
            f"x.npy has missing cells in 1 of 2 rows: 'x[:, 0]' has 1 (first: item 1): {FILL_ITEMS}",
        ),
        (np.array([[1.0, 2], [1, 3], [1, 4]]), {}, f"x[:, 0] of x.npy {CONSTANT}"),
        (np.linspace(0, 1, 32).reshape(2, 4, 4), {}, f"x.npy has values from 0 to 1, {BEYOND}, such as [0, 1]"),
        (PIXELS, {}, f"x.npy has values from 0 to 3, {BEYOND}, such as [0, 255]"),
        (np.linspace(-3, 3, 32).reshape(2, 4, 4), {}, f"x.npy has values from -3 to 3, {BEYOND}"),
        (PIXELS, {"range": (0, 1)}, "x.npy has values from 0 to 3, beyond range: [0, 1]"),
        (np.zeros((2, 4, 4, 4), np.uint8), {}, f"x.npy has shape (2, 4, 4, 4): {LAYOUT}"),
        (np.ones((3, 2)), {"labels": "y.npy"}, "y.npy has shape (2,), but x.npy has 3 items: give each item one label"),
        (np.ones((3, 2)), {"path": "z.npy"}, "z.npy cannot be read: No such file or directory"),
    ],
)
def test_an_array_that_is_not_as_it_should_be_is_refused(
    array: np.ndarray, options: dict[str, object], message: str
) -> None:
    np.save("x.npy", array)
    np.save("y.npy", np.zeros(2))
    assert refusal(lambda: arrays(**options)) == message


def test_python_objects_are_never_loaded() -> None:
    objects = np.array([[1], "x"], dtype=object)
    np.save("x.npy", objects, allow_pickle=True)
    np.savez("x.npz", objects)
    why = "it holds Python objects, which are never loaded: save numbers, such as np.stack(items)"
    assert refusal(arrays) == f"x.npy cannot be read: {why}"
    assert refusal(lambda: arrays(path="x.npz")) == f"x.npz cannot be read: {why}"


@pytest.mark.parametrize("name", ["x.npy", "x.npz"])
def test_files_of_another_form_are_refused(name: str) -> None:
    Path(name).write_text("1,2,3")
    assert refusal(lambda: arrays(path=name)).startswith(f"{name} cannot be read: ")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "x.npz has the arrays train, valid: set x to one of them"),
        ({"x": "tran"}, "x.npz has no array 'tran' (did you mean 'train'?); it has train, valid"),
        ({"x": "train", "memory": "stream"}, "x.npz is compressed and cannot be streamed: save the array as .npy"),
    ],
)
def test_an_array_of_an_npz_has_to_be_named(options: dict[str, object], message: str) -> None:
    np.savez("x.npz", train=np.ones((3, 2)), valid=np.ones((3, 2)))
    assert refusal(lambda: arrays(path="x.npz", **options)) == message


def test_a_range_without_a_span_is_refused() -> None:
    with pytest.raises(ValidationError, match="range goes from 1 to 0: give black first, then white"):
        ArraysConfig(path="x.npy", range=(1, 0))
