"""Older words for options and kinds are read, with one warning that says where they stand and what to write."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from allmodes.registry.registry import Registry
from allmodes.registry.slots import Plugin
from allmodes.runs import journal
from allmodes.runs.run import Outcome
from allmodes.specs import loading
from allmodes_schemas import AdamConfig, EvaluationConfig, Renamed
from fixtures.distributions import first_party, module
from tiny import SPEC

ACME = """
from typing import ClassVar, Literal
from pydantic import Field
from allmodes import LossTermConfig, MetricConfig, NetworkConfig, PriorConfig, Renamed, hookimpl
from allmodes.builtin.config.networks import MlpConfig

class LineConfig(NetworkConfig):
    kind: Literal["acme.line"] = "acme.line"
    renamed = (Renamed("width", "size", since="1.1", until="2.0"),)
    size: int = 1

class BumpConfig(PriorConfig):
    kind: Literal["acme.bump"] = "acme.bump"
    renamed = (
        Renamed("acme.bell", "acme.bump", since="1.2", until="2.0"),
        Renamed("height", "elevation", since="1.3", until="3.0"),
    )
    elevation: float = 1.0
    spare: int = Field(0, deprecated="the bump has no spare any more, and acme 2 will not read it")
    network: NetworkConfig = MlpConfig()
    def parts(self):
        return {"code": 2}

class SizeConfig(MetricConfig):
    kind: Literal["acme.size"] = "acme.size"
    renamed = (Renamed("acme.girth", "acme.size", since="1.2", until="2.0"),)

@hookimpl
def allmodes_networks():
    return [LineConfig]
@hookimpl
def allmodes_latent_priors():
    return [BumpConfig]
@hookimpl
def allmodes_metrics():
    return [SizeConfig]
"""
FILE = """name: x
data: {kind: ring}
prior:
  kind: acme.bell
  height: 2.5
  spare: 1
  network: {kind: acme.line, width: 7}
generator: {kind: mlp}
discriminator: {kind: mlp}
losses: [{kind: non_saturating}]
evaluation:
  metrics:
    - acme.girth
"""


def registry(code: str = ACME) -> Registry:
    registry = first_party("veegan")
    registry.register(module(code), Plugin("acme", "allmodes-acme", "1.4"))
    return registry


def prior(values: Mapping[str, Any], **changes: Any) -> tuple[dict[str, Any], list[str]]:
    """The prior that a spec is read to have, and what is warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        spec = loading.parse({**SPEC, "prior": values, **changes}, registry())
    return spec.prior.model_dump(), [str(warning.message) for warning in caught if warning.category is UserWarning]


def test_older_names_in_a_file_are_read_with_a_warning_of_line_and_version() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        spec = loading.check(loading.read(FILE, "my.yaml"), registry())
    dumped = spec.prior.model_dump()
    assert (dumped["kind"], dumped["elevation"], dumped["network"]["size"]) == ("acme.bump", 2.5, 7)
    assert [metric.kind for metric in spec.evaluation.metrics] == ["acme.size"]
    assert [str(warning.message) for warning in caught if warning.category is UserWarning] == [
        "my.yaml:4:3: prior.kind: 'acme.bell' is called 'acme.bump' since allmodes-acme 1.2, and 2.0 will not read it: "
        "write acme.bump",
        "my.yaml:5:3: prior.height: 'height' is called 'elevation' since allmodes-acme 1.3, and 3.0 will not read it: "
        "write elevation",
        "my.yaml:6:3: prior.spare: 'spare' is deprecated: the bump has no spare any more, and acme 2 will not read it",
        "my.yaml:7:30: prior.network.width: 'width' is called 'size' since allmodes-acme 1.1, and 2.0 will not read "
        "it: write size",
        "my.yaml:13:7: evaluation.metrics.0: 'acme.girth' is called 'acme.size' since allmodes-acme 1.2, and 2.0 will "
        "not read it: write acme.size",
    ]


def test_a_spec_with_new_names_gives_no_warning_and_equals_the_older_one() -> None:
    today, message = prior({"kind": "acme.bump", "elevation": 2})
    assert message == []
    assert prior({"kind": "acme.bell", "height": 2})[0] == today


def test_an_older_and_a_newer_name_together_are_refused() -> None:
    with pytest.raises(loading.SpecError) as raised:
        prior({"kind": "acme.bump", "height": 2, "elevation": 3})
    assert str(raised.value) == (
        "spec: prior.height: 'height' is the older name of 'elevation', which is given as well: remove one"
    )


@pytest.mark.parametrize("word", ["height", "elevation"])
@pytest.mark.parametrize("change", ["height", "elevation"])
def test_an_option_is_overridden_by_either_name(word: str, change: str, tmp_path: Path) -> None:
    (file := tmp_path / "my.yaml").write_text(FILE.replace("height", word))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spec = loading.load(str(file), registry(), [f"prior.{change}=4"])
    assert spec.prior.model_dump()["elevation"] == 4


def test_overrides_with_both_names_are_refused(tmp_path: Path) -> None:
    (file := tmp_path / "my.yaml").write_text(FILE)
    with pytest.raises(loading.SpecError) as raised, pytest.warns(UserWarning, match="write acme.size"):
        loading.load(str(file), registry(), ["prior.height=4", "prior.elevation=5"])
    assert str(raised.value) == (
        "--set: prior.height: 'height' is the older name of 'elevation', which is given as well: remove one"
    )


def test_a_stored_spec_omits_deprecated_options_at_their_default() -> None:
    code = ACME.replace("size: int = 1", 'size: int = 1\n    deep: tuple[int, ...] = Field((1,), deprecated="no")')
    installed, values = registry(code), {"kind": "acme.bump", "network": {"kind": "acme.line", "size": 7}}
    stored = loading.dump(loading.parse({**SPEC, "prior": values, "generator": {"kind": "acme.line"}}, installed))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        again = loading.check(loading.read(stored, "spec.yaml"), installed)
    assert loading.plain(loading.read(stored, "spec.yaml").tree["prior"]) == {**values, "elevation": 1.0}
    assert "deep" not in stored
    assert loading.dump(again) == stored


def test_a_stored_spec_keeps_deprecated_options_that_were_set() -> None:
    with pytest.warns(UserWarning, match="'spare' is deprecated"):
        spec = loading.parse({**SPEC, "prior": {"kind": "acme.bump", "spare": 2}}, registry())
    assert "spare: 2" in loading.dump(spec)


def test_an_invalid_value_under_an_older_name_is_an_error_beside_the_warning() -> None:
    with pytest.warns(UserWarning, match="write elevation"), pytest.raises(loading.SpecError) as raised:
        loading.parse({**SPEC, "prior": {"kind": "acme.bump", "height": "high"}}, registry())
    assert str(raised.value) == "spec: prior: should be a number, got 'high'"


def test_the_caller_s_values_are_not_changed() -> None:
    values = {"kind": "acme.bell", "height": 2}
    prior(values)
    assert values == {"kind": "acme.bell", "height": 2}


@pytest.mark.parametrize(
    ("config", "new", "block", "place"),
    [
        (EvaluationConfig, "every", {"evaluation": {"pace": 5}}, "evaluation.pace"),
        (AdamConfig, "lr", {"training": {"optimizer": {"kind": "adam", "pace": 5}}}, "training.optimizer.pace"),
    ],
)
def test_blocks_of_the_core_may_have_older_names(
    config: type[Any], new: str, block: dict[str, Any], place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "renamed", (Renamed("pace", new, since="0.2", until="1.0"),))
    message = prior({"kind": "gaussian"}, **block)[1]
    assert message == [
        f"spec: {place}: 'pace' is called {new!r} since allmodes 0.2, and 1.0 will not read it: write {new}"
    ]


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("height", "lift", "acme.bump: 'height' is renamed 'lift', which is not an option of it"),
        ("spare", "elevation", "acme.bump: 'spare' is renamed 'elevation', but is still an option of it"),
        ("bell", "acme.bump", "provides 'bell', but its names must begin with 'acme.'"),
    ],
)
def test_an_invalid_renaming_is_an_error_of_the_plugin(old: str, new: str, error: str) -> None:
    wrong = ACME.replace('Renamed("height", "elevation"', f"Renamed({old!r}, {new!r}")
    assert registry(wrong).plugins["acme"].error == error


def test_the_features_once_called_pixels_and_their_numbers_are_read_by_the_name_of_today() -> None:
    values = {
        **SPEC,
        "training": {**SPEC["training"], "checkpoints": {"best": "coverage_pixels"}},
        "evaluation": {"metrics": ["density_coverage", {"kind": "fid", "features": {"kind": "pixels"}}]},
    }
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        spec = loading.parse(values, first_party())
    ends = "since allmodes 0.1, and 1.0 will not read it: write"
    assert [str(warning.message) for warning in caught] == [
        f"spec: evaluation.metrics.1.features.kind: 'pixels' is called 'items' {ends} items",
        f"spec: training.checkpoints.best: 'coverage_pixels' is called 'coverage_items' {ends} coverage_items",
    ]
    assert list(spec.evaluation.numbers()) == ["density_items", "coverage_items", "fid_items"]
    assert spec.training.best == "coverage_items"


def test_numbers_of_older_runs_are_read_by_the_name_of_today_and_those_of_others_are_left_alone() -> None:
    page = {"coverage_pixels": 0.5, "recent_fid_pixels": None, "dead_pixels": 3.0, "coverage_pixels_std": 1.0}
    outcome = Outcome("finished", 1, 1.0, results=page, floors={"kid_std_pixels": 2.0})
    assert list(outcome.results) == ["coverage_items", "recent_fid_items", "dead_pixels", "coverage_pixels_std"]
    assert list(outcome.floors) == ["kid_std_items"]
    assert list(journal.numbers({"eval/sliced_w2_pixels": 1.0})) == ["eval/sliced_w2_items"]
