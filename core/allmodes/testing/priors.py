"""The contract of a latent prior."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor
from typing_extensions import override

from allmodes.game.contracts import Fitting, Functions, Latent, Prior
from allmodes.game.noise import Noise, seeded, seeded_weights
from allmodes.models import format as model_format
from allmodes.testing.acting import check_acting
from allmodes.testing.advice import explain_errors
from allmodes.testing.kinds import KindContract
from allmodes.testing.modules_under_vmap import all_equal, check_on_another_device, check_under_vmap
from allmodes.testing.randomness import own_randomness
from allmodes_schemas import KindConfig, PriorConfig, Spec

N = 16
SHARES = 4000
"""Draws from which the shares of modes are told, to a few hundredths."""


class PriorContract(KindContract):
    """A prior draws what it promises, from the noise that it is given alone, for one seed or many, on any device.

    Attributes:
        config: The prior's settings.
        data: What it is fitted to, as in a spec; by default the ring.
        functions: What came from Python, where the settings name some.
    """

    base = PriorConfig
    config: ClassVar[PriorConfig]
    data: ClassVar[Mapping[str, Any]] = MappingProxyType({"kind": "ring"})
    functions: ClassVar[Functions] = MappingProxyType({})

    def test_a_draw_has_the_sizes_that_are_promised(self) -> None:
        """z is (n, dim), and each part (n, size) by the settings and by the fitted prior."""
        prior, promised = self.build(), self.config.parts()
        assert promised.keys() == prior.sizes.keys(), (
            f"{self.name}: parts() of the settings names {', '.join(promised)}, but sizes of the prior "
            f"{', '.join(prior.sizes)}: name the same parts"
        )
        shapes = {"z": (N, prior.dim), **{name: (N, size) for name, size in prior.sizes.items()}}
        for name, value in draw(prior, seeded(0)).items():
            assert tuple(value.shape) == shapes[name], (
                f"{self.name}: {name} of a draw of {N} has shape {tuple(value.shape)}, but {shapes[name]} is promised"
            )
            assert promised.get(name) in (None, shapes[name][1]), (
                f"{self.name}: parts() promises {name} of size {promised[name]}, but it has {shapes[name][1]}"
            )
            assert value.isfinite().all(), f"{self.name}: {name} holds numbers that are not finite"
        assert self.config.size() in (None, prior.dim), (
            f"{self.name}: size() of the settings promises a z of size {self.config.size()}, but it has {prior.dim}"
        )

    def test_what_it_offers_is_a_tensor_or_a_method(self) -> None:
        """Others ask for it by name; `weights` are the probabilities of the modes."""
        prior = self.build()
        for name in self.config.offers:
            with explain_errors(f"{self.name} offers {name!r}: give it an attribute of that name, or offer(name)"):
                offered = prior.offer(name)
            assert isinstance(offered, Tensor) or callable(offered), (
                f"{self.name}: what it offers as {name!r} is neither a tensor nor a method: {offered!r}"
            )

    def test_the_weights_that_it_offers_are_the_shares_of_its_modes(self) -> None:
        """Losses and metrics take them for the probabilities of the part `mode`."""
        if "weights" not in self.config.offers:
            pytest.skip("the prior offers no weights")
        prior = self.build()
        weights = prior.offer("weights").detach()
        shares = prior(seeded(0), SHARES).part("mode").mean(0).detach()
        said, seen = ([round(float(value), 3) for value in values] for values in (weights, shares))
        assert len(said) == len(seen), f"{self.name}: it offers {len(said)} weights and has {len(seen)} modes"
        assert torch.allclose(weights, shares, atol=0.05), (
            f"{self.name}: it offers the weights {said}, but modes are drawn with shares {seen}"
        )

    def test_its_parts_act_after_updates_alike_for_stacked_seeds(self) -> None:
        """As the latent of a small game."""
        check_acting(lambda seed: {"prior": self.build()}, (2,), self.build().dim, self.name)

    def test_the_same_noise_gives_the_same_draw_and_other_noise_another(self) -> None:
        """Runs can be repeated, and batches differ."""
        prior = self.build()
        first, again, other = (draw(prior, seeded(seed)) for seed in (0, 0, 1))
        assert all_equal(first, again), f"{self.name}: the same noise gives another draw: keep no state between draws"
        assert not torch.equal(first["z"], other["z"]), (
            f"{self.name}: other noise gives the same draw: ask for it by name, as in noise.normal('code', n, dim)"
        )

    def test_the_same_data_and_noise_give_the_same_fit(self) -> None:
        """A run can be repeated from its seed."""
        one, other = (draw(self.build(), seeded(0)) for _ in range(2))
        assert all_equal(one, other), (
            f"{self.name}: two fits to the same data differ: take randomness from fitting.noise"
        )

    def test_only_its_own_noise_makes_a_draw_random(self) -> None:
        """Nothing is drawn from a global generator, which other code moves."""
        prior = self.build()
        with own_randomness(f"{self.name}: forward"):
            draw(prior, seeded(0))

    def test_only_its_own_noise_makes_a_fit_random(self) -> None:
        """Other code moves the global generators."""
        with seeded_weights(0):
            prior = self.config.build()
        data = self.data_of(self.data)
        with own_randomness(f"{self.name}: fit", "take it from fitting.noise"):
            prior.fit(Fitting(data, seeded(0), functions=self.functions))

    def test_draws_of_stacked_seeds_are_those_of_each_seed(self) -> None:
        """All seeds of a spec may be trained at once."""
        prior = self.build()
        check_under_vmap([prior, prior], [seeded(0), seeded(1)], draw, self.name)

    def test_it_draws_on_the_device_that_it_was_moved_to(self) -> None:
        """Its tensors are parameters or buffers."""
        check_on_another_device(self.build(), seeded(0), draw, self.name)

    def test_it_draws_the_same_after_it_was_stored_and_read(self, tmp_path: Path) -> None:
        """State holds what is learned or fitted."""
        prior = self.build()
        with explain_errors(f"{self.name} cannot be stored: keep what is fitted in parameters and buffers"):
            page = model_format.make_page({"prior": prior}, (2,), None, 0)
            model_format.save({"prior": prior}, page, tmp_path / "model")
            again = model_format.load_prior(self.in_a_spec(), tmp_path / "model")
            drawn = draw(again.train(prior.training), seeded(0))
        assert all_equal(draw(prior, seeded(0)), drawn), (
            f"{self.name}: once stored and read, it draws something else: keep what is fitted in parameters and buffers"
        )

    def test_a_mode_that_is_held_fixed_is_the_one_that_is_drawn(self) -> None:
        """`sample --mode 1` and the metric `conditional` hold the part `mode` fixed by its number."""
        prior = self.build()
        if "mode" not in prior.sizes:
            pytest.skip("the prior has no part `mode`")
        for mode in range(prior.sizes["mode"]):
            drawn = prior(seeded(0), N, {"mode": mode}).part("mode")
            assert (drawn.argmax(1) == mode).all(), (
                f"{self.name}: given {{'mode': {mode}}} it draws others: read given['mode'], a number or one a draw"
            )

    def build(self) -> Prior:
        """Build the prior and fit it to the data."""
        with seeded_weights(0):
            prior = self.config.build()
        assert isinstance(prior, Prior), f"{self.name}: build() must return an allmodes.Prior, not {prior!r}"
        prior.fit(Fitting(self.data_of(self.data), seeded(0), functions=self.functions))
        return prior

    @override
    def place(self, settings: Any) -> dict[str, Any]:
        return {"prior": settings}

    @override
    def find(self, spec: Spec) -> KindConfig:
        return spec.prior


def draw(prior: Any, noise: Noise) -> Mapping[str, Tensor]:
    """Draw from the prior; returns z and all parts by name."""
    latent = prior(noise, N)
    assert isinstance(latent, Latent), f"{type(prior).__name__}.forward must return an allmodes.Latent, not {latent!r}"
    return {"z": latent.z, "code": latent.code, **latent.parts}
