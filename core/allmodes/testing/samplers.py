"""The contract of a sampler."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor
from typing_extensions import override

from allmodes.game.composition import Composition
from allmodes.game.parts import fit_sampler
from allmodes.game.samplers import Source
from allmodes.game.sampling import draw, eval_mode
from allmodes.specs import loading
from allmodes.testing.advice import explain_errors
from allmodes.testing.composing import ComposedContract
from allmodes.testing.modules_under_vmap import all_equal
from allmodes.testing.randomness import own_randomness
from allmodes.testing.snapshots import take_flat_snapshot
from allmodes_schemas import KindConfig, SamplerConfig, Spec

N = 17


class SamplerContract(ComposedContract):
    """A sampler draws n items, the same from the same randomness, and changes nothing by drawing.

    Attributes:
        config: The sampler's settings.
        recipe: A recipe whose model it can draw from.
        spec: A spec, as a mapping, in the place of a recipe.
        overrides: Further settings of the spec, such as `data.root=/data`.
    """

    base = SamplerConfig
    config: ClassVar[SamplerConfig]

    def test_it_draws_as_many_items_as_it_is_asked_for(self) -> None:
        """Of the shape of the model's, and finite."""
        composition = self.composition()
        for n in (1, N, 64):
            assert len(self.draw(composition, n)) == n

    def test_the_same_randomness_gives_the_same_items_and_other_randomness_others(self) -> None:
        """A stored model can be sampled again."""
        composition = self.composition()
        first, again, other = (self.draw(composition, seed=seed) for seed in (0, 0, 1))
        assert torch.equal(first, again), f"{self.name}: the same randomness gives other items: keep no state of draws"
        assert not torch.equal(first, other), (
            f"{self.name}: other randomness gives the same items: take latents from model.latent(n), noise from "
            "model.noise()"
        )

    def test_only_its_own_noise_makes_it_random(self) -> None:
        """Nothing is drawn from a global generator, which other code moves."""
        with own_randomness(f"{self.name}: fit", "take it from fitting.noise, or Source.of(fitting)"):
            composition = self.composition()
        with own_randomness(f"{self.name}: forward", "take it from model.noise()"):
            self.draw(composition)

    def test_a_fit_begins_anew(self) -> None:
        """A run is evaluated often, and a resumed one as often as one that was never stopped."""
        once, twice = self.composition(), self.composition()
        self.fit(twice)
        assert all_equal(self.state(once), self.state(twice)), (
            f"{self.name}: a second fit to the same model gives another state: begin anew in fit"
        )

    def test_it_draws_the_same_after_its_state_was_restored(self) -> None:
        """What it found out is in its state."""
        fitted, fresh = self.composition(), self.composed_spec.compose()
        drawn = self.draw(fitted)
        with explain_errors(f"{self.name} cannot be restored: keep what is fitted in parameters and buffers"):
            fresh.modules["sampler"].load_state_dict(self.state(fitted))
        assert torch.equal(drawn, self.draw(fresh)), (
            f"{self.name}: it draws something else once restored: keep what is fitted in parameters and buffers"
        )

    def test_drawing_changes_neither_the_model_nor_the_sampler(self) -> None:
        """What is sampled often stays as it was trained."""
        composition = self.composition()
        before = take_flat_snapshot(composition)
        with (
            explain_errors(f"{self.name}: forward fails"),  # called as it is, for what it changes is put back in `draw`
            torch.no_grad(),
            eval_mode(*composition.modules.values()),
        ):
            composition.modules["sampler"](Source(composition.modules, torch.Generator().manual_seed(0)), N)
        after = take_flat_snapshot(composition).items()
        changed = [name for name, value in after if not torch.equal(value, before[name])]
        assert not changed, f"{self.name}: drawing changes {', '.join(changed)}: change nothing but in fit"

    def composition(self) -> Composition:
        """Compose an untrained model, with the sampler fitted to it."""
        composition = self.composed_spec.compose()
        self.fit(composition)
        return composition

    def fit(self, composition: Composition) -> None:
        """Fit the sampler to the model."""
        with explain_errors(f"{self.name}: fit fails"):
            fit_sampler(composition.modules, self.composed_spec.data, 0, 0)

    def draw(self, composition: Composition, n: int = N, seed: int = 0) -> Tensor:
        """Let the sampler draw n items."""
        with explain_errors(f"{self.name}: forward fails"):
            return draw(composition.modules, n, torch.Generator().manual_seed(seed))

    def state(self, composition: Composition) -> dict[str, Tensor]:
        """Copy the state of the sampler."""
        return {key: value.clone() for key, value in composition.modules["sampler"].state_dict().items()}

    @override
    def within(self, values: dict[str, Any]) -> dict[str, Any]:
        return {**values, "sampler": loading.plain(self.config)}

    @override
    def place(self, settings: Any) -> dict[str, Any]:
        return {"sampler": settings}

    @override
    def find(self, spec: Spec) -> KindConfig:
        assert spec.sampler is not None
        return spec.sampler
