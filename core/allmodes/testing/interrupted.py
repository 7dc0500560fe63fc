"""Interrupted runs, and their comparison with unbroken ones."""

import json
import signal
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file

from allmodes import Results, hookimpl
from allmodes.runs import journal
from allmodes.runs.run_folder import RunFolder


class InterruptingObserver:
    """An observer that sends Ctrl-C at given iterations, at each once."""

    def __init__(self, *cuts: int) -> None:
        self.cuts = set(cuts)

    @hookimpl
    def allmodes_metrics_logged(self, iteration: int, metrics: Mapping[str, float]) -> None:
        """Interrupt at the given iterations."""
        if iteration in self.cuts and any(name.startswith("train/") for name in metrics):
            self.cuts.discard(iteration)
            signal.raise_signal(signal.SIGINT)


def read_tensors(run: Path) -> dict[str, torch.Tensor]:
    """Read all tensors of the newest checkpoint of a run."""
    files = sorted(RunFolder(run).checkpoints[0].glob("*.safetensors"))
    return {f"{file.stem}/{name}": value for file in files for name, value in load_file(file).items()}


def read_numbers(run: Path) -> str:
    """Read the logged numbers of a run, times left out."""
    lines = journal.read(RunFolder(run).metrics)
    return json.dumps([{k: v for k, v in line.items() if not k.startswith("time/")} for line in lines])


def equal_runs(one: Path, other: Path) -> bool:
    """Whether two runs have the same numbers and, bit for bit, the same weights."""
    first, second = read_tensors(one), read_tensors(other)
    same = first.keys() == second.keys() and all(torch.equal(value, second[name]) for name, value in first.items())
    return same and read_numbers(one) == read_numbers(other)


def first_seed(results: Results) -> Path:
    """Find the folder of an experiment's first seed."""
    return RunFolder(results.folder).runs[0].path
