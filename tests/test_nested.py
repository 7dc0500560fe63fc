"""Kinds that hold kinds of their own slot: in specs, checks, descriptions and training."""

import json
import shutil
from copy import deepcopy
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
import torch

from allmodes import Around, SpecError, Trunk, load_run
from allmodes.builtin.config.losses import RelativisticConfig
from allmodes.builtin.config.networks import MlpConfig
from allmodes.builtin.config.priors import GaussianConfig
from allmodes.builtin.networks import Mlp
from allmodes.cli import describe
from allmodes.experiments.experiment import Experiment
from allmodes.models.page import ModelError
from allmodes.specs import loading
from allmodes.specs.kinds import kinds_in
from allmodes.specs.players import players_of
from allmodes.testing import LossTermContract, NetworkContract, PriorContract
from allmodes_schemas import (
    Config,
    LossTermConfig,
    Need,
    NetworkConfig,
    PlayerConfig,
    PriorConfig,
    Problem,
    Renamed,
    Spec,
)
from faulty import check, checks, held, registry_of
from nested import KINDS, FoundConfig, MeanConfig, ScaledConfig, TopKConfig, TruncatedConfig
from nested_modules import Scaled
from tiny import SPEC

MLP = {"kind": "mlp", "hidden": [8]}
GAUSSIAN = {"kind": "gaussian", "dim": 2}


def scaled(network: Any, **options: Any) -> dict[str, Any]:
    return {"kind": "acme.scaled", "network": network, **options}


def parse(*configs: Any, **values: Any) -> Spec:
    return loading.parse({**SPEC, **values}, registry_of(*KINDS, *configs))


def refusal(*configs: Any, **values: Any) -> list[str]:
    with pytest.raises(SpecError) as refused:
        parse(*configs, **values)
    return str(refused.value).splitlines()


def test_a_network_within_a_network_within_a_network() -> None:
    spec = parse(
        discriminator=scaled(scaled(MLP), by=3), generator={"kind": "acme.mean", "networks": [MLP, scaled(MLP)]}
    )
    assert spec.discriminator.network.network.hidden == (8,)  # type: ignore[attr-defined]
    assert kinds_in(spec.generator) == ["acme.mean", "mlp", "acme.scaled", "mlp"]


def test_a_mapping_and_an_optional_field() -> None:
    spec = parse(generator={"kind": "acme.mean", "networks": [MLP], "named": {"a": scaled(MLP)}, "last": scaled(MLP)})
    assert kinds_in(spec.generator) == ["acme.mean", "mlp", "acme.scaled", "mlp", "acme.scaled", "mlp"]


class _Branch(Config):
    network: NetworkConfig
    """The network."""


class _BranchesConfig(NetworkConfig):
    """Networks in blocks, and a prior, whose slot comes later."""

    kind: Literal["acme.branches"] = "acme.branches"
    branches: tuple[_Branch, ...] = (_Branch(network=MlpConfig()),)
    """The blocks."""
    prior: PriorConfig | None = None
    """The prior."""


def test_blocks_of_a_kind_hold_kinds_of_any_slot() -> None:
    inner = {"kind": "acme.branches", "prior": {"kind": "acme.truncated", "prior": GAUSSIAN}}
    spec = parse(_BranchesConfig, generator={"kind": "acme.branches", "branches": [{"network": inner}]})
    assert kinds_in(spec.generator) == ["acme.branches", "acme.branches", "mlp", "acme.truncated", "gaussian"]
    branches = [{"network": {**inner, "branches": [{"network": MLP, "netwrok": 1}]}}]
    assert refusal(_BranchesConfig, generator={"kind": "acme.branches", "branches": branches}) == [
        "spec: generator.branches.0.network.branches.0.netwrok: unknown key (did you mean 'network'?)"
    ]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"discriminator": scaled(scaled({"kind": "mlp", "hiden": [8]}), pack=2)},
            "discriminator.network.network.hiden: unknown key (did you mean 'hidden'?)",
        ),
        (
            {"prior": {"kind": "acme.truncated", "prior": {"kind": "acme.truncated", "prior": {"kind": "gausian"}}}},
            "prior.prior.prior.kind: no installed plugin provides prior 'gausian' (did you mean 'gaussian'?). "
            "Installed: acme.found, acme.truncated, gaussian, uniform",
        ),
        (
            {"losses": [{"kind": "acme.top_k", "game": {"kind": "relativistic", "weight": "much"}}]},
            "losses.0.game.weight: should be a number or a mapping with the keys start, end, over, begin, shape, "
            "got 'much'",
        ),
        ({"losses": [{"kind": "acme.top_k", "game": {"kind": "acme.top_k"}}]}, "losses.0.game.game: is missing"),
        (
            {"generator": {"kind": "acme.mean", "networks": [MLP], "named": {"a": {"kind": "mpl"}}}},
            "generator.named.a.kind: no installed plugin provides network 'mpl' (did you mean 'mlp'?). "
            "Installed: acme.mean, acme.scaled, dcgan, mlp",
        ),
        (
            {"generator": scaled({"kind": "mlp", "hidden": [10**6]})},
            "generator.network.hidden.0: 1,000,000 is more than 65,536, and most likely a slip: set large: true if you "
            "mean it",
        ),
        (
            {"losses": [{"kind": "acme.top_k", "game": {"kind": "r1"}}]},
            "losses: no game among the losses: add one, such as {kind: non_saturating}",
        ),
        (
            {"losses": [{"kind": "acme.top_k", "game": {"kind": "relativistic", "weight": 2}}]},
            "losses.0.game.weight: acme.top_k stands for relativistic and counts by its own weight: set that instead",
        ),
        (
            {"generator": scaled({"kind": "dcgan"})},
            "generator: dcgan needs images, but it is to map (2,) to (2,): use kind: mlp",
        ),
    ],
)
def test_errors_name_the_place_within(values: dict[str, Any], message: str) -> None:
    assert refusal(**values) == [f"spec: {message}"]


def test_a_weight_is_overridden_through_nested_keys() -> None:
    source = loading.SpecSource({**SPEC, "discriminator": scaled(scaled(dict(MLP)))}, "spec")
    loading.override(source, "discriminator.network.network.hidden=[16]")
    spec = loading.check(source, registry_of(*KINDS))
    assert spec.discriminator.network.network.hidden == (16,)  # type: ignore[attr-defined]


def test_a_wrapper_as_the_discriminator_keeps_its_own_network() -> None:
    spec = parse(discriminator=scaled(MLP, pack=2))
    alone = spec.discriminator.alone()  # type: ignore[attr-defined]
    assert type(alone).__name__ == "ScaledConfig"
    assert alone.network.hidden == (8,)
    assert parse(discriminator={"kind": "acme.scaled"}).discriminator.network.hidden == (8,)  # type: ignore[attr-defined]


def test_what_is_asked_of_a_wrapper_the_kind_within_answers() -> None:
    game = {"kind": "acme.top_k", "game": {"kind": "acme.top_k", "game": {"kind": "wasserstein"}}}
    normed = scaled(scaled({**MLP, "batch_norm": True}))
    spec = parse(losses=[game, {"kind": "gradient_penalty"}], generator=normed, prior=_truncated(GAUSSIAN))
    assert spec.losses[0].is_game
    assert spec.generator.normalises_batches()
    assert spec.generator.parameters(((2,),), (2,)) == MlpConfig(hidden=(8,), batch_norm=True).parameters(((2,),), (2,))
    assert spec.prior.parts() == {"code": 2}
    assert spec.where(spec.losses[0].game.game) == ("losses", 0, "game", "game")  # type: ignore[attr-defined]


def _truncated(prior: dict[str, Any], **options: Any) -> dict[str, Any]:
    return {"kind": "acme.truncated", "prior": prior, **options}


class _DemandingConfig(LossTermConfig):
    """A game that needs, adds and checks something, with a former name of an option."""

    kind: Literal["acme.demanding"] = "acme.demanding"
    is_game: ClassVar[bool] = True
    needs: ClassVar[tuple[Need, ...]] = (Need("part", "mode", "a prior with modes"),)
    renamed: ClassVar[tuple[Renamed, ...]] = (Renamed("forse", "force", "1.0", "2.0"),)

    force: float = 1.0
    """The force."""

    def players(self) -> tuple[PlayerConfig, ...]:
        return (PlayerConfig(name="third", modules=("prior",)),)

    def check(self, spec: Spec) -> list[Problem]:
        return [Problem((*spec.where(self), "force"), f"too much: {self.force}")]


class _TrainedConfig(PriorConfig):
    """A prior that the generator's player trains."""

    kind: Literal["acme.trained"] = "acme.trained"
    trained_by: ClassVar[tuple[str, ...]] = ("generator",)


def test_needs_checks_players_and_renames_of_a_kind_within() -> None:
    losses = [{"kind": "acme.top_k", "game": {"kind": "acme.top_k", "game": {"kind": "acme.demanding", "forse": 3}}}]
    with pytest.warns(UserWarning, match="losses.0.game.game.forse: 'forse' is called 'force' since allmodes-acme 1.0"):
        lines = refusal(_DemandingConfig, losses=losses)
    assert lines == [
        "spec: losses.0.game.game: acme.demanding needs a latent part 'mode', which prior gaussian does not have: "
        "add a prior with modes",
        "spec: losses.0.game.game: acme.demanding adds player 'third', whom no loss serves: losses serve "
        "discriminator, generator",
        "spec: losses.0.game.game.force: too much: 3.0",
    ]


def test_players_of_kinds_within_train_what_they_name() -> None:
    term, prior = {"kind": "acme.top_k", "game": {"kind": "acme.demanding"}}, _truncated({"kind": "acme.trained"})
    model = loading.spec_model(registry_of(*KINDS, _DemandingConfig, _TrainedConfig))
    players = players_of(model.model_validate({**SPEC, "losses": [term], "prior": prior}))
    assert players["third"].modules == ("prior",)
    assert players["generator"].modules == ("generator", "prior")


def test_batch_norm_within_a_list_is_seen() -> None:
    values = {"generator": {"kind": "acme.mean", "networks": [scaled({**MLP, "batch_norm": True})]}}
    message = "generator: BatchNorm needs two items or more at once: raise training.batch_size, or switch it off"
    assert refusal(**values, training={**SPEC["training"], "batch_size": 1}) == [f"spec: {message}"]


class _AstrayConfig(NetworkConfig):
    """A wrapper of nothing."""

    wraps: ClassVar[str] = "netwrok"
    kind: Literal["acme.astray"] = "acme.astray"
    network: NetworkConfig = MlpConfig()
    """The network."""


def test_a_wrapper_of_an_option_that_it_does_not_have_is_refused() -> None:
    error = registry_of(_AstrayConfig).broken["acme"].error
    assert error == "_AstrayConfig wraps 'netwrok', which is not an option of it"


def test_descriptions_say_what_a_wrapper_holds() -> None:
    assert [(o.name, o.type) for o in describe.list_options(ScaledConfig)] == [
        ("network", "any network"),
        ("by", "number"),
    ]
    assert describe.list_options(MeanConfig)[0].type == "list of any network"
    assert describe.list_requirements(TopKConfig) == ["whatever its game requires"]
    assert describe.list_provisions(TopKConfig) == []


def test_the_schema_describes_kinds_within_kinds() -> None:
    schema = loading.schema(registry_of(*KINDS))
    for config in ("ScaledConfig", "ScaledConfigOfDiscriminator"):
        assert schema["$defs"][config]["properties"]["network"]["$ref"] == "#/$defs/network"
    assert schema["$defs"]["network"]["anyOf"][0]["discriminator"]["mapping"]["acme.scaled"] == "#/$defs/ScaledConfig"
    assert schema["$defs"]["ScaledConfig"]["properties"]["network"]["default"]["hidden"] == [8]
    missing = [name for name in _references(schema) if name not in schema["$defs"]]
    assert missing == []


def _references(value: Any) -> list[str]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    own = [value["$ref"].rpartition("/")[2]] if isinstance(value, dict) and "$ref" in value else []
    return own + [name for one in inner for name in _references(one)]


def test_wrappers_of_every_slot_train_together(tmp_path: Path) -> None:
    values = {
        "discriminator": scaled(scaled(MLP), pack=2),
        "generator": {"kind": "acme.mean", "networks": [MLP, scaled(MLP)]},
        "prior": _truncated(_truncated({"kind": "acme.found"})),
        "losses": [{"kind": "acme.top_k", "game": {"kind": "relativistic"}}, {"kind": "r1"}],
    }
    registry = registry_of(*KINDS)
    results = Experiment.from_spec({**SPEC, **values}, registry=registry, folder=tmp_path, track=False).run()
    assert list(results.outcomes) == [3]
    page = json.loads(next(tmp_path.rglob("run.json")).read_text())
    assert page["plugins"] == {"allmodes": "0.1.0", "allmodes-acme": "1.0"}


REGISTRY = registry_of(*KINDS)
CONTRACTS = {
    "networks": held(NetworkContract, ScaledConfig(network=ScaledConfig()), registry=REGISTRY),
    "several networks": held(
        NetworkContract, MeanConfig(networks=(MlpConfig(hidden=(8,)), ScaledConfig())), registry=REGISTRY
    ),
    "a fitted prior": held(
        PriorContract, TruncatedConfig(prior=TruncatedConfig(prior=FoundConfig())), registry=REGISTRY
    ),
    "a prior that asks": held(
        PriorContract, TruncatedConfig(prior=TruncatedConfig(prior=FoundConfig()), asks=True), registry=REGISTRY
    ),
    "a prior": held(PriorContract, TruncatedConfig(prior=GaussianConfig(dim=3, nuisance_dim=1)), registry=REGISTRY),
    "a game": held(
        LossTermContract, TopKConfig(game=TopKConfig(game=RelativisticConfig())), registry=REGISTRY, spec=SPEC
    ),
}
CHECKS = [(name, check) for name, contract in CONTRACTS.items() for check in checks(type(contract))]


@pytest.mark.parametrize(("name", "test"), [case for case in CHECKS if "loads_no_torch" not in case[1]])
def test_wrappers_keep_the_contracts_of_their_slots(name: str, test: str, tmp_path: Path) -> None:
    check(CONTRACTS[name], test, tmp_path)


def _experiment(folder: Path, **values: Any) -> Experiment:
    return Experiment.from_spec({**SPEC, **values}, registry=registry_of(*KINDS), folder=folder, track=False)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose prior's size was decided by the fit of the prior within its prior."""
    folder = tmp_path_factory.mktemp("fitted")
    average = {**SPEC["training"], "ema": {"decay": 0.5}, "checkpoints": {"every": 10}}
    _experiment(folder, prior=_truncated(_truncated({"kind": "acme.found"}), asks=True), training=average).run()
    return next(folder.rglob("seed-3"))


def test_a_stored_model_keeps_the_sizes_of_every_prior(fitted: Path, tmp_path: Path) -> None:
    registry = registry_of(*KINDS)
    page = json.loads((fitted / "model" / "model.json").read_text())
    assert page["format"] == 4
    assert list(page["priors"]) == ["prior", "prior.prior", "prior.prior.prior"]
    assert page["priors"]["prior.prior.prior"] == {"dim": 2, "sizes": {"code": 2}}
    model = load_run(fitted, registry)
    again = load_run(model.export(tmp_path / "away"), registry)
    for one in (again, load_run(fitted, registry, checkpoint="last")):
        assert torch.equal(model.sample(5), one.sample(5))


def test_a_run_goes_on_with_the_prior_that_was_fitted(fitted: Path, tmp_path: Path) -> None:
    shutil.copytree(fitted.parent, tmp_path / "more")
    options: dict[str, Any] = {"registry": registry_of(*KINDS), "track": False}
    Experiment.resume(tmp_path / "more", ["training.iterations=30"], **options).run()
    first, second = (load_run(run, REGISTRY).modules["prior"].state_dict() for run in (fitted, tmp_path / "more"))
    assert torch.equal(first["prior.prior.items"], second["prior.prior.items"])


def test_a_model_of_format_3_is_read(tmp_path: Path) -> None:
    _experiment(tmp_path).run()
    stored = next(tmp_path.rglob("seed-3")) / "model"
    before = load_run(stored.parent).sample(5)
    page = json.loads((stored / "model.json").read_text())
    del page["digest"]
    old = {**page, "format": 3, "prior": page.pop("priors")["prior"]}
    (stored / "model.json").write_text(json.dumps({key: value for key, value in old.items() if key != "priors"}))
    assert torch.equal(load_run(stored.parent).sample(5), before)


def test_a_page_without_the_prior_is_damaged(tmp_path: Path) -> None:
    _experiment(tmp_path).run()
    stored = next(tmp_path.rglob("seed-3")) / "model"
    page = json.loads((stored / "model.json").read_text())
    del page["digest"]
    (stored / "model.json").write_text(json.dumps({**page, "priors": {}}))
    with pytest.raises(ModelError, match=r"model\.json is damaged \(Value error, priors: prior is missing\)"):
        load_run(stored.parent)


def test_a_network_around_a_network_owns_it_once() -> None:
    inner, x = Mlp([(2,)], (1,), (4,)), torch.randn(5, 2)
    network = Around(Trunk(inner), Scaled(inner, 3.0))
    assert torch.equal(network(x), 3 * inner(x))
    assert torch.equal(Around(Trunk(inner))(x), inner(x))
    assert network.feature_dim == 4
    assert list(network.state_dict()) == [f"trunk.network.{name}" for name in inner.state_dict()]
    assert torch.equal(deepcopy(network)(x), network(x))
