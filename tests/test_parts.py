"""Parts act after updates and are fitted again, alike in both engines; views are judged like other items."""

import copy
from collections.abc import Callable, Iterator, Mapping
from itertools import repeat
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

import faulty
import tiny
from allmodes import Experiment, Fitting, LossTermConfig, MovingCopy, PlayerConfig, Registry
from allmodes.builtin.losses import NonSaturating, WassersteinGame
from allmodes.builtin.networks import Mlp
from allmodes.builtin.priors import Gaussian
from allmodes.data import TensorData
from allmodes.data.batch import Batch
from allmodes.engine.eager import EagerEngine
from allmodes.game.composition import Composition, Player, Term
from allmodes.game.contracts import Auxiliary, Discriminator, Latent, Network, Noisy, Part, Prior
from allmodes.game.losses import Game, Loss, LossTerm
from allmodes.game.noise import Noise, seeded
from allmodes.game.parts import Place, Refits, find_parts
from allmodes.game.step import Context, Draw, Step
from allmodes.testing import InterruptingObserver, equal_runs, load_spec
from allmodes.testing.interrupted import first_seed
from allmodes.testing.seeds_under_vmap import EagerRun, compare_runs, run_eagerly, run_stacked
from allmodes_schemas import SgdConfig, TurnConfig

B, D, Z = 8, 2, 3
SGD = SgdConfig(lr=0.1)


class Clipping(LossTerm):
    """WGAN's clipping of the discriminator's weights to [-c, c] (Arjovsky et al., 2017, algorithm 1)."""

    follows, changes = ("discriminator",), ("discriminator",)

    def losses(self) -> Mapping[str, Loss]:
        return {}

    def after_update(self, step: Step) -> None:
        for weight in step.parameters("discriminator").values():
            weight.copy_(weight.clamp(-0.05, 0.05))


class Began(Game):
    """BEGAN's balance (Berthelot et al., 2017, section 3.4) of plain scores, and what its rule saw."""

    follows = ("discriminator",)
    k: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("k", torch.tensor(0.3))

    def discriminator(self, step: Step) -> Tensor:
        return step.score("real").mean() - self.k * step.score("fake").mean()

    def generator(self, step: Step) -> Tensor:
        return step.score("fake").mean()

    def after_update(self, step: Step) -> None:
        balance = 0.5 * step.score("real").mean() - step.score("fake").mean()
        self.k.copy_((self.k + 0.1 * balance).clamp(0, 1))


class Augment(Noisy):
    """Noise on the items with probability p: the trunk of a wrapped network."""

    p: Tensor

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.register_buffer("p", torch.tensor(0.5))

    def forward(self, x: Tensor, *beside: Tensor) -> Tensor:
        if self.noise is not None:
            on = self.noise.uniform("on", len(x), 1) < self.p
            x = torch.where(on, x + 0.1 * self.noise.normal("size", *x.shape), x)
        features: Tensor = self.inner(x, *beside)
        return features


class Adaptive(Network):
    """ADA (Karras et al., 2020, eq. 1): p follows the sign of real scores, after updates of whoever trains it."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.trunk, self.head, self.feature_dim = Augment(network.trunk), network.head, network.feature_dim

    def after_update(self, step: Step) -> None:
        p = self.trunk.p
        p.copy_((p + 0.01 * (step.score("real").sign().mean() - 0.6).sign()).clamp(0, 1))


class Bank(Auxiliary):
    """A memory of the last generated items; no player trains it, so it names the one that it follows."""

    follows = ("generator",)
    items: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("items", torch.zeros(2 * B, D))

    def forward(self, seen: Tensor) -> Tensor:
        return self.items

    def after_update(self, step: Step) -> None:
        self.items.copy_(torch.cat([step.fake, self.items[B:]]))


class Watching(LossTerm):
    """Keeps what its rule reads: of the losses' own draw, of another draw, of a view, and of a learned prior."""

    seen: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(4))

    def losses(self) -> Mapping[str, Loss]:
        return {"generator": lambda step: sum(self.values(step)[:3])}  # type: ignore[dict-item, return-value]

    def values(self, step: Step) -> list[Tensor]:
        view = step.view("acme.moved", lambda: step.x + 1)
        other = step.redraw("acme.other")
        means = [step.score("fake").mean(), other.score("fake").mean(), step.score(view).mean()]
        return [*means, step.offer("mean").sum() + means[0]]

    def after_update(self, step: Step) -> None:
        self.seen.copy_(torch.stack(self.values(step)))


class Dragan(LossTerm):
    """DRAGAN's penalty on the slope at disturbed real items (Kodali et al., 2017)."""

    def losses(self) -> Mapping[str, Loss]:
        return {"discriminator": self.penalty}

    def penalty(self, step: Step) -> Tensor:
        noise = step.noise.at("acme.dragan").uniform("u", *step.x.shape)
        around = step.view("acme.around", step.x + 0.5 * step.x.std() * noise)
        return ((step.squared_gradient_norm(around) + 1e-12).sqrt() - 1).square().mean()


class Regenerated(LossTerm):
    """MRGAN's regulariser (Che et al., 2017, section 3.1): real items come back from their codes."""

    def losses(self) -> Mapping[str, Loss]:
        return {"generator": self.regularise}

    def regularise(self, step: Step) -> Tensor:
        again = step.view("acme.again", lambda: step.call("generator", step.code("encoder", "real"), place="again"))
        return (step.x - step.data(again)).square().mean() + softplus(-step.score(again)).mean()


class Encoder(Auxiliary):
    def __init__(self) -> None:
        super().__init__()
        self.network = mlp(D, Z)

    def forward(self, seen: Tensor) -> Tensor:
        return self.network(seen)


class Shifted(Prior):
    """A prior with a method of its own, which losses call by name."""

    def __init__(self) -> None:
        super().__init__()
        self.dim, self.sizes = Z, {"code": Z}
        self.mean = nn.Parameter(torch.ones(Z))

    def forward(self, noise: Noise, n: int, given: Any = None) -> Latent:
        return Latent(self.mean + noise.normal("z", n, Z))

    def log_prob(self, z: Tensor) -> Tensor:
        return -0.5 * (z - self.mean).square().sum(1)


class Likely(LossTerm):
    def losses(self) -> Mapping[str, Loss]:
        return {"generator": lambda step: -step.call("prior", step.noise.normal("z", 4, Z), method="log_prob").mean()}


class Optimised(NonSaturating):
    """LOGAN's step in the latent (Wu et al., 2019, eq. 2 and 5): a gradient with respect to what is no side."""

    def generator(self, step: Step) -> Tensor:
        judge = lambda z: step.call("discriminator", step.call("generator", z))[0].sum()  # noqa: E731
        slope = torch.func.grad(judge)(step.latent.z)
        better = step.view("acme.better", lambda: step.call("generator", step.latent.z + 0.9 * slope))
        return softplus(-step.score(better)).mean()


class Averaged(LossTerm):
    """A moving average of the generator that a loss reads: copied by the fit, moved after updates."""

    follows = ("generator",)

    def losses(self) -> Mapping[str, Loss]:
        return {"generator": lambda step: (step.fake - self.mean(step.latent.z)).square().mean()}

    def fit(self, fitting: Fitting) -> None:
        assert fitting.generator is not None
        self.mean = copy.deepcopy(fitting.generator)

    def after_update(self, step: Step) -> None:
        for mean, live in zip(self.mean.parameters(), step.parameters("generator").values(), strict=True):
            mean.copy_(mean.lerp(live, 0.1))


def mlp(sees: int, gives: int, *more: int, **options: object) -> Mlp:
    return Mlp([(sees,), *[(m,) for m in more]], (gives,), hidden=(6,), activation="tanh", **options)


def composed(*terms: LossTerm, simultaneous: bool = False, **modules: nn.Module) -> Composition:
    """A composition of two players, whose generator trains the encoder and the prior as well."""
    modules = {"prior": Gaussian(Z), "generator": mlp(Z, D), "discriminator": Discriminator(mlp(D, 1)), **modules}
    more = tuple(name for name in ("encoder", "prior") if list(modules.get(name, nn.Identity()).parameters()))
    players = [Player("discriminator", ("discriminator",), SGD), Player("generator", ("generator", *more), SGD)]
    names = ("discriminator", "generator")
    turns = [TurnConfig(player=names)] if simultaneous else [TurnConfig(player=name) for name in names]
    return Composition(modules, [Term(f"t{i}", term) for i, term in enumerate(terms)], players, turns)


def clipping() -> Composition:
    return composed(WassersteinGame(), Clipping())


def began() -> Composition:
    return composed(Began())


def began_at_once() -> Composition:
    return composed(Began(), simultaneous=True)


def ada() -> Composition:
    return composed(NonSaturating(), discriminator=Discriminator(Adaptive(mlp(D, 1))))


def ada_joint_and_packed() -> Composition:
    judge = Discriminator(Adaptive(mlp(2 * D, 1, 2 * Z)), pack=2, joint="encoder")
    return composed(NonSaturating(), discriminator=judge, encoder=Encoder())


def bank() -> Composition:
    return composed(NonSaturating(), bank=Bank())


def dragan() -> Composition:
    return composed(NonSaturating(), Dragan())


def dragan_joint_and_packed() -> Composition:
    return composed(NonSaturating(), Dragan(), discriminator=judge_of_pairs(), encoder=Encoder())


def mrgan() -> Composition:
    return composed(NonSaturating(), Regenerated(), encoder=Encoder())


def mrgan_joint_and_packed() -> Composition:
    return composed(NonSaturating(), Regenerated(), discriminator=judge_of_pairs(), encoder=Encoder())


def likely() -> Composition:
    return composed(NonSaturating(), Likely(), prior=Shifted())


def optimised() -> Composition:
    return composed(Optimised())


def averaged() -> Composition:
    generator, term = mlp(Z, D), Averaged()
    term.fit(Fitting(TensorData(torch.zeros(4, D)), seeded(0), generator=generator))
    return composed(NonSaturating(), term, generator=generator)


def watching() -> Composition:
    return composed(NonSaturating(), Watching(), prior=Shifted())


def judge_of_pairs() -> Discriminator:
    return Discriminator(mlp(2 * D, 1, 2 * Z), pack=2, joint="encoder")


METHODS = (
    clipping, began, began_at_once, ada, ada_joint_and_packed, bank, dragan, dragan_joint_and_packed, mrgan,
    mrgan_joint_and_packed, likely, optimised, averaged, watching,
)  # fmt: skip


def eager_run(method: Callable[[], Composition], seed: int) -> EagerRun:
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        composition = method()
    batches: Iterator[Batch] = (Batch(torch.randn(B, D, generator=generator)) for _ in repeat(None))
    return run_eagerly(composition, batches, generator, (0, 1, 2))


@pytest.mark.filterwarnings("error")  # vmap warns where it falls back to a loop
@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__name__)
def test_stacked_seeds_act_and_judge_as_each_seed_does(method: Callable[[], Composition]) -> None:
    runs = [eager_run(method, seed) for seed in (0, 1)]
    assert compare_runs(runs, run_stacked(runs)) > 4


def step_of(composition: Composition, iteration: int = 0) -> tuple[Step, Draw]:
    noise = seeded(1)
    draw = Draw(Batch(torch.randn(B, D, generator=noise.generator)), noise)
    return Step(Context(composition, composition.weights(iteration), iteration), draw), draw


def test_a_rule_reads_what_the_losses_computed_before_the_update() -> None:
    composition = began()
    step, draw = step_of(composition)
    real, fake = step.score("real").mean().item(), step.score("fake").mean().item()
    EagerEngine(composition).update(TurnConfig(player="discriminator"), draw)
    k = composition.modules["losses/t0"].k
    assert k.item() == pytest.approx(min(max(0.3 + 0.1 * (0.5 * real - fake), 0), 1), abs=1e-6)


def test_a_rule_reads_tensors_of_modules_as_they_are_now() -> None:
    composition = watching()
    step, draw = step_of(composition)
    before = [value.item() for value in composition.terms["t1"].loss.values(step)]
    EagerEngine(composition).update(TurnConfig(player="generator"), draw)
    term, mean = composition.modules["losses/t1"], composition.modules["prior"].mean.sum().item()
    assert term.seen.tolist() == pytest.approx([*before[:3], mean + before[0]], abs=1e-6)
    assert mean != pytest.approx(before[3] - before[0])


def test_a_rule_acts_after_the_players_that_it_follows_alone() -> None:
    composition = clipping()
    engine, (_, draw) = EagerEngine(composition), step_of(composition)
    largest = lambda: max(p.abs().max().item() for p in composition.parameters("discriminator"))  # noqa: E731
    engine.update(TurnConfig(player="generator"), draw)
    assert largest() > 0.05
    engine.update(TurnConfig(player="discriminator"), draw)
    assert largest() == pytest.approx(0.05)


def test_a_rule_of_a_term_acts_only_while_the_term_counts() -> None:
    composition = composed(WassersteinGame(), Clipping())
    late = Term("t1", composition.terms["t1"].loss, start=1)
    players, turns = composition.players.values(), composition.schedule
    modules = {name: module for name, module in composition.modules.items() if "/" not in name}
    composition = Composition(modules, [composition.terms["t0"], late], players, turns)
    assert not composition.rules_after(("discriminator",), composition.weights(0))
    assert composition.rules_after(("discriminator",), composition.weights(1))


@pytest.mark.parametrize(
    ("part", "attributes", "message"),
    [
        (Bank, {"follows": ()}, "bank acts after updates, but no player trains it: name players in `follows`"),
        (
            Bank,
            {"follows": ("generatr",)},
            "bank follows player 'generatr', which does not exist (did you mean 'generator'?)",
        ),
        (Bank, {"changes": ("judge",)}, "bank changes 'judge', which is no module"),
    ],
)
def test_a_rule_that_can_never_act_is_refused(part: type[Part], attributes: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as error:
        composed(NonSaturating(), bank=type("Faulty", (part,), attributes)())
    assert str(error.value) == message


def test_a_part_follows_by_default_whom_it_is_trained_by_and_a_term_whom_it_serves() -> None:
    [rule] = ada().rules
    assert (str(rule.place), rule.follows, rule.place.term) == ("discriminator.network", ("discriminator",), None)
    [rule] = composed(type("Everybody", (Began,), {"follows": ()})()).rules
    assert (str(rule.place), rule.follows, rule.place.term) == ("losses/t0", ("discriminator", "generator"), "t0")


class Frozen(Auxiliary):
    """An auxiliary that nobody trains, around a network with a rule."""

    def __init__(self) -> None:
        super().__init__()
        self.network = Adaptive(mlp(D, 1))

    def forward(self, seen: Tensor) -> Tensor:
        return self.network(seen)


def test_a_part_within_a_module_that_nobody_trains_rests() -> None:
    assert not composed(NonSaturating(), frozen=Frozen()).rules
    [rule] = composed(NonSaturating(), encoder=Frozen()).rules
    assert (str(rule.place), rule.follows) == ("encoder.network", ("generator",))


# Moving copies


class Held(LossTerm):
    def __init__(self) -> None:
        super().__init__()
        self.copy = MovingCopy("generator", keep=0.75)

    def losses(self) -> Mapping[str, Loss]:
        return {"generator": lambda step: (step.fake - self.copy(step.latent.z)).square().mean()}


def test_a_moving_copy_keeps_a_share_and_judges_as_in_evaluation() -> None:
    generator, term = mlp(Z, D, batch_norm=True, dropout=0.5), Held()
    term.fit(Fitting(TensorData(torch.zeros(4, D)), seeded(0), modules={"generator": generator}))
    composition = composed(NonSaturating(), term, generator=generator)
    for module in composition.modules.values():
        module.train()
    before = [p.detach().clone() for p in generator.parameters()]
    step, draw = step_of(composition)
    statistics = [buffer.clone() for buffer in term.copy.buffers()]
    composition.objective("generator", step)
    assert all(map(torch.equal, statistics, term.copy.buffers())), "a loss moved the copy's statistics"
    EagerEngine(composition).update(TurnConfig(player="generator"), draw)
    for mean, old, live in zip(term.copy.parameters(), before, generator.parameters(), strict=True):
        torch.testing.assert_close(mean, 0.75 * old + 0.25 * live.detach())
        assert not mean.requires_grad
    assert all(map(torch.equal, term.copy.buffers(), generator.buffers()))


# Noisy modules


def test_a_noisy_module_that_is_kept_in_evaluation_draws_nothing_in_a_training_step() -> None:
    composition = ada()
    trunk = composition.modules["discriminator"].network.trunk
    step, _ = step_of(composition)
    step.score("real")
    assert trunk.noise is not None
    trunk.eval()
    step, _ = step_of(composition)
    step.score("real")
    assert trunk.noise is None


def test_a_noisy_module_draws_nothing_in_evaluation() -> None:
    network, x = Adaptive(mlp(D, 1)), torch.ones(4, D)
    clean = network.eval()(x)
    network.train()
    network.trunk.noise = seeded(0)
    assert not torch.equal(network(x), clean)
    assert torch.equal(network.eval()(x), clean)
    assert torch.equal(network.train()(x), clean), "noise of training outlived the evaluation"


# Views


def test_a_view_is_judged_as_the_same_items_would_be_by_hand() -> None:
    composition = composed(NonSaturating(), discriminator=judge_of_pairs(), encoder=Encoder())
    step, _ = step_of(composition)
    items, calls = torch.randn(B, D), list[int]()
    view = step.view("acme.view", lambda: (calls.append(1), items)[1])
    assert view == "acme.view"
    packed, codes = items.reshape(B // 2, 2 * D), composition.modules["encoder"](items).reshape(B // 2, 2 * Z)
    torch.testing.assert_close(step.score(view), composition.modules["discriminator"](packed, codes)[0])
    torch.testing.assert_close(step.features(view), composition.modules["discriminator"](packed, codes)[1])
    assert torch.equal(step.data(view), items)
    assert calls == [1]
    given = torch.randn(B, Z)
    coded = step.view("acme.coded", items, given)
    expected = composition.modules["discriminator"](packed, given.reshape(B // 2, 2 * Z))[0]
    torch.testing.assert_close(step.score(coded), expected)


def test_two_terms_of_a_kind_have_views_of_their_own() -> None:
    class Wide(Dragan):
        def penalty(self, step: Step) -> Tensor:
            wide = step.view("acme.around", step.x + 5 * step.noise.at("acme.dragan").uniform("u", *step.x.shape))
            return step.squared_gradient_norm(wide).mean()

    alone = [composed(NonSaturating(), term) for term in (Dragan(), Wide())]
    both = composed(NonSaturating(), Dragan(), Wide())
    for single in alone:
        single.modules["discriminator"].load_state_dict(both.modules["discriminator"].state_dict())
    steps = [step_of(composition)[0] for composition in (*alone, both)]
    for composition, step in zip((*alone, both), steps, strict=True):
        composition.objective("discriminator", step)
    expected = [step.losses["discriminator", "t1"] for step in steps[:2]]
    found = [steps[2].losses["discriminator", name] for name in ("t1", "t2")]
    torch.testing.assert_close(found, expected)
    assert not torch.allclose(*found)


@pytest.mark.parametrize("ask", ["data", "score", "features", "seen", "squared_gradient_norm", "score_gradients"])
def test_a_side_that_does_not_exist_is_refused(ask: str) -> None:
    step, _ = step_of(composed(NonSaturating()))
    step.view("acme.view", step.x)
    with pytest.raises(LookupError) as error:
        getattr(step, ask)("middle")
    known = "real, fake, between, acme.view, and step.view(name, items) returns a new one"
    assert error.value.args[0] == f"there is no side 'middle': there are {known}"


def test_the_items_between_are_no_data_and_a_view_has_a_name_of_its_own() -> None:
    step, _ = step_of(composed(NonSaturating(), encoder=Encoder()))
    for ask in (lambda: step.data("between"), lambda: step.code("encoder", "between")):
        with pytest.raises(LookupError, match=r"ask for step\.seen\('between'\)"):
            ask()
    with pytest.raises(ValueError, match="a view needs a name of its own: 'fake' is a side of every step"):
        step.view("fake", step.x)


def test_items_that_pack_does_not_divide_are_refused() -> None:
    step, _ = step_of(composed(NonSaturating(), discriminator=Discriminator(mlp(2 * D, 1), pack=2)))
    odd = step.view("acme.odd", step.x[:3])
    with pytest.raises(ValueError) as error:
        step.score(odd)
    assert str(error.value) == "3 items cannot be judged 2 at a time (discriminator.pack): take a multiple"


def test_a_latent_that_is_moved_has_its_z_for_a_code() -> None:
    latent, z = Latent(torch.zeros(4, Z), {"code": torch.zeros(4, Z), "mode": torch.ones(4, 2)}), torch.ones(4, Z)
    assert latent.moved(z).code is latent.moved(z).z is z
    with pytest.raises(KeyError):
        latent.moved(z).part("mode")


# Fits


class Centres(Part):
    """Remembers where, when and how it was fitted, and the mean of items that it drew."""

    refit = 2

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(D))
        self.fits: list[tuple[int, bool, bool, frozenset[str]]] = []

    def fit(self, fitting: Fitting) -> None:
        self.mean.copy_(fitting.data.draw(4, fitting.noise.generator).x.mean(0))
        self.fits.append((fitting.iteration, torch.is_grad_enabled(), self.training, frozenset(fitting.modules)))


class Holding(Network):
    """A network with a part inside an ordinary module."""

    def __init__(self) -> None:
        super().__init__()
        inner = mlp(D, 1)
        self.trunk, self.head, self.feature_dim = inner.trunk, inner.head, inner.feature_dim
        self.inside = nn.Sequential(nn.Identity(), Centres())


def test_parts_are_found_anywhere_and_fitted_again_in_evaluation_mode_without_gradients() -> None:
    composition = composed(NonSaturating(), discriminator=Discriminator(Holding()))
    data, part = TensorData(torch.randn(16, D)), composition.modules["discriminator"].network.inside[1]
    places = [place for place, _ in find_parts(composition.modules) if "inside" in place.path]
    assert places == [Place("discriminator", "network.inside.1")]
    refits = Refits(composition.modules, data, seed=5)
    means = []
    for iteration in (1, 2, 3, 4, 2):
        refits.fit(iteration)
        means.append(part.mean.clone())
    assert part.fits == [(i, False, False, frozenset(composition.modules)) for i in (2, 4, 2)]
    assert part.training
    assert torch.equal(means[1], means[4]), "a fit depends on the seed, the place and the iteration alone"
    assert not torch.equal(means[1], means[3])


def test_a_part_fits_the_parts_within_it_each_with_noise_of_its_own() -> None:
    network = Holding()
    network.more = Centres()
    network.fit(Fitting(TensorData(torch.randn(16, D)), seeded(0)))
    assert len(network.inside[1].fits) == len(network.more.fits) == 1
    assert not torch.equal(network.inside[1].mean, network.more.mean)


# In a run


class MovingConfig(LossTermConfig):
    """A term whose factor moves after updates and whose centre is fitted again."""

    kind: Literal["acme.moving"] = "acme.moving"

    def players(self) -> tuple[PlayerConfig, ...]:
        return ()

    def build(self) -> LossTerm:
        return Moving()


class Moving(LossTerm):
    refit = 4
    factor: Tensor
    centre: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("factor", torch.ones(()))
        self.register_buffer("centre", torch.zeros(2))

    def losses(self) -> Mapping[str, Loss]:
        return {"generator": lambda step: self.factor * (step.fake - self.centre).square().mean()}

    def fit(self, fitting: Fitting) -> None:
        z = fitting.noise.normal("z", 16, 2).to(fitting.data.device)
        generated = fitting.generator(z) if fitting.iteration else z
        self.centre.copy_(fitting.data.draw(16, fitting.noise.generator).x.mean(0) + generated.mean(0))

    def after_update(self, step: Step) -> None:
        self.factor.copy_(0.9 * self.factor + 0.1 * step.score("fake").mean())


def moving_registry() -> Registry:
    return faulty.registry_of(MovingConfig)


def run_moving(folder: Path, **options: Any) -> Path:
    spec = {**tiny.SPEC, "losses": [{"kind": "non_saturating"}, {"kind": "acme.moving"}]}
    registry = moving_registry()
    checked = load_spec(spec, registry=registry)
    return first_seed(Experiment(checked, folder=folder, registry=registry, track=False, **options).run())


def test_a_resumed_run_acts_and_fits_again_as_an_unbroken_one(tmp_path: Path) -> None:
    unbroken = run_moving(tmp_path / "unbroken")
    broken = run_moving(tmp_path / "broken", observers={"cut": InterruptingObserver(10)})
    assert not equal_runs(unbroken, broken)
    Experiment.resume(broken.parent, registry=moving_registry(), track=False).run()
    assert equal_runs(unbroken, broken)
