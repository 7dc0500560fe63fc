"""Compositions, steps and turns, for tests that hold a method's formulas to numbers worked out by hand.

composition = compose("gan/ring", "training.batch_size=6")
step = make_step(composition, x, {"latent/code": z})
torch.testing.assert_close(composition.objective("generator", step), by_hand(x, z))
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import repeat
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from allmodes.data.base import Data
from allmodes.data.batch import Batch
from allmodes.engine.eager import EagerEngine
from allmodes.engine.optimizers import set_schedule
from allmodes.game import compose as composing
from allmodes.game.composition import Composition
from allmodes.game.contracts import Functions
from allmodes.game.noise import Noise, seeded
from allmodes.game.step import Context, Draw, Step
from allmodes.registry.registry import Registry
from allmodes.specs import loading
from allmodes.testing.kinds import installed_once
from allmodes.testing.seeds_under_vmap import compare_runs, run_eagerly, run_stacked
from allmodes_schemas import Spec, TurnConfig

Given = Mapping[str, Tensor] | Noise | None
"""Noise: a source, or its draws by name such as `latent/code` (others are then errors), or None for a seeded one."""


def load_spec(spec: str | Mapping[str, Any] | Spec, *overrides: str, registry: Registry | None = None) -> Spec:
    """Read and check a spec.

    Args:
        spec: A recipe's name, a file, or the spec as a mapping.
        overrides: Changes of a recipe or file, such as `training.batch_size=6`.
        registry: What is installed, by default all plugins.

    Raises:
        SpecError: The spec is invalid; there is a line for each error.
    """
    registry = registry or installed_once()
    if isinstance(spec, str):
        return loading.load(spec, registry, overrides)
    return loading.parse(spec if isinstance(spec, Mapping) else loading.dump_values(spec), registry)


def compose(
    spec: str | Mapping[str, Any] | Spec,
    *overrides: str,
    seed: int = 0,
    data: Data | None = None,
    functions: Functions = MappingProxyType({}),
    double: bool = False,
    registry: Registry | None = None,
) -> Composition:
    """Build the modules, loss terms and players of a spec, with the weights of a seed.

    Args:
        spec: A recipe's name, a file, a mapping, or a checked spec.
        overrides: Changes of a recipe or file.
        seed: Seed of the weights and of all fits.
        data: Data in place of the spec's.
        functions: Functions from Python that the spec names.
        registry: What is installed, by default all plugins.
        double: Compute in float64, and move all parameters a little: biases that begin at zero would hide a lost one.

    Raises:
        SpecError: The spec is invalid.
        CompositionError: Its parts turn out not to fit together.
    """
    checked = spec if isinstance(spec, Spec) else load_spec(spec, *overrides, registry=registry)
    composition = composing.compose(checked, data or checked.data.build(), seed, functions)
    if double:
        _perturb(composition)
    return composition


def _perturb(composition: Composition) -> None:
    generator = torch.Generator().manual_seed(1)
    for module in composition.modules.values():
        module.double()
        for parameter in module.parameters():
            parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)


def make_step(composition: Composition, x: Tensor | Batch, noise: Given = None, iteration: int = 0) -> Step:
    """Make the step that loss terms see.

    Args:
        composition: What `compose` returned.
        x: Real items (B, *shape), or a batch with labels and streams.
        noise: A source of noise, or the draws themselves by name.
        iteration: Decides which terms count, and scheduled values.
    """
    context = Context(composition, composition.weights(iteration), iteration, EagerEngine(composition).unroll)
    return Step(context, _draw(x, noise))


def take_turn(
    composition: Composition, turn: str | TurnConfig, x: Tensor | Batch, noise: Given = None, iteration: int = 0
) -> set[str]:
    """Update a player's modules, or those of the players of a turn, by the first step of their optimisers.

    Returns:
        Names of the modules with a parameter that changed.
    """
    before = {name: _parameters(module) for name, module in composition.modules.items()}
    turn = TurnConfig(player=turn) if isinstance(turn, str) else turn
    EagerEngine(composition).update(turn, _draw(x, noise), iteration)
    after = {name: _parameters(module) for name, module in composition.modules.items()}
    return {name for name in after if not all(map(torch.equal, before[name], after[name]))}


def find_gradients(value: Tensor, composition: Composition, *modules: str) -> dict[str, list[Tensor | None]]:
    """Compute the gradient of a scalar for each parameter of each module, None where it does not reach."""
    own = {name: list(composition.modules[name].parameters()) for name in modules}
    return {
        name: list(torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True)) if parameters else []
        for name, parameters in own.items()
    }


def make_optimizers(composition: Composition, iteration: int = 0) -> dict[str, torch.optim.Optimizer]:
    """Make the optimisers of all players, with the scheduled values of an iteration."""
    optimizers = EagerEngine(composition).optimizers
    for player, optimizer in optimizers.items():
        set_schedule(optimizer, composition.players[player].optimizer, iteration)
    return optimizers


def check_turns_under_vmap(composition: Composition, *shape: int, batch_size: int = 8) -> None:
    """Take every turn of the first iteration eagerly, and for two equal seeds at once as a pure function.

    Args:
        composition: What `compose` returned; it is updated.
        shape: Shape of an item.
        batch_size: Normal items in each batch.

    Raises:
        AssertionError: A parameter differs, or none changed.
    """
    generator = torch.Generator().manual_seed(0)
    batches: Iterator[Batch] = (Batch(torch.randn(batch_size, *shape, generator=generator)) for _ in repeat(None))
    run = run_eagerly(composition, batches, generator, [0])
    assert compare_runs([run, run], run_stacked([run, run])) > 0, "no turn changes a parameter"


def _draw(x: Tensor | Batch, noise: Given) -> Draw:
    batch = x if isinstance(x, Batch) else Batch(x)
    if noise is None:
        return Draw(batch, seeded(1, batch.x.device))
    return Draw(batch, noise if isinstance(noise, Noise) else Noise(None, dict(noise)))


def _parameters(module: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in module.parameters()]
