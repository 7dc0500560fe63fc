"""What is right and will disappoint is said before training: data far from networks, metrics that are blind."""

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

from allmodes import Experiment
from allmodes.data import TensorData
from allmodes.experiments import hints
from allmodes.registry.registry import installed
from allmodes.specs import loading
from tiny import SPEC

DIGITS = {"data": {"kind": "digits"}, "evaluation": {"metrics": ["wasserstein"]}}
BLIND = (
    "evaluation.metrics: wasserstein of pixels hardly sees collapse (copies of one grey square score nearly as real "
    "images do): add density_coverage or kid with features: {kind: random_conv}, or class_coverage where there are "
    "labels"
)
SHIFT = "shift and scale the modes (means or radius, and std) to about 1"


def said(**changes: Any) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loading.parse({**SPEC, **changes}, installed())
    return [str(warning.message).removeprefix("spec: ") for warning in caught]


FAR = "coordinate {} has a root mean square of {}, which networks, beginning near 1, rarely reach"
NEAR = "no coordinate varies by more than {} (std), which networks, beginning near 1, hardly see"


def mixture(means: list[list[float]], std: float = 1.0, **more: Any) -> dict[str, Any]:
    return {"kind": "mixture", "means": means, "std": std, **more}


# Scale


@pytest.mark.parametrize(
    ("data", "what"),
    [
        ({"kind": "ring", "radius": 3000}, FAR.format(0, "2.12e+03")),
        ({"kind": "grid", "spacing": 1000}, FAR.format(0, "1.41e+03")),
        (mixture([[0, 1000.0], [0, 1001]]), FAR.format(1, "1e+03")),
        (mixture([[0.0], [1]], std=1e4), FAR.format(0, "1e+04")),
        ({"kind": "ring", "radius": 0.01, "std": 1e-4}, NEAR.format("0.0071")),
        (mixture([[30.0, 0], [30.001, 0]], std=1e-4), NEAR.format("0.00051")),
    ],
)
def test_modes_far_from_where_networks_begin_are_warned_about(data: dict[str, Any], what: str) -> None:
    assert said(data=data) == [f"data: {what}: {SHIFT}"]


@pytest.mark.parametrize(
    "data",
    [
        {"kind": "ring"}, {"kind": "grid"}, {"kind": "circle"}, {"kind": "high_dimensional"},
        {"kind": "ring", "radius": 30}, {"kind": "ring", "radius": 0.1, "std": 0.005},
        mixture([[0.0, 0], [1e6, 0]], weights=[1, 0]),  # a mode that the data do not have
        mixture([[0.0, 5]]),
    ],
)  # fmt: skip
def test_modes_within_reach_are_not_warned_about(data: dict[str, Any]) -> None:
    assert said(data=data) == []


@pytest.mark.parametrize("size", [1e20, 1e29])
def test_means_of_any_size_have_a_scale(size: float) -> None:
    assert said(data=mixture([[size, 0], [-size, 0]], std=size / 10))[0].startswith(
        "data: coordinate 0 has a root mean square of"
    )


def rows(scale: float, mean: float = 0.0) -> TensorData:
    return TensorData(mean + scale * torch.randn(500, 2, generator=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize(
    ("data", "end"),
    [(rows(1e3), "rarely reach"), (rows(1, 1e3), "rarely reach"), (rows(1e-3), "hardly see"), (rows(1), None)],
)
def test_rows_that_are_not_standardised_are_warned_about_when_loaded(data: TensorData, end: str | None) -> None:
    heard = list[str]()
    spec = {**SPEC, "evaluation": {"metrics": ["wasserstein"]}}
    Experiment.from_spec(spec, data=data, track=False, warn=heard.append).prepare()
    remedy = "standardise it: subtract its mean, divide by its standard deviation"
    assert [line.rpartition("near 1, ")[2] for line in heard] == ([f"{end}: {remedy}"] if end else [])


def test_a_table_that_is_not_standardised_names_the_column(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n" + "".join(f"{i % 3},{1000 + i}\n" for i in range(40)))
    heard = list[str]()
    data = {"kind": "csv", "path": str(tmp_path / "t.csv"), "standardise": False}
    spec = {**SPEC, "data": data, "evaluation": {"metrics": ["wasserstein"]}}
    Experiment.from_spec(spec, track=False, warn=heard.append).prepare()
    assert [line for line in heard if "root mean square" in line] == [
        "data: column 'b' has a root mean square of 1.02e+03, which networks, beginning near 1, rarely reach: "
        "set standardise: true"
    ]


# Bounds


def test_data_beyond_the_end_of_the_output_are_warned_about() -> None:
    generator = {"kind": "mlp", "hidden": [8], "output": "tanh"}
    assert said(data={"kind": "grid"}, generator=generator) == [
        "generator: the data reach from -4 to 4, but tanh ends at -1 and 1: set output: linear"
    ]
    assert said(data={"kind": "ring", "radius": 0.9}, generator=generator) == []
    assert said(data={"kind": "ring", "radius": 0.9}, generator={**generator, "output": "sigmoid"}) == [
        "generator: the data reach from -0.9 to 0.9, but sigmoid ends at 0 and 1: set output: linear"
    ]
    assert said(**DIGITS | {"evaluation": {}}, generator={**generator, "output": "sigmoid"}) == [
        "generator: images are in [-1, 1], but sigmoid ends at 0 and 1: set output: tanh"
    ]


# Metrics


def test_wasserstein_alone_is_too_little_for_images() -> None:
    assert said(**DIGITS) == [BLIND]
    assert said(**DIGITS | {"evaluation": {"metrics": ["wasserstein", "class_coverage"]}}) == []
    assert said(**DIGITS | {"evaluation": {"metrics": ["density_coverage"]}}) == []
    assert said(evaluation={"metrics": ["wasserstein"]}) == []  # points


def test_images_that_only_the_files_know_are_warned_about_when_they_are_loaded() -> None:
    class Files:
        def shape(self) -> None:
            return None

    spec = loading.parse({**SPEC, **DIGITS}, installed())
    images = TensorData(torch.zeros(4, 1, 8, 8))
    unknown = spec.model_copy(update={"data": Files()})
    assert hints.find_hints(unknown, images) == [BLIND]
    assert hints.find_hints(spec, images) == []  # said before
