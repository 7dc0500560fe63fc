"""Copies of the tensors of a composition, to be compared after an update."""

from __future__ import annotations

from torch import Tensor

from allmodes.game.composition import Composition


def take_snapshot(composition: Composition) -> dict[str, dict[str, Tensor]]:
    """Copy the parameters and buffers of each module."""
    return {
        name: {key: value.detach().clone() for key, value in (*m.named_parameters(), *m.named_buffers())}
        for name, m in composition.modules.items()
    }


def take_flat_snapshot(composition: Composition) -> dict[str, Tensor]:
    """Copy all parameters and buffers, named `module.parameter`."""
    modules = take_snapshot(composition).items()
    return {f"{name}.{key}": value for name, state in modules for key, value in state.items()}
