"""Parts of one plugin beside those of another and a stranger's: told apart by forms and offers, never by class."""

import copy
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Normal
from torch.nn.functional import binary_cross_entropy, mse_loss

from allmodes import (
    NOTHING,
    Auxiliary,
    AuxiliaryConfig,
    CompositionError,
    Experiment,
    Given,
    Latent,
    Loss,
    LossTerm,
    LossTermConfig,
    MlpConfig,
    Need,
    Noise,
    Plugin,
    Prior,
    PriorConfig,
    Sampler,
    SamplerConfig,
    Shape,
    Source,
    SpecError,
    Step,
    load_run,
)
from allmodes.game.compose import compose
from allmodes.game.composition import Composition
from allmodes.specs import loading
from allmodes.testing import PriorContract, check_turns_under_vmap, make_step, take_turn
from faulty import held, registry_of
from fixtures.distributions import first_party
from tiny import SPEC

K, CODE, NUISANCE = 3, 4, 2
X = torch.randn(8, 2, generator=torch.Generator().manual_seed(0))


class Shelf(Prior):
    """A stranger's prior: z = (code, nuisance) with learned shares of K modes, which move the code."""

    def __init__(self) -> None:
        super().__init__()
        self.dim, self.sizes = CODE + NUISANCE, {"code": CODE, "mode": K, "nuisance": NUISANCE}
        self.heights = nn.Parameter(torch.tensor([0.5, 0.0, -0.5]))
        self.register_buffer("places", torch.eye(K, CODE))

    @property
    def weights(self) -> Tensor:
        return self.heights.softmax(0)

    def forward(self, noise: Noise, n: int, given: Given = NOTHING) -> Latent:
        drawn = (noise.uniform("mode", n, 1) >= self.weights.cumsum(0)[:-1]).sum(1)
        chosen = torch.as_tensor(given["mode"], device=drawn.device).expand(n) if "mode" in given else drawn
        mode = (chosen[:, None] == torch.arange(K, device=drawn.device)).float() + (
            self.weights - self.weights.detach()
        )
        code = mode @ self.places + 0.1 * noise.normal("code", n, CODE)
        nuisance = noise.normal("nuisance", n, NUISANCE)
        return Latent(torch.cat([code, nuisance], 1), {"code": code, "mode": mode, "nuisance": nuisance})


class ShelfConfig(PriorConfig):
    """Modes with learned shares, and a nuisance."""

    kind: Literal["acme.shelf"] = "acme.shelf"
    offered: bool = True
    """Whether the shares are offered."""

    @property
    def offers(self) -> tuple[str, ...]:
        return ("weights",) if self.offered else ()

    def parts(self) -> Mapping[str, int | None]:
        return {"code": CODE, "mode": K, "nuisance": NUISANCE}

    def size(self) -> int:
        return CODE + NUISANCE

    def build(self) -> Any:
        return Shelf()


class Likelihood(LossTerm):
    """-E log q(z|G(z)) of any Gaussian encoder q."""

    def losses(self) -> Mapping[str, Loss]:
        return {"generator": self.likelihood}

    def likelihood(self, step: Step) -> Tensor:
        q = step.estimate("encoder", "fake", "gaussian")
        squares = (step.latent.code.detach() - q.mean).square() / q.log_variance.exp()
        return 0.5 * (squares + q.log_variance + math.log(2 * math.pi)).sum(1).mean()


class LikelihoodConfig(LossTermConfig):
    """A Gaussian encoder should find the code."""

    kind: Literal["acme.likelihood"] = "acme.likelihood"
    needs: ClassVar[tuple[Need, ...]] = (Need("auxiliary", "code", "a Gaussian encoder", "gaussian"),)
    auxiliary: str = "encoder"

    def build(self) -> Any:
        return Likelihood()


class WholeConfig(AuxiliaryConfig):
    """An encoder of all of z."""

    kind: Literal["acme.whole"] = "acme.whole"
    gives: ClassVar[str] = "z"
    form: ClassVar[Literal["point"]] = "point"

    def build(self, sees: Shape, parts: Mapping[str, int]) -> Any:
        return Whole(sees[0], parts["z"])


class Whole(Auxiliary):
    """A linear map."""

    def __init__(self, sees: int, gives: int) -> None:
        super().__init__()
        self.map = nn.Linear(sees, gives)

    def forward(self, seen: Tensor) -> Tensor:
        found: Tensor = self.map(seen)
        return found


class Boosted(Sampler):
    """Draws of earlier runs and of this one, each an equal share of them, as AdaGAN's mixture has them."""

    def __init__(self, runs: tuple[str, ...]) -> None:
        super().__init__()
        self.earlier = [load_run(run, REGISTRY) for run in runs]

    def forward(self, model: Source, n: int) -> Tensor:
        share = n // (len(self.earlier) + 1)
        seed = int(1e6 * float(model.noise().uniform("acme.seed", 1)))
        before = [run.draw(share, seed) for run in self.earlier]
        mine = model.items(model.latent(n - share * len(before)))
        return torch.cat([*[items.to(mine.device) for items in before], mine])


class BoostedConfig(SamplerConfig):
    """A mixture of this run and earlier ones."""

    kind: Literal["acme.boosted"] = "acme.boosted"
    runs: tuple[str, ...] = ()
    """Folders of the earlier runs."""

    def build(self) -> Any:
        return Boosted(self.runs)


class ExactConfig(MlpConfig):
    """A generator that says what it was asked for."""

    kind: Literal["acme.exact"] = "acme.exact"  # type: ignore[assignment]

    def misfit(self, sees: tuple[Shape, ...], gives: Shape) -> str | None:
        return None if sees == ((CODE + NUISANCE,),) else f"sees {sees}"


MINE = (ShelfConfig, LikelihoodConfig, WholeConfig, ExactConfig, BoostedConfig)
REGISTRY = first_party()
REGISTRY.register(registry_of(*MINE).hooks.get_plugin("acme"), Plugin("acme", "allmodes-acme", "1.0"))
GAME = {"kind": "non_saturating"}
SHELF: Mapping[str, Any] = {"kind": "acme.shelf"}


def parse(*losses: Any, **changes: Any) -> Any:
    training = {**SPEC["training"], **changes.pop("training", {})}
    values = {**copy.deepcopy(dict(SPEC)), "losses": [GAME, *losses], "training": training, **changes}
    return loading.parse(values, REGISTRY)


def composed(*losses: Any, **changes: Any) -> Composition:
    spec = parse(*losses, **changes)
    return compose(spec, spec.data.build(), 0)


def refused(*losses: Any, **changes: Any) -> list[str]:
    with pytest.raises(SpecError) as raised:
        parse(*losses, **changes)
    return [line.removeprefix("spec: ") for line in str(raised.value).splitlines()]


# Forms


def test_veegans_reconstructor_serves_where_a_gaussian_encoder_is_expected() -> None:
    encoder = {"encoder": {"kind": "veegan.reconstructor", "code_noise": 0.5}}
    composition = composed({"kind": "acme.likelihood"}, auxiliaries=encoder)
    step = make_step(composition, X)
    mean = composition.modules["encoder"](step.fake)
    expected = -Normal(mean, 0.5).log_prob(step.latent.code).sum(1).mean()
    torch.testing.assert_close(composition.terms["acme.likelihood"].loss(step, "generator"), expected)
    check_turns_under_vmap(composition, 2)


def test_without_noise_it_is_a_point_and_no_gaussian() -> None:
    encoder = {"encoder": {"kind": "veegan.reconstructor", "code_noise": 0}}
    assert refused({"kind": "acme.likelihood"}, auxiliaries=encoder) == [
        "losses.1: acme.likelihood needs an auxiliary that maps data to code as gaussian; none is defined: add a "
        "Gaussian encoder"
    ]


def test_an_auxiliary_of_another_form_is_named() -> None:
    auxiliaries = {"encoder": {"kind": "baselines.encoder", "noise": "none"}, "f": {"kind": "veegan.reconstructor"}}
    assert refused({"kind": "acme.likelihood"}, auxiliaries=auxiliaries) == [
        "losses.1: acme.likelihood reads auxiliary 'encoder', which does not map data to code as gaussian: set "
        "auxiliary: f"
    ]


@pytest.mark.parametrize("noise", ["gaussian", "none"])
def test_alis_encoder_serves_where_veegans_point_is_expected_by_its_mean(noise: str) -> None:
    encoder = {"encoder": {"kind": "baselines.encoder", "noise": noise}}
    composition = composed({"kind": "veegan.code_reconstruction", "auxiliary": "encoder"}, auxiliaries=encoder)
    step = make_step(composition, X)
    output = composition.modules["encoder"](step.fake)
    found = output.mean if noise == "gaussian" else output
    expected = 0.5 * (step.latent.code - found).square().sum(1).mean()
    torch.testing.assert_close(composition.terms["veegan.code_reconstruction"].loss(step, "generator"), expected)
    check_turns_under_vmap(composition, 2)


# A code that is not all of z


def test_the_generator_is_asked_whether_it_takes_all_of_z() -> None:
    parse(prior=SHELF, generator={"kind": "acme.exact"})
    assert refused(prior={"kind": "gaussian", "dim": CODE}, generator={"kind": "acme.exact"}) == [
        "generator: sees ((4,),)"
    ]
    parse(prior={"kind": "gaussian", "dim": CODE, "nuisance_dim": NUISANCE}, generator={"kind": "acme.exact"})


def test_an_auxiliary_may_estimate_all_of_z() -> None:
    composition = composed(prior=SHELF, auxiliaries={"whole": {"kind": "acme.whole"}})
    step = make_step(composition, X)
    assert step.estimate("whole", "fake", "point").shape == step.latent.part("z").shape == (8, CODE + NUISANCE)


def test_nemgans_inversion_finds_the_code_where_that_is_not_all_of_z() -> None:
    auxiliaries = {"inverter": {"kind": "nemgan.inverter"}}
    composition = composed({"kind": "nemgan.latent_inversion"}, prior=SHELF, auxiliaries=auxiliaries)
    step = make_step(composition, X)
    z_hat, y_hat = composition.modules["inverter"](step.fake)
    y = step.latent.part("mode").detach()
    expected = 10 * mse_loss(z_hat, step.latent.code.detach()) + binary_cross_entropy(y_hat.softmax(1), y)
    torch.testing.assert_close(composition.terms["nemgan.latent_inversion"].loss(step, "inversion"), expected)
    assert take_turn(composition, "inversion", X) == {"generator", "inverter"}
    check_turns_under_vmap(composition, 2)


# Weights that a prior offers

MATCHING = {"kind": "nemgan.prior_matching", "start": 0}


@pytest.mark.parametrize("kind", ["nemgan.inverter", "baselines.q_head"])
def test_nemgans_prior_matching_learns_the_weights_of_a_strangers_prior(kind: str) -> None:
    composition = composed(MATCHING, prior=SHELF, auxiliaries={"inverter": {"kind": kind}})
    step = make_step(composition, X)
    p = step.estimate("inverter", "real", "logits").softmax(1).mean(0)
    q = composition.modules["prior"].heights.softmax(0)
    expected = (p * (p.log() - q.log())).sum()
    value = composition.terms["nemgan.prior_matching"].loss(step, "prior")
    torch.testing.assert_close(value, expected)
    (found,) = torch.autograd.grad(value, composition.modules["prior"].heights)
    torch.testing.assert_close(found, q - p)
    check_turns_under_vmap(composition, 2)


def test_weights_that_are_not_offered_or_not_learned_are_refused() -> None:
    auxiliaries = {"inverter": {"kind": "nemgan.inverter"}}
    assert refused(MATCHING, prior={**SHELF, "offered": False}, auxiliaries=auxiliaries) == [
        "losses.1: nemgan.prior_matching needs a prior that offers weights, which acme.shelf does not: add prior: "
        "{kind: nemgan.mode_mixture, weights: learned}"
    ]
    expected = "nemgan.prior_matching has nothing to learn: take a prior whose weights are learned"
    with pytest.raises(CompositionError, match=re.escape(expected)):
        composed(MATCHING, prior={"kind": "baselines.cluster_latent"}, auxiliaries=auxiliaries)


def test_a_truncated_prior_passes_on_the_weights_of_training() -> None:
    auxiliaries = {"inverter": {"kind": "nemgan.inverter"}}
    truncated = {"kind": "baselines.truncated", "prior": SHELF, "training": False}
    composition = composed(MATCHING, prior=truncated, auxiliaries=auxiliaries)
    weights = make_step(composition, X).offer("weights")
    torch.testing.assert_close(weights, torch.tensor([0.5, 0.0, -0.5]).softmax(0))
    check_turns_under_vmap(composition, 2)
    assert refused(MATCHING, prior={**truncated, "training": True}, auxiliaries=auxiliaries) == [
        "losses.1: nemgan.prior_matching needs a prior that offers weights, which baselines.truncated does not: add "
        "prior: {kind: nemgan.mode_mixture, weights: learned}"
    ]


def test_nemgans_invariance_follows_the_weights_of_a_strangers_prior() -> None:
    term = {"kind": "nemgan.invariance", "shares": "prior", "rotation": 0, "shift": 0, "scale": 0, "noise": 0.1}
    auxiliaries = {"inverter": {"kind": "baselines.cluster_encoder"}}
    latent = {"kind": "baselines.cluster_latent", "modes": K}
    composition = composed(term, prior=latent, auxiliaries=auxiliaries)
    assert take_turn(composition, "invariance", X) == {"inverter"}
    check_turns_under_vmap(composition, 2)


@pytest.mark.parametrize("prior", [SHELF, {"kind": "baselines.cluster_latent", "modes": K}])
@pytest.mark.parametrize(("head", "learners"), [("baselines.q_head", "both"), ("nemgan.inverter", "generator")])
def test_infogans_information_knows_the_entropy_of_any_weights(
    prior: Mapping[str, Any], head: str, learners: str
) -> None:
    term = {"kind": "baselines.information", "learners": learners}
    composition = composed(term, prior=prior, auxiliaries={"q": {"kind": head}})
    step = make_step(composition, X)
    logits, mode = step.estimate("q", "fake", "logits"), step.latent.part("mode").argmax(1)
    weights = composition.modules["prior"].weights
    expected = -(Categorical(logits=logits).log_prob(mode).mean() + Categorical(weights).entropy())
    torch.testing.assert_close(composition.terms["baselines.information"].loss(step, "generator"), expected)
    check_turns_under_vmap(composition, 2)


def test_a_discriminator_learns_nothing_from_a_q_that_reads_data() -> None:
    auxiliaries = {"q": {"kind": "nemgan.inverter"}}
    assert refused({"kind": "baselines.information"}, prior=SHELF, auxiliaries=auxiliaries) == [
        "losses.1.learners: auxiliary 'q' reads data, so the discriminator learns nothing from it: set learners: "
        "generator"
    ]


def test_infogans_information_takes_the_modes_of_a_metric_mixture() -> None:
    prior = {"kind": "bourgan.metric_mixture", "modes": K, "subsample": 64}
    head = {"q": {"kind": "baselines.q_head"}}
    composition = composed({"kind": "baselines.information"}, prior=prior, auxiliaries=head)
    weights = composition.modules["prior"].weights
    assert weights.shape == (K,)
    assert float(weights.sum()) == pytest.approx(1)
    check_turns_under_vmap(composition, 2)


# A sequence of runs


def test_a_sampler_draws_from_the_mixture_of_a_sequence_of_runs(tmp_path: Path) -> None:
    first = Experiment(parse(), REGISTRY, tmp_path / "first", track=False).run()
    sampler = {"kind": "acme.boosted", "runs": [str(first.folder)]}
    second = Experiment(parse(sampler=sampler), REGISTRY, tmp_path / "second", track=False).run()
    assert second.status == "finished"
    model = load_run(second.folder, REGISTRY)
    samples = model.sample(6, seed=1)
    assert samples.shape == (6, 2)
    assert model.sample(6, seed=1).equal(samples)


CHECKS = (
    "a_draw_has_the_sizes",
    "what_it_offers",
    "the_weights_that_it_offers",
    "draws_of_stacked_seeds",
    "a_mode_that",
)
HELD = [name for name in dir(PriorContract) if name.startswith(tuple(f"test_{check}" for check in CHECKS))]


@pytest.mark.parametrize("name", HELD)
def test_the_strangers_prior_keeps_its_contract(name: str) -> None:
    getattr(held(PriorContract, ShelfConfig(), registry=REGISTRY), name)()
