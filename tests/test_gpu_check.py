"""The script for those who have a GPU: it runs here on the CPU, and what fails or hangs is a row of its table."""

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from allmodes import Outcome

SCRIPT = Path(__file__).parent / "gpu" / "check.sh"


@pytest.fixture(scope="module")
def check() -> ModuleType:
    return load_script("check")


def load_script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"gpu_{name}", SCRIPT.with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_script_prints_a_row_for_each_engine_and_says_what_it_left_out() -> None:
    command = [str(SCRIPT), "--device", "cpu", "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHON": sys.executable})
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if line.startswith("| ")]
    states = {what: state for what, _, state in lines[2:]}
    assert {"eager, twice", "eager, resumed", "stacked against eager, R1", "stacked, twice", "stacked, resumed"} <= {
        what for what, state in states.items() if state == "ok"
    }
    assert (states["graphed"], states["compiled"]) == ("not measured", "not measured")


def test_a_part_that_fails_hangs_or_dies_is_a_row_and_costs_no_other(check: ModuleType) -> None:
    first = check.Row("first", "done", "ok")

    def fails(options: Any) -> Iterator[Any]:
        yield first
        raise RuntimeError("CUDA error")

    def hangs(options: Any) -> Iterator[Any]:
        yield first
        time.sleep(600)

    def dies(options: Any) -> Iterator[Any]:
        yield first
        os._exit(7)

    options = check.Options("cpu", True)
    ends = {
        part: list(check.Running(check.Part("part", 9, part), options, 0.5 if part is hangs else 60).rows())
        for part in (fails, hangs, dies)
    }
    assert ends == {
        fails: [first, check.Row("part", "RuntimeError: CUDA error", "FAILED")],
        hangs: [first, check.Row("part", "stopped after 0.5 s", "FAILED")],
        dies: [first, check.Row("part", "the process ended with 7", "FAILED")],
    }


def test_parameters_that_are_not_numbers_are_not_near_any(check: ModuleType) -> None:
    import torch

    start, end, lost = torch.zeros(2), torch.ones(2), torch.tensor([1.0, torch.nan])
    assert check.distance([end], [end], [start]) == 0
    assert not check.distance([lost], [end], [start]) <= check.CLOSE
    assert not check.distance([start], [end], [start]) < 1


@pytest.mark.parametrize(("kl", "seconds", "right"), [(0.05, 600, True), (0.051, 9, False), (float("nan"), 9, False)])
def test_stacked_mnist_on_a_gpu_is_right_with_all_modes_a_small_kl_and_in_time(
    kl: float, seconds: float, right: bool
) -> None:
    outcome = Outcome("finished", 9, seconds, {"stacked_modes": 1000.0, "stacked_kl": kl})
    found = load_script("stacked_mnist").rows(outcome)
    assert all(row.is_right for row in found) == right
    assert not all(row.is_right for row in load_script("stacked_mnist").rows(Outcome("failed", 9, seconds)))
