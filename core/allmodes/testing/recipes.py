"""The contract of a recipe."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

from allmodes.experiments.experiment import Experiment
from allmodes.experiments.results import Results
from allmodes.models.reading import load_run
from allmodes.registry.registry import Registry
from allmodes.runs import journal
from allmodes.runs.run_folder import RunFolder
from allmodes.specs import loading
from allmodes.testing.advice import explain_errors
from allmodes.testing.interrupted import InterruptingObserver, equal_runs, first_seed, read_tensors
from allmodes.testing.kinds import INSTALLED
from allmodes_schemas import Spec

ITERATIONS, CUT = 4, 2
SHORT = (
    f"training.iterations={ITERATIONS}", "training.log_every=1", "training.batch_size=32", "training.device=cpu",
    "training.checkpoints.every=3", "evaluation.every=3", "evaluation.samples=32", "evaluation.figure=false",
    "seeds=[0]",
)  # fmt: skip

_UNBROKEN: dict[type, Path] = {}


class RecipeContract:
    """A recipe is a whole spec that trains, that can be interrupted and repeated, and that names its source.

    Attributes:
        registry: Where the recipe is looked for; by default all that is installed.
        recipe: Its name, `<plugin>/<recipe>`.
        overrides: Settings that make it quick, or the place of its data: `data.root=/data`.
    """

    registry: ClassVar[Registry] = INSTALLED
    recipe: ClassVar[str]
    overrides: ClassVar[tuple[str, ...]] = ()

    def test_it_begins_by_saying_where_its_settings_come_from(self) -> None:
        """The source is a paper, code, or a search of your own."""
        first = (loading.locate(self.recipe, self.registry)[0].splitlines() or [""])[0]
        assert first.startswith("# "), (
            f"{self.recipe}: begin with a comment on the source of its settings, not with {first!r}"
        )

    def test_it_is_a_valid_spec(self) -> None:
        """The message has the place of each error."""
        self.load()

    def test_it_is_called_by_its_own_name_and_described(self) -> None:
        """Runs are found by the name."""
        spec, name = self.load(), self.recipe.replace("/", "-")
        assert spec.name == name, f"{self.recipe}: write name: {name}, not {spec.name!r}"
        assert spec.description, f"{self.recipe}: add a line description: ..."

    def test_it_trains_to_finite_numbers(self, unbroken: Path) -> None:
        """Losses and weights stay finite over a few iterations."""
        infinite = [name for name, value in read_tensors(unbroken).items() if not value.isfinite().all()]
        assert not infinite, f"{self.recipe}: after {ITERATIONS} iterations {infinite[0]} is not finite"
        lines = journal.read(RunFolder(unbroken).metrics)
        trained = [pair for line in lines for pair in line.items() if pair[0].startswith("train/")]
        wrong = [name for name, value in trained if not math.isfinite(value)]
        assert not wrong, f"{self.recipe}: {wrong[0]} is not finite within {ITERATIONS} iterations"

    def test_two_runs_are_equal(self, unbroken: Path, tmp_path: Path) -> None:
        """All randomness comes from the seed."""
        again = self.run(tmp_path)
        assert equal_runs(again, unbroken), (
            f"{self.recipe}: two runs of one seed differ: {self._first_difference(unbroken, again)}: take randomness "
            "from the noise or the generator that is given"
        )

    def test_an_interrupted_run_equals_an_unbroken_one(self, unbroken: Path, tmp_path: Path) -> None:
        """Checkpoints hold all state."""
        broken = self.run(tmp_path, CUT)
        assert equal_runs(broken, unbroken), (
            f"{self.recipe}: interrupted at iteration {CUT} and resumed, it ends elsewhere: "
            f"{self._first_difference(unbroken, broken)}: keep all state in parameters and buffers"
        )

    def test_a_stored_model_draws_the_same_samples(self, unbroken: Path, tmp_path: Path) -> None:
        """The run and its export give the same model."""
        model = load_run(unbroken, self.registry)
        exported = load_run(model.export(tmp_path / "exported"), self.registry)
        drawn, again = model.sample(16, seed=1), exported.sample(16, seed=1)
        assert drawn.isfinite().all(), f"{self.recipe}: the stored model draws numbers that are not finite"
        assert torch.equal(drawn, again), f"{self.recipe}: the exported model draws other samples than the run's"

    @pytest.fixture
    def unbroken(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """Train a short run, once for all tests of a class; returns its folder."""
        if type(self) not in _UNBROKEN:
            _UNBROKEN[type(self)] = self.run(tmp_path_factory.mktemp("unbroken"))
        return _UNBROKEN[type(self)]

    def load(self, *overrides: str) -> Spec:
        """Read and check the recipe."""
        with explain_errors(f"{self.recipe} is not valid"):
            return loading.load(self.recipe, self.registry, (*overrides, *self.overrides))

    def run(self, folder: Path, *cuts: int) -> Path:
        """Train a few iterations, interrupted at some and resumed; returns the seed's folder."""
        options: dict[str, Any] = {
            "registry": self.registry,
            "observers": {"interrupting": InterruptingObserver(*cuts)},
        }
        with explain_errors(f"{self.recipe} does not train"):
            results = Experiment(self.load(*SHORT), folder=folder, track=False, **options).run()
            while results.status == "killed":
                results = Experiment.resume(results.folder, track=False, **options).run()
        self._check_finished(results)
        return first_seed(results)

    def _check_finished(self, results: Results) -> None:
        error = "; ".join(str(outcome.error) for outcome in results.outcomes.values() if outcome.error)
        assert results.status == "finished", f"{self.recipe} does not train: {results.status}: {error}"

    @staticmethod
    def _first_difference(one: Path, other: Path) -> str:
        first, second = read_tensors(one), read_tensors(other)
        names = [name for name, value in first.items() if name not in second or not torch.equal(value, second[name])]
        return f"{names[0]} is not the same" if names else "a logged number is not the same"
