"""The eager engine against the pure rule and against a loop written by hand in plain torch, in float64."""

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus
from typing_extensions import override

from allmodes.builtin.dcgan import DcganEncoder, DcganGenerator
from allmodes.builtin.losses import GradientPenalty, NonSaturating, WassersteinGame, ZeroCentredPenalty
from allmodes.builtin.networks import Mlp
from allmodes.builtin.priors import Gaussian
from allmodes.data.batch import Batch
from allmodes.engine import optimizers
from allmodes.engine.eager import EagerEngine
from allmodes.engine.functional import initial_state, update
from allmodes.game.composition import Composition, Player, Term
from allmodes.game.contracts import Discriminator, Network
from allmodes.game.losses import Loss, LossTerm
from allmodes.game.noise import Noise
from allmodes.game.step import Draw, Step
from allmodes.testing import check_turns_under_vmap
from allmodes_schemas import AdamConfig, OptimizerConfig, SgdConfig, TurnConfig

B, Z, SIDE = 6, 3, 16
GAMMA, LAMBDA, AHEAD, LR = 2.0, 10.0, 2, 0.05
OPTIMIZERS = {"sgd": SgdConfig(lr=LR, momentum=0.5), "adam": AdamConfig(lr=LR, betas=(0.5, 0.999))}
TORCHS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "sgd": lambda p: torch.optim.SGD(p, LR, momentum=0.5, foreach=False),
    "adam": lambda p: torch.optim.Adam(p, LR, betas=(0.5, 0.999), foreach=False),
}


class Unrolled(LossTerm):
    """The generator plays against the discriminator that comes some updates later."""

    def losses(self) -> Mapping[str, Loss]:
        return {"discriminator": self.discriminator, "generator": self.generator}

    def discriminator(self, step: Step) -> Tensor:
        return softplus(-step.score("real")).mean() + softplus(step.score("fake")).mean()

    def generator(self, step: Step) -> Tensor:
        return softplus(-step.after("discriminator", AHEAD).score("fake")).mean()


class Parallel(nn.Module):
    """One layer for each entry of z (B, Z); the largest decides. torch gives the gradient of `w` permuted strides."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.w, self.b = nn.Parameter(torch.randn(Z, Z, units)), nn.Parameter(torch.randn(Z, units))

    @override
    def forward(self, z: Tensor) -> Tensor:
        which = (z == z.amax(1, keepdim=True)).to(z.dtype)  # (B, Z)
        return torch.einsum("bk,bi,kio->bo", which, z, self.w).add(which @ self.b).tanh()


class Generators(Network):
    """A generator for each entry of z, on a common head."""

    def __init__(self, units: int = 8) -> None:
        super().__init__()
        self.trunk, self.feature_dim, self.head = Parallel(units), units, nn.Linear(units, 2)


def mlps() -> tuple[nn.Module, nn.Module]:
    return Mlp([(Z,)], (2,), (8, 8)), Mlp([(2,)], (1,), (8, 8))


def generators() -> tuple[nn.Module, nn.Module]:
    return Generators(), Mlp([(2,)], (1,), (8, 8))


def convolutions() -> tuple[nn.Module, nn.Module]:
    image = (1, SIDE, SIDE)
    return DcganGenerator((Z,), image, channels=4), DcganEncoder([image], (1,), channels=4, batch_norm=False)


NETWORKS = {"mlp": mlps, "generators": generators, "convolution": convolutions}
TERMS: dict[str, Callable[[], list[Term]]] = {
    "no penalty": lambda: [Term("game", NonSaturating())],
    "r1": lambda: [Term("game", NonSaturating()), Term("r1", ZeroCentredPenalty(GAMMA, "real"))],
    "gradient penalty": lambda: [Term("game", WassersteinGame()), Term("penalty", GradientPenalty(LAMBDA))],
    "unrolled": lambda: [Term("game", Unrolled())],
}


def composed(networks: str, terms: str, optimizer: OptimizerConfig) -> Composition:
    torch.manual_seed(0)
    generator, discriminator = NETWORKS[networks]()
    modules = {"prior": Gaussian(Z), "generator": generator, "discriminator": Discriminator(discriminator)}
    for module in modules.values():
        module.double()
        for parameter in module.parameters():  # DCGAN starts at 0.02, where second-order terms would be tiny
            parameter.data += 0.2 * torch.randn_like(parameter)
    players = [Player(name, (name,), optimizer) for name in ("discriminator", "generator")]
    return Composition(modules, TERMS[terms](), players, [TurnConfig(player=p.name) for p in players])


def a_draw(networks: str) -> Draw:
    rng = torch.Generator().manual_seed(1)
    shape = (1, SIDE, SIDE) if networks == "convolution" else (2,)
    x, code = (torch.randn(B, *item, generator=rng, dtype=torch.float64) for item in (shape, (Z,)))
    t = torch.rand(B, generator=rng, dtype=torch.float64)
    return Draw(Batch(x), Noise(None, {"latent/code": code, "between": t}))


class ByHand:
    """The same turns as a researcher would write them: `.backward()`, which heeds layouts, and unfused optimisers."""

    def __init__(self, composition: Composition, terms: str, optimizer: str) -> None:
        self.modules = copy.deepcopy(composition.modules)
        self.G, self.D, self.terms = self.modules["generator"], self.modules["discriminator"], terms
        self.optimizers = {name: TORCHS[optimizer](self.modules[name].parameters()) for name in PLAYERS}

    def turn(self, player: str, draw: Draw) -> None:
        x, z, t = draw.batch.x, draw.noise.drawn["latent/code"], draw.noise.drawn["between"]
        loss = (
            self.discriminator(x, self.G(z).detach(), t) if player == "discriminator" else self.generator(x, self.G(z))
        )
        self.optimizers[player].zero_grad()
        loss.backward()
        self.optimizers[player].step()

    def discriminator(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        if self.terms == "gradient penalty":
            t = t.reshape(-1, *[1] * (x.dim() - 1))
            slopes = self.squared_slopes(t * x + (1 - t) * y).sqrt()
            return self.score(y).mean() - self.score(x).mean() + LAMBDA * (slopes - 1).square().mean()
        game = softplus(-self.score(x)).mean() + softplus(self.score(y)).mean()
        return game + GAMMA / 2 * self.squared_slopes(x).mean() if self.terms == "r1" else game

    def generator(self, x: Tensor, y: Tensor) -> Tensor:
        if self.terms == "gradient penalty":
            return -self.score(y).mean()
        D = self.ahead(x, y) if self.terms == "unrolled" else dict(self.D.named_parameters())
        return softplus(-self.score(y, D)).mean()

    def ahead(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        """The discriminator after some steps of SGD without memory of earlier ones."""
        D, velocity = dict(self.D.named_parameters()), {}
        for _ in range(AHEAD):
            loss = softplus(-self.score(x, D)).mean() + softplus(self.score(y, D)).mean()
            slopes = torch.autograd.grad(loss, list(D.values()), create_graph=True)
            velocity = {name: 0.5 * velocity.get(name, 0) + slope for name, slope in zip(D, slopes, strict=True)}
            D = {name: weight - LR * velocity[name] for name, weight in D.items()}
        return D

    def score(self, x: Tensor, weights: Mapping[str, Tensor] | None = None) -> Tensor:
        return self.D(x)[0] if weights is None else torch.func.functional_call(self.D, dict(weights), (x,))[0]

    def squared_slopes(self, x: Tensor) -> Tensor:
        x = x.detach().requires_grad_()
        (slopes,) = torch.autograd.grad(self.score(x).sum(), x, create_graph=True)
        return slopes.flatten(1).square().sum(1)


PLAYERS = ("discriminator", "generator")
CASES = pytest.mark.parametrize(
    ("networks", "terms", "optimizer", "player"),
    [
        (networks, terms, optimizer, player)
        for networks in NETWORKS
        for terms in TERMS
        for optimizer in OPTIMIZERS
        for player in PLAYERS
        if (terms, optimizer) != ("unrolled", "adam")  # the updates ahead are written out for SGD
    ],
)


def recorded(stepper: optimizers.Stepper) -> list[Tensor | None]:
    """The gradients that a stepper will be given."""
    step, seen = stepper.step, list[Tensor | None]()
    stepper.step = lambda gradients: (seen.extend(gradients), step(gradients))[1]  # type: ignore[method-assign]
    return seen


@CASES
def test_an_eager_turn_has_the_gradients_and_steps_of_a_loop_by_hand(
    networks: str, terms: str, optimizer: str, player: str
) -> None:
    composition, draw = composed(networks, terms, OPTIMIZERS[optimizer]), a_draw(networks)
    by_hand = ByHand(composition, terms, optimizer)
    by_hand.turn(player, draw)
    engine = EagerEngine(composition)
    gradients = recorded(engine.steppers[player])
    engine.update(TurnConfig(player=player), draw)
    pairs = list(parameters_of(composition, by_hand.modules, player))
    for gradient, (mine, theirs) in zip(gradients, pairs, strict=True):
        torch.testing.assert_close(gradient, theirs.grad, rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-12)


@CASES
def test_an_eager_turn_has_the_steps_of_the_pure_rule(networks: str, terms: str, optimizer: str, player: str) -> None:
    composition, draw = composed(networks, terms, OPTIMIZERS[optimizer]), a_draw(networks)
    turn = TurnConfig(player=player)
    state = update(composition, turn, initial_state(composition), draw.batch.x, draw.noise.drawn)
    EagerEngine(composition).update(turn, draw)
    for name, parameter in composition.modules[player].named_parameters():
        torch.testing.assert_close(parameter.detach(), state["parameters"][player][name], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_stacked_seeds_of_parallel_generators_move_as_one_seed_does(optimizer: OptimizerConfig) -> None:
    composition = composed("generators", "no penalty", optimizer)
    for module in composition.modules.values():
        module.float()
    check_turns_under_vmap(composition, 2, batch_size=B)


def parameters_of(
    composition: Composition, others: Mapping[str, nn.Module], player: str
) -> Iterator[tuple[nn.Parameter, nn.Parameter]]:
    return zip(composition.modules[player].parameters(), others[player].parameters(), strict=True)


# What an optimiser sees


def transposed(*shape: int) -> Tensor:
    """A tensor whose entries lie in memory in the reverse order of axes."""
    return torch.randn(*reversed(shape), dtype=torch.float64).permute(*reversed(range(len(shape))))


LAYOUTS: dict[str, Callable[[], tuple[Tensor, Tensor]]] = {
    "gradient transposed": lambda: (torch.randn(5, 3, dtype=torch.float64), transposed(5, 3)),
    "gradient expanded": lambda: (
        torch.randn(5, 3, dtype=torch.float64),
        torch.randn(1, 3, dtype=torch.float64).expand(5, 3),
    ),
    "gradient in channels-last order": lambda: (
        torch.randn(4, 3, 2, 2, dtype=torch.float64),
        torch.randn(4, 3, 2, 2, dtype=torch.float64).to(memory_format=torch.channels_last),
    ),
    "parameter transposed": lambda: (transposed(5, 3), torch.randn(5, 3, dtype=torch.float64)),
    "parameter a slice": lambda: (
        torch.randn(5, 6, dtype=torch.float64)[:, ::2],
        torch.randn(5, 3, dtype=torch.float64),
    ),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_gradient_of_other_strides_is_applied_correctly(layout: str, optimizer: str) -> None:
    torch.manual_seed(0)
    start, gradient = LAYOUTS[layout]()
    mine, theirs = nn.Parameter(start), start.clone(memory_format=torch.contiguous_format).requires_grad_()
    ours, reference = optimizers.make_optimizer(OPTIMIZERS[optimizer], [mine]), TORCHS[optimizer]([theirs])
    stepper = optimizers.Stepper(ours)
    for _ in range(3):
        theirs.grad = gradient.clone(memory_format=torch.contiguous_format)
        stepper.step([gradient])
        reference.step()
    torch.testing.assert_close(mine.detach(), theirs.detach(), rtol=1e-12, atol=0)


@pytest.mark.parametrize("betas", [(0.5, 0.999), (0.0, 0.99), (0.9, 0.9999)])
def test_the_pure_adam_in_float32_is_close_to_float64(betas: tuple[float, float]) -> None:
    config, rng = AdamConfig(lr=1.0, betas=betas), torch.Generator().manual_seed(0)
    start = torch.zeros(100, dtype=torch.float64)
    exact, single = {"p": start}, {"p": start.float()}
    memories = optimizers.memory(config, exact), optimizers.memory(config, single)
    for _ in range(20):
        gradient = torch.randn(100, generator=rng, dtype=torch.float64)
        exact, memory = optimizers.update(config, exact, {"p": gradient}, memories[0])
        single, other = optimizers.update(config, single, {"p": gradient.float()}, memories[1])
        memories = memory, other
    torch.testing.assert_close(single["p"].double(), exact["p"], rtol=3e-6, atol=3e-6)
