"""What commands say of runs whose objects of Python no command line can pass: the call in Python that does the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from allmodes.registry.given import given_in, show_arguments, with_absent
from allmodes.registry.registry import installed
from allmodes.specs import recorded
from allmodes.specs.loading import SpecError
from allmodes.system.paths import at_home
from allmodes_schemas import Spec

if TYPE_CHECKING:
    from allmodes.models.trained import Model


def load_model(run: str, checkpoint: str | None, then: str) -> Model:
    """Load a model; where it needs networks of Python, raise SpecError with the call of `load`, and `then` after it."""
    from allmodes.models.reading import AbsentNetworksError, load_run

    try:
        return load_run(run, checkpoint=checkpoint)
    except AbsentNetworksError as error:
        named = [] if checkpoint is None else [f"checkpoint={checkpoint!r}"]
        call = f"allmodes.load({', '.join([repr(run), *named, show_arguments(error.missing)])}){then}"
        raise SpecError(f"{run}: its model has networks of Python, {_remedy(call)}") from None


def check_resumable(run: str, overrides: Sequence[str]) -> None:
    """Raise SpecError where a run needs objects of Python to go on, with the call of `Experiment.resume`."""
    spec = _read(run, overrides)
    if spec and (missing := given_in(spec)):
        changed = [repr(list(overrides))] if overrides else []
        call = f"allmodes.Experiment.resume({', '.join([repr(run), *changed, show_arguments(missing)])}).run()"
        raise SpecError(f"{run} names objects of Python, {_remedy(call)}")


def check_measurable(run: str, overrides: Sequence[str]) -> None:
    """Raise SpecError where a run needs objects of Python to be measured, with the call that draws its samples."""
    spec = _read(run, overrides)
    if spec and (missing := given_in(spec)):
        networks = {keyword: names for keyword, names in missing.items() if keyword == "networks"}
        arguments = ", ".join(filter(None, [repr(run), show_arguments(networks)]))
        call = f"allmodes.load({arguments}).sample({spec.evaluation.samples}) gives samples to measure"
        raise SpecError(f"{run} names objects of Python, {_remedy(call)}")


def _read(run: str, overrides: Sequence[str]) -> Spec | None:
    """The changed spec of a run, if its pages name objects of Python."""
    path = at_home(run)
    if not (named := list(recorded.objects_named(path))):
        return None
    from allmodes.experiments import resume

    return resume.load_changed(path, with_absent(installed(), named), overrides)


def _remedy(call: str) -> str:
    return f"which no command line can pass: in Python: {call}"
