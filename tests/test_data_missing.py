"""Missing and infinite numbers and labels: all are counted by column, and left out where that is asked for."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from allmodes.builtin.config.arrays import ArraysConfig
from allmodes.builtin.config.parquet import ParquetConfig
from allmodes.data import DataError, FiniteData
from allmodes.data.description import describe_data

NAN, INF = float("nan"), float("inf")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def learned(data: FiniteData) -> torch.Tensor:
    """All items in the user's units, in their order by the first column."""
    x = torch.cat([data.take(torch.arange(data.items)).x, data.take_held_out(torch.arange(data.test_items)).x])
    x = x if data.units is None else data.units.restore(x.double())
    return x[x[:, 0].argsort()]


def parquet(**columns: object) -> None:
    pq.write_table(pa.table(columns), "f.parquet")


@pytest.mark.parametrize("memory", ["resident", "stream"])
def test_all_missing_cells_are_counted_by_column_over_the_whole_file(memory: str) -> None:
    a, b = np.arange(30_000.0), np.arange(30_000.0)
    a[[7, 29_999]], b[[7, 20_000, 20_001]] = NAN, INF
    parquet(a=a, b=b, c=np.arange(30_000))
    with pytest.raises(DataError) as error:
        ParquetConfig(path="f.parquet", memory=memory).build()
    assert str(error.value) == (
        "data: f.parquet has missing or infinite cells in 4 of 30,000 rows: 'a' has 2 (first: f.parquet, row 8), "
        "'b' has 3 (first: f.parquet, row 8): correct them or choose other columns, or set missing: leave_out to learn "
        "from the rows without"
    )


@pytest.mark.parametrize("memory", ["resident", "stream"])
def test_rows_with_missing_cells_or_labels_are_left_out_and_reported(memory: str) -> None:
    parquet(
        a=[0.0, None, 2.0, 3.0, 4.0, 5.0], b=[0.0, 1.0, INF, 9.0, 16.0, 25.0], label=[1.0, 2.0, 1.0, None, 2.0, 1.0]
    )
    data = ParquetConfig(path="f.parquet", memory=memory, missing="leave_out").build()
    torch.testing.assert_close(learned(data), torch.tensor([[0.0, 0], [4, 16], [5, 25]]).double(), rtol=0, atol=1e-5)
    assert describe_data(data, "parquet") == (
        "data: f.parquet: 2 items to train on, 1 held out; columns a, b; 2 classes: 1, 2; "
        "left out: 3 rows with missing or infinite cells ('a' 1, 'b' 1, 'label' 1)"
    )


def test_where_every_row_has_a_gap_nothing_is_left_to_learn() -> None:
    parquet(a=[None, 1.0], b=[1.0, None])
    with pytest.raises(DataError, match=r"in 2 of 2 rows: .*, which leaves none to learn from: correct them"):
        ParquetConfig(path="f.parquet", missing="leave_out").build()


def test_vectors_and_images_of_arrays_are_left_out_alike() -> None:
    x = np.linspace(-1, 1, 10 * 16).reshape(10, 4, 4)
    x[3, 1, 2] = NAN
    np.save("x.npy", x)
    np.save("y.npy", np.array([0.0, NAN, *range(2, 10)]))
    with pytest.raises(DataError) as error:
        ArraysConfig(path="x.npy", labels="y.npy").build()
    assert "x.npy has missing cells in 2 of 10 rows: 'x[:, 1, 2]' has 1 (first: item 3), 'labels' has 1" in str(
        error.value
    )
    data = ArraysConfig(path="x.npy", labels="y.npy", missing="leave_out").build()
    assert data.items + data.test_items == 8
    assert data.class_names == ("0", "2", "4", "5", "6", "7", "8", "9")
    assert not data.take(torch.arange(data.items)).x.isnan().any()


def test_images_in_parquet_whose_label_is_missing_are_left_out(tmp_path: Path) -> None:
    from files import picture

    cells = []
    for i in range(6):
        picture(tmp_path / f"{i}.png", i)
        cells.append((tmp_path / f"{i}.png").read_bytes())
    parquet(image=cells, label=["a", None, "b", "a", "b", "a"])
    with pytest.raises(DataError, match=r"'label' has 1 \(first: f.parquet, row 2\)"):
        ParquetConfig(path="f.parquet").build()
    data = ParquetConfig(path="f.parquet", missing="leave_out", held_out=0.2).build()
    assert (data.items, data.test_items, data.class_names) == (4, 1, ("a", "b"))
    assert data.origin.left_out == ("1 row with missing cells ('label' 1)",)
