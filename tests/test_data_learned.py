"""What a run says that it learns from, the order of classes, and samples in the data's own units."""

import json
import logging
import os
import subprocess
import sys
import warnings
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from allmodes import Experiment, RingConfig, load_run
from allmodes.builtin.config.arrays import ArraysConfig
from allmodes.builtin.config.csv_file import CsvConfig
from allmodes.builtin.config.image_folder import ImageFolderConfig
from allmodes.builtin.config.parquet import ParquetConfig
from allmodes.cli import main as cli_main
from allmodes.data import DataError, FiniteData, TensorData, from_dataset
from allmodes.data.base import Origin
from allmodes.data.description import describe_data
from allmodes.data.files.labels import blank_missing, class_names_of, text_of
from allmodes.data.standardisation import Standardisation
from allmodes.experiments import logs
from allmodes.models.pyfunc import Sampler
from allmodes.studies.monitor import StudyMonitor
from files import folder
from tiny import SPEC

CLASSES = ("-1", "0.5", "01", "1", "2", "10", "1e2")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def spec(data: dict[str, object], name: str = "case") -> dict[str, Any]:
    measured = {"every": 2, "samples": 8, "metrics": ["wasserstein"], "figure": False}
    trained = {**SPEC["training"], "iterations": 2, "batch_size": 4, "log_every": 1}
    parts = {"data": data, "losses": [{"kind": "non_saturating"}], "training": trained, "evaluation": measured}
    return {**SPEC, "name": name, "seeds": [0], **parts}


def measured_csv(path: str = "m.csv", rows: int = 40) -> dict[str, object]:
    """An index, whole numbers of large offset, decimals of large offset and small spread, words."""
    rng = np.random.default_rng(0)
    lines = [f"{i},{1_700_000_000 + rng.integers(1000)},{5_400_000 + rng.normal():.3f},w{i}" for i in range(rows)]
    Path(path).write_text("\n".join([",time,north,word", *lines]))
    return {"kind": "csv", "path": path}


LEARNED = (
    "data: m.csv: 36 items to train on, 4 held out; columns time, north; no labels; "
    "left out: column 1 (the index of a data frame), column 'word' (text such as 'w0')"
)


# The order of classes


def test_classes_that_are_numbers_are_in_the_order_of_numbers_and_ties_in_that_of_text() -> None:
    assert class_names_of(reversed(CLASSES)) == CLASSES
    assert class_names_of(["b", "a", "10", "9"]) == ("10", "9", "a", "b")
    assert class_names_of(["1_0", "9"]) == ("1_0", "9")  # a word, whatever Python's float makes of it


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"caf\xc3\xa9", "caf\u00e9"), (b"\xff", "\\xff"), (1.0, "1"), (np.float32(3), "3"), (np.int8(2), "2"),
        (0.5, "0.5"), (True, "True"), (" x ", "x"), (Decimal("1.50"), "1.50"), (None, ""), (float("nan"), ""),
        (np.float32("nan"), ""), (np.datetime64("NaT"), ""), (float("inf"), "inf"), (2**60 + 1, str(2**60 + 1)),
    ],
)  # fmt: skip
def test_labels_of_any_type_are_the_same_text(value: object, text: str) -> None:
    assert text_of(value) == text


def test_nan_is_a_missing_label_among_numbers() -> None:
    assert blank_missing(["1", "nan", "NA", ""]) == ["1", "", "", ""]
    assert blank_missing(["NA", "DE", ""]) == ["NA", "DE", ""]


def of_csv(values: Sequence[str]) -> FiniteData:
    Path("c.csv").write_text("a,label\n" + "".join(f"{i},{value}\n" for i, value in enumerate(values)))
    return CsvConfig(path="c.csv").build()  # type: ignore[no-any-return]


def of_parquet(values: Sequence[str]) -> FiniteData:
    pq.write_table(pa.table({"a": np.arange(len(values)), "label": values}), "c.parquet")
    return ParquetConfig(path="c.parquet").build()  # type: ignore[no-any-return]


def of_arrays(values: Sequence[str]) -> FiniteData:
    np.savez("c.npz", x=np.arange(2.0 * len(values)).reshape(-1, 2), y=np.array(values, dtype="S"))
    return ArraysConfig(path="c.npz", labels="y").build()  # type: ignore[no-any-return]


def of_images(values: Sequence[str]) -> FiniteData:
    folder(Path("c"), tuple(dict.fromkeys(values)), each=2)
    return ImageFolderConfig(root="c", workers=0).build()  # type: ignore[no-any-return]


@pytest.mark.parametrize("build", [of_csv, of_parquet, of_arrays, of_images])
def test_every_kind_of_file_has_the_same_order_of_classes(build: Any) -> None:
    assert build([*reversed(CLASSES)] * 3).class_names == CLASSES


def test_every_process_has_the_same_order_of_classes() -> None:
    of_csv(["01", "1", "10", "001", "1.0"] * 4)
    program = "from allmodes.builtin.config.csv_file import CsvConfig as C; d = C(path='c.csv').build(); "
    program += "print(d.class_names, d.fingerprint)"
    said = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert len(said) == 1
    assert said.pop().startswith("('001', '01', '1', '1.0', '10')")


# What is learned


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (TensorData(torch.zeros(3, 2), torch.tensor([0, 1, 1])), "3 items {}; vectors of 2 numbers; 2 classes"),
        (TensorData(torch.zeros(1, 3, 8, 6)), "1 item {}; RGB images of 6 x 8 px; no labels"),
        (TensorData(torch.zeros(1200, 1, 8, 6)), "1,200 items {}; grey images of 6 x 8 px; no labels"),
        (TensorData(torch.zeros(1, 5, 8)), "1 item {}; items of shape (5, 8); no labels"),
    ],
)
def test_data_of_every_form_are_described(data: TensorData, line: str) -> None:
    assert describe_data(data, "given") == f"data: given: {line.format('to train on, 0 held out')}"


def test_held_out_items_of_known_modes_are_drawn_afresh() -> None:
    line = "data: ring: 80 items to train on, held-out ones drawn afresh; vectors of 2 numbers; 8 classes"
    assert describe_data(RingConfig(items=80).build(), "ring") == line


def test_many_names_are_counted_and_signs_that_a_terminal_obeys_are_escaped() -> None:
    names = tuple(f"c{i}" for i in range(40))
    data = TensorData(torch.zeros(2, 40), units=Standardisation((0.0,) * 40, (1.0,) * 40, names))
    data.origin = Origin("a\x1b[31m.csv", "b.csv", ("column 'x'\n(text)",))
    assert describe_data(data, "csv") == (
        "data: a\\x1b[31m.csv: 2 items to train on, 0 held out (b.csv); "
        "columns c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11 and 28 more; no labels; left out: column 'x'\\n(text)"
    )


def test_a_run_describes_its_data_once_before_training_and_stores_the_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("s.json").write_text(json.dumps(spec(measured_csv())))
    assert cli_main.execute(["run", "s.json", "--no-tracking", "--seeds", "0,1"]) == 0
    lines = [line.partition(" INFO ")[2] for line in capsys.readouterr().err.splitlines()]
    assert lines.count(LEARNED) == 1
    assert lines.index(LEARNED) < next(place for place, line in enumerate(lines) if " begins: " in line)
    run = next(Path("runs").glob("case-*"))
    assert json.loads((run / "seed-0" / "run.json").read_text())["data"]["learned"] == LEARNED
    assert cli_main.execute(["resume", str(run), "--no-tracking", "--set", "training.iterations=4", "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["message"] for event in events if event["event"] == "data"] == [LEARNED]


def test_without_a_log_left_out_data_are_a_warning() -> None:
    with pytest.warns(UserWarning, match=r"left out: column 1 \(the index") as said:
        Experiment.from_spec(spec(measured_csv()), track=False).data  # noqa: B018
    assert [str(warning.message) for warning in said] == [LEARNED]
    Path("plain.csv").write_text("a,b\n" + "".join(f"{i},{i * i}\n" for i in range(20)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Experiment.from_spec(spec({"kind": "csv", "path": "plain.csv"}), track=False).data  # noqa: B018


def test_a_comparison_describes_data_once_for_all_its_runs(caplog: pytest.LogCaptureFixture) -> None:
    warned: list[str] = []
    monitor = StudyMonitor(warned.append, {})
    for text in ("data: x", "data: x", "data: y"):
        monitor._log_data(text, True)
    assert warned == ["data: x", "data: y"]
    caplog.set_level(logging.INFO, "allmodes")
    monitor._log_data("data: z", True)
    assert (caplog.messages, len(warned)) == (["data: z"], 2)


def test_a_log_gets_the_line_and_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "allmodes")
    logs.log_data("data: x", True, pytest.fail)
    assert caplog.messages == ["data: x"]


# Units


def test_samples_come_back_in_double_precision_and_whole_numbers_are_whole_in_files() -> None:
    with pytest.warns(UserWarning, match="left out"):
        results = Experiment.from_spec(spec(measured_csv()), folder=Path("runs"), track=False).run()
    model = load_run(results.folder)
    samples = model.sample(8)
    assert samples.dtype == torch.float64
    assert len({round(float(value), 6) for value in samples[:, 1]}) == 8
    assert torch.equal(samples, model.units.restore(model.draw(8)))
    predicted = Sampler(model).predict(8).to_numpy()
    exported = load_run(model.export("exported"))
    assert torch.equal(exported.sample(8), samples)
    assert exported.units.whole == (True, False)
    expected = torch.stack([samples[:, 0].round(), samples[:, 1]], 1).numpy()
    assert np.array_equal(predicted, expected)
    for name in ("s.csv", "s.npz", "s.parquet"):
        assert cli_main.execute(["sample", str(results.folder), "-n", "8", "--out", name]) == 0
    assert np.array_equal(np.loadtxt("s.csv", delimiter=",", skiprows=1), expected)
    first = Path("s.csv").read_text().splitlines()[1].split(",")
    assert (first[0], first[1]) == (str(int(expected[0, 0])), repr(float(expected[0, 1])))
    with np.load("s.npz") as file:
        assert np.array_equal(file["samples"], expected)
    table = pq.read_table("s.parquet")
    assert [str(field.type) for field in table.schema] == ["int64", "double"]
    assert np.array_equal(table.to_pandas().to_numpy(), expected)


def test_large_offsets_are_standardised_before_they_are_floats() -> None:
    x = 1e12 + np.random.default_rng(0).normal(size=(500, 1)) * 1e-2
    np.save("x.npy", x)
    data = ArraysConfig(path="x.npy").build()
    assert float(data.x.std(correction=0)) == pytest.approx(1, abs=1e-3)
    back = data.units.restore(torch.cat([data.x, data.test_x])).sort(0).values.numpy()
    assert np.allclose(back, np.sort(x, 0), rtol=0, atol=2e-4)  # doubles are 1.2e-4 apart there


def test_an_older_model_without_whole_columns_is_read() -> None:
    units = Standardisation.of({"mean": [1.0], "std": [2.0], "columns": ["a"]})
    assert (units, units.whole) == (Standardisation((1.0,), (2.0,), ("a",)), ())
    assert torch.equal(units.round(torch.tensor([[0.5]])), torch.tensor([[0.5]]))


def test_numbers_too_close_for_float32_give_a_warning_unless_standardised() -> None:
    np.save("x.npy", np.stack([5.4e6 + np.arange(20) * 1e-2, np.arange(20.0)], 1))
    with pytest.warns(UserWarning, match=r"x\[:, 0\] of x.npy: the spread is so small beside the numbers"):
        ArraysConfig(path="x.npy", standardise=False).build()
    np.save("x.npy", np.arange(20.0)[:, None] * 1e38)
    with pytest.raises(ValueError, match=r"has numbers up to 1.9e\+39, more than float32 holds: set standardise: true"):
        ArraysConfig(path="x.npy", standardise=False).build()


@pytest.mark.parametrize("memory", ["resident", "stream"])
def test_vectors_from_python_are_standardised_before_they_are_floats_or_warned_of(memory: Any) -> None:
    x = 1e12 + np.random.default_rng(0).normal(size=(500, 1)) * 1e-2
    data = from_dataset(x, standardise=True, memory=memory, name="mine")
    drawn = data.take(torch.arange(data.items)).x
    assert (drawn.dtype, float(drawn.std(correction=0))) == (torch.float32, pytest.approx(1, abs=1e-3))
    back = data.units.restore(torch.cat([drawn, data.take_held_out(torch.arange(data.test_items)).x]))
    assert np.allclose(back.sort(0).values.numpy(), np.sort(x, 0), rtol=0, atol=2e-4)
    how = "the spread is so small beside the numbers that float32 loses digits of it"
    with pytest.warns(UserWarning, match=r"x\[:, 0\] of mine: ") as said:
        from_dataset(x, memory=memory, name="mine")
    assert str(said[0].message) == f"data: x[:, 0] of mine: {how}: give from_dataset(..., standardise=True)"


def test_tensors_that_lose_digits_are_warned_of_and_those_that_are_not_finite_are_refused() -> None:
    x = torch.arange(20.0, dtype=torch.float64)[:, None]
    with pytest.warns(UserWarning, match=r"float32 loses digits of it: standardise it first, as from_dataset"):
        TensorData(1e6 + 1e-3 * x)
    x[7] = float("inf")
    with pytest.raises(DataError) as error:
        Experiment.from_spec(spec({"kind": "ring"}), data=TensorData(x), track=False)
    what = "item 7 of the training data has inf at [0]"
    assert str(error.value) == f"data: {what}: give finite numbers, or leave the item out"


@pytest.mark.parametrize("scale", [1e300, 1e-300])
def test_numbers_whose_spread_overflows_doubles_are_refused(scale: float) -> None:
    np.save("x.npy", np.arange(20.0)[:, None] * scale)
    with pytest.raises(ValueError, match="which cannot be standardised: give it in other units, or leave it out"):
        ArraysConfig(path="x.npy").build()
