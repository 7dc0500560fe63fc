"""Saving a run so that it can be resumed, restoring it, and saving its model."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from allmodes.data.base import Data
from allmodes.engine.loop import Lane
from allmodes.experiments.errors import check_weights, describe_error
from allmodes.game.parts import fit_sampler
from allmodes.models import checkpoints
from allmodes.models import format as model_format
from allmodes.models.checkpoints import Checkpoint, State
from allmodes.models.page import ModelError, Page
from allmodes.runs import claims
from allmodes.runs.journal import Journal
from allmodes.runs.run import Run, RunError
from allmodes.runs.run_folder import RunFolder


@dataclass
class Saver:
    """Writes and restores the checkpoints of a lane, and writes its model.

    Attributes:
        collect: Gives what each process needs to go on, where several train the run.
        saved: The iteration of the last checkpoint.
        saved_at: When it was tried to write one, as `time.monotonic` counts.
    """

    run: Run
    data: Data
    lane: Lane
    journal: Journal
    warn: Callable[[str], None]
    collect: Callable[[], list[State]] | None = None
    saved: int | None = None
    saved_at: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._was_best = False
        self.folder = RunFolder(self.run.folder)

    @property
    def is_due(self) -> bool:
        """Whether a checkpoint is due, by iterations or by the clock."""
        config = self.run.spec.training.checkpoints
        is_late = time.monotonic() - self.saved_at >= 60 * config.minutes
        return is_late or self.lane.iteration % config.every == 0

    def save(self, progress: State, is_best: bool = False, good: int | None = None) -> None:
        """Write a checkpoint with the loop's state and further `progress`, unless this iteration has one.

        Beside the last ones the newest that is not newer than iteration `good` stays.

        A full disk or a sampler that cannot be fitted costs a warning, not the run. Raises DivergenceError rather than
        save weights that are not finite.
        """
        iteration, modules = self.lane.iteration, self._modules()
        if self.saved == iteration:
            return
        self.saved_at = time.monotonic()
        check_weights(modules, iteration)
        device, data = torch.device(self.run.device).type, self.run.data.get("fingerprint")
        page = self._page(best=is_best, device=device, data=data)
        self._fit_sampler()
        claims.confirm()
        ranks = {"ranks": self.collect()} if self.collect else {}
        try:
            self.journal.settle()
            checkpoints.write(self.folder, modules, page, {"loop": self.lane.state_dict(), **ranks, **progress})
            checkpoints.delete_old(self.folder, self.run.spec.training.checkpoints.keep, iteration, good)
            self.saved = iteration
        except OSError as error:
            self.warn(f"{self.run.name}: no checkpoint at iteration {iteration}: {error.strerror or error}")

    def restore(self, load_progress: Callable[[State], None], until: int | None = None) -> bool:
        """Restore the newest checkpoint that can be read; returns whether there is one.

        Args:
            load_progress: Called with the checkpoint's state, to take what was given to `save`.
            until: The iteration of the newest that may be taken.

        Raises RunError where a checkpoint was written on another kind of device, or with other data.
        """

        def load(checkpoint: Checkpoint) -> None:
            self._check_origin(checkpoint)
            checkpoint.restore(self._modules())
            try:
                self.lane.load_state_dict(checkpoint.state["loop"])
                load_progress(checkpoint.state)
            except (AttributeError, LookupError, TypeError, ValueError, RuntimeError) as error:
                problem = f"{type(error).__name__}: {model_format.shorten_error(error)}"
                raise ModelError(f"its state does not fit the spec: {problem}") from None
            self.saved, self._was_best = self.lane.iteration, bool(checkpoint.page.get("best"))

        return checkpoints.restore_newest(self.folder, self.warn, load, until)

    def rewrite(self, progress: State) -> None:
        """Write the checkpoint that was restored last again, with other progress, and delete those after it.

        A folder that refuses costs a warning: from one of those after it a resumed run comes back here.
        """
        try:
            checkpoints.delete_after(self.folder, self.lane.iteration)
        except OSError as error:
            self.warn(f"{self.run.name}: later checkpoints could not be deleted: {error.strerror or error}")
        self.saved = None
        self.save(progress, self._was_best)

    def restore_best(self) -> None:
        """Restore the weights of the best checkpoint, and its iteration. Raises ModelError where there is none."""
        checkpoint = checkpoints.read(checkpoints.find_checkpoint(self.folder, "best"))
        checkpoint.restore(self._modules())
        self.lane.iteration = int(checkpoint.page["iteration"])

    def save_model(self) -> None:
        """Write what samples are drawn with; a sampler that cannot be fitted costs a warning. Raises OSError."""
        self._fit_sampler()
        claims.confirm()
        model_format.save(dict(self.lane.sampled()), self._page(), self.folder.model)

    def _fit_sampler(self) -> None:
        """Fit the sampler to what is stored; if that fails, weights are stored all the same."""
        try:
            fit_sampler(self.lane.sampled(), self.data, self.run.seed, self.lane.iteration)
        except Exception as error:
            self.warn(f"{self.run.name}: the sampler was not fitted to the stored model: {describe_error(error)}")

    def _check_origin(self, checkpoint: Checkpoint) -> None:
        """Refuse a checkpoint that is sound but of another run; it is not passed over for an older one."""
        here, now = torch.device(self.run.device).type, self.run.data.get("fingerprint")
        if (there := checkpoint.page.get("device", here)) != here:
            problem = f"{checkpoint.folder} was written on {there} and cannot go on on {here}"
            raise RunError(f"{problem}: set training.device={there}")
        if (then := checkpoint.page.get("data", now)) != now:
            problem = f"{checkpoint.folder} was trained on other data"
            raise RunError(f"{problem} (fingerprint {then}, these have {now})")

    def _modules(self) -> dict[str, nn.Module]:
        averages: Mapping[str, nn.Module] = self.lane.average.modules if self.lane.average else {}
        return {**self.lane.composition.modules, **{model_format.AVERAGE + name: m for name, m in averages.items()}}

    def _page(self, **entries: Any) -> Page:
        modules = self.lane.composition.modules
        page = model_format.make_page(modules, self.data.shape, self.data.units, self.lane.iteration)
        return page | {"plugins": dict(self.run.plugins)} | entries
