"""Short runs of three seeds under an engine, and the comparison of what two engines made of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from allmodes import Experiment, Results
from allmodes.models import checkpoints
from allmodes.runs import journal
from allmodes.runs.run_folder import RunFolder
from allmodes.testing.interrupted import read_tensors
from tiny import SPEC

RTOL, ATOL = 1e-3, 5e-5
"""How far a tensor may be from another by sums in another order, beside its size: a few updates make them grow."""
SEEDS = [0, 1, 2]
PENALTY = {"start": 1, "end": 0, "over": 6}
STEADY = {"kind": "adam", "lr": 1e-2, "betas": [0.5, 0.99], "eps": 1e-2}
"""An optimiser that does not make a full step of a gradient that is nothing but rounding."""


@dataclass
class Trained:
    """What an experiment came to, and what it warned of."""

    results: Results
    warned: list[str] = field(default_factory=list)

    @property
    def runs(self) -> list[Path]:
        return [run.path for run in RunFolder(self.results.folder).runs]


def spec_of(*changes: Mapping[str, Any], **training: Any) -> dict[str, Any]:
    """The tiny spec with three seeds and 8 iterations, with changes; those of training and evaluation are merged."""
    spec: dict[str, Any] = {
        **SPEC, "seeds": SEEDS, "losses": [{"kind": "non_saturating"}, {"kind": "r1", "weight": PENALTY}],
        "training": {**SPEC["training"], "iterations": 8, "log_every": 1, "optimizer": STEADY},
        "evaluation": {"every": 4, "samples": 32, "figure": False, "metrics": ["modes"]},
    }  # fmt: skip
    for change in changes:
        parts = {key: {**spec[key], **change[key]} for key in ("training", "evaluation") if key in change}
        spec |= {**change, **parts}
    return spec | {"training": spec["training"] | training}


def train(folder: Path, spec: Mapping[str, Any], engine: str = "stacked", **options: Any) -> Trained:
    """Train a spec under an engine."""
    values = {**spec, "training": {**spec["training"], "engine": engine}}
    warned: list[str] = []
    options = {"track": False, "warn": warned.append, "folder": folder / engine, **options}
    return Trained(Experiment.from_spec(values, **options).run(), warned)


def go_on(trained: Trained, *overrides: str, **options: Any) -> Trained:
    """Resume what was trained."""
    warned: list[str] = []
    options = {"track": False, "warn": warned.append, **options}
    return Trained(Experiment.resume(trained.results.folder, overrides, **options).run(), warned)


def both(folder: Path, spec: Mapping[str, Any], **options: Any) -> tuple[Trained, Trained]:
    """Train a spec under the eager and the stacked engine; returns both, after a comparison of their ends."""
    eager, stacked = (train(folder, spec, engine, **options) for engine in ("eager", "stacked"))
    assert_same_end(eager.runs, stacked.runs)
    return eager, stacked


def moments(run: Path) -> dict[str, Tensor]:
    """The optimisers' tensors of the newest checkpoint; a parameter that had no update has zeros or none."""
    state = _state(run)["engine"]
    named = {
        f"{player}/{i}/{key}": value
        for player, optimizer in state.items()
        for i, inside in optimizer["state"].items()
        for key, value in inside.items()
    }
    return {name: value for name, value in named.items() if value is not None and value.count_nonzero()}


def streams(run: Path) -> dict[str, Any]:
    """The states of a run's noise and data."""
    state = _state(run)
    return {"noise": state["noise"], "data": state["data"]}


def _state(run: Path) -> dict[str, Any]:
    state: dict[str, Any] = checkpoints.read(RunFolder(run).checkpoints[0]).state["loop"]
    return state


def assert_same_end(one: Sequence[Path], other: Sequence[Path]) -> None:
    """Weights, moments and logged numbers agree within rounding; the streams of randomness are at the same place."""
    assert [run.name for run in one] == [run.name for run in other]
    for first, second in zip(one, other, strict=True):
        assert_same_streams(first, second)
        _assert_close(read_tensors(first), read_tensors(second))
        _assert_close(moments(first), moments(second))
        _assert_close(*(_losses(run) for run in (first, second)))


def assert_same_streams(one: Path, other: Path) -> None:
    """The generators of noise and data are at the same place."""
    assert _plain(streams(one)) == _plain(streams(other))


def _plain(state: Any) -> Any:
    return tree_map_only(Tensor, Tensor.tolist, state)


def _assert_close(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        a, b = value.double(), other[name].double()
        assert a.shape == b.shape, name
        assert float((a - b).norm()) <= RTOL * float(a.norm()) + ATOL, f"{name}: {a} and {b}"


def _losses(run: Path) -> dict[str, Tensor]:
    """The logged losses, by iteration and name."""
    lines = journal.read(RunFolder(run).metrics)
    return {
        f"{i}/{key}": torch.tensor(float(value))
        for i, line in enumerate(lines)
        for key, value in line.items()
        if key.startswith("train/")
    }
