"""The format of a run's folder: the names of its files, and its pages, checked since anybody can edit them."""

from __future__ import annotations

import secrets
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from allmodes.runs.run import Outcome
from allmodes.system import json_pages

T = TypeVar("T")
Warn = Callable[[str], None]

SPEC, PAGE, RESULTS, MODEL_PAGE = "spec.yaml", "run.json", "results.json", "model.json"
METRICS, TRACKING = "metrics.jsonl", "tracking.jsonl"
STATE = "state.pt"
"""The trainer's state in a checkpoint's folder."""
SIGNATURES = ({SPEC, PAGE}, {SPEC, RESULTS}, {SPEC, MODEL_PAGE})
"""Names that lie together in the folder of a run, an experiment and an exported model, and nowhere else."""


def new_name(name: str) -> str:
    """Make a name for the folder of an experiment, from that of its spec and the time."""
    return f"{name}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"


class _Data(BaseModel, extra="allow"):
    fingerprint: str
    labels_fingerprint: dict[str, str] = {}


class Facts(BaseModel):
    """What a run began with, as `run.json` holds it; runs of older versions have no `spec`."""

    seed: int
    experiment: str
    data: _Data
    device: str = "cpu"
    plugins: dict[str, str] = {}
    rerunnable: bool = True
    objects: dict[str, str] = {}
    tracked: bool = True
    processes: int = 1
    resumed: int = 0
    begun_in: str | None = None
    began_with: dict[str, Any] | None = None
    rewinds: list[dict[str, Any]] | None = None
    spec: dict[str, Any] | None = None


class RunFolder:
    """The folder of a run of one seed, or of an experiment, which holds one such folder for each of its seeds.

    Attributes:
        spec: The spec as YAML; also in an experiment's folder and in that of an exported model.
        page: What the run began with (`Facts`).
        results: How the run ended (`Outcome`); in an experiment's folder, the outcomes by seed.
        metrics: The log: each event of the run as a line of JSON.
        tracking: What older versions kept for MLflow, as lines of JSON.
        receipt: Where the run lives in MLflow, and how much of its log has arrived there.
        tracking_lock: Locked by the process that sends the log to MLflow.
        checkpoint_folder: Holds a folder for each checkpoint, named after its iteration.
        model: The trained model.
        figures: Pictures of the run.
        picture: The picture of an experiment, or of an exported model.
        log: What a run of a study printed.
        traceback: Where in the code of a component the run failed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.spec = path / SPEC
        self.page = path / PAGE
        self.results = path / RESULTS
        self.metrics = path / METRICS
        self.tracking = path / TRACKING
        self.receipt = path / "mlflow.json"
        self.tracking_lock = path / ".mlflow.lock"
        self.checkpoint_folder = path / "checkpoints"
        self.model = path / "model"
        self.figures = path / "figures"
        self.picture = path / "samples.png"
        self.log = path / "log.txt"
        self.traceback = path / "traceback.txt"

    def of_seed(self, seed: int) -> RunFolder:
        """The folder of a seed's run within that of its experiment."""
        return RunFolder(self.path / f"seed-{seed}")

    @property
    def seed(self) -> int:
        """The seed that a run's folder is named after; 0 if it has another name."""
        number = self.path.absolute().name.removeprefix("seed-")
        return int(number) if number.isascii() and number.isdecimal() else 0

    @property
    def is_run(self) -> bool:
        """Whether this is the folder of a run of one seed, even if its pages are damaged."""
        return self.page.exists() or any(self.checkpoint_folder.glob("[0-9]*"))

    @property
    def runs(self) -> list[RunFolder]:
        """This folder, if it is that of a run, or the folders of the experiment's runs, by seed."""
        if self.is_run:
            return [self]
        runs = filter(lambda run: run.is_run, map(RunFolder, self.path.glob("seed-*")))
        return sorted(runs, key=lambda run: (run.seed, run.path.name))

    def checkpoint(self, iteration: int) -> Path:
        """The folder of the checkpoint at an iteration."""
        return self.checkpoint_folder / f"{iteration:08d}"

    @property
    def checkpoints(self) -> list[Path]:
        """The folders of the checkpoints, newest first."""
        paths = self.checkpoint_folder.glob("[0-9]*")
        found = [path for path in paths if path.name.isdecimal() and path.is_dir()]
        return sorted(found, key=lambda path: int(path.name), reverse=True)

    def read_facts(self) -> Facts:
        """Read what the run began with.

        Raises FileNotFoundError where there is no page, PageError where it is damaged or belongs to another run.
        """
        facts = json_pages.read(self.page, Facts)
        name = self.path.absolute().name
        if name != f"seed-{facts.seed}" and name.startswith("seed-"):
            raise json_pages.PageError(f"{self.page} is of another run (of seed {facts.seed})")
        return facts

    def facts(self, warn: Warn = warnings.warn) -> Facts | None:
        """What the run began with; None where there is no page, or, with a warning, where it is damaged."""
        consequence = "what the run began with cannot be compared; the next resume writes it anew"
        return _read_or_warn(self.read_facts, consequence, warn)

    def outcome(self, warn: Warn = warnings.warn) -> Outcome | None:
        """How the run ended; None where it has not, or, with a warning, where the page is damaged."""
        consequence = "the run counts as interrupted; the next resume writes it anew"
        return _read_or_warn(lambda: json_pages.read(self.results, Outcome), consequence, warn)

    def outcomes(self) -> dict[int, Outcome]:
        """How the runs of an experiment ended, by seed, read from each run's own page."""
        outcomes = {run.seed: run.outcome() for run in self.runs}
        return {seed: outcome for seed, outcome in outcomes.items() if outcome is not None}


def progress_of(run: Path) -> int:
    """The iteration from which a run would go on, by the names in its folder."""
    saved = RunFolder(run).checkpoints
    return int(saved[0].name) if saved else 0


def _read_or_warn(read: Callable[[], T], consequence: str, warn: Warn) -> T | None:
    try:
        return read()
    except FileNotFoundError:
        return None
    except json_pages.PageError as error:
        warn(f"{error}: {consequence}")
        return None
