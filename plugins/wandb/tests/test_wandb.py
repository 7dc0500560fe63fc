"""W&B's own files of a run hold what it wrote to its log; nothing goes to the network, and nothing is kept unasked."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import allmodes_wandb
from allmodes import Experiment, Plugin, Registry, installed

SPEC: dict[str, Any] = {
    "name": "tiny",
    "data": {"kind": "ring"},
    "prior": {"kind": "gaussian", "dim": 2},
    "generator": {"kind": "mlp", "hidden": [8]},
    "discriminator": {"kind": "mlp", "hidden": [8]},
    "losses": [{"kind": "non_saturating"}],
    "training": {"iterations": 20, "batch_size": 8, "log_every": 5, "engine": "eager"},
    "evaluation": {"every": 10, "samples": 64, "metrics": ["modes"]},
}
BLOCK = 32768
"""Bytes of a block of W&B's file, which is LevelDB's log format behind a header of 7 bytes."""


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    for name in ("WANDB_MODE", "WANDB_PROJECT", "ALLMODES_WANDB"):
        monkeypatch.delenv(name, raising=False)
    found = installed()
    if "wandb" not in found.plugins:
        found.register(allmodes_wandb, Plugin("wandb", "allmodes-wandb", "0.1.0"))
    return found


def train(registry: Registry, folder: Path, warnings: list[str]) -> Path:
    spec = Experiment.from_spec(SPEC, registry=registry, track=False, folder=folder, warn=warnings.append)
    results = spec.run()
    assert results.status == "finished"
    return results.folder


def records(file: Path) -> Iterator[Any]:
    from wandb.proto import wandb_internal_pb2

    data, at, whole = file.read_bytes(), 7, b""
    while at + 7 <= len(data):
        if (left := BLOCK - at % BLOCK) < 7:
            at += left
            continue
        length, kind = struct.unpack("<HB", data[at + 4 : at + 7])
        whole += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # a whole record, or the last part of one
            yield wandb_internal_pb2.Record.FromString(whole)
            whole = b""


def history(found: list[Any], name: str) -> list[tuple[int, float]]:
    rows = [{item.key or item.nested_key[-1]: item.value_json for item in one.history.item} for one in found]
    return [(int(row["_step"]), json.loads(row[name])) for row in rows if name in row]


def logged(run: Path, name: str) -> list[tuple[int, float]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [(line["iteration"], line[name]) for line in lines if name in line]


@pytest.mark.slow
def test_wandb_keeps_numbers_pictures_spec_and_end_and_a_resumed_run_has_the_same_id(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLMODES_WANDB", "modes")
    whole = train(registry, tmp_path, [])
    Experiment.resume(whole, ["training.iterations=40"], registry=registry, track=False).run()
    run = whole / "seed-0"
    files = sorted((run / "wandb").glob("offline-run-*/*.wandb"))
    attempts = [list(records(file)) for file in files]
    assert len(attempts) == 2
    for name in ("train/generator/non_saturating", "eval/modes"):
        written = [point for found in attempts for point in history(found, name)]
        assert written == logged(run, name)
    begun = [one.run for found in attempts for one in found if one.WhichOneof("record_type") == "run"]
    assert {(one.run_id, one.project, one.display_name) for one in begun} == {
        (f"{whole.name}-tiny-seed-0", "modes", "tiny/seed-0")
    }
    config = {one.key: json.loads(one.value_json) for one in begun[0].config.update}
    assert config["losses"][0]["kind"] == "non_saturating"
    pictures = [step for found in attempts for step, _ in history(found, "samples/path") or history(found, "path")]
    assert pictures == [10, 20, 30, 40]
    ended = [one.exit.exit_code for found in attempts for one in found if one.WhichOneof("record_type") == "exit"]
    assert ended == [0, 0]
    last = {item.key: item.value_json for one in attempts[-1] for item in one.summary.update}
    assert last["status"] == '"finished"'
    assert json.loads(last["modes"]) == logged(run, "eval/modes")[-1][1]


class Log:
    """In the place of W&B's run: notes calls, and fails in `log` if asked to."""

    def __init__(self, fails: bool) -> None:
        self.fails, self.ended = fails, list[int]()
        self.summary: dict[str, Any] = {}

    def log(self, values: dict[str, Any], step: int) -> None:
        if self.fails:
            raise OSError("no space")

    def finish(self, exit_code: int) -> None:
        self.ended.append(exit_code)


def test_runs_stay_on_this_machine_unless_asked_to_be_sent(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import wandb

    begun: list[dict[str, Any]] = []
    monkeypatch.setattr(wandb, "init", lambda **given: begun.append(given) or Log(fails=False))
    train(registry, tmp_path / "unset", [])
    assert begun == []
    monkeypatch.setenv("ALLMODES_WANDB", "modes")
    train(registry, tmp_path / "asked", [])
    monkeypatch.setenv("WANDB_MODE", "online")
    train(registry, tmp_path / "online", [])
    assert [given["mode"] for given in begun] == ["offline", "online"]
    assert [given["project"] for given in begun] == ["modes", "modes"]


def test_a_failure_of_wandb_costs_warnings_and_no_run(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import wandb

    monkeypatch.setenv("ALLMODES_WANDB", "modes")
    monkeypatch.setattr(wandb, "init", refuse)
    warnings: list[str] = []
    train(registry, tmp_path / "refused", warnings)
    (warning,) = [line for line in warnings if "wandb" in line]
    assert "run_started of observer 'wandb'" in warning
    assert "no account" in warning
    log = Log(fails=True)
    monkeypatch.setattr(wandb, "init", lambda **_: log)
    train(registry, tmp_path / "full", warnings)
    assert log.ended == [0]
    assert any("no space" in line for line in warnings)


def refuse(**_: Any) -> None:
    raise RuntimeError("no account")
