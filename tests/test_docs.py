"""Blocks of the pages run as they stand, tables follow the sources, and the site is built without a warning."""

import ast
import dataclasses
import html
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from pydantic import BaseModel

import allmodes
import pages
from allmodes import Evaluation, Key, testing
from allmodes.cli import console
from allmodes.game.step import Step
from allmodes.metrics import transport
from allmodes.registry.hookspecs import Observers, Providers
from allmodes_schemas import (
    AdamConfig,
    CheckpointsConfig,
    DiscriminatorOptions,
    EarlyStoppingConfig,
    EmaConfig,
    EvaluationConfig,
    Need,
    PlayerConfig,
    Ramp,
    RewindConfig,
    SgdConfig,
    Spec,
    TrainingConfig,
    TurnConfig,
)
from fixtures.distributions import first_party
from one_process import in_one_process

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("plugins/*/README.md")), *sorted(DOCS.rglob("*.md"))]
BLOCKS = (
    *(AdamConfig, CheckpointsConfig, DiscriminatorOptions, EmaConfig, EvaluationConfig, PlayerConfig, Ramp),
    *(SgdConfig, Spec, TrainingConfig, TurnConfig, EarlyStoppingConfig, RewindConfig),
)
PROVIDERS = {
    "prior": "allmodes_latent_priors",
    "auxiliary": "allmodes_auxiliary_networks",
    "loss": "allmodes_loss_terms",
    "sampler": "allmodes_samplers",
    "data": "allmodes_datasets",
    "network": "allmodes_networks",
    "features": "allmodes_features",
    "metric": "allmodes_metrics",
    "reference": "allmodes_references",
}
PAGES_MODULES = ("allmodes_page_", "allmodes_mymethod")
Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def store(opened_together: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """One MLflow store for all pages."""
    return f"sqlite:///{shutil.copy(opened_together[0], tmp_path_factory.mktemp('pages') / 'mlflow.db')}"


@pytest.fixture
def desk(tmp_path: Path, store: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A reader's working folder and terminal."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALLMODES_REFERENCES", "off")  # a page may switch them on
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    exact = transport.wasserstein  # no page shows its numbers, and of 2,500 points it takes most of a page's time
    monkeypatch.setattr(transport, "wasserstein", lambda x, y: exact(x[:250], y[:250]))
    monkeypatch.setattr(console.out, "width", 110)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "allmodes-mymethod"), *sys.path])  # as if installed
    modules = set(sys.modules)
    with in_one_process():
        yield tmp_path
    for name in [name for name in sys.modules if name not in modules and name.startswith(PAGES_MODULES)]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built once, without a warning."""
    for package in ("sphinx", "myst_parser", "furo", "sphinxcontrib.mermaid"):
        pytest.importorskip(package, reason="the site needs the extra: pip install -e '.[docs]'")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", str(DOCS), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_of_a_page_runs_as_it_stands(page: Path, desk: Path, capsys: Capture) -> None:
    def printed() -> str:
        out, err = capsys.readouterr()
        return out + err

    runner = pages.Runner(page, printed, pages.module_of(page))
    for block in pages.blocks_of(page):
        runner.run(block)
    assert_that_hooks_provide_what_they_return(runner.module)


def assert_that_hooks_provide_what_they_return(page: Any) -> None:
    """Compare the registry of a page with the hooks of its own module, or of the plugin that it writes."""
    module = getattr(page, "allmodes_mymethod", page)
    returned = {slot: vars(module)[hook]() for slot, hook in PROVIDERS.items() if hook in vars(module)}
    if returned:
        kinds = [(slot, kind) for slot, kind in page.registry.all_kinds() if kind.plugin.name in ("acme", "mymethod")]
        provided = {slot: [kind.config for word, kind in kinds if word == slot] for slot, _ in kinds}
        assert provided == {slot: list(configs) for slot, configs in returned.items()}


def test_few_blocks_are_left_out_and_each_has_a_reason() -> None:
    """Commands of results train for hours; elsewhere most blocks run."""
    assert all(len(why.split()) >= 2 for page in PAGES for why in pages.reasons(page).values())
    others = [page for page in PAGES if page.parent.name != "results"]
    left_out = [(page.name, line) for page in others for line in pages.reasons(page)]
    blocks = [block for page in others for block in pages.blocks_of(page) if block.language not in pages.SHOWN_ONLY]
    assert len(left_out) < len(blocks) / 4


def test_output_that_differs_from_the_page_fails(desk: Path, capsys: Capture) -> None:
    page = desk / "page.md"
    page.write_text("```console\n$ allmodes --version\n1.2.3 of the host\n```\n")
    runner = pages.Runner(page, lambda: "".join(capsys.readouterr()), pages.module_of(page))
    with pytest.raises(AssertionError, match=re.escape("no '1.2.3 of the host' in page.md: $ allmodes --version")):
        runner.run(*pages.blocks_of(page))


# What plugins are given


def cells(page: str, heading: str) -> list[str]:
    """The names in the first cells of the tables under a heading."""
    text = (DOCS / page).read_text("utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [name for cell in re.findall(r"^\| (`.*?) \|", text, re.MULTILINE) for name in re.findall("`(.*?)`", cell)]


def test_the_pages_name_every_need_and_every_field_of_an_evaluation_and_of_a_key() -> None:
    assert cells("hooks.md", "What a config needs") == list(get_args(get_type_hints(Need)["slot"]))
    named = [name.partition("(")[0] for name in cells("write-a-plugin.md", "A metric")]
    assert {field.name for field in dataclasses.fields(Evaluation)} <= set(named)
    assert [field.name for field in dataclasses.fields(Key)] == [name for name in named if hasattr(Key, name)]


# The first screen


def test_the_table_of_methods_names_recipes_of_every_plugin_that_exist() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| .* \| (20\d\d) \| \[.*\]\(https://arxiv.org/abs/\S+\) \| `(.*)` \|$", text, re.MULTILINE)
    recipes = first_party().recipes
    assert len(rows) == 30
    assert [name for _, name in rows if name not in recipes] == []
    assert [year for year, _ in rows] == sorted(year for year, _ in rows)
    families = re.findall(r"\w+(?=/(?:ring-)?\*)", text)
    named = {name.partition("/")[0] for name in (*(name for _, name in rows), *families)}
    assert named == {name.partition("/")[0] for name in recipes}


# The rooms


def rooms() -> list[str]:
    """A row for each room of the core: its floor, and the first paragraph of its docstring."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract.get("containers") == ["allmodes"])
    rows = []
    for floor, layer in enumerate(reversed(layers), 1):
        for room in layer.split(" | "):
            tree = ast.parse((ROOT / f"core/allmodes/{room}/__init__.py").read_text("utf-8"))
            duty = " ".join((ast.get_docstring(tree) or "").partition("\n\n")[0].split())
            rows.append(f"| {floor} | `{room}` | {duty} |")
    return rows


def test_the_page_of_the_architecture_has_every_room_with_its_floor_and_duty() -> None:
    text = (DOCS / "architecture.md").read_text("utf-8")
    assert sorted(re.findall(r"^\| \d+ \| `.*\|$", text, re.MULTILINE)) == sorted(rooms())


def test_the_page_of_the_architecture_names_every_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    table = (DOCS / "architecture.md").read_text("utf-8").partition("\n## Dependencies")[2].lower()
    named = {name for row in re.findall(r"^\| ([^|]*) \|", table, re.MULTILINE) for name in re.findall(r"[\w.-]+", row)}
    assert {re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in project["dependencies"]} - named == set()


def test_the_files_that_the_page_of_the_architecture_names_exist() -> None:
    text = (DOCS / "architecture.md").read_text("utf-8")
    files = re.findall(r"`(?:core/|allmodes/)*(\w+/[\w/]*\w\.py)`", text)
    assert len(files) > 12
    assert [
        file for file in files if not any((ROOT / folder / file).is_file() for folder in ("core/allmodes", "."))
    ] == []


# The reference of specs


def test_the_reference_names_every_kind_and_every_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(DOCS))
    import reference

    text = reference.text(first_party())
    assert set(re.findall("^### `(.*)`$", text, re.MULTILINE)) == {kind.name for _, kind in first_party().all_kinds()}
    rows = set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))
    assert {name for model in (Spec, *reference.BLOCKS) for name in model.model_fields if name != "kind"} <= rows


def test_the_site_has_the_reference(site: Path) -> None:
    page = html.unescape(re.sub("<[^>]+>", "", (site / "spec.html").read_text("utf-8")))
    assert [kind.name for _, kind in first_party().all_kinds() if f"\n{kind.name}\u00b6" not in page] == []


def test_every_option_of_every_kind_and_block_is_described() -> None:
    models: list[type[BaseModel]] = [*BLOCKS, *(kind.config for _, kind in first_party().all_kinds())]
    bare = [
        f"{model.__name__}.{name}"
        for model in models
        for name, field in model.model_fields.items()
        if name != "kind" and not field.description
    ]
    assert bare == []
    assert [kind.name for _, kind in first_party().all_kinds() if not kind.config.summary().endswith((".", ")."))] == []


# Messages


def messages() -> list[str]:
    """The messages of the page: the first cell of each row."""
    text = (DOCS / "troubleshooting.md").read_text("utf-8")
    return re.findall(r"^\| `+ ?(.*?) ?`+ \|", text, re.MULTILINE)


def texts() -> str:
    """Every text in the sources, an f-string in pieces."""
    trees = [
        ast.parse(path.read_text("utf-8")) for folder in ("core", "schemas") for path in ROOT.glob(f"{folder}/**/*.py")
    ]
    nodes = (node for tree in trees for node in ast.walk(tree))
    return "\n".join(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))


def test_the_messages_of_the_troubleshooting_page_are_those_of_the_program() -> None:
    known = texts()
    pieces = [(message, piece) for message in messages() for piece in re.split(r"<[^<>]*>", message)]
    assert len(messages()) > 40
    assert [message for message, piece in pieces if len(piece.split()) > 1 and piece.strip(" :") not in known] == []


# The site


def anchors(page: Path) -> set[str]:
    """The places of a page that links can lead to."""
    return set(re.findall(r' id="([^"]+)"', page.read_text("utf-8")))


def test_the_site_documents_the_door_the_step_the_hooks_and_the_contracts(site: Path) -> None:
    step = {f"allmodes.Step.{name}" for name in vars(Step) if not name.startswith("_")}
    assert ({f"allmodes.{name}" for name in allmodes.__all__} | step) - anchors(site / "api.html") == set()
    hooks = {
        f"{group.__qualname__}.{name}" for group in (Providers, Observers) for name in vars(group) if name[0] != "_"
    }
    assert {f"allmodes.registry.hookspecs.{name}" for name in hooks} - anchors(site / "hooks.html") == set()
    assert {f"allmodes.testing.{name}" for name in testing.__all__} - anchors(site / "testing.html") == set()


def test_every_page_is_on_the_site_which_is_built_without_a_warning(site: Path) -> None:
    assert all((site / page.relative_to(DOCS).with_suffix(".html")).is_file() for page in DOCS.rglob("*.md"))
