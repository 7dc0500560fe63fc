"""The update: optimisers against torch's, penalties and unrolling against closed forms, turns, averages, BatchNorm."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from allmodes.builtin.config.networks import MlpConfig
from allmodes.builtin.losses import GradientPenalty, NonSaturating, Relativistic, WassersteinGame, ZeroCentredPenalty
from allmodes.builtin.networks import Mlp
from allmodes.builtin.priors import Gaussian, Uniform
from allmodes.data import MixtureData
from allmodes.data.batch import Batch
from allmodes.data.mixture import Mixture
from allmodes.engine import optimizers
from allmodes.engine.eager import EagerEngine, Outcome
from allmodes.engine.functional import initial_state, update
from allmodes.engine.loop import Average, Lane, Loop
from allmodes.game.composition import Composition, Player, Term
from allmodes.game.contracts import Auxiliary, Discriminator, Network
from allmodes.game.losses import Loss, LossTerm
from allmodes.game.networks import Forward
from allmodes.game.noise import Noise, seeded
from allmodes.game.step import Context, Draw, Step
from allmodes.game.views import pack
from allmodes.testing import check_turns_under_vmap, compose
from allmodes_schemas import AdamConfig, EmaConfig, OptimizerConfig, Ramp, SgdConfig, TurnConfig

SGD = SgdConfig(lr=0.1)


class Linear(Network):
    """w . (all inputs side by side), so that gradients are known."""

    def __init__(self, weights: list[float]) -> None:
        super().__init__()
        self.trunk, self.head, self.feature_dim = nn.Identity(), nn.Linear(len(weights), 1, bias=False), len(weights)
        self.head.weight.data = torch.tensor([weights])
        self.trunk.forward = lambda *inputs: torch.cat(inputs, 1)  # type: ignore[method-assign]


class Copy(Auxiliary):
    """Code = 3 x, to see whether gradients run through it."""

    def forward(self, seen: Tensor) -> Tensor:
        return 3 * seen


class Only(LossTerm):
    """A term from functions by player."""

    def __init__(self, **functions: Loss) -> None:
        super().__init__()
        self.functions = functions

    def losses(self) -> Mapping[str, Loss]:
        return self.functions


def composed(
    discriminator: Discriminator, *terms: Term, optimizer: OptimizerConfig = SGD, **more: nn.Module
) -> Composition:
    players = [Player("discriminator", ("discriminator",), optimizer), Player("generator", ("generator",), optimizer)]
    modules = {"prior": Gaussian(2), "generator": Mlp([(2,)], (2,), (4,)), "discriminator": discriminator, **more}
    turns = [TurnConfig(player="discriminator"), TurnConfig(player="generator")]
    return Composition(modules, terms or [Term("game", NonSaturating())], players, turns)


def step_of(composition: Composition, n: int = 6, seed: int = 0) -> Step:
    noise = seeded(seed)
    draw = Draw(Batch(torch.randn(n, 2, generator=noise.generator)), noise)
    return Step(Context(composition, composition.weights(0)), draw)


@pytest.mark.parametrize(
    ("config", "torchs"),
    [
        (AdamConfig(lr=0.02, betas=(0.5, 0.9)), lambda p: torch.optim.Adam(p, 0.02, betas=(0.5, 0.9))),
        (SgdConfig(lr=0.02, momentum=0.8), lambda p: torch.optim.SGD(p, 0.02, momentum=0.8)),
    ],
)
def test_the_pure_rule_and_the_fused_optimiser_equal_torchs(config, torchs) -> None:
    torch.manual_seed(0)
    start, gradients = torch.randn(5, 3), torch.randn(7, 5, 3)
    reference, fused = start.clone().requires_grad_(), start.clone().requires_grad_()
    pure, memory = {"p": start}, optimizers.memory(config, {"p": start})
    theirs, ours = torchs([reference]), optimizers.make_optimizer(config, [fused])
    for gradient in gradients:
        reference.grad, fused.grad = gradient.clone(), gradient.clone()
        theirs.step()
        ours.step()
        pure, memory = optimizers.update(config, pure, {"p": gradient}, memory)
    torch.testing.assert_close(fused, reference)
    torch.testing.assert_close(pure["p"], reference.detach())
    copied = optimizers.memory(config, {"p": fused}, ours)
    torch.testing.assert_close(copied, memory)


@pytest.mark.parametrize(
    ("shape", "half_way"), [("linear", 0.6), ("cosine", 0.6), ("exponential", math.sqrt(1.0 * 0.2))]
)
def test_a_ramp_meets_its_ends_and_its_middle(shape: str, half_way: float) -> None:
    ramp = Ramp(start=1.0, end=0.2, over=100, begin=50, shape=shape)
    assert [ramp.at(i) for i in (0, 50, 150, 999)] == pytest.approx([1.0, 1.0, 0.2, 0.2])
    assert ramp.at(100) == pytest.approx(half_way)


def test_a_scheduled_learning_rate_reaches_the_optimiser() -> None:
    config = SgdConfig(lr=Ramp(start=1.0, end=1e-12, over=10))
    composition = composed(Discriminator(Linear([1.0, 1.0])), optimizer=config)
    engine = EagerEngine(composition)
    before = composition.modules["discriminator"].network.head.weight.detach().clone()
    engine.update(TurnConfig(player="discriminator"), Draw(Batch(torch.randn(4, 2)), seeded(0)), iteration=10)
    torch.testing.assert_close(before, composition.modules["discriminator"].network.head.weight)


def test_the_gradient_penalty_of_a_linear_discriminator_is_its_closed_form() -> None:
    step = step_of(composed(Discriminator(Linear([3.0, 4.0]))))
    assert GradientPenalty(10.0).discriminator(step).item() == pytest.approx(10 * (5 - 1) ** 2)


def test_r1_and_r2_of_a_linear_discriminator_are_half_the_squared_slope() -> None:
    step = step_of(composed(Discriminator(Linear([3.0, 4.0]))))
    assert ZeroCentredPenalty(2.0, "real").discriminator(step).item() == pytest.approx(25.0)
    assert ZeroCentredPenalty(2.0, "fake").discriminator(step).item() == pytest.approx(25.0)


def test_a_packed_discriminators_slope_is_taken_over_the_whole_pack() -> None:
    step = step_of(composed(Discriminator(Linear([1.0, 2.0, 3.0, 4.0]), pack=2)))
    assert step.score("real").shape == (3,)
    torch.testing.assert_close(step.squared_gradient_norm("fake"), torch.full((3,), 30.0))


def test_packing_joins_consecutive_items_along_the_first_axis() -> None:
    images = torch.arange(4 * 3 * 2 * 2.0).reshape(4, 3, 2, 2)
    packed = pack(images, 2)
    assert packed.shape == (2, 6, 2, 2)
    torch.testing.assert_close(packed[0, 3:], images[1])


def test_a_joint_discriminators_gradient_does_not_run_through_the_encoder() -> None:
    discriminator = Discriminator(Linear([1.0, 2.0, 5.0, 7.0]), joint="copy")
    step = step_of(composed(discriminator, copy=Copy()))
    by_x, by_code = step.score_gradients("real")
    torch.testing.assert_close(by_x, torch.tensor([[1.0, 2.0]]).expand(6, 2))
    torch.testing.assert_close(by_code, torch.tensor([[5.0, 7.0]]).expand(6, 2))


def test_interpolates_lie_between_what_the_discriminator_sees() -> None:
    step = step_of(composed(Discriminator(Linear([1.0, 1.0]))), n=200)
    (between,), (real,), (fake,) = step.seen("between"), step.seen("real"), step.seen("fake")
    t = (between - fake) / (real - fake)  # (B, 2), the same in both coordinates
    torch.testing.assert_close(t[:, 0], t[:, 1], atol=1e-3, rtol=1e-3)
    assert t.min() > -1e-3
    assert t.max() < 1 + 1e-3
    assert t.std().item() == pytest.approx(1 / math.sqrt(12), abs=0.03)


@pytest.mark.parametrize(
    ("game", "expected"),
    [
        (NonSaturating(), (math.log1p(math.exp(-2)) + math.log1p(math.exp(-1)), math.log1p(math.exp(1)))),
        (WassersteinGame(), (-3.0, 1.0)),
        (Relativistic(), (math.log1p(math.exp(-3)), math.log1p(math.exp(3)))),
    ],
)
def test_games_equal_their_formulas_at_known_scores(game, expected: tuple[float, float]) -> None:
    step = step_of(composed(Discriminator(Linear([1.0, 1.0]))))
    step.score = {"real": torch.full((6,), 2.0), "fake": torch.full((6,), -1.0)}.__getitem__  # type: ignore[method-assign]
    assert (game.discriminator(step).item(), game.generator(step).item()) == pytest.approx(expected)


def test_one_unrolled_update_equals_the_update_done_by_hand() -> None:
    composition = composed(Discriminator(Linear([0.5, -0.3])), Term("game", WassersteinGame()))
    engine = EagerEngine(composition)
    noise = seeded(3)
    draw = Draw(Batch(torch.randn(6, 2, generator=noise.generator)), noise)
    step = Step(Context(composition, composition.weights(0), 0, engine.unroll), draw)
    # dL_D/dw = mean(y) - mean(x), one step of SGD with lr 0.1.
    w = torch.tensor([0.5, -0.3]) - 0.1 * (step.fake.mean(0) - step.x.mean(0))
    torch.testing.assert_close(step.after("discriminator", 1).score("fake"), step.fake @ w)
    twice = torch.tensor([0.5, -0.3]) - 0.2 * (step.fake.mean(0) - step.x.mean(0))
    torch.testing.assert_close(step.after("discriminator", 2).score("fake"), step.fake @ twice)


def test_the_unrolled_generator_loss_has_the_gradient_of_finite_differences() -> None:
    torch.manual_seed(0)
    discriminator = Discriminator(Mlp([(2,)], (1,), (5,), "tanh")).double()
    composition = composed(discriminator, optimizer=AdamConfig(lr=0.05)).modules
    composition = composed(discriminator, optimizer=AdamConfig(lr=0.05), generator=composition["generator"].double())
    engine = EagerEngine(composition)
    weight = composition.modules["generator"].head.weight
    latent = torch.randn(6, 2, dtype=torch.float64)
    x = torch.randn(6, 2, dtype=torch.float64)

    def loss() -> Tensor:
        noise = Noise(torch.Generator(), {"latent/code": latent})
        context = Context(composition, composition.weights(0), 0, engine.unroll)
        return NonSaturating().generator(Step(context, Draw(Batch(x), noise)).after("discriminator", 3))

    (gradient,) = torch.autograd.grad(loss(), weight)
    difference, h = torch.zeros_like(weight), 1e-6
    with torch.no_grad():
        for i in range(weight.numel()):
            weight.view(-1)[i] += h
            above = loss()
            weight.view(-1)[i] -= 2 * h
            below = loss()
            weight.view(-1)[i] += h
            difference.view(-1)[i] = (above - below) / (2 * h)
    torch.testing.assert_close(gradient, difference, rtol=1e-4, atol=1e-8)


def test_batch_norm_advances_once_a_turn_and_only_in_trained_modules() -> None:
    composition = composed(Discriminator(Mlp([(2,)], (1,), (4,), batch_norm=True)))
    composition = composed(composition.discriminator, generator=Mlp([(2,)], (2,), (4,), batch_norm=True))
    engine = EagerEngine(composition)

    def counts() -> tuple[int, int]:
        norms = (composition.batch_norms[name][0] for name in ("discriminator", "generator"))
        return tuple(int(norm.num_batches_tracked) for norm in norms)  # type: ignore[return-value]

    engine.update(TurnConfig(player="discriminator"), Draw(Batch(torch.randn(8, 2)), seeded(0)))
    assert counts() == (1, 0)
    engine.update(TurnConfig(player="generator"), Draw(Batch(torch.randn(8, 2)), seeded(1)))
    assert counts() == (1, 1)


@pytest.mark.parametrize("norm", [nn.InstanceNorm1d(4), nn.BatchNorm1d(4, track_running_stats=False)])
def test_a_normalisation_without_running_statistics_stays_so(norm: nn.Module) -> None:
    generator = nn.Sequential(nn.Linear(2, 8), nn.Unflatten(1, (4, 2)), norm, nn.Flatten(), nn.Linear(8, 2))
    composition = composed(Discriminator(Mlp([(2,)], (1,), (4,))), generator=generator)
    engine, x = EagerEngine(composition), torch.randn(8, 2)
    for turn in composition.schedule:
        engine.update(turn, Draw(Batch(x), seeded(0)))
    assert not norm.track_running_stats
    trained = generator(x)
    torch.testing.assert_close(generator.eval()(x), trained)  # as evaluation runs it


def test_a_turn_without_a_due_term_changes_nothing_in_either_engine() -> None:
    late = Term("game", NonSaturating(), start=1)
    composition = composed(Discriminator(Mlp([(2,)], (1,), (4,))), late)
    state, x, turn = initial_state(composition), torch.randn(8, 2), composition.schedule[0]
    assert EagerEngine(composition).update(turn, Draw(Batch(x), seeded(0)), iteration=0) == {}
    after = update(composition, turn, state, x, {}, iteration=0)
    torch.testing.assert_close(after, state, rtol=0, atol=0)


def test_fixed_parameters_do_not_change_in_either_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    build = MlpConfig.build

    def with_a_fixed_layer(config: MlpConfig, *shapes: Any) -> Any:
        network = build(config, *shapes)
        network.trunk[0].requires_grad_(False)
        return network

    monkeypatch.setattr(MlpConfig, "build", with_a_fixed_layer)
    mlp = {"kind": "mlp", "hidden": [4]}
    values = {"name": "x", "data": {"kind": "ring"}, "prior": {"kind": "gaussian", "dim": 2}, "generator": mlp}
    composition = compose(values | {"discriminator": mlp, "losses": [{"kind": "non_saturating"}, {"kind": "r1"}]})
    before, state, x = initial_state(composition)["parameters"], initial_state(composition), torch.randn(8, 2)
    engine = EagerEngine(composition)
    for turn in composition.schedule:
        draw = Draw(Batch(x), seeded(0))
        engine.update(turn, draw)
        state = update(composition, turn, state, x, draw.noise.drawn)
    for name, first, last in (("generator", "trunk.0", "head"), ("discriminator", "network.trunk.0", "network.head")):
        now, then = dict(composition.modules[name].named_parameters()), before[name]
        assert torch.equal(now[f"{first}.weight"], then[f"{first}.weight"])
        assert not torch.equal(now[f"{last}.weight"], then[f"{last}.weight"])
        torch.testing.assert_close({key: value.detach() for key, value in now.items()}, state["parameters"][name])


def test_only_the_players_own_parameters_move() -> None:
    composition = composed(Discriminator(Mlp([(2,)], (1,), (4,))))
    before = [p.detach().clone() for p in composition.modules["generator"].parameters()]
    EagerEngine(composition).update(TurnConfig(player="discriminator"), Draw(Batch(torch.randn(8, 2)), seeded(0)))
    assert all(torch.equal(a, b) for a, b in zip(before, composition.modules["generator"].parameters(), strict=True))


def test_the_losses_that_an_update_gives_keep_no_graph_of_it() -> None:
    composition = composed(Discriminator(Mlp([(2,)], (1,), (4,))))
    losses = EagerEngine(composition).update(composition.schedule[0], Draw(Batch(torch.randn(8, 2)), seeded(0)))
    assert [value.requires_grad for value in losses.values()] == [False]


# The loop


def ring() -> MixtureData:
    return MixtureData(Mixture(torch.eye(2), 0.1, torch.ones(2)))


def lane_of(composition: Composition, average: EmaConfig | None = None) -> Lane:
    return Lane(
        composition,
        EagerEngine(composition),
        ring().loader(8, 0),
        torch.Generator().manual_seed(0),
        Average(average, composition) if average else None,
    )


def loop_of(composition: Composition, average: EmaConfig | None = None) -> Loop:
    return Loop([lane_of(composition, average)])


def scheduled(*turns: TurnConfig) -> tuple[Loop, list[tuple[str, Batch, int]]]:
    """A loop that notes who took a turn, on which batch, when."""
    seen: list[tuple[str, Batch, int]] = []
    composition = composed(Discriminator(Mlp([(2,)], (1,), (4,))))
    composition.schedule = turns
    loop = loop_of(composition)
    update = loop.engine.update

    def note(turn: TurnConfig, draws: Sequence[Draw], iteration: int) -> Sequence[Outcome]:
        seen.append((turn.player, draws[0].batch, iteration))
        return update(turn, draws, iteration)

    loop.engine.update = note  # type: ignore[method-assign]
    return loop, seen


def test_turns_come_in_order_with_their_times_cadence_and_bounds() -> None:
    loop, seen = scheduled(
        TurnConfig(player="discriminator", times=2), TurnConfig(player="generator", every=2, start=2, end=5)
    )
    for _ in range(6):
        loop.iterate()
    assert [(player[0], i) for player, _, i in seen if player == "generator"] == [("g", 2), ("g", 4)]
    assert sum(player == "discriminator" for player, _, _ in seen) == 12


def test_a_shared_turn_sees_the_batch_of_the_turn_before_and_a_fresh_one_another() -> None:
    shared, seen = scheduled(TurnConfig(player="discriminator"), TurnConfig(player="generator", draw="shared"))
    shared.iterate()
    assert seen[0][1] is seen[1][1]
    fresh, seen = scheduled(TurnConfig(player="discriminator"), TurnConfig(player="generator"))
    fresh.iterate()
    assert not torch.equal(seen[0][1].x, seen[1][1].x)


def test_a_shared_turn_keeps_all_noise_but_the_masks_of_dropout() -> None:
    networks = {"generator": Mlp([(2,)], (2,), (4,), dropout=0.5)}
    composition = composed(Discriminator(Mlp([(2,)], (1,), (4,), dropout=0.5)), **networks)
    composition.schedule = (TurnConfig(player="discriminator"), TurnConfig(player="generator", draw="shared", times=2))
    loop, noises = loop_of(composition), list[dict[str, Tensor]]()
    update = loop.engine.update

    def note(turn: TurnConfig, draws: Sequence[Draw], iteration: int) -> Sequence[Outcome]:
        outcomes = update(turn, draws, iteration)
        noises.append(draws[0].noise.drawn)
        return outcomes

    loop.engine.update = note  # type: ignore[method-assign]
    loop.iterate()
    common = {"latent/code", "generator//noisy0/mask", "discriminator/fake/noisy0/mask"}
    assert [set(noise) for noise in noises] == [common | {"discriminator/real/noisy0/mask"}, common, common]
    for before, after in pairwise(noises):
        assert after["latent/code"] is before["latent/code"]
        assert not torch.equal(after["generator//noisy0/mask"], before["generator//noisy0/mask"])


INFERRING = TurnConfig(player="discriminator", inference=("generator",))


def noisy_generator() -> Composition:
    """The generator has BatchNorm, whose statistics have moved, and dropout."""
    generator = Mlp([(2,)], (2,), (8,), batch_norm=True, dropout=0.5)
    composition = composed(Discriminator(Mlp([(2,)], (1,), (4,))), generator=generator)
    (norm,) = composition.batch_norms["generator"]
    norm.running_mean = torch.randn(8, generator=torch.Generator().manual_seed(3))
    return composition


def test_a_turn_may_see_a_generator_as_evaluation_does() -> None:
    composition = noisy_generator()
    generator, seen = composition.modules["generator"], list[Tensor]()
    composition.functions["discriminator", "game"] = lambda step: (seen.append(step.fake), step.score("fake").mean())[1]
    before = {name: buffer.clone() for name, buffer in generator.named_buffers()}
    draw = Draw(Batch(torch.randn(8, 2)), seeded(0))
    EagerEngine(composition).update(INFERRING, draw)
    assert generator.training
    assert all(torch.equal(before[name], buffer) for name, buffer in generator.named_buffers())
    torch.testing.assert_close(seen[0], generator.eval()(draw.noise.drawn["latent/code"]))
    assert list(draw.noise.drawn) == ["latent/code"]  # no mask was asked for


def test_a_generator_in_inference_mode_stays_so_in_other_draws_and_ahead() -> None:
    composition = noisy_generator()
    engine = EagerEngine(composition)
    context = Context(composition, composition.weights(0), 0, engine.unroll)
    step = Step(context, Draw(Batch(torch.randn(8, 2)), seeded(0)), Forward(composition, inference=("generator",)))
    expected = {s: s.latent.z for s in (step, step.redraw(), step.after("discriminator", 1))}
    found = {s: s.fake for s in expected}
    composition.modules["generator"].eval()
    for s, z in expected.items():
        torch.testing.assert_close(found[s], composition.modules["generator"](z))


def test_a_pure_turn_sees_a_generator_in_inference_mode_as_an_eager_one_does() -> None:
    composition = noisy_generator()
    composition.schedule = (INFERRING, TurnConfig(player="generator", draw="shared"))
    check_turns_under_vmap(composition, 2)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "discriminator",
            "the turn trains 'discriminator', which therefore does not run as in evaluation: leave it out",
        ),
        ("critic", "there is no module 'critic'; the modules are prior, generator, discriminator, losses/game"),
    ],
)
def test_a_module_in_inference_mode_must_exist_and_not_be_trained(name: str, message: str) -> None:
    discriminator, players = Discriminator(Mlp([(2,)], (1,))), [Player("discriminator", ("discriminator",), SGD)]
    modules = {"prior": Gaussian(2), "generator": Mlp([(2,)], (2,)), "discriminator": discriminator}
    turn = TurnConfig(player="discriminator", inference=(name,))
    with pytest.raises(ValueError) as error:
        Composition(modules, [Term("game", NonSaturating())], players, [turn])
    assert str(error.value) == message


def test_overlapping_players_cannot_take_a_simultaneous_turn() -> None:
    players = [Player(name, ("generator",), SGD) for name in ("generator", "second")]
    term = Only(generator=lambda s: s.fake.mean(), second=lambda s: s.fake.mean())
    both = TurnConfig(player=("generator", "second"))
    with pytest.raises(ValueError) as error:
        Composition({"prior": Gaussian(2), "generator": Mlp([(2,)], (2,))}, [Term("t", term)], players, [both])
    assert str(error.value) == (
        "players 'generator' and 'second' both train 'generator' and cannot take a simultaneous turn: "
        "use schedule: alternating, or give them turns of their own"
    )


def test_torchs_dropout_is_refused_because_it_draws_from_a_global_generator() -> None:
    discriminator = Discriminator(Linear([1.0, 1.0]))
    discriminator.network.head = nn.Sequential(nn.Dropout(0.5), discriminator.network.head)
    with pytest.raises(ValueError) as error:
        composed(discriminator)
    assert str(error.value) == (
        "discriminator contains torch's Dropout, which draws from a global generator: use allmodes' Dropout"
    )


def test_the_moving_average_of_a_constant_drift_has_its_closed_form() -> None:
    composition = composed(Discriminator(Mlp([(2,)], (1,), (4,))))
    average = Average(EmaConfig(decay=0.9, start=1), composition)
    live = next(composition.modules["generator"].parameters())
    averaged = next(average.modules["generator"].parameters())
    expected = None
    for iteration in range(6):
        with torch.no_grad():
            live += 1.0
        expected = live.detach().clone() if iteration == 0 else 0.9 * expected + 0.1 * live.detach()
        average.update(iteration)
    torch.testing.assert_close(averaged, expected)


def test_the_same_seed_gives_the_same_weights_whatever_the_global_generator_does() -> None:
    def trained(disturbance: int) -> list[Tensor]:
        torch.manual_seed(7)
        loop = loop_of(composed(Discriminator(Mlp([(2,)], (1,), (4,), dropout=0.2))))
        torch.manual_seed(disturbance)
        for _ in range(3):
            loop.iterate()
        return [p.detach() for p in loop.lanes[0].composition.modules["generator"].parameters()]

    assert all(torch.equal(a, b) for a, b in zip(trained(1), trained(2), strict=True))


def test_dropout_keeps_the_mean_and_the_same_call_has_the_same_mask() -> None:
    composition = composed(Discriminator(Mlp([(2,)], (1,), (1000,), dropout=0.25)))
    step = step_of(composition)
    first, second = step.features("real"), step_of(composition).features("real")
    assert torch.equal(first, second)
    assert (first == 0).float().mean() > 0.25
    assert not torch.equal(first == 0, step.features("fake") == 0)


@pytest.mark.parametrize(
    ("prior", "mean", "std"), [(Gaussian(3, 1, 2.0), 0, 2.0), (Uniform(3, 1, -1, 3), 1, 4 / 12**0.5)]
)
def test_priors_have_their_moments_and_name_their_parts(prior, mean: float, std: float) -> None:
    latent = prior(seeded(0), 20_000)
    assert latent.z.shape == (20_000, 4)
    torch.testing.assert_close(latent.z, torch.cat([latent.code, latent.part("nuisance")], 1))
    assert latent.z.mean().item() == pytest.approx(mean, abs=0.03)
    assert latent.z.std().item() == pytest.approx(std, rel=0.02)


def test_a_given_part_is_used_as_it_is() -> None:
    code = torch.ones(5, 3)
    assert torch.equal(Gaussian(3, 1)(seeded(0), 5, {"code": code}).code, code)
