"""TensorBoard's events hold what a run wrote to its log; without the switch there are none."""

import json
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import allmodes_tensorboard
from allmodes import Experiment, Plugin, Registry, installed

SPEC: dict[str, Any] = {
    "name": "tiny",
    "data": {"kind": "ring"},
    "prior": {"kind": "gaussian", "dim": 2},
    "generator": {"kind": "mlp", "hidden": [8]},
    "discriminator": {"kind": "mlp", "hidden": [8]},
    "losses": [{"kind": "non_saturating"}],
    "training": {"iterations": 20, "batch_size": 8, "log_every": 5, "checkpoints": {"every": 10}, "engine": "eager"},
    "evaluation": {"every": 10, "samples": 64, "metrics": ["modes"]},
}


@pytest.fixture
def registry() -> Registry:
    found = installed()
    if "tensorboard" not in found.plugins:
        found.register(allmodes_tensorboard, Plugin("tensorboard", "allmodes-tensorboard", "0.1.0"))
    return found


def train(registry: Registry, folder: Path) -> Path:
    results = Experiment.from_spec(SPEC, registry=registry, track=False, folder=folder).run()
    assert results.status == "finished"
    return results.folder


def read(run: Path) -> EventAccumulator:
    events = EventAccumulator(str(run / "tensorboard"), {"images": 0, "scalars": 0, "tensors": 0})
    events.Reload()
    return events


def logged(run: Path, name: str) -> list[tuple[int, float]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return sorted({(line["iteration"], line[name]) for line in lines if name in line})


def test_events_hold_numbers_pictures_spec_and_end_and_a_resumed_run_goes_on(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLMODES_TENSORBOARD", "1")
    whole = train(registry, tmp_path)
    Experiment.resume(whole, ["training.iterations=40"], registry=registry, track=False).run()
    run, events = whole / "seed-0", read(whole / "seed-0")
    for name in ("train/generator/non_saturating", "eval/modes"):
        written = [(point.step, point.value) for point in events.Scalars(name)]
        expected = logged(run, name)
        assert [step for step, _ in written] == [step for step, _ in expected]
        assert [value for _, value in written] == pytest.approx([value for _, value in expected], rel=1e-6)
    assert [picture.step for picture in events.Images("samples")] == [10, 20, 30, 40]
    assert events.Images("samples")[0].width > 100
    (spec, *_), ends = (events.Tensors(f"{name}/text_summary") for name in ("spec", "end"))
    assert b"non_saturating" in spec.tensor_proto.string_val[0]
    assert [(end.step, end.tensor_proto.string_val[0]) for end in ends] == [(20, b"finished"), (40, b"finished")]


def test_what_lies_beyond_the_checkpoint_of_a_resumed_run_is_hidden(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLMODES_TENSORBOARD", "1")
    run = train(registry, tmp_path) / "seed-0"
    (run / "checkpoints" / "00000020").rename(tmp_path / "lost")
    (run / "results.json").unlink()
    Experiment.resume(run.parent, registry=registry, track=False).run()
    assert [point.step for point in read(run).Scalars("eval/modes")] == [10, 20]


def test_nothing_is_written_unless_asked_for(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLMODES_TENSORBOARD", "0")
    assert not (train(registry, tmp_path / "off") / "seed-0" / "tensorboard").exists()
    monkeypatch.delenv("ALLMODES_TENSORBOARD")
    assert not (train(registry, tmp_path / "unset") / "seed-0" / "tensorboard").exists()


def test_events_that_cannot_be_written_cost_one_warning(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLMODES_TENSORBOARD", "1")
    monkeypatch.setattr("torch.utils.tensorboard.SummaryWriter", broken)
    warnings: list[str] = []
    spec = Experiment.from_spec(SPEC, registry=registry, track=False, folder=tmp_path, warn=warnings.append)
    assert spec.run().status == "finished"
    (warning,) = [line for line in warnings if "tensorboard" in line]
    assert "run_started of observer 'tensorboard'" in warning
    assert "no space" in warning


def broken(*_: Any, **__: Any) -> None:
    raise OSError("no space")
