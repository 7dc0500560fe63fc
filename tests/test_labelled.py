"""A small labelled subset beside the batch: which items, whose labels, how often; what is said when it cannot be."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from allmodes import DataError, Experiment, MixtureData, SpecError, TensorData, installed
from allmodes.data import Mixture, orders
from allmodes.data.labelled import StreamLoader, choose_labelled
from allmodes.specs.loading import parse
from allmodes.testing.interrupted import InterruptingObserver, equal_runs, first_seed
from allmodes.tracking import description
from allmodes_schemas import StreamConfig
from test_resume import spec_of

LABELS = torch.tensor([0] * 70 + [1] * 20 + [2] * 10)
ITEMS = TensorData(torch.arange(100.0)[:, None], LABELS)
RARE = MixtureData(Mixture(torch.tensor([[-1.0], [1.0]]), 0.1, torch.tensor([0.98, 0.02])))


def chosen(data: Any = ITEMS, seed: int = 0, **settings: Any) -> Any:
    return choose_labelled("few", StreamConfig(**settings), data, torch.Generator().manual_seed(seed))


def test_the_seed_chooses_different_items_with_their_own_labels() -> None:
    stream = chosen(items=30)
    index = stream.x.flatten().long()
    assert len(set(index.tolist())) == 30
    assert torch.equal(stream.labels, LABELS[index])
    assert torch.equal(stream.x, chosen(items=30).x)
    assert not torch.equal(stream.x, chosen(items=30, seed=1).x)


@pytest.mark.parametrize("data", [ITEMS, RARE], ids=["finite", "without end"])
def test_per_class_takes_that_many_of_each_class_however_rare(data: Any) -> None:
    assert torch.equal(torch.bincount(chosen(data, per_class=7).labels), torch.full((data.classes,), 7))


@pytest.mark.parametrize("balanced", [True, False])
def test_balanced_draws_hold_every_class_equally_often_and_others_as_they_are(balanced: bool) -> None:
    stream = chosen(items=100, balanced=balanced)
    labels = stream.draw(30_000, torch.Generator().manual_seed(0)).labels
    expected = torch.full((3,), 1 / 3) if balanced else torch.tensor([0.7, 0.2, 0.1])
    torch.testing.assert_close(torch.bincount(labels) / 30_000, expected, atol=0.015, rtol=0)


@pytest.mark.parametrize("header", ["index,label\n", ""])
def test_labels_from_a_file_take_the_place_of_the_datas(header: str, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text(f"{header}5, 2\n99,0\n\n7,1\n")
    stream = chosen(labels_file=str(tmp_path / "labels.csv"))
    assert dict(zip(stream.x.flatten().tolist(), stream.labels.tolist(), strict=True)) == {5: 2, 99: 0, 7: 1}


def test_unlabelled_data_learn_classes_by_name_or_number_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("0,cat\n1,dog\n2,cat\n")
    named = TensorData(torch.arange(3.0)[:, None], torch.tensor([0, 1, 0]), class_names=("cat", "dog"))
    assert chosen(named, labels_file=str(tmp_path / "labels.csv"), per_class=1).labels.sort().values.tolist() == [0, 1]
    (tmp_path / "labels.csv").write_text("0,1\n1,0\n2,1\n")
    plain = TensorData(torch.arange(3.0)[:, None])
    assert chosen(plain, labels_file=str(tmp_path / "labels.csv"), per_class=1).items == 2


FILES = {
    "5,2,1": "line 1: has 3 cells: write index,label",
    "index,label\n100,0": "line 2: index '100' is not a position in the training data: they are 0 to 99",
    "-1,0": "line 1: index '-1' is not a position in the training data: they are 0 to 99",
    "1,0\n2,3": "line 2: label '3' is not a class: classes are 0 to 2",
    "1,cat": "line 1: label 'cat' is not a class: classes are 0 to 2",
    "1,0\n1,1": "line 2: item 1 has a label already: give each item one",
}


@pytest.mark.parametrize("text", FILES)
def test_a_wrong_line_of_a_file_is_named(text: str, tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(text + "\n")
    with pytest.raises(DataError) as error:
        chosen(labels_file=str(path))
    assert str(error.value) == f"streams.few: {path}, {FILES[text]}"


@pytest.mark.parametrize(
    ("data", "settings", "said"),
    [
        (ITEMS, {"items": 101}, "streams.few: items is 101, but only 100 could be labelled: set it to 100 or less"),
        (ITEMS, {"per_class": 11}, "streams.few: per_class is 11, but class 2 has 10 items: set it to that or less"),
        (ITEMS, {"labels_file": "absent.csv"}, "streams.few: absent.csv cannot be read: No such file or directory"),
        (
            RARE,
            {"labels_file": "absent.csv"},
            "streams.few: labels_file names items by position, but these data have none: remove it",
        ),
    ],
)
def test_items_that_cannot_be_labelled_are_an_error_with_the_remedy(
    data: Any, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(DataError) as error:
        chosen(data, **settings)
    assert str(error.value) == said


def test_an_empty_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("index,label\n")
    with pytest.raises(DataError, match=re.escape("has no labels: give a line of index,label for each labelled item")):
        chosen(labels_file=str(tmp_path / "labels.csv"))


def test_a_stream_has_one_number_of_items() -> None:
    with pytest.raises(SpecError, match="items and per_class exclude each other"):
        parse(spec_of({"streams": {"few": {"items": 5, "per_class": 1}}}), installed())


STREAMS = {"few": {"per_class": 2, "batch_size": 4}, "more": {"items": 20, "balanced": False, "batch_size": 3}}


@pytest.mark.parametrize("kept", ["resident", "stream", "mixture"])
def test_a_run_with_streams_that_was_interrupted_equals_one_that_was_not(kept: str, tmp_path: Path) -> None:
    """No loss reads them here: the place in each stream is compared in a checkpoint of either."""
    spec = spec_of({"streams": STREAMS, **({} if kept == "mixture" else {"data": _file(tmp_path, kept)})})
    spec["evaluation"] = {**spec["evaluation"], "metrics": []}
    unbroken = Experiment.from_spec(spec, folder=tmp_path / "unbroken", track=False).run()
    observers = {"interrupting": InterruptingObserver(4, 17)}
    results = Experiment.from_spec(spec, folder=tmp_path / "broken", track=False, observers=observers).run()
    while results.status == "killed":
        results = Experiment.resume(results.folder, track=False, observers=observers).run()
    assert equal_runs(first_seed(results), first_seed(unbroken))
    for one, other in zip(_streams(unbroken), _streams(results), strict=True):
        assert torch.equal(one, other)


def _file(folder: Path, kept: str) -> dict[str, Any]:
    rows = torch.randn(100, 2, generator=torch.Generator().manual_seed(0))
    np.save(folder / "rows.npy", rows.numpy())
    np.save(folder / "labels.npy", (torch.arange(100) % 3).numpy())
    return {"kind": "arrays", "path": str(folder / "rows.npy"), "labels": str(folder / "labels.npy"), "memory": kept}


def _streams(results: Any) -> list[torch.Tensor]:
    state = torch.load(first_seed(results) / "checkpoints" / "00000024" / "state.pt", weights_only=True)
    streams = state["loop"]["data"]["streams"]
    assert set(streams) == {"few", "more"}
    return [stream["generator"] for stream in streams.values()]


def test_every_batch_carries_a_draw_of_each_stream() -> None:
    from allmodes.experiments.batches import make_loader

    spec = parse(spec_of({"streams": STREAMS}), installed())
    data = spec.data.build()
    batch = next(make_loader(spec, data, 0))
    assert (len(batch.x), len(batch.streams["few"].x), len(batch.streams["more"].x)) == (8, 4, 3)
    nearest = torch.cdist(batch.streams["few"].x, data.truth.means).argmin(1)
    assert torch.equal(nearest, batch.streams["few"].labels)


def test_of_many_items_a_few_are_chosen_without_a_shuffle_and_shuffled_ones_are_not_gone_on_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shuffled = StreamLoader("few", chosen(items=30), 8, seed=0)
    monkeypatch.setattr(orders, "MANY", 99)
    keyed = StreamLoader("few", chosen(items=30), 8, seed=0)
    assert len(set(keyed.data.x.flatten().tolist())) == 30
    assert not torch.equal(keyed.data.x, shuffled.data.x)
    assert torch.equal(torch.bincount(chosen(per_class=10).labels), torch.tensor([10, 10, 10]))
    keyed.load_state_dict(keyed.state_dict())
    for state in (shuffled.state_dict(), {"generator": torch.Generator().get_state()}):
        with pytest.raises(DataError) as refusal:
            keyed.load_state_dict(state)
        assert str(refusal.value) == (
            "streams.few: this version of allmodes chooses other labelled items among so many: start a new run"
        )


def test_files_are_those_of_the_folder_where_the_experiment_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, labels in (("here", range(3)), ("elsewhere", range(6))):
        (tmp_path / folder).mkdir()
        _file(tmp_path / folder, "resident")
        (tmp_path / folder / "few.csv").write_text("".join(f"{i},{i % 3}\n" for i in labels))
    data = {"kind": "arrays", "path": "rows.npy", "labels": "labels.npy"}
    monkeypatch.chdir(tmp_path / "here")
    streams = {"few": {"labels_file": "few.csv"}}
    spec = spec_of({"data": data, "streams": streams, "evaluation": {"every": 12, "metrics": ["wasserstein"]}})
    experiment = Experiment.from_spec(spec, folder="runs", track=False)
    monkeypatch.chdir(tmp_path / "elsewhere")
    np.save("labels.npy", np.zeros(100, dtype=np.int64))
    results = experiment.run()
    began = json.loads((first_seed(results) / "run.json").read_text())
    assert (results.folder.parent, began["data"]["labels_used"]) == (tmp_path / "here" / "runs", {"few": 3})
    assert experiment.data.classes == 3


def test_a_run_records_the_number_of_its_labels_in_mlflow(tmp_path: Path) -> None:
    experiment = Experiment.from_spec(spec_of({"streams": STREAMS}), folder=tmp_path, track=False)
    tags = description.tags(experiment.run_of(0, tmp_path))
    assert (tags["allmodes.labels.few"], tags["allmodes.labels.more"]) == ("16", "20")


def test_a_stream_of_unlabelled_data_asks_for_a_file_of_labels(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", np.random.default_rng(0).normal(size=(60, 2)))
    data = {"kind": "arrays", "path": str(tmp_path / "rows.npy")}
    spec = spec_of({"data": data, "streams": {"few": {}}, "evaluation": {"metrics": []}})
    with pytest.raises(Exception, match=re.escape("give them in labels_file, a CSV of index,label")):
        Experiment.from_spec(spec, folder=tmp_path, track=False).run()
