"""The contract of an auxiliary network."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from allmodes.compose import seeded_weights
from allmodes.contracts import Auxiliary
from allmodes.noise import Noise, seeded
from allmodes.testing.kinds import KindContract
from allmodes.testing.modules import leaves, on_another_device, same, under_vmap
from allmodes.testing.randomness import own_randomness
from allmodes.testing.saying import saying
from allmodes_schemas import AuxiliaryConfig, KindConfig, LossTermConfig, Shape, Spec

B = 16


class AuxiliaryContract(KindContract):
    """An auxiliary maps items to something with a row for each, and can be trained, stacked, moved and stored.

    Attributes:
        config: The auxiliary's settings.
        sees: Shape of what it sees: an item, or `(F,)` features of the discriminator for a head.
        parts: Sizes of the latent's parts.
    """

    base = AuxiliaryConfig
    config: ClassVar[AuxiliaryConfig]
    sees: ClassVar[Shape] = (2,)
    parts: ClassVar[Mapping[str, int]] = MappingProxyType({"code": 2})

    def test_the_shape_that_it_sees_suits_its_network(self) -> None:
        """`misfit` refuses others before torch is loaded."""
        what = self.config.misfit(self.sees)
        assert what is None, f"{self.who}: {what}: set `sees` in the test to a shape that it takes"

    def test_its_output_has_a_row_for_each_item(self) -> None:
        """Metrics and terms read outputs item by item."""
        for name, value in self.use(self.built(), seeded(0)).items():
            assert value.shape[:1] == (B,), f"{self.who}: {name} of {B} items has shape {tuple(value.shape)}"
            assert value.isfinite().all(), f"{self.who}: {name} holds numbers that are not finite"

    def test_its_code_is_as_long_as_the_latents(self) -> None:
        """A joint discriminator sees it in the place of the latent's code."""
        if self.config.gives != "code":
            return
        auxiliary = self.built()
        with saying(f"{self.who} says that it gives the code: let code(output, noise) return it"):
            code = auxiliary.code(auxiliary(self.seen()), seeded(0))
            shape = tuple(code.shape)
        assert shape == (B, self.parts["code"]), (
            f"{self.who}: the code of {B} items has shape {shape}, not {(B, self.parts['code'])}: build it for "
            "parts['code']"
        )

    def test_gradients_reach_its_parameters_and_what_it_sees(self) -> None:
        """Else it could not learn, nor the generator through it."""
        auxiliary, seen = self.built(), self.seen().requires_grad_()
        total = torch.stack(
            [v.sum() for v in self.use(auxiliary, seeded(0), seen).values() if v.is_floating_point()]
        ).sum()
        wanted = [seen, *auxiliary.parameters()]
        with saying(f"{self.who}: no gradient reaches it: do not detach its output"):
            gradients = torch.autograd.grad(total, wanted, allow_unused=True)
        assert gradients[0] is not None, f"{self.who}: no gradient reaches what it sees: do not detach it"
        learns = any(gradient is not None and gradient.any() for gradient in gradients[1:])
        assert learns or not self.config.trained_by or len(wanted) == 1, (
            f"{self.who}: no gradient reaches its parameters"
        )

    def test_the_players_that_train_it_exist(self) -> None:
        """A misspelt player would never take a turn."""
        known = {"discriminator", "generator"} | self._added()
        unknown = [name for name in self.config.trained_by if name not in known]
        assert not unknown, (
            f"{self.who}: trained_by names {', '.join(unknown)}, but the players are {', '.join(sorted(known))}: name "
            "one, or add it in players() of a loss term"
        )

    def test_only_its_own_noise_makes_it_random(self) -> None:
        """Nothing is drawn from a global generator, which other code moves."""
        auxiliary, seen = self.built(), self.seen()
        with own_randomness(f"{self.who}: forward or code"):
            first = self.use(auxiliary, seeded(0), seen)
        again = self.use(self.built(), seeded(0), seen)
        assert same(first, again), f"{self.who}: the same noise gives another output: keep no state between calls"

    def test_outputs_of_stacked_seeds_are_those_of_each_seed(self) -> None:
        """All seeds of a spec may be trained at once."""
        seen = self.seen()
        use = partial(self.use, seen=seen)
        under_vmap([self.built(0), self.built(1)], [seeded(0), seeded(1)], use, self.who)

    def test_it_works_on_the_device_that_it_was_moved_to(self) -> None:
        """Its tensors are parameters or buffers."""
        on_another_device(self.built(), seeded(0), self.use, self.who)

    def test_it_gives_the_same_after_its_state_was_restored(self) -> None:
        """What it learned is in its state."""
        trained, fresh = self.built(0).eval(), self.built(1).eval()
        fresh.load_state_dict(trained.state_dict())
        assert same(self.use(trained, seeded(0)), self.use(fresh, seeded(0))), (
            f"{self.who}: with another's state it gives something else: keep what it learns in parameters and buffers"
        )

    def built(self, seed: int = 0) -> Auxiliary:
        """The auxiliary, with weights from a seed."""
        with seeded_weights(seed):
            auxiliary = self.config.build(self.sees, dict(self.parts))
        assert isinstance(auxiliary, Auxiliary), (
            f"{self.who}: build() must return an allmodes.Auxiliary, not {type(auxiliary).__name__}"
        )
        return auxiliary

    def seen(self) -> Tensor:
        """Items to map."""
        return torch.randn(B, *self.sees, generator=torch.Generator().manual_seed(0))

    def use(self, auxiliary: nn.Module, noise: Noise, seen: Tensor | None = None) -> dict[str, Tensor]:
        """The output's tensors, and the code where it gives one."""
        first = next(auxiliary.parameters(), None)
        seen = self.seen().to(first.device if first is not None else "cpu") if seen is None else seen
        output = auxiliary(seen)
        code = {"code": auxiliary.code(output, noise)} if self.config.gives == "code" else {}  # type: ignore[operator]
        return {**leaves(output), **code}

    def placed(self, settings: Any) -> dict[str, Any]:
        """Among the auxiliaries."""
        return {"auxiliaries": {"tested": settings}}

    def found(self, spec: Spec) -> KindConfig:
        """The auxiliary."""
        return spec.auxiliaries["tested"]

    def _added(self) -> set[str]:
        """The players that installed loss terms bring with their defaults."""
        terms = [cast("type[LossTermConfig]", kind.config) for kind in self.registry.of(LossTermConfig).values()]
        plain = [term for term in terms if not any(field.is_required() for field in term.model_fields.values())]
        return {player.name for term in plain for player in term.model_validate({}).players()}
