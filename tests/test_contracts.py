"""The contracts hold seven awkward methods: each runs eagerly and under vmap over two seeds with equal updates."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from allmodes.builtin.losses import GradientPenalty, NonSaturating, Relativistic, WassersteinGame, ZeroCentredPenalty
from allmodes.builtin.networks import Mlp
from allmodes.builtin.priors import Gaussian
from allmodes.data.batch import Batch
from allmodes.game.composition import Composition, Player, Term
from allmodes.game.contracts import NOTHING, Auxiliary, Discriminator, Fitting, Latent, Network, Prior
from allmodes.game.losses import Loss, LossTerm
from allmodes.game.noise import Noise, seeded
from allmodes.game.step import Step
from allmodes.testing.seeds_under_vmap import EagerRun, compare_runs, run_eagerly, run_stacked
from allmodes_schemas import AdamConfig, Given, TurnConfig

B, D, Z = 8, 2, 3
ADAM = AdamConfig(lr=1e-2, betas=(0.5, 0.9))


def mlp(sees: int, gives: int, *more: int, **options: object) -> Mlp:
    return Mlp([(sees,), *[(m,) for m in more]], (gives,), hidden=(6,), activation="tanh", **options)


def players(*, discriminator: tuple[str, ...] = (), generator: tuple[str, ...] = ()) -> list[Player]:
    return [
        Player("discriminator", ("discriminator", *discriminator), ADAM),
        Player("generator", ("generator", *generator), ADAM),
    ]


def turns(*names: str) -> list[TurnConfig]:
    return [TurnConfig(player=name) for name in names]


class Plain(Auxiliary):
    """An auxiliary that is its network; its code is noisy, as VEEGAN's and ALI's are."""

    def __init__(self, network: Network, code_noise: float = 0.0) -> None:
        super().__init__()
        self.network, self.code_noise = network, code_noise

    def forward(self, seen: Tensor) -> Tensor:
        return self.network(seen)

    def code(self, output: Tensor, noise: Noise) -> Tensor:
        return output + self.code_noise * noise.normal("code", *output.shape)


class Serving(LossTerm):
    """A term from plain functions, so that a toy method fits on the page."""

    def __init__(self, **functions: Loss) -> None:
        super().__init__()
        self.functions = functions

    def losses(self) -> Mapping[str, Loss]:
        return self.functions


# 1. NEMGAN-P: five turns, two players train the generator, one trains the learned prior.


class ModePrior(Prior):
    """z = noise + one-hot mode whose probabilities are learned through a soft gate."""

    def __init__(self, modes: int = 3) -> None:
        super().__init__()
        self.dim, self.sizes = Z, {"code": Z, "mode": modes}
        self.alpha = nn.Parameter(torch.zeros(modes))

    def forward(self, noise: Noise, n: int, given: Given = NOTHING) -> Latent:
        v, c = noise.uniform("mode", n, 1), self.alpha.softmax(0).cumsum(0)
        h = torch.sigmoid(20 * (c - v))  # (n, K), soft version of v < c_k
        y = torch.diff(h, dim=1, prepend=torch.zeros_like(h[:, :1]))
        return Latent(0.3 * noise.uniform("noise", n, Z) + y, {"mode": y})


def nemgan() -> Composition:
    def inversion(step: Step) -> Tensor:
        z_hat = step.auxiliary("inverter", "fake")
        return mse_loss(z_hat, step.latent.z) + cross_entropy(z_hat, step.latent.part("mode").softmax(1))

    def prior_matching(step: Step) -> Tensor:
        p = step.auxiliary("inverter", "real").softmax(1).mean(0)
        return (p * (p / step.latent.part("mode").mean(0).clamp_min(1e-3)).log()).sum()

    def supervision(step: Step) -> Tensor:
        return cross_entropy(step.call("inverter", step.x), step.labels)

    added = {"inversion": inversion, "prior": prior_matching, "supervised": supervision}
    modules = {
        "prior": ModePrior(), "generator": mlp(Z, D), "inverter": Plain(mlp(D, Z)),
        "discriminator": Discriminator(mlp(D, 1)),
    }  # fmt: skip
    more = [
        Player("inversion", ("generator", "inverter"), ADAM),
        Player("prior", ("prior",), ADAM),
        Player("supervised", ("inverter",), ADAM),
    ]
    schedule = [
        *turns("discriminator", "generator"), TurnConfig(player="inversion", draw="shared"),
        *turns("prior", "supervised"),
    ]  # fmt: skip
    terms = [Term("game", WassersteinGame()), Term("gp", GradientPenalty(10.0)), Term("added", Serving(**added))]
    return Composition(modules, terms, players() + more, schedule)


# 2. Unrolled GAN: the generator plays against the discriminator two updates ahead.


class Unrolled(NonSaturating):
    def generator(self, step: Step) -> Tensor:
        return super().generator(step.after("discriminator", 2))


def unrolled() -> Composition:
    modules = {"prior": Gaussian(Z), "generator": mlp(Z, D), "discriminator": Discriminator(mlp(D, 1))}
    return Composition(modules, [Term("game", Unrolled())], players(), turns("discriminator", "generator"))


# 3. PacGAN with WGAN-GP: pairs of items and a penalty on the slope over the whole pair.


def packed() -> Composition:
    modules = {
        "prior": Gaussian(Z), "generator": mlp(Z, D, batch_norm=True),
        "discriminator": Discriminator(mlp(2 * D, 1, dropout=0.3), pack=2),
    }  # fmt: skip
    terms = [Term("game", WassersteinGame()), Term("gp", GradientPenalty(10.0))]
    return Composition(modules, terms, players(), turns("discriminator", "discriminator", "generator"))


# 4. VEEGAN's reconstruction under the relativistic game with R1 + R2, all players at once on one draw.


def veegan_relativistic() -> Composition:
    def reconstruction(step: Step) -> Tensor:
        return 0.5 * (step.latent.code - step.auxiliary("reconstructor", "fake")).square().sum(1).mean()

    modules = {
        "prior": Gaussian(Z, nuisance_dim=1), "generator": mlp(Z + 1, D),
        "reconstructor": Plain(mlp(D, Z, batch_norm=True), 1.0),
        "discriminator": Discriminator(mlp(D, 1, Z), joint="reconstructor"),
    }  # fmt: skip
    terms = [
        Term("game", Relativistic()), Term("r1", ZeroCentredPenalty(1.0, "real")),
        Term("r2", ZeroCentredPenalty(1.0, "fake")), Term("reconstruction", Serving(generator=reconstruction)),
    ]  # fmt: skip
    both = [TurnConfig(player=("discriminator", "generator"))]
    return Composition(modules, terms, players(generator=("reconstructor",)), both)


# 5. InfoGAN: a head on the discriminator's trunk, trained by both players.


def infogan() -> Composition:
    def information(step: Step) -> Tensor:
        return mse_loss(step.auxiliary("q", "fake"), step.latent.code)

    modules = {
        "prior": Gaussian(Z, nuisance_dim=2), "generator": mlp(Z + 2, D),
        "discriminator": Discriminator(mlp(D, 1)), "q": Plain(mlp(6, Z)),
    }  # fmt: skip
    terms = [
        Term("game", NonSaturating()),
        Term("information", Serving(discriminator=information, generator=information), weight=0.5),
    ]
    return Composition(
        modules,
        terms,
        players(discriminator=("q",), generator=("q",)),
        turns("discriminator", "generator"),
        frozenset({"q"}),
    )


# 6. DeLiGAN: a mixture with learned means and widths in the generator's player, and a term on the widths.


class MixturePrior(Prior):
    def __init__(self, components: int = 4) -> None:
        super().__init__()
        self.dim, self.sizes = Z, {"code": Z}
        self.mu = nn.Parameter(torch.linspace(-1, 1, components * Z).reshape(components, Z))
        self.sigma = nn.Parameter(torch.full((components, Z), 0.2))

    def forward(self, noise: Noise, n: int, given: Given = NOTHING) -> Latent:
        i = (noise.uniform("component", n) * len(self.mu)).long()  # (n,)
        return Latent(self.mu[i] + self.sigma[i] * noise.normal("eps", n, Z))


def deligan() -> Composition:
    def widths(step: Step) -> Tensor:
        return (1 - step.tensor("prior", "sigma")).square().mean()

    modules = {"prior": MixturePrior(), "generator": mlp(Z, D), "discriminator": Discriminator(mlp(D, 1))}
    terms = [Term("game", NonSaturating()), Term("widths", Serving(generator=widths), weight=0.1)]
    return Composition(modules, terms, players(generator=("prior",)), turns("discriminator", "generator"))


# 7. A distance loss as BourGAN's, on a Gaussian prior: two latent draws and a scale fitted to the data.


class Distance(LossTerm):
    log_scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("log_scale", torch.zeros(()))

    def fit(self, fitting: Fitting) -> None:
        assert fitting.prior is not None
        x = fitting.data.draw(64, fitting.noise.generator).x
        z = fitting.prior(fitting.noise.at("fit"), 64).code
        self.log_scale.copy_(torch.pdist(x).log().mean() - torch.pdist(z).log().mean())

    def losses(self) -> Mapping[str, Loss]:
        return {"generator": self.generator}

    def generator(self, step: Step) -> Tensor:
        other = step.redraw()
        d_x = (step.fake - other.fake).norm(dim=1)
        d_z = (step.latent.code - other.latent.code).norm(dim=1)
        return (d_x.log() - d_z.log() - self.log_scale).square().mean()


class Cloud:
    """Data enough for a fit."""

    def draw(self, n: int, generator: torch.Generator) -> Batch:
        return Batch(torch.randn(n, D, generator=generator))


def distance() -> Composition:
    modules = {"prior": Gaussian(Z), "generator": mlp(Z, D), "discriminator": Discriminator(mlp(D, 1))}
    term = Distance()
    term.fit(Fitting(Cloud(), seeded(5), modules["prior"], modules["generator"]))  # type: ignore[arg-type]
    assert term.log_scale.abs() > 0
    terms = [Term("game", NonSaturating()), Term("distance", term, weight=0.1)]
    return Composition(modules, terms, players(), turns("discriminator", "generator"))


METHODS = [nemgan, unrolled, packed, veegan_relativistic, infogan, deligan, distance]


# The comparison


def batches(generator: torch.Generator) -> Iterator[Batch]:
    while True:
        yield Batch(torch.randn(B, D, generator=generator), torch.randint(Z, (B,), generator=generator))


def runs_of(method: Callable[[], Composition], iterations: Sequence[int] = (0, 1)) -> list[EagerRun]:
    """The eager runs of a method with two seeds."""
    runs = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        generator = torch.Generator().manual_seed(seed)
        runs.append(run_eagerly(method(), batches(generator), generator, iterations))
    return runs


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.__name__)
def test_eager_updates_equal_vmapped_updates_over_two_seeds(method: Callable[[], Composition]) -> None:
    runs = runs_of(method)
    assert compare_runs(runs, run_stacked(runs)) > 8


@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_a_whole_update_over_seeds_fits_in_one_compiled_function(backend: str) -> None:
    """The graph is what may not fit; Inductor's code for such graphs is tested with the engine that uses it."""
    runs = runs_of(veegan_simple, iterations=(0,))
    assert compare_runs(runs, run_stacked(runs, lambda f: torch.compile(f, fullgraph=True, backend=backend))) > 8


def veegan_simple() -> Composition:
    composition = veegan_relativistic()
    composition.modules["reconstructor"].network = mlp(D, Z)
    return Composition(
        {k: m for k, m in composition.modules.items() if "/" not in k},
        composition.terms.values(),
        composition.players.values(),
        composition.schedule,
    )
