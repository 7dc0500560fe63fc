"""A plugin that `allmodes new-plugin` writes is complete, is its author's by name, and passes its own tests at once."""

import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

import allmodes
from allmodes import installed
from allmodes.cli import main as cli_main
from allmodes.cli.new_plugin import supported_versions, write_plugin
from allmodes.specs import loading
from fixtures.distributions import Environment, project, with_metadata

ROOT = Path(__file__).parents[1]
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Environment:
    return Environment(monkeypatch, tmp_path / "site")


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return write_plugin("fancy", tmp_path, {})


def run_tests(folder: Path, python: str = sys.executable) -> str:
    """Run the tests of a plugin in its folder; returns their output."""
    path = os.pathsep.join([str(folder), *sys.path])
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env={**os.environ, "PYTHONPATH": path})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_new_plugin_is_a_whole_distribution_under_the_authors_name(written: Path) -> None:
    assert sorted(str(path.relative_to(written)) for path in written.rglob("*") if path.is_file()) == [
        ".github/workflows/test.yml",
        "LICENSE",
        "README.md",
        "allmodes_fancy/__init__.py",
        "allmodes_fancy/config.py",
        "allmodes_fancy/model.py",
        "allmodes_fancy/py.typed",
        "allmodes_fancy/recipes/fancy/ring.yaml",
        "pyproject.toml",
        "tests/test_fancy.py",
    ]
    assert not [path for path in written.rglob("*") if path.is_file() and "mymethod" in path.read_text("utf-8")]
    about = project(written)
    assert about["name"] == "allmodes-fancy"
    assert about["entry-points"]["allmodes"] == {"fancy": "allmodes_fancy"}
    assert about["dependencies"] == [supported_versions()]
    assert list(about["optional-dependencies"]) == ["test"]
    assert "allmodes-plugin" in about["keywords"]
    assert about["license-files"] == ["LICENSE"]
    assert "the authors of allmodes-fancy" in (written / "LICENSE").read_text("utf-8")


def test_a_new_plugin_supports_this_allmodes_and_not_the_next_major_version() -> None:
    specifier = Requirement(supported_versions()).specifier
    assert specifier.contains(allmodes.__version__, prereleases=True)
    assert not specifier.contains(f"{int(allmodes.__version__.split('.')[0]) + 1}.0")


def test_a_new_plugin_is_found_and_its_recipe_can_be_read(written: Path, environment: Environment) -> None:
    environment.see(with_metadata(written), "allmodes_fancy")
    registry = installed()
    assert registry.plugins["fancy"].error is None
    assert loading.load("fancy/ring", registry).prior.kind == "fancy.words"


def test_a_new_plugin_passes_its_own_tests(written: Path) -> None:
    output = run_tests(with_metadata(written))
    assert re.search(r"^\d+ passed", output, re.MULTILINE), output


def test_the_wheel_of_the_core_holds_the_whole_template(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, check=True, cwd=ROOT, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    packed = {name for name in ZipFile(wheel).namelist() if name.startswith("allmodes/template/")}
    template = ROOT / "core" / "allmodes" / "template"
    files = [path for path in template.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert packed == {f"allmodes/template/{path.relative_to(template)}" for path in files}


@pytest.mark.slow
def test_a_new_plugin_can_be_installed_and_is_typed(written: Path, tmp_path: Path) -> None:
    """In an environment of its own, which borrows what this one has."""
    venv.create(tmp_path / "venv", with_pip=False)
    python = str(tmp_path / "venv" / "bin" / "python")
    here = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--no-index", str(written)], check=True, env=here)
    away = Path(shutil.copytree(written / "tests", tmp_path / "away"))
    where = subprocess.run(
        [python, "-c", "import allmodes_fancy; print(allmodes_fancy.__file__)"],
        capture_output=True,
        text=True,
        env=here,
    )
    assert where.stdout.startswith(str(tmp_path / "venv"))
    assert " passed" in run_tests(away, python)
    mypy = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "mypy"), "allmodes_fancy"]
    subprocess.run(mypy, check=True, cwd=written)


# Invalid names


@pytest.mark.parametrize("name", ["", "My", "2d", "my_method", "my-method", "my method", "méthode", "../up"])
def test_an_invalid_plugin_name_is_refused(name: str, tmp_path: Path, capsys: Capture) -> None:
    assert cli_main.execute(["new-plugin", name, "--folder", str(tmp_path)]) == 2
    rule = "use lowercase letters and digits, a letter first, such as mymethod"
    assert capsys.readouterr().err == f"error: {name!r}: invalid plugin name: {rule}\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "output"),
    [
        ("allmodes", f"is the name of allmodes {allmodes.__version__}, which is installed: choose another"),
        ("schemas", "would be imported as allmodes_schemas, which already exists: choose another"),
    ],
)
def test_a_name_that_is_taken_is_refused(name: str, output: str, tmp_path: Path, capsys: Capture) -> None:
    assert cli_main.execute(["new-plugin", name, "--folder", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"error: {name!r} {output}\n"
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "allmodes-fancy").mkdir()
    (tmp_path / "allmodes-fancy" / "mine.py").write_text("mine")
    assert cli_main.execute(["new-plugin", "fancy", "--folder", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        f"error: {tmp_path}/allmodes-fancy: already exists, and nothing is overwritten: choose another name or "
        "--folder\n"
    )
    assert [path.name for path in tmp_path.rglob("*")] == ["allmodes-fancy", "mine.py"]


def test_the_command_prints_how_to_install_test_and_train(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli_main.execute(["new-plugin", "fancy"]) == 0
    assert capsys.readouterr().out == (
        "allmodes-fancy is a plugin that works: make its method yours\n"
        "install  pip install -e 'allmodes-fancy[test]'\n"
        "test     python -m pytest allmodes-fancy\n"
        "train    allmodes run fancy/ring\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["allmodes-fancy"]
