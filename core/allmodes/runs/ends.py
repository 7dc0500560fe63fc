"""When a run is complete: at its last iteration, or where it was stopped before."""

from __future__ import annotations

from allmodes.runs.run import Outcome
from allmodes.runs.run_folder import RunFolder
from allmodes_schemas import Spec


def is_complete(run: RunFolder, spec: Spec, outcome: Outcome) -> bool:
    """Whether a run ended as its spec, or an observer, wanted it to; one that may train longer now is not complete."""
    if outcome.status != "finished":
        return False
    at_its_end = outcome.iteration >= spec.training.iterations
    return at_its_end or outcome.stopped_by == "observer" or is_stopped_early(run, spec, outcome)


def is_stopped_early(run: RunFolder, spec: Spec, outcome: Outcome) -> bool:
    """Whether a run was stopped by the early stopping that its spec still asks for."""
    if outcome.stopped_by != "early_stopping" or spec.training.early_stopping is None:
        return False
    return _recorded(run) == spec.training.early_stopping.model_dump(mode="json")


def _recorded(run: RunFolder) -> object:
    """The early stopping that a run was begun or resumed with."""
    facts = run.facts()
    training = (facts.spec or {}).get("training") if facts else None
    return training.get("early_stopping") if isinstance(training, dict) else None
