"""A run says with which plugins it was made; whoever reads or resumes it is told what is missing or differs."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import allmodes
from allmodes import Experiment, SpecError, installed, load_run
from allmodes.cli import main as cli_main
from allmodes.experiments.remeasure import remeasure_all
from fixtures.distributions import Environment
from tiny import SPEC

CODE = '''
from typing import Literal
from allmodes import hookimpl
from allmodes.builtin.config.priors import GaussianConfig

class BumpConfig(GaussianConfig):
    """A bump."""
    kind: Literal["acme.bump"] = "acme.bump"

@hookimpl
def allmodes_latent_priors():
    return [BumpConfig]
'''
MISSING = "was made with allmodes-acme 1.0, which is not installed: pip install 'allmodes-acme==1.0'"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An experiment of one seed with a plugin that is uninstalled when it is over."""
    tmp_path = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as monkeypatch:
        Environment(monkeypatch, tmp_path / "site").install(CODE)
        spec = {**SPEC, "prior": {"kind": "acme.bump", "dim": 2}, "evaluation": {"samples": 16, "figure": False}}
        spec["training"] = {**SPEC["training"], "iterations": 4}
        return Experiment.from_spec(spec, folder=tmp_path / "runs", track=False).run().folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


@pytest.fixture
def newer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    Environment(monkeypatch, tmp_path / "site").install(CODE, version="2.0")
    return


def test_a_run_and_its_model_keep_the_versions_of_the_plugins_in_use(folder: Path) -> None:
    for page in ("run.json", "model/model.json"):
        plugins = json.loads((folder / "seed-3" / page).read_text())["plugins"]
        assert plugins == {"allmodes": allmodes.__version__, "allmodes-acme": "1.0"}


def test_a_model_is_not_read_without_its_plugin(folder: Path) -> None:
    with pytest.raises(SpecError) as raised:
        load_run(folder)
    assert str(raised.value) == f"{folder / 'seed-3'} {MISSING}"


@pytest.mark.parametrize("command", ["sample", "resume", "evaluate"])
def test_commands_name_the_version_of_a_missing_plugin_to_install(
    folder: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    where = folder / "seed-3" if command == "sample" else folder
    assert cli_main.execute([command, str(folder)]) == 2
    said = [line for line in capsys.readouterr().err.splitlines() if " INFO waiting for " not in line]
    assert said == [f"error: {where} {MISSING}"]


def test_a_model_of_another_version_warns_with_both_versions(folder: Path, newer: None) -> None:
    with pytest.warns(UserWarning, match=r"^this model was made with allmodes-acme 1\.0, and 2\.0 is installed$"):
        assert load_run(folder).sample(2).shape == (2, 2)


def test_resuming_with_other_versions_warns_with_both(folder: Path, newer: None) -> None:
    page = folder / "seed-3" / "run.json"
    facts = json.loads(page.read_text())
    page.write_text(json.dumps({**facts, "plugins": {**facts["plugins"], "allmodes": "0.0.1"}}))
    said: list[str] = []
    longer = Experiment.resume(folder, ["training.iterations=6"], track=False, warn=said.append)
    assert longer.run().status == "finished"
    assert sorted(said[:2]) == [
        f"tiny/seed-3 began with allmodes 0.0.1 and goes on with {allmodes.__version__}",
        "tiny/seed-3 began with allmodes-acme 1.0 and goes on with 2.0",
    ]


def test_measuring_again_with_another_version_warns_with_both(folder: Path, newer: None) -> None:
    said: list[str] = []
    remeasure_all(folder, ["evaluation.metrics=[modes]"], None, installed(), track=False, warn=said.append)
    assert said == ["tiny/seed-3 began with allmodes-acme 1.0 and goes on with 2.0"]
