"""Specs: every mistake is one clear line with its place, and what was checked can be stored and read again."""

import copy
import json
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allmodes.builtin.config.networks import MlpConfig
from allmodes.builtin.config.priors import GaussianConfig
from allmodes.registry.registry import Registry
from allmodes.specs import loading
from allmodes.specs.loading import SpecError
from allmodes_schemas import Spec
from allmodes_veegan import ReconstructorConfig
from fixtures.distributions import first_party

ROOT = Path(__file__).parents[1]
FILE = ROOT / "tests" / "fixtures" / "spec.yaml"
REGISTRY = first_party("veegan")
MODEL = loading.spec_model(REGISTRY)
VALID: Mapping[str, Any] = loading.plain(loading.read(FILE.read_text(), "valid").tree)
KEYS = (
    "schema_version, name, description, label, data, prior, generator, discriminator, auxiliaries, streams, losses, "
    "sampler, training, evaluation, seeds, plugins, large"
)
RAMP = "a mapping with the keys start, end, over, begin, shape"

Write = Callable[[str], str]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes text to `spec.yaml` in the current folder and returns that name."""
    monkeypatch.chdir(tmp_path)

    def to_file(text: str) -> str:
        Path("spec.yaml").write_text(text, "utf-8")
        return "spec.yaml"

    return to_file


def complaint(act: Callable[[], object]) -> str:
    with pytest.raises(SpecError) as raised:
        act()
    return str(raised.value)


def about(path: str, value: Any) -> str:
    """Return the message about the valid spec with another value at a dotted path."""
    changed = copy.deepcopy(dict(VALID))
    *parents, last = [int(key) if key.isdecimal() else key for key in path.split(".")]
    node: Any = changed
    for key in parents:
        node = node[key]
    node[last] = value
    return complaint(lambda: loading.parse(changed, REGISTRY)).removeprefix("spec: ")


def on_line(line: str, replacement: str, write: Write) -> str:
    """Return the message about the file with one line replaced."""
    text = FILE.read_text()
    assert line in text
    return complaint(lambda: loading.load(write(text.replace(line, replacement)), REGISTRY))


def overridden(*overrides: str) -> str:
    return complaint(lambda: loading.load(str(FILE), REGISTRY, overrides))


# What is right


def test_the_valid_spec_is_valid() -> None:
    spec = loading.load(str(FILE), REGISTRY)
    assert spec.name == "valid"
    assert [term.kind for term in spec.losses] == ["veegan.game", "veegan.code_reconstruction", "r1"]


@pytest.mark.parametrize("recipe", sorted(REGISTRY.recipes))
def test_a_recipe_that_is_written_and_read_again_is_equal(recipe: str) -> None:
    spec = loading.load(recipe, REGISTRY)
    again = loading.check(loading.read(loading.dump(spec), "stored"), REGISTRY)
    assert again.model_dump() == spec.model_dump()


def test_a_stored_spec_has_every_default() -> None:
    stored = loading.read(loading.dump(loading.load(str(FILE), REGISTRY)), "stored").tree
    assert stored["auxiliaries"]["reconstructor"]["code_noise"] == 1.0
    assert stored["training"]["optimizer"]["eps"] == 1e-8
    assert stored["evaluation"]["metrics"][1] == {"kind": "wasserstein", "every": None, "samples": 2500}
    assert next(iter(stored["discriminator"])) == "kind"
    assert stored["discriminator"]["pack"] == 1


def test_a_spec_may_be_json(write: Write) -> None:
    text = json.dumps(VALID, indent="\t")
    assert loading.load(write(text), REGISTRY).model_dump() == loading.load(str(FILE), REGISTRY).model_dump()
    assert complaint(lambda: loading.load(write(text.replace('"dim"', '"dimm"')), REGISTRY)) == (
        "spec.yaml:8:3: prior.dimm: unknown key (did you mean 'dim'?)"
    )


def test_a_byte_order_mark_is_ignored(write: Write) -> None:
    assert loading.load(write("\ufeff" + FILE.read_text()), REGISTRY).name == "valid"


def test_a_metric_may_be_a_bare_word_or_a_mapping() -> None:
    metrics = loading.load(
        str(FILE), REGISTRY, ["evaluation.metrics=[modes, {kind: wasserstein, samples: 9}]"]
    ).evaluation.metrics
    assert [metric.model_dump() for metric in metrics] == [
        {"kind": "modes", "every": None},
        {"kind": "wasserstein", "every": None, "samples": 9},
    ]


def test_config_objects_may_stand_in_their_places() -> None:
    network = MlpConfig(hidden=(7,))
    values = {
        **VALID,
        "prior": GaussianConfig(dim=4),
        "discriminator": {"kind": "mlp", "joint": "reconstructor"},
        "auxiliaries": {"reconstructor": ReconstructorConfig(network=network)},
        "generator": network,
    }
    spec = loading.parse(values, REGISTRY)
    assert spec.prior.model_dump() == GaussianConfig(dim=4).model_dump()
    assert spec.auxiliaries["reconstructor"].model_dump()["network"]["hidden"] == (7,)
    assert loading.parse(spec.model_dump(), REGISTRY).model_dump() == spec.model_dump()


def test_a_config_object_in_the_wrong_place_is_an_error() -> None:
    assert about("prior", MlpConfig()) == (
        "prior.kind: no installed plugin provides prior 'mlp' (it is for network). Installed: gaussian, uniform"
    )


def test_a_spec_is_found_by_the_folder_of_its_run(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(FILE.read_text())
    assert loading.load(str(tmp_path), REGISTRY).name == "valid"


def test_a_warning_names_its_place_and_the_spec_is_valid(write: Write) -> None:
    line = "discriminator: {kind: mlp, hidden: [8], joint: reconstructor}"
    text = FILE.read_text().replace(line, line.replace("hidden: [8]", "hidden: [8], batch_norm: true"))
    with pytest.warns(UserWarning, match="BatchNorm") as warned:
        loading.load(write(text), REGISTRY)
    assert [str(w.message) for w in warned] == [
        "spec.yaml:6:1: discriminator: r1 takes gradients item by item, but BatchNorm in the discriminator mixes the "
        "items of a batch: switch it off",
        "spec.yaml:17:43: training.optimizers.discriminator.lr: the rate is 0 from iteration 10 on: the 10 iterations "
        "after it train nothing by it",
    ]


# Files


def test_an_unknown_key_error_has_the_place_and_a_near_miss(write: Write) -> None:
    assert on_line("hidden: [6, 6]}", "hiden: [6, 6]}", write) == (
        "spec.yaml:5:24: generator.hiden: unknown key (did you mean 'hidden'?)"
    )


def test_an_unknown_key_error_without_a_near_miss_lists_the_keys(write: Write) -> None:
    assert on_line("dim: 4}", "dim: 4, width: 1}", write) == (
        "spec.yaml:4:33: prior.width: unknown key (the keys here are kind, dim, nuisance_dim, std)"
    )


def test_a_missing_key_error_has_the_place_of_the_block(write: Write) -> None:
    assert on_line("prior: {kind: gaussian, dim: 4}", "prior: {dim: 4}", write) == (
        "spec.yaml:4:1: prior: kind is missing: set the kind of prior, such as {kind: gaussian}"
    )
    assert on_line("data: {kind: grid}", "", write) == "spec.yaml:1:1: data: is missing"


def test_all_errors_are_reported_at_once(write: Write) -> None:
    assert on_line("dim: 4}", "dim: 0, sdt: 1}\nsedes: [1]", write).splitlines() == [
        "spec.yaml:4:25: prior.dim: should be greater than or equal to 1, got 0",
        "spec.yaml:4:33: prior.sdt: unknown key (did you mean 'std'?)",
        "spec.yaml:5:1: sedes: unknown key (did you mean 'seeds'?)",
    ]


def test_a_duplicate_key_error_has_the_place(write: Write) -> None:
    assert on_line("name: valid", "name: valid\nname: other", write) == (
        "spec.yaml:3:1: the key 'name' stands in line 2 already: keep one of them"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: [", "spec.yaml:1:7: this [ is opened and never closed: add ]"),
        ("name: a: b", "spec.yaml:1:8: a value with a colon and a blank needs quotes: name: 'a: b'"),
        (
            "name:\n\t- b",
            "spec.yaml:2:1: the line is indented by a tab, which YAML does not allow: write two blanks for each",
        ),
        ("name: *x", "spec.yaml:1:7: nothing above is marked &x; a text that begins with * needs quotes: '*x'"),
        (
            "name: a\n---\nname: b",
            "spec.yaml:2:1: --- begins a second document, but a spec is one: remove the line, or write two files",
        ),
        ("name: \x00", "spec.yaml:1:7: the invisible character U+0000 stands here: remove it"),
        ("name: " + "[" * 1000, "spec.yaml: nested too deeply"),
        ("", f"spec.yaml: a spec is a mapping with the keys {KEYS}"),
        ("- name: a", f"spec.yaml: a spec is a mapping with the keys {KEYS}"),
        ("just words", f"spec.yaml: a spec is a mapping with the keys {KEYS}"),
    ],
)
def test_a_file_that_is_not_a_spec_is_refused(write: Write, text: str, message: str) -> None:
    assert complaint(lambda: loading.load(write(text), REGISTRY)) == message


def test_a_tag_in_a_file_is_refused_and_runs_nothing(write: Write, tmp_path: Path) -> None:
    call = "!!python/object/apply:os.system ['touch ran']"
    assert on_line("name: valid", f"name: {call}", write) == (
        "spec.yaml:2:7: tags such as !!python/object/apply:os.system are not allowed: remove it"
    )
    complaint(lambda: loading.load(write(call), REGISTRY))
    complaint(lambda: loading.load(write(FILE.read_text()), REGISTRY, [f"name={call}"]))
    assert not (tmp_path / "ran").exists()


def test_a_file_that_is_not_text_is_refused(write: Write, tmp_path: Path) -> None:
    file = Path(write(""))
    messages = []
    for content in (b"\xff\xfe\xff", "name: a\ndescription: Zürich\n".encode("latin-1"), "a: é\n".encode("utf-16")):
        file.write_bytes(content)
        messages.append(complaint(lambda: loading.load("spec.yaml", REGISTRY)))
    in_utf_16 = "spec.yaml: this is text in UTF-16: save it as UTF-8"
    place = "spec.yaml:2:15"
    assert messages == [in_utf_16, f"{place}: the byte 0xfc is not text in UTF-8: save the file as UTF-8", in_utf_16]


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    assert complaint(lambda: loading.load(str(tmp_path), REGISTRY)) == (
        f"{tmp_path}: not the folder of a run: it has no spec.yaml"
    )


@pytest.mark.parametrize(
    ("reference", "hint"),
    [
        ("veegan/girdd", " (did you mean 'veegan/grid'?)"),
        ("veegan/gird", " (did you mean 'veegan/grid'?)"),
        ("nowhere", ": `allmodes recipes` lists them"),
    ],
)
def test_an_unknown_reference_error_has_a_near_miss(reference: str, hint: str) -> None:
    message = complaint(lambda: loading.load(reference, REGISTRY))
    assert message == f"{reference}: neither a file, a run's folder nor a recipe{hint}"


# Values


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("prior", 3, "prior: should be a mapping with the kind of prior, such as {kind: gaussian}, got 3"),
        ("prior", None, "prior: should be a mapping with the kind of prior, such as {kind: gaussian}, got None"),
        ("prior.kind", 3, "prior.kind: should be a word, got 3"),
        ("prior.kind", [1], "prior.kind: should be a word, got [1]"),
        (
            "prior.kind",
            "gausian",
            "prior.kind: no installed plugin provides prior 'gausian' (did you mean 'gaussian'?). "
            "Installed: gaussian, uniform",
        ),
        (
            "prior.kind",
            "foo.bar",
            "prior.kind: no installed plugin provides prior 'foo.bar': pip install allmodes-foo. "
            "Installed: gaussian, uniform",
        ),
        (
            "auxiliaries.reconstructor.network.kind",
            "mpl",
            "auxiliaries.reconstructor.network.kind: no installed plugin provides network 'mpl' (did you mean 'mlp'?). "
            "Installed: dcgan, mlp",
        ),
        (
            "auxiliaries.reconstructor.network.hiden",
            [3],
            "auxiliaries.reconstructor.network.hiden: unknown key (did you mean 'hidden'?)",
        ),
        (
            "auxiliaries.reconstructor.network.hidden.0",
            0,
            "auxiliaries.reconstructor.network.hidden.0: should be greater than or equal to 1, got 0",
        ),
        ("auxiliaries", [], "auxiliaries: should be a mapping, got []"),
        ("losses", {}, "losses: should be a list, got {}"),
        ("losses", [], "losses: has 0 entries, but needs at least 1"),
        (
            "losses.0",
            "r1",
            "losses.0: should be a mapping with the kind of loss, such as {kind: gradient_penalty}, got 'r1'",
        ),
        ("prior.dim", 1.5, "prior.dim: should be a whole number, got 1.5"),
        ("prior.dim", "many", "prior.dim: should be a whole number, got 'many'"),
        ("prior.dim", [], "prior.dim: should be a whole number, got []"),
        ("prior.dim", 10**400, "prior.dim: is too large a number: whole numbers have at most 63 bits"),
        ("prior.std", -(2**64), "prior.std: is too large a number: whole numbers have at most 63 bits"),
        ("prior.std", float("nan"), "prior.std: should be a finite number, got nan"),
        ("prior.std", float("inf"), "prior.std: should be a finite number, got inf"),
        ("training.optimizer.eps", float("inf"), "training.optimizer.eps: should be a finite number, got inf"),
        ("losses.0.weight.over", 0, "losses.0.weight.over: should be greater than or equal to 1, got 0"),
        ("losses.0.weight.ovr", 3, "losses.0.weight.ovr: unknown key (did you mean 'over'?)"),
        ("losses.0.weight.start", "x", "losses.0.weight.start: should be a number, got 'x'"),
        ("losses.0.weight", "heavy", f"losses.0.weight: should be a number or {RAMP}, got 'heavy'"),
        ("losses.0.weight", [], f"losses.0.weight: should be a number or {RAMP}, got []"),
        (
            "losses.0.weight",
            {"start": 0, "end": 1, "over": 5, "shape": "exponential"},
            "losses.0.weight: an exponential ramp needs start and end of the same sign, neither of them 0",
        ),
        ("training.optimizer.lr", -1, f"training.optimizer.lr: should be greater than 0 or {RAMP}, got -1"),
        (
            "training.optimizer.lr",
            {"start": -1, "end": 0, "over": 5},
            "training.optimizer.lr: start and end should be at least 0",
        ),
        (
            "training.ema",
            {"decay": {"start": 0, "end": 1, "over": 5}},
            "training.ema.decay: start and end should be at least 0 and less than 1",
        ),
        ("training.optimizer.betas.1", 1, f"training.optimizer.betas.1: should be less than 1 or {RAMP}, got 1"),
        ("training.optimizer.betas", [0.5], "training.optimizer.betas.1: is missing"),
        (
            "training.optimizer.kind",
            "adan",
            "training.optimizer.kind: should be 'adam', 'sgd', got 'adan' (did you mean 'adam'?)",
        ),
        ("training.optimizer", {"lr": 1}, "training.optimizer: kind is missing"),
        (
            "training.optimizer",
            3,
            "training.optimizer: should be a mapping with the keys kind, lr, betas, eps, momentum, got 3",
        ),
        (
            "training.schedule",
            "simultanous",
            "training.schedule: should be 'alternating' or 'simultaneous' or a list, got 'simultanous' "
            "(did you mean 'simultaneous'?)",
        ),
        (
            "training.schedule",
            [{"player": "generator", "tims": 2}],
            "training.schedule.0.tims: unknown key (did you mean 'times'?)",
        ),
        ("training.schedule", [{"player": 3}], "training.schedule.0.player: should be text or a list, got 3"),
        ("training.schedule", [{"player": []}], "training.schedule.0.player: has 0 entries, but needs at least 1"),
        (
            "evaluation",
            3,
            "evaluation: should be a mapping with the keys every, samples, metrics, references, collapse, figure, "
            "figure_every, got 3",
        ),
        (
            "evaluation.metrics",
            ["mods"],
            "evaluation.metrics.0: no installed plugin provides metric 'mods' (did you mean 'modes'?). "
            "Installed: class_coverage, clipped_density_coverage, clustering, conditional, density_coverage, "
            "diversity_gap, fid, ivom, kid, memorisation, modes, ndb, precision_recall, rke, share, "
            "sliced_wasserstein, stacked_mnist, vendi, wasserstein",
        ),
        (
            "evaluation.metrics",
            [3],
            "evaluation.metrics.0: should be a mapping with the kind of metric, such as {kind: class_coverage}, got 3",
        ),
        ("evaluation.figure", "perhaps", "evaluation.figure: should be true or false, got 'perhaps'"),
        ("schema_version", 2, "schema_version: should be 1, got 2"),
        (
            "name",
            "a b",
            "name: should be a name of letters, digits, dots, dashes and underscores, and not of dots alone, got 'a b'",
        ),
        ("name", 3, "name: should be text, got 3"),
        ("seeds", "0-4", "seeds: should be a list, got '0-4'"),
        ("seeds", [-1], "seeds.0: should be greater than or equal to 0, got -1"),
        (
            "data",
            {"kind": "mixture", "means": [[0], [1, 2]]},
            "data.means: means have 1 to 2 coordinates: give all the same number",
        ),
        ("data", {"kind": "mixture", "means": [[0]], "std": "x"}, "data.std: should be a number or a list, got 'x'"),
        ("plugins", "allmodes", "plugins: should be a list, got 'allmodes'"),
        ("plugins", [3], "plugins.0: should be text, got 3"),
        ("plugins", ["??"], "plugins.0: '??' is not a valid requirement such as allmodes-acme>=0.1"),
        (
            "plugins",
            ["allmodes-nowhere>=1"],
            "plugins.0: allmodes-nowhere>=1 is not installed: pip install 'allmodes-nowhere>=1'",
        ),
    ],
)
def test_an_invalid_value_error_is_one_line_with_what_is_expected(path: str, value: Any, message: str) -> None:
    assert about(path, value) == message


def test_an_unmet_requirement_error_names_both_versions() -> None:
    assert loading.parse({**VALID, "plugins": ["allmodes>=0.0.1", "allmodes-veegan"]}, REGISTRY).plugins
    from importlib.metadata import version

    have = version("allmodes")
    assert about("plugins", ["allmodes>=99"]) == (
        f"plugins.0: allmodes {have} is installed, but the spec asks for allmodes>=99: pip install 'allmodes>=99'"
    )


def test_requirements_are_checked_before_kinds() -> None:
    message = complaint(
        lambda: loading.parse({**VALID, "plugins": ["allmodes-nowhere"], "prior": {"kind": "nowhere.x"}}, REGISTRY)
    )
    assert message == "spec: plugins.0: allmodes-nowhere is not installed: pip install 'allmodes-nowhere'"


def test_a_slot_without_installed_kinds_is_refused() -> None:
    assert complaint(lambda: loading.parse(VALID, Registry())).splitlines()[0] == (
        "spec: data.kind: no installed plugin provides data 'grid'. Installed: none"
    )


@pytest.mark.parametrize("values", [[], None, 3, "words", {1: 2}, {"name": {}}])
def test_values_that_are_not_a_spec_raise_a_spec_error(values: Any) -> None:
    assert complaint(lambda: loading.parse(values, REGISTRY))


def test_a_mapping_that_contains_itself_is_refused() -> None:
    values: dict[str, Any] = dict(VALID)
    values["prior"] = values
    assert complaint(lambda: loading.parse(values, REGISTRY)) == "spec: nested too deeply"


# Overrides


def test_overrides_reach_any_depth_and_create_missing_mappings() -> None:
    overrides = ["training.iterations=7", "losses.1.weight=2", "generator.hidden.0=9", "training.ema.decay=0.5"]
    spec = loading.load(str(FILE), REGISTRY, [*overrides, "prior={kind: uniform, dim: 3}", "description=a=b"])
    assert spec.training.iterations == 7
    assert spec.losses[1].weight == 2.0
    assert spec.generator.model_dump()["hidden"] == (9, 6)
    assert spec.training.ema is not None
    assert spec.training.ema.decay == 0.5
    assert spec.prior.kind == "uniform"
    assert spec.description == "a=b"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.iterations", "--set training.iterations: write it as key.subkey=value"),
        ("=3", "--set =3: write it as key.subkey=value"),
        ("losses.9.weight=2", "--set losses.9.weight=2: there is no losses.9.weight to set"),
        ("losses.9=2", "--set losses.9=2: there is no losses.9 to set"),
        ("losses.last=2", "--set losses.last=2: there is no losses.last to set"),
        ("name.first=2", "--set name.first=2: there is no name.first to set"),
        ("name=[", "--set name=[: this [ is opened and never closed: add ]"),
        (
            "tracking.experiment=mine",
            "--set: tracking: is no key of a spec, which says nothing of where runs are logged: set the environment "
            "variables MLFLOW_TRACKING_URI and MLFLOW_EXPERIMENT_NAME, or log nothing with --no-tracking",
        ),
        ("training.iteratons=3", "--set: training.iteratons: unknown key (did you mean 'iterations'?)"),
        ("training.iterations=0", "--set: training.iterations: should be greater than or equal to 1, got 0"),
        ("prior={kind: gaussian, dimm: 1}", "--set: prior.dimm: unknown key (did you mean 'dim'?)"),
        (
            "discriminator.pack=3",
            "--set: discriminator.pack: pack 3 does not divide training.batch_size 8: set that to 6 or 9",
        ),
        (
            "plugins=[allmodes-nowhere]",
            "--set: plugins.0: allmodes-nowhere is not installed: pip install 'allmodes-nowhere'",
        ),
    ],
)
def test_an_invalid_override_error_names_the_option(override: str, message: str) -> None:
    assert overridden(override) == message


def test_an_override_does_not_hide_the_place_of_other_errors(write: Write) -> None:
    path = write(FILE.read_text().replace("dim: 4", "dim: 0"))
    assert complaint(lambda: loading.load(path, REGISTRY, ["training.iterations=0"])).splitlines() == [
        "spec.yaml:4:25: prior.dim: should be greater than or equal to 1, got 0",
        "--set: training.iterations: should be greater than or equal to 1, got 0",
    ]


# Anything

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([0, -1, 10**30, 10**400, 1e308])
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["gaussian", "veegan.game", "mlp", "dcgan", "digits", "wasserstein", "prior", "generator"])
)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.just("kind"), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [place for key, inner in entries for place in ((*path, key), *places(inner, (*path, key)))]


def mutate(values: Any, data: st.DataObject) -> None:
    *parents, last = data.draw(st.sampled_from(places(values)))
    node = values
    for key in parents:
        node = node[key]
    match data.draw(st.sampled_from(["delete", "rename", "replace"])):
        case "delete":
            del node[last]
        case "rename" if isinstance(node, dict):
            node[data.draw(st.text(max_size=8) | st.integers() | st.just("kind"))] = node.pop(last)
        case _:
            node[last] = data.draw(JSON)


def attempt(values: Mapping[str, Any]) -> Spec | list[str]:
    """The spec, or the lines that refuse it."""
    try:
        return loading.parse(values, REGISTRY)
    except SpecError as error:
        return str(error).split("\n")


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_spec_changed_at_random_is_refused_in_words_or_equal_once_stored(data: st.DataObject) -> None:
    values = copy.deepcopy(dict(VALID))
    for _ in range(data.draw(st.integers(1, 3))):
        mutate(values, data)
    with patch.object(loading, "spec_model", lambda _: MODEL), warnings.catch_warnings(action="ignore"):
        found = attempt(values)
        if isinstance(found, Spec):
            again = loading.check(loading.read(loading.dump(found), "stored"), REGISTRY)
            assert again.model_dump() == found.model_dump()
        else:
            assert all(line.strip() for line in found)


# A spec that is compared with no other

FIRST_PARTY = first_party()
ALONE = """
import sys
from allmodes.specs import loading, union
made, narrow = set(), union._narrow
union._narrow = lambda config, slots: made.add(config) or narrow(config, slots)
loading.load_alone("veegan/grid")
print(*sorted(config.kind_name() for config in made if "kind" in config.model_fields))
print(*sorted(name for name in sys.modules if name.startswith("allmodes_") and "." not in name))
"""


def test_a_spec_alone_builds_the_kinds_and_loads_the_plugins_that_it_names() -> None:
    told = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, check=True).stdout
    kinds = "bootstrap copy em gaussian grid mlp modes veegan.code_reconstruction veegan.game veegan.reconstructor "
    kinds += "wasserstein wasserstein"  # a loss and a metric
    assert told.splitlines() == [kinds, "allmodes_schemas allmodes_veegan"]


@pytest.mark.parametrize("recipe", sorted(FIRST_PARTY.recipes))
def test_a_spec_alone_is_what_it_is_beside_others(recipe: str) -> None:
    with warnings.catch_warnings(record=True) as alone:
        warnings.simplefilter("always")
        spec = loading.load_alone(recipe)
    with warnings.catch_warnings(record=True) as beside:
        warnings.simplefilter("always")
        other = loading.load(recipe, FIRST_PARTY)
    assert loading.dump(spec) == loading.dump(other)
    assert type(spec) is not type(other)
    assert [str(warning.message) for warning in alone] == [str(warning.message) for warning in beside]


@pytest.mark.parametrize("change", ["prior.kind=gausian", "prior.dimension=x", "a=1", "prior={kind: baselines.mode}"])
def test_a_spec_alone_is_refused_in_the_same_words(change: str) -> None:
    alone = complaint(lambda: loading.load_alone("gan/ring", [change]))
    assert alone == complaint(lambda: loading.load("gan/ring", FIRST_PARTY, [change]))


# The JSON Schema


def test_the_committed_schema_is_that_of_the_first_party_kinds() -> None:
    """After a change: write `json.dumps(specs.schema(first_party()), indent=2)` to the file."""
    committed = json.loads((ROOT / "schemas" / "allmodes.schema.json").read_text("utf-8"))
    assert committed == json.loads(json.dumps(loading.schema(first_party())))


def test_the_schema_requires_the_kind_of_every_component() -> None:
    definitions = loading.schema(REGISTRY)["$defs"]
    kinds = [d for d in definitions.values() if "kind" in d.get("properties", {})]
    assert len(kinds) > 20
    assert all("kind" in d["required"] for d in kinds)


def test_the_schema_names_the_kinds_of_each_slot_and_describes_every_field() -> None:
    schema = loading.schema(REGISTRY)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"] == "allmodes experiment"
    assert schema["properties"]["prior"]["$ref"] == "#/$defs/prior"
    assert set(schema["$defs"]["prior"]["discriminator"]["mapping"]) == {"gaussian", "uniform"}
    assert "joint" in schema["$defs"]["MlpConfigOfDiscriminator"]["properties"]
    assert "joint" not in schema["$defs"]["MlpConfig"]["properties"]
    for field in schema["properties"].values():
        definition = schema["$defs"][field["$ref"].rpartition("/")[2]] if "$ref" in field else {}
        assert "description" in field | definition


def test_the_schema_accepts_the_recipes_and_refuses_what_the_program_refuses() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(loading.schema(REGISTRY))
    for name, path in REGISTRY.recipes.items():
        assert not list(validator.iter_errors(loading.plain(loading.read(path.read_text(), name).tree))), name
    for wrong in (
        {**VALID, "prior": {"dim": 4}},
        {**VALID, "prior": {"kind": "gausian"}},
        {**VALID, "sedes": [0]},
        {**VALID, "evaluation": {"metrics": ["mods"]}},
    ):
        assert list(validator.iter_errors(wrong))


@pytest.mark.parametrize(
    ("setting", "where"),
    [
        ("training.iterations=true", "training.iterations"),
        ("training.threads=true", "training.threads"),
        ("prior.dim=true", "prior.dim"),
        ("generator.hidden=[true]", "generator.hidden"),
        ("data.std=true", "data.std"),
    ],
)
def test_true_and_false_are_refused_as_numbers(setting: str, where: str) -> None:
    with pytest.raises(SpecError, match=f"{where}.*should be a number, not yes or no"):
        loading.load("gan/ring", REGISTRY, [setting])
