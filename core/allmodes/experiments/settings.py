"""Settings of an experiment besides its spec: those of a resume, a study or Python data, and the device."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch

from allmodes.data import Data, TensorData, from_dataset
from allmodes.experiments.floors import floors_folder
from allmodes.game.compose import CompositionError
from allmodes.system.ranks import Rank
from allmodes.system.torch_settings import plain_torch
from allmodes.text import redact

Warn: TypeAlias = Callable[[str], None]


@dataclass(frozen=True)
class Setup:
    """Settings for code that makes experiments: a resume, a study, data from Python.

    Attributes:
        resumed: The folder of an experiment that is resumed.
        data: Data that came from Python, in the place of the spec's.
        floors: A folder that shares floors and references where the user's cache of them is off or cannot be written.
        sends: Whether this process sends runs to MLflow; else another one does.
        shared: Data that several experiments of this process learn from, by their settings, so that they are read once.
        taken_over: Folders of runs that this process has claimed from holders that may stand still with a lock.
        named: The name of the experiment's folder, if it was chosen before.
    """

    resumed: Path | None = None
    data: Data | None = None
    floors: Path | None = None
    sends: bool = True
    shared: dict[str, Data] | None = None
    taken_over: frozenset[Path] = frozenset()
    named: str | None = None

    def shelves(self) -> list[Path]:
        """The folders of shared floors, the user's first."""
        return [folder for folder in (floors_folder(), self.floors) if folder is not None]


def warn_in_python(message: str) -> None:
    """Warn the caller in Python, without secrets in the message."""
    warnings.warn(redact.text(message), stacklevel=3)


@plain_torch()
def to_data(given: Any) -> Data | None:
    """Data from Python as a Data: an `allmodes.Data`, a map-style torch Dataset, or None."""
    if isinstance(given, TensorData):
        given.check_finite()
    return from_dataset(given) if given is not None and not isinstance(given, Data) else given


def choose_device(wanted: str, rank: Rank | None = None) -> str:
    """The device for the spec's `training.device`; of several processes of a run on a host, each has its own card.

    Raises CompositionError where it is a CUDA device and there is none.
    """
    cuda = torch.cuda.is_available()
    if wanted.startswith("cuda") and not cuda:
        raise CompositionError(f"training.device is {wanted!r}, but torch finds no CUDA device here: use auto or cpu")
    device = ("cuda" if cuda else "cpu") if wanted == "auto" else wanted
    return device if rank is None or device == "cpu" else _own_card(rank)


def _own_card(rank: Rank) -> str:
    if (cards := torch.cuda.device_count()) <= rank.local:
        what = f"{rank.local + 1} processes or more on this host, which has {cards} CUDA devices"
        raise CompositionError(f"{what}: start as many as it has, or set training.device=cpu")
    return f"cuda:{rank.local}"
