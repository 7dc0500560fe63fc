"""Steps and turns of a small composition, for tests of methods."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from allmodes import installed
from allmodes.data.batch import Batch
from allmodes.engine.eager import EagerEngine
from allmodes.engine.functional import initial_state, update
from allmodes.game.compose import compose
from allmodes.game.composition import Composition
from allmodes.game.noise import Noise, seeded
from allmodes.game.step import Context, Draw, Step
from allmodes.specs.loading import parse
from allmodes_schemas import TurnConfig

B = 8


def composed(values: Mapping[str, Any], double: bool = False, **changes: Any) -> Composition:
    """A spec's composition; with `double` in float64 and with biases that are not zero, which would hide a lost one."""
    spec = parse({**values, **changes}, installed())
    composition = compose(spec, spec.data.build(), seed=0)
    generator = torch.Generator().manual_seed(1)
    for module in composition.modules.values() if double else ():
        module.double()
        for parameter in module.parameters():
            parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    return composition


def a_step(composition: Composition, x: Tensor, noise: Noise | None = None) -> Step:
    return Step(Context(composition, composition.weights(0)), Draw(Batch(x), noise or seeded(1)))


def gradients(loss: Tensor, composition: Composition, *modules: str) -> dict[str, list[Tensor | None]]:
    """The loss's gradient for each parameter of each module, None where it does not reach."""
    own = {name: list(composition.modules[name].parameters()) for name in modules}
    return {
        name: list(torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True))
        for name, parameters in own.items()
    }


def moved(composition: Composition, player: str, x: Tensor) -> set[str]:
    """The modules that a player's turn changes."""
    before = {name: _parameters(module) for name, module in composition.modules.items()}
    EagerEngine(composition).update(TurnConfig(player=player), Draw(Batch(x), seeded(1)))
    return {
        name
        for name, module in composition.modules.items()
        if not all(map(torch.equal, before[name], _parameters(module)))
    }


def _parameters(module: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in module.parameters()]


def assert_pure_turns_equal_eager_ones(composition: Composition, *shape: int) -> None:
    """Every turn of the schedule, eagerly and as a pure function under vmap over two equal seeds."""
    state = {key: _twice(tree) for key, tree in initial_state(composition).items()}
    engine, generator = EagerEngine(composition), torch.Generator().manual_seed(0)
    for turn in composition.schedule:
        draw = Draw(Batch(torch.randn(B, *shape, generator=generator)), Noise(generator))
        engine.update(turn, draw, 0)

        def one(state, x, noise, turn=turn):  # type: ignore[no-untyped-def]
            return update(composition, turn, state, x, noise)

        state = torch.func.vmap(one)(state, _twice(draw.batch.x), _twice(draw.noise.drawn))
    for name, module in composition.modules.items():
        for key, value in module.named_parameters():
            torch.testing.assert_close(state["parameters"][name][key][1], value.detach(), rtol=2e-4, atol=2e-5)


def _twice(tree: Any) -> Any:
    return {k: _twice(v) for k, v in tree.items()} if isinstance(tree, dict) else torch.stack([tree, tree])
