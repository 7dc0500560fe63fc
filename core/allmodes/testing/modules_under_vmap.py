"""Checks that a module runs for many seeds at once, and on other devices."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from allmodes.game.noise import Noise
from allmodes.testing.advice import explain_errors
from allmodes.testing.seeds_under_vmap import ATOL, RTOL, stack

Call = Callable[[nn.Module, Noise], Mapping[str, Tensor]]
"""A function of a module and noise that returns tensors by name."""


def all_equal(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    """Whether tensors are equal bit for bit."""
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


def check_under_vmap(modules: Sequence[nn.Module], noises: Sequence[Noise], call: Call, who: str) -> None:
    """Check that stacked modules, with noise drawn ahead, give the outputs of each alone."""
    states = [_tensors(module) for module in modules]  # before they run: BatchNorm moves its statistics
    alone = [call(module, noise) for module, noise in zip(modules, noises, strict=True)]

    def one(tensors: Any, drawn: Any) -> dict[str, Tensor]:
        module = _Calling(modules[0], call)
        tensors = {f"module.{name}": value for name, value in tensors.items()}
        given: dict[str, Tensor] = torch.func.functional_call(module, tensors, (Noise(None, dict(drawn)),))
        return given

    with explain_errors(
        f"{who} does not run under vmap: look at no value (.item(), float(), if x > 0), change nothing in place"
    ):
        stacked = torch.func.vmap(one)(stack(states), stack([noise.drawn for noise in noises]))
    for seed, tensors in enumerate(alone):
        for name, value in tensors.items():
            torch.testing.assert_close(
                stacked[name][seed], value, rtol=RTOL, atol=ATOL,
                msg=lambda text: f"{who} gives another output when seeds are stacked: {text}",
            )  # fmt: skip


def check_on_another_device(module: nn.Module, noise: Noise, call: Call, who: str) -> None:
    """Check that a moved module works and stays on its device: on `meta`, and on CUDA where there is one."""
    call(module, noise)
    for device in ("meta", *(["cuda"] if torch.cuda.is_available() else [])):
        moved = copy.deepcopy(module).to(device)
        drawn = {name: value.to(device) for name, value in noise.drawn.items()}
        advice = (
            f"{who} does not work once moved to {device}: register its tensors as buffers, and make new ones on the"
        )
        with explain_errors(f"{advice} device of what is given"):
            given = call(moved, Noise(None, drawn))
        stayed = [name for name, value in given.items() if value.device.type != device]
        assert not stayed, f"{advice} device of what is given ({', '.join(stayed)} is on the CPU)"


class _Calling(nn.Module):
    """A module together with its use, since `functional_call` calls modules only."""

    def __init__(self, module: nn.Module, call: Call) -> None:
        super().__init__()
        self.module, self.use = module, call

    @override
    def forward(self, noise: Noise) -> Mapping[str, Tensor]:
        return self.use(self.module, noise)


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    own = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    return {name: value.detach().clone() for name, value in own.items()}
