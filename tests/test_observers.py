"""Observers: plain objects are understood, and what would observe nothing is refused before anything begins."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from allmodes import Experiment, PluginError, hookimpl
from tiny import SPEC

HOOKS = "allmodes_run_started, allmodes_metrics_logged, allmodes_samples_drawn, allmodes_run_finished"


class Plain:
    """An observer without a marker; its arguments are those that it cares for."""

    def __init__(self) -> None:
        self.seen: list[object] = []

    def allmodes_run_started(self, run: Any) -> None:
        self.seen.append(run.name)

    def allmodes_metrics_logged(self, **event: Any) -> None:
        if event["iteration"] == 1:
            self.seen.append(sorted(event))

    def allmodes_run_finished(self, outcome: Any = None) -> None:
        self.seen.append(outcome.status)


class Marked:
    def __init__(self) -> None:
        self.seen: list[object] = []

    @hookimpl
    def allmodes_run_started(self, run: Any) -> None:
        self.seen.append(run.name)


def experiment(folder: Path, **options: Any) -> Experiment:
    return Experiment.from_spec(SPEC, folder=folder, track=False, **options)


def named(name: str, function: Callable[..., Any]) -> object:
    return type("Mine", (), {name: function})()


def test_a_plain_object_observes_as_a_marked_one_does(tmp_path: Path) -> None:
    plain, marked, by_name = Plain(), Marked(), Marked()
    experiment(tmp_path, observers={"mine": by_name}).run(observers=[plain, marked])
    assert plain.seen == ["tiny/seed-3", ["iteration", "metrics", "run"], "finished"]
    assert marked.seen == by_name.seen == ["tiny/seed-3"]


def test_functions_in_a_namespace_observe(tmp_path: Path) -> None:
    seen: list[str] = []
    experiment(tmp_path).run(observers=[SimpleNamespace(allmodes_run_started=lambda run: seen.append(run.name))])
    assert seen == ["tiny/seed-3"]


def test_observers_of_one_run_do_not_observe_the_next(tmp_path: Path) -> None:
    plain, made = Plain(), experiment(tmp_path)
    made.run(observers=[plain])
    made.run()
    assert len(plain.seen) == 3


def test_a_method_that_is_called_like_no_hook_is_the_observers_own(tmp_path: Path) -> None:
    own = {"metrics_logged_count": lambda self: 0, "allmodes_run_started": lambda self, run: None}
    assert experiment(tmp_path).run(observers=[type("Mine", (), own)()]).status == "finished"


REFUSED: Mapping[str, tuple[object, str]] = {
    "a misspelt hook": (
        named("allmodes_run_startet", lambda self, run: None),
        "observer 'Mine': there is no hook 'allmodes_run_startet' (did you mean 'allmodes_run_started'?)",
    ),
    "a hook without its prefix": (
        named("metrics_loged", lambda self, run: None),
        "observer 'Mine': there is no hook 'metrics_loged' (did you mean 'allmodes_metrics_logged'?)",
    ),
    "a marked hook that does not exist": (
        named("on_start", hookimpl(lambda self: None)),
        "observer 'Mine': there is no hook 'on_start' (did you mean 'allmodes_run_started'?)",
    ),
    "an argument that the hook does not give": (
        named("allmodes_metrics_logged", lambda self, run, metric: None),
        "observer 'Mine': allmodes_metrics_logged takes 'metric', which the hook does not give "
        "(did you mean 'metrics'?): it gives, by name, run, iteration, metrics",
    ),
    "no hook at all": (
        named("count", lambda self: 0),
        f"observer 'Mine' has no hook, so it would observe nothing: there are {HOOKS}",
    ),
    "a class": (Plain, "observer 'Plain' is a class: give an object of it, such as Plain()"),
    "something else under the name of a hook": (
        SimpleNamespace(allmodes_run_started=7),
        "observer 'SimpleNamespace': allmodes_run_started is not a function",
    ),
}


async def _wait(self: object, run: object) -> None: ...


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_observe_nothing_is_refused_before_a_folder_is_made(name: str, tmp_path: Path) -> None:
    observer, message = REFUSED[name]
    with pytest.raises(PluginError) as error:
        experiment(tmp_path).run(observers=[observer])
    assert str(error.value) == message
    assert not list(tmp_path.iterdir())


def test_a_hook_that_would_only_be_prepared_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match=r"allmodes_run_started would be called and never run: write a plain funct"):
        experiment(tmp_path).run(observers=[named("allmodes_run_started", _wait)])


def test_an_observer_is_given_once(tmp_path: Path) -> None:
    plain = Plain()
    with pytest.raises(PluginError, match=r"^an observer is given twice among Plain, Plain-2: give it once$"):
        experiment(tmp_path).run(observers=[plain, plain])
    with pytest.raises(PluginError, match=r"^observer 'mine' is there already: choose another name$"):
        experiment(tmp_path, observers={"mine": plain}).run(observers={"mine": Plain()})
