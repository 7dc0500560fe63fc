"""The benchmarks run: what they measure is read by people, so that nothing else would notice."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

import allmodes
from allmodes.metrics import variance_ratio_floor


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / "benchmarks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    return benchmark


def test_the_benchmark_of_a_step_measures_both_loops(tmp_path: Path) -> None:
    ours, bare = load("step_overhead").measure(k=4, h=8, batch=8, iterations=2, chunks=1, folder=tmp_path)
    assert ours > 0
    assert bare > 0


def test_the_benchmark_of_data_measures_every_row(capsys: pytest.CaptureFixture[str]) -> None:
    load("data_cost").main(["--chunks", "2"], rows=20_000)
    lines = capsys.readouterr().out.splitlines()[1:]
    assert len(lines) == 12
    assert all(float(line.split()[-1]) > 0 for line in lines)


def test_the_benchmark_of_starts_measures_each_command_and_torch() -> None:
    measured = load("start").measure(["--version"], rounds=1)
    assert list(measured) == ["import torch", "--version"]
    assert all(seconds > 0 for seconds in measured.values())


def test_the_benchmark_of_evaluation_measures_runs_with_and_without_the_cache(tmp_path: Path) -> None:
    benchmark = load("evaluation")
    short = ["training.iterations=2", "evaluation.every=1", "evaluation.samples=50", "evaluation.figure=false"]
    first, second = (benchmark.measure("study/ring-gan", short, tmp_path / "floors", tmp_path) for _ in range(2))
    assert first.whole > first.evaluations > 0
    assert first.floors > 0
    assert second.floors == 0


def test_the_benchmark_of_engines_measures_each_engine(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    benchmark = load("engines")
    monkeypatch.setattr(benchmark, "ENGINES", ("eager", "stacked"))  # compiling has tests of its own
    benchmark.main(["--recipes", "study/ring-gan", "--lanes", "1", "2", "--rounds", "1"], ["training.batch_size=8"])
    table = [line.split("|") for line in capsys.readouterr().out.splitlines() if "ring-gan" in line]
    assert [row[2].strip() for row in table] == ["eager", "stacked"]
    assert float(table[0][3]) == 1
    assert all(float(price) > 0 for row in table for price in row[3:5])


def test_the_benchmark_of_references_has_a_row_for_each_sampler() -> None:
    few = ["data.items=64", "evaluation.samples=50"]
    _, _, *rows = "\n".join(load("references").table("benchmarks/arcs", 1, few)).partition("|---|")[2].splitlines()
    titles = [line.split(" | ")[0].strip("| ") for line in rows if line]
    assert titles[:2] == ["real data", "chance"]
    assert len(titles) == 5
    assert all(line.count("|") == 9 for line in rows if line)


def test_what_theory_expects_is_what_closed_forms_say() -> None:
    truth = allmodes.RingConfig().build().truth
    expected = load("references").in_theory(truth, 2500)
    assert expected["variance_ratio"] == pytest.approx(variance_ratio_floor(3, 2))
    assert (expected["modes"], expected["kl"]) == (pytest.approx(8), pytest.approx(7 / 5000 / 0.98889, rel=1e-4))
