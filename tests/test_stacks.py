"""Runs of a study that one process trains together: which they are, what they leave behind, and how they end."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from allmodes.registry.registry import installed
from allmodes.studies.load import load_study
from allmodes.studies.stacks import form, make_stacks, most_lanes
from allmodes_schemas import Spec
from tiny import SPEC

TRAINING: Mapping[str, Any] = {**SPEC["training"], "engine": "auto"}
STUDY = ["study/ring-*", "study/grid-*"]


def spec_file(name: str, **changes: Any) -> str:
    Path(f"{name}.json").write_text(json.dumps({**SPEC, "name": name, **changes}))
    return f"{name}.json"


def spec(**changes: Any) -> Spec:
    from allmodes.specs import loading

    return loading.parse({**SPEC, "training": TRAINING, **changes}, installed())


def sizes(tmp_path: Path, references: list[str], seeds: int, jobs: int) -> list[int]:
    runs = load_study(references, installed(), tmp_path, seeds=range(seeds)).runs
    stacks = make_stacks(runs, jobs)
    assert sorted(run.name for stack in stacks for run in stack) == sorted(run.name for run in runs)
    return [len(stack) for stack in stacks]


LOSSES = SPEC["losses"]


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "other", "description": "of another text", "seeds": [4]},
        {"training": {**TRAINING, "optimizer": {"kind": "adam", "lr": 0.5, "betas": [0.1, 0.2]}}},
        {"training": {**TRAINING, "optimizer": {"kind": "adam", "lr": {"start": 1, "end": 0.5, "over": 7}}}},
        {"training": {**TRAINING, "iterations": 70, "log_every": 1, "checkpoints": {"every": 2}}},
        {"training": {**TRAINING, "ema": {"decay": 0.5}}},
        {"losses": [{"kind": "non_saturating", "weight": 3}, {"kind": "r1", "gamma": 7, "weight": 0.1}]},
        {"prior": {"kind": "gaussian", "dim": 2, "std": 0.5}},
        {"data": {"kind": "ring", "radius": 2, "std": 0.1}},
        {"evaluation": {"every": 3, "samples": 16, "metrics": ["wasserstein"]}},
    ],
)
def test_runs_that_differ_in_numbers_alone_share_a_stack(changes: dict[str, Any]) -> None:
    assert form(spec(**changes)) == form(spec())


@pytest.mark.parametrize(
    "changes",
    [
        {"training": {**TRAINING, "batch_size": 9}},
        {"training": {**TRAINING, "schedule": "simultaneous"}},
        {"training": {**TRAINING, "schedule": [{"player": "generator"}, {"player": "discriminator"}]}},
        {"training": {**TRAINING, "discriminator_updates": 2}},
        {"training": {**TRAINING, "precision": "bfloat16"}},
        {"training": {**TRAINING, "deterministic": True}},
        {"training": {**TRAINING, "threads": 2}},
        {"training": {**TRAINING, "device": "auto"}},
        {"training": {**TRAINING, "optimizer": {"kind": "sgd"}}},
        {"training": {**TRAINING, "optimizers": {"generator": {"kind": "sgd"}}}},
        {"losses": LOSSES[:1]},
        {"losses": [LOSSES[0], {"kind": "r2"}]},
        {"losses": [LOSSES[0], {"kind": "r1", "every": 2}]},
        {"losses": [LOSSES[0], {"kind": "r1", "start": 2}]},
        {"losses": [LOSSES[0], {"kind": "r1", "gamma": 0}]},
        {"prior": {"kind": "gaussian", "dim": 3}},
        {"prior": {"kind": "uniform", "dim": 2}},
        {"generator": {"kind": "mlp", "hidden": [9]}},
        {"discriminator": {"kind": "mlp", "hidden": [8], "dropout": 0.5}},
        {"discriminator": {"kind": "mlp", "hidden": [8], "pack": 2}},
        {"data": {"kind": "ring", "modes": 9}},
        {"data": {"kind": "ring", "items": 100}},
        {"data": {"kind": "grid"}},
    ],
)
def test_runs_of_another_structure_share_no_stack(changes: dict[str, Any]) -> None:
    assert form(spec(**changes)) != form(spec())


def test_two_sets_of_points_of_the_same_size_share_a_stack() -> None:
    one, other = ({"kind": "ring", "items": 100, "items_seed": seed} for seed in (0, 1))
    assert form(spec(data=one)) == form(spec(data=other))


def test_the_seeds_of_a_spec_are_cut_so_that_all_processes_have_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("allmodes.studies.stacks.most_lanes", lambda spec: 32)
    assert sizes(tmp_path, ["study/ring-gan"], 10, jobs=1) == [10]
    assert sizes(tmp_path, ["study/ring-gan"], 10, jobs=3) == [4, 3, 3]
    assert sizes(tmp_path, ["study/ring-gan"], 10, jobs=16) == [1] * 10
    assert sizes(tmp_path, ["study/ring-gan"], 100, jobs=2) == [25] * 4
    assert sizes(tmp_path, STUDY, 10, jobs=2) == [10] * 42


def test_methods_of_the_study_share_no_stack_and_first_seeds_come_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("allmodes.studies.stacks.most_lanes", lambda spec: 3)
    study = load_study(STUDY, installed(), tmp_path, seeds=range(5))
    stacks = make_stacks(study.runs, 2)
    assert all(len({run.entry.name for run in stack}) == 1 for stack in stacks)
    assert [stack[0].name for stack in stacks[:42]] == [run.name for run in study.runs[:42]]
    assert {tuple(run.seed for run in stack) for stack in stacks} == {(0, 1, 2), (3, 4)}


@pytest.mark.parametrize(
    ("changes", "lanes"),
    [
        ({}, 16),
        ({"engine": "eager"}, 1),
        ({"iterations": 50}, 1),  # too few
        ({"iterations": 100, "engine": "stacked"}, 16),
        ({"batch_size": 2**17}, 1),  # no time is spent in Python
        ({"device": "cuda"}, 16),
    ],
)
def test_what_the_eager_engine_trains_is_no_stack(changes: dict[str, Any], lanes: int) -> None:
    assert most_lanes(spec(training={**TRAINING, "iterations": 1000, **changes})) == lanes


def test_networks_of_convolutions_are_trained_one_by_one() -> None:
    images = {"data": {"kind": "digits"}, "generator": {"kind": "dcgan", "channels": 1}, "losses": LOSSES[:1]}
    images |= {"discriminator": {"kind": "mlp", "hidden": [8]}, "evaluation": {}}
    assert most_lanes(spec(**images, training={**TRAINING, "iterations": 1000})) == 1
    images["generator"] = {"kind": "mlp", "hidden": [8]}
    assert most_lanes(spec(**images, training={**TRAINING, "iterations": 1000})) == 16


def test_a_stack_takes_no_more_memory_than_a_process_has(monkeypatch: pytest.MonkeyPatch) -> None:
    long = {**TRAINING, "iterations": 1000}
    weights = (2 * 8 + 8) + (8 * 2 + 2) + (2 * 8 + 8) + (8 + 1)
    monkeypatch.setattr("allmodes.studies.stacks.MEMORY", 16 * weights * 5)
    assert most_lanes(spec(training=long)) == 5


def test_runs_of_one_form_that_are_too_short_are_apart_from_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files = [spec_file(f"of-{n}", training={**TRAINING, "iterations": n}) for n in (50, 1000, 2000)]
    assert sizes(tmp_path / "out", files, 2, jobs=1) == [1, 4, 1]
