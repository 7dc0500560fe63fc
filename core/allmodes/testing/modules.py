"""The common contract of auxiliaries and networks: items go in, a row for each comes out, and they learn."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from allmodes.game.noise import Noise, seeded
from allmodes.testing.advice import explain_errors
from allmodes.testing.kinds import KindContract
from allmodes.testing.modules_under_vmap import all_equal, check_on_another_device, check_under_vmap
from allmodes.testing.randomness import own_randomness
from allmodes_schemas import Shape

B = 8
"""Items in a batch."""


class ModuleContract(KindContract):
    """A module maps items to something with a row for each, and can be trained, stacked, moved and restored."""

    def test_its_output_has_a_row_for_each_item(self) -> None:
        """Metrics and terms read outputs item by item."""
        for name, value in self.compute_outputs(self.build()).items():
            assert value.shape[:1] == (B,), f"{self.name}: {name} of {B} items has shape {tuple(value.shape)}"
            assert value.isfinite().all(), f"{self.name}: {name} holds numbers that are not finite"

    def test_gradients_reach_its_parameters_and_what_it_sees(self) -> None:
        """Without them it cannot learn, nor a generator through it."""
        module, inputs = self.build(), tuple(x.requires_grad_() for x in self.inputs())
        outputs = list(self.use(module, seeded(0), *inputs).values())
        if not self.learns and all(map(_is_choice, outputs)):
            pytest.skip(f"nobody trains {self.name}, and its output is a choice, which has no gradient")
        total = torch.stack([value.square().sum() for value in outputs if value.is_floating_point()]).sum()
        parameters = list(module.parameters())
        with explain_errors(f"{self.name}: no gradient reaches it: do not detach its output"):
            found = torch.autograd.grad(total, [*inputs, *parameters], allow_unused=True)
        reached = [gradient is not None and bool(gradient.any()) for gradient in found]
        passed = all(reached[: len(inputs)]) or not self.learns  # one that nobody trains may find the nearest of many
        assert passed, f"{self.name}: no gradient reaches what it sees: do not detach it"
        learns = any(reached[len(inputs) :]) or not parameters or not self.learns
        assert learns, f"{self.name}: no gradient reaches its parameters"

    def test_only_its_own_noise_makes_it_random(self) -> None:
        """Nothing is drawn from a global generator, which other code moves."""
        module, again = self.build(), self.build()
        with own_randomness(f"{self.name}: its output", "use allmodes.Dropout for torch's, or the noise that is given"):
            first = self.compute_outputs(module)
        assert all_equal(first, self.compute_outputs(again)), (
            f"{self.name}: the same input gives another output: keep no state"
        )

    def test_outputs_of_stacked_seeds_are_those_of_each_seed(self) -> None:
        """All seeds of a spec may be trained at once."""
        check_under_vmap([self.build(0), self.build(1)], [seeded(0), seeded(1)], self._call(), self.name)

    def test_it_works_on_the_device_that_it_was_moved_to(self) -> None:
        """Its tensors are parameters or buffers."""
        check_on_another_device(self.build(), seeded(0), self._call(), self.name)

    def test_it_gives_the_same_after_its_state_was_restored(self) -> None:
        """What it learned is in its state."""
        trained, fresh = self.build(0).eval(), self.build(1).eval()
        fresh.load_state_dict(trained.state_dict())
        assert all_equal(self.compute_outputs(trained), self.compute_outputs(fresh)), (
            f"{self.name}: its output differs after loading another's state: keep all state in parameters and buffers"
        )

    @property
    def learns(self) -> bool:
        """Whether a player trains it."""
        return True

    def build(self, seed: int = 0) -> nn.Module:
        """Build the module with the weights of a seed."""
        raise NotImplementedError(f"{type(self).__name__} does not define build(seed)")

    def inputs(self) -> tuple[Tensor, ...]:
        """Draw items to map."""
        raise NotImplementedError(f"{type(self).__name__} does not define inputs()")

    def use(self, module: nn.Module, noise: Noise, *inputs: Tensor) -> dict[str, Tensor]:
        """Run the module; returns its outputs by name."""
        raise NotImplementedError(f"{type(self).__name__} does not define use(module, noise, *inputs)")

    def compute_outputs(self, module: nn.Module) -> dict[str, Tensor]:
        """Run the module on the contract's inputs."""
        return self.use(module, seeded(0), *self.inputs())

    def _call(self) -> Any:
        inputs = self.inputs()  # drawn before: vmap allows no drawing

        def call(module: nn.Module, noise: Noise) -> dict[str, Tensor]:
            own = next(module.parameters(), inputs[0])
            return self.use(module, noise, *(x.to(own.device) for x in inputs))

        return call


def draw_items(*shapes: Shape) -> tuple[Tensor, ...]:
    """Draw B normal items of each shape."""
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(B, *shape, generator=generator) for shape in shapes)


def _is_choice(output: Tensor) -> bool:
    """Whether an output says which of several things an item is, by zeros and ones alone."""
    return not output.requires_grad and bool(((output == 0) | (output == 1)).all())


def find_tensors(output: Any) -> dict[str, Tensor]:
    """Find the tensors in an output of any structure."""
    return {f"output {i}": leaf for i, leaf in enumerate(tree_leaves(output)) if isinstance(leaf, Tensor)}
