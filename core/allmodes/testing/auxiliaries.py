"""The contract of an auxiliary network."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, cast

from torch import Tensor, nn
from typing_extensions import override

from allmodes.game.contracts import Auxiliary, Gaussian
from allmodes.game.noise import Noise, seeded, seeded_weights
from allmodes.testing.acting import check_acting
from allmodes.testing.advice import explain_errors
from allmodes.testing.modules import B, ModuleContract, draw_items, find_tensors
from allmodes_schemas import AuxiliaryConfig, KindConfig, LossTermConfig, Shape, Spec


class AuxiliaryContract(ModuleContract):
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
        assert what is None, f"{self.name}: {what}: set `sees` in the test to a shape that it takes"

    def test_its_code_is_as_long_as_the_latents(self) -> None:
        """A joint discriminator sees it in place of the latent's code."""
        if self.config.gives != "code":
            return
        auxiliary = self.build()
        with explain_errors(f"{self.name}: gives is 'code': let code(output, noise) return it"):
            code = auxiliary.code(auxiliary(*self.inputs()), seeded(0))
            shape = tuple(code.shape)
        assert shape == (B, self.parts["code"]), (
            f"{self.name}: the code of {B} items has shape {shape}, not {(B, self.parts['code'])}: build it for "
            "parts['code']"
        )

    def test_its_estimate_has_the_form_that_is_promised(self) -> None:
        """Others read it by its form alone."""
        if not (form := self.config.form):
            return
        auxiliary, size = self.build(), self.parts.get(self.config.gives)
        with explain_errors(f"{self.name}: estimate(output) cannot be computed"):
            estimate = auxiliary.estimate(auxiliary(*self.inputs()))
        assert isinstance(estimate, Gaussian if form == "gaussian" else Tensor), (
            f"{self.name}: its form is {form!r}, but estimate(output) is a {type(estimate).__name__}"
        )
        for tensor in estimate if isinstance(estimate, Gaussian) else (estimate,):
            assert tuple(tensor.shape) == (B, size), (
                f"{self.name}: the estimate of {B} items has shape {tuple(tensor.shape)}, not {(B, size)}"
            )

    def test_the_players_that_train_it_exist(self) -> None:
        """A misspelt player would never take a turn."""
        players = {"discriminator", "generator"} | self._find_added_players()
        unknown = [name for name in self.config.trained_by if name not in players]
        assert not unknown, (
            f"{self.name}: trained_by names {', '.join(unknown)}, but the players are {', '.join(sorted(players))}: "
            "name one, or add it in players() of a loss term"
        )

    def test_its_parts_act_after_updates_alike_for_stacked_seeds(self) -> None:
        """Beside the two networks of a small game."""
        check_acting(lambda seed: {"tested": self.build(seed)}, self.sees, self.parts.get("code", 2), self.name)

    @override
    def build(self, seed: int = 0) -> Auxiliary:
        with seeded_weights(seed):
            auxiliary = self.config.build(self.sees, {"z": self.parts.get("code", 2), **self.parts})
        assert isinstance(auxiliary, Auxiliary), (
            f"{self.name}: build() must return an allmodes.Auxiliary, not {type(auxiliary).__name__}"
        )
        return auxiliary

    @override
    def inputs(self) -> tuple[Tensor, ...]:
        return draw_items(self.sees)

    @override
    def use(self, module: nn.Module, noise: Noise, *inputs: Tensor) -> dict[str, Tensor]:
        output = module(*inputs)
        code = {"code": module.code(output, noise)} if self.config.gives == "code" else {}  # type: ignore[operator]
        return {**find_tensors(output), **code}

    @override
    @property
    def learns(self) -> bool:
        return bool(self.config.trained_by)

    @override
    def place(self, settings: Any) -> dict[str, Any]:
        return {"auxiliaries": {"tested": settings}}

    @override
    def find(self, spec: Spec) -> KindConfig:
        return spec.auxiliaries["tested"]

    def _find_added_players(self) -> set[str]:
        """Find the players that installed loss terms add with their defaults."""
        terms = [cast("type[LossTermConfig]", kind.config) for kind in self.registry.of(LossTermConfig).values()]
        plain = [term for term in terms if not any(field.is_required() for field in term.model_fields.values())]
        return {player.name for term in plain for player in term.model_validate({}).players()}
