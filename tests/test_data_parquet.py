"""Parquet as people bring it: files of folders and partitions, data frames, Hugging Face, odd columns."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from allmodes.builtin.config.parquet import ParquetConfig
from allmodes.data import TensorData
from allmodes.data.description import describe_data
from files import picture, refusal


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(path: str, rows: int = 10, **columns: object) -> None:
    """A file of rows whose columns a and b are all different, and of more columns."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    numbers = {"a": np.arange(rows) + 0.5, "b": np.arange(rows) ** 2.0}
    pq.write_table(pa.table({**numbers, **columns}), path)


def built(path: str = "x", **options: Any) -> TensorData:
    data = ParquetConfig(path=path, memory="resident", workers=0, **options).build()
    assert isinstance(data, TensorData)
    return data


def line(path: str = "x", **options: Any) -> str:
    return describe_data(built(path, **options), "parquet").removeprefix(f"data: {path}: ").replace("no labels; ", "")


def column(data: TensorData, name: str) -> list[float]:
    """A column of all items, in the user's units."""
    assert data.units is not None
    x = torch.cat([data.x, data.test_x]).double()
    return sorted(data.units.restore(x)[:, data.units.columns.index(name)].round(decimals=3).tolist())


# Which files


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train/0000", "test/0000"),
        ("train-0", "validation-0"),
        ("training", "testing"),
        ("Train", "VAL"),
        ("data/train-00000-of-00002-ab12", "data/test-00000-of-00001-cd34"),
        ("default/train/0000", "default/test/0000"),
        ("data_train", "data_test"),
        ("split=train/part-0", "split=test/part-0"),
        ("split=Training/year=2020/0", "split=eval/year=2020/0"),
    ],
)
def test_names_of_folders_files_and_partitions_show_the_held_out_files(train: str, test: str) -> None:
    write(f"x/{train}.parquet", 40)
    write(f"x/{test}.parquet", 10)
    data = built()
    assert (data.items, data.test_items) == (40, 10)
    assert data.units is not None
    assert data.units.columns == ("a", "b")


@pytest.mark.parametrize("suffix", [".parquet", ".PARQUET", ".pq", ".PQ", ".parq", ".Parquet"])
def test_every_suffix_of_parquet_is_read_in_a_folder(suffix: str) -> None:
    write(f"x/a{suffix}")
    assert built().items == 9


def test_hidden_files_and_those_of_other_kinds_are_left_out_and_reported() -> None:
    for name in ("a", ".a", "_temporary/0/a", ".ipynb_checkpoints/a-checkpoint"):
        write(f"x/{name}.parquet")
    for name in ("_SUCCESS", "README.md", ".a.parquet.crc"):
        Path("x", name).touch()
    assert line() == (
        "9 items to train on, 1 held out; columns a, b; left out: "
        "x/.a.parquet, x/.ipynb_checkpoints, x/_temporary (hidden, or a system's own), "
        "2 files of other kinds (.md 1, no suffix 1)"
    )


def test_patterns_match_files_and_folders() -> None:
    write("x/1/train-0.parquet", 20)
    write("x/1/test-0.parquet", 5)
    write("x/1/._test-0.parquet", 5)
    for pattern in ("x/*/*.parquet", "x/*", "x/**/*.parquet", "?/1/t*"):
        data = built(pattern)
        assert (data.items, data.test_items) == (20, 5)
    write("y[1]/a.parquet")
    assert built("y[1]").items == 9


def test_the_error_of_a_folder_without_parquet_lists_its_files() -> None:
    Path("x").mkdir()
    Path("x/data-00000.arrow").touch()
    assert refusal(built) == (
        "x is neither a Parquet file nor a folder or pattern of some; there is 1 file of other kinds (.arrow 1)"
    )


def test_test_rows_within_path_are_not_trained_on() -> None:
    write("x/one.parquet", 20)
    write("x/late/two.parquet", 5)
    data = built(test_path="x/late")
    assert (data.items, data.test_items, data.origin.left_out) == (20, 5, ("1 file of x (test_path is held out)",))
    assert refusal(lambda: built("x/late", test_path="x/*/*.parquet")) == (
        "path x/late and test_path x/*/*.parquet name the same files: there is nothing to train on"
    )


def test_the_training_part_of_path_and_the_test_part_of_test_path_are_read() -> None:
    for part, rows in (("train", 20), ("test", 5), ("val", 3)):
        write(f"x/{part}.parquet", rows)
    data = built(test_path="x")
    assert (data.items, data.test_items) == (20, 5)


@pytest.mark.skipif(not hasattr(Path, "symlink_to"), reason="no links")
def test_a_file_that_a_link_leads_to_again_is_read_once() -> None:
    write("x/a.parquet")
    Path("x/b.parquet").symlink_to(Path("x/a.parquet").absolute())
    assert line() == ("9 items to train on, 1 held out; columns a, b; left out: x/b.parquet (a link to another file)")


# Partitions


def test_partitions_are_columns() -> None:
    for year in (2020, 2021):
        for label in ("cat", "dog"):
            write(f"x/year={year}/label={label}/0.parquet", 5)
    data = built()
    assert data.units is not None
    assert (data.units.columns, data.class_names) == (("a", "b", "year"), ("cat", "dog"))
    assert column(data, "year") == [2020.0] * 10 + [2021.0] * 10
    assert built(columns=["year", "a"]).units.columns == ("year", "a")  # type: ignore[union-attr]


@pytest.mark.parametrize("values", [("3", "10", "2"), ("a b", "c%2Fd", "e")])
def test_labels_of_partitions_are_in_the_order_of_all_labels(values: tuple[str, ...]) -> None:
    for value in values:
        write(f"x/label={value.replace(' ', '%20')}/0.parquet", 4)
    names = ("2", "3", "10") if "3" in values else ("a b", "c/d", "e")
    assert built().class_names == names


def test_a_partition_of_one_value_and_one_of_words_are_left_out_and_reported() -> None:
    write("x/year=2020/town=Bern/0.parquet")
    write("x/year=2020/town=Chur/0.parquet")
    assert line().endswith("columns a, b; left out: column 'year' (one value in all folders), column 'town' (string)")


def test_a_missing_label_of_a_partition_is_counted() -> None:
    write("x/label=3/0.parquet", 5)
    write("x/label=__HIVE_DEFAULT_PARTITION__/0.parquet", 5)
    assert "'label' has 5 (first: x/label=__HIVE_DEFAULT_PARTITION__/0.parquet, row 1)" in refusal(built)


def test_a_file_outside_partitions_is_named() -> None:
    write("x/label=3/0.parquet", 5)
    write("x/more.parquet", 5)
    assert refusal(built) == "x/more.parquet has no column 'label', which x/label=3/0.parquet has"


# Columns


def test_the_index_of_a_filtered_frame_is_left_out_and_reported() -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(50, 2)), columns=["a", "b"])
    frame[frame.a > -0.5].to_parquet("x.parquet")
    assert "columns a, b; left out: column '__index_level_0__' (the index of a data frame)" in line("x.parquet")
    frame.set_index("a").to_parquet("y.parquet")
    assert "column b; left out: column 'a' (the index of a data frame)" in line("y.parquet")
    assert built("y.parquet", columns=["a", "b"]).shape == (2,)


def test_an_unmarked_index_is_recognised_by_its_name() -> None:
    write("x.parquet", __index_level_0__=list(range(10)))
    assert line("x.parquet").endswith("columns a, b; left out: column '__index_level_0__' (the index of a data frame)")


@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
def test_a_column_without_a_name_that_counts_rows_is_an_index(name: str) -> None:
    write("x/0.parquet", 1500, **{name: np.arange(1500)})
    write("x/1.parquet", 5, **{name: [0, 2, 3, 7, 8]})
    assert line().endswith(f"columns a, b; left out: column {name!r} (the index of a data frame)")
    write("x/2.parquet", 3, **{name: [1, 1, 2]})
    assert built().shape == (3,)


def test_two_columns_of_one_name_are_refused() -> None:
    pq.write_table(pa.table([pa.array([1.0, 2.0])] * 2, names=["a", "a"]), "x.parquet")
    assert refusal(lambda: built("x.parquet")) == "x.parquet names the column 'a' twice: rename one"


def test_columns_without_numbers_are_left_out_with_their_type() -> None:
    write(
        "x/0.parquet",
        3,
        text=["1", "2", "3"],
        when=pa.array([1, 2, 3], pa.timestamp("ms")),
        many=[[1.0], [2.0], [3.0]],
        both=[{"c": 1}] * 3,
        word=pa.array(["x", "y", "x"]).dictionary_encode(),
        none=pa.nulls(3),
    )
    assert line().endswith(
        "left out: column 'text' (string), column 'when' (timestamp[ms]), column 'many' (list<element: double>), "
        "column 'both' (struct<c: int64>), column 'word' (dictionary<values=string, indices=int32, ordered=0>), "
        "column 'none' (null)"
    )


def test_numbers_of_every_type_are_read() -> None:
    write(
        "x/0.parquet",
        4,
        money=[Decimal("1.50"), Decimal("2.25"), Decimal("3.00"), Decimal("4.00")],
        yes=[True, False, True, True],
        small=pa.array(np.arange(4, dtype=np.float16)),
        tiny=pa.array([1, 2, 3, 250], pa.uint8()),
        coded=pa.array([7, 8, 7, 9]).dictionary_encode(),
    )
    data = built(held_out=0.25)
    assert column(data, "money") == [1.5, 2.25, 3.0, 4.0]
    assert column(data, "yes") == [0, 1, 1, 1]
    assert column(data, "small") == [0, 1, 2, 3]
    assert column(data, "tiny") == [1, 2, 3, 250]
    assert column(data, "coded") == [7, 7, 8, 9]


def test_bytes_that_are_not_images_do_not_hide_columns_of_numbers() -> None:
    write("x/0.parquet", 3, digest=[b"\x00\x01", b"\x02", None])
    assert line().endswith("columns a, b; left out: column 'digest' (binary)")


# Files that differ


def test_a_column_of_another_type_in_a_later_file_is_named() -> None:
    write("x/0.parquet", 3, c=[1, 2, 3])
    write("x/1.parquet", 3, c=["1", "2", "3"])
    assert refusal(built) == (
        "column 'c' of x/1.parquet holds string, but numbers in x/0.parquet: make them alike, or leave the column out"
    )
    assert built(columns=["a", "b"]).items == 5


def test_whole_numbers_and_others_are_read_as_one_column() -> None:
    write("x/0.parquet", 2, c=[1, 2])
    write("x/1.parquet", 2, c=[0.5, 4.0])
    assert column(built(), "c") == [0.5, 1, 2, 4]


def test_an_empty_first_file_and_one_without_values_hide_no_column() -> None:
    write("x/0.parquet", 0, c=pa.array([], pa.null()))
    write("x/1.parquet", 3, c=pa.nulls(3))
    write("x/2.parquet", 3, c=[1, 2, 3])
    assert refusal(built).startswith("x has missing cells in 3 of 6 rows: 'c' has 3 (first: x/1.parquet, row 1)")
    assert built(missing="leave_out").shape == (3,)


def test_columns_of_later_files_alone_are_left_out_and_reported() -> None:
    write("x/0.parquet", 3)
    write("x/1.parquet", 3, c=[1, 2, 3])
    assert line().endswith("columns a, b; left out: column 'c' (not in x/0.parquet)")


def test_a_column_that_is_not_learned_may_be_missing_in_a_file() -> None:
    write("x/0.parquet", 3, c=[1, 2, 3])
    write("x/1.parquet", 3)
    assert refusal(built) == "x/1.parquet has no column 'c', which x/0.parquet has"
    assert built(columns=["a", "b"]).items == 5


def test_labels_may_be_numbers_in_one_file_and_words_in_another() -> None:
    write("x/0.parquet", 3, label=[10, 9, 2])
    write("x/1.parquet", 3, label=["10", "9", "2"])
    assert built().class_names == ("2", "9", "10")


def test_thousands_of_files_are_not_opened_at_once() -> None:
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    for i in range(100):
        write(f"x/{i}.parquet", 2)
    resource.setrlimit(resource.RLIMIT_NOFILE, (80, limits[1]))
    try:
        assert built().items == 180
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


# Hugging Face


def hugging_face(labels: list[int], names: list[str]) -> None:
    """Images with their path, and labels whose names stand in the file's head."""
    cells = []
    for i in range(len(labels)):
        picture(Path(f"{i}.png"), seed=i)
        cells.append({"bytes": Path(f"{i}.png").read_bytes(), "path": f"{i}.png"})
    features = {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
    table = pa.table({"image": cells, "label": labels, "id": list(range(len(labels)))})
    table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, "x.parquet")


def test_labels_of_hugging_face_have_their_names_in_the_order_of_their_numbers() -> None:
    hugging_face([2, 0, 2, 0, 2, 0], ["zebra", "yak", "ant"])
    data = built("x.parquet")
    assert data.class_names == ("zebra", "ant")
    assert data.origin.left_out == ("column 'id' (int64)",)


@pytest.mark.parametrize("names", [["zebra"], [], "zebra"])
def test_names_that_do_not_fit_the_labels_are_ignored(names: Any) -> None:
    hugging_face([2, 0, 2, 0, 2, 0], names)
    assert built("x.parquet").class_names == ("0", "2")


def test_images_of_which_only_paths_are_there_are_refused() -> None:
    pq.write_table(
        pa.table({"image": [{"bytes": None, "path": "cat/1.png"}] * 3}).cast(
            pa.schema([("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())]))])
        ),
        "x.parquet",
    )
    assert refusal(lambda: built("x.parquet")) == (
        "column 'image' of x.parquet holds paths of images, such as 'cat/1.png', not the images: "
        "write them into the file, or learn from their folder with kind: image_folder"
    )


def test_images_are_distinguished_from_other_bytes_beside_numbers() -> None:
    images = [bytes(picture(Path(f"{i}.png"), seed=i)) and Path(f"{i}.png").read_bytes() for i in range(4)]
    write("x/0.parquet", 4, photo=images, digest=[b"1", b"2", b"3", b"4"])
    assert built().shape == (3, 8, 8)
    assert line().endswith("left out: column 'a' (double), column 'b' (double), column 'digest' (binary)")
