"""The house: names that are one word, a core that knows no method, imports that stay light."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import allmodes

ROOT = Path(__file__).parents[1]
PLUGINS = sorted(path.parent.name for path in (ROOT / "plugins").glob("*/pyproject.toml"))
OBSERVERS = {"tensorboard", "wandb"}
ROOMS = {path.parent.name for path in (ROOT / "core" / "allmodes").glob("*/__init__.py")}
METHODS = re.compile("veegan|bourgan|nemgan", re.IGNORECASE)


def project(folder: Path) -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
    return table


def test_veegan_is_among_the_plugins() -> None:
    assert "veegan" in PLUGINS


@pytest.mark.parametrize("word", PLUGINS)
def test_the_five_names_of_a_plugin_are_one_word(word: str) -> None:
    folder = ROOT / "plugins" / word
    assert re.fullmatch("[a-z][a-z0-9]*", word)
    assert project(folder)["name"] == f"allmodes-{word}"
    assert project(folder)["entry-points"]["allmodes"] == {word: f"allmodes_{word}"}
    assert (folder / f"allmodes_{word}" / "__init__.py").is_file()
    assert (folder / f"allmodes_{word}" / "py.typed").is_file()
    recipes = [path.name for path in (folder / f"allmodes_{word}").glob("recipes/*")]
    assert recipes == ([] if word in OBSERVERS else [word])


def test_the_core_enters_through_the_same_door() -> None:
    assert project(ROOT)["entry-points"]["allmodes"] == {"allmodes": "allmodes.builtin"}


@pytest.mark.parametrize("module", ["allmodes", "allmodes.builtin", *(f"allmodes_{word}" for word in PLUGINS)])
def test_importing_an_entry_point_loads_no_torch(module: str) -> None:
    heavy = "{'torch', 'torchvision', 'mlflow', 'sklearn', 'scipy', 'faiss', 'matplotlib', 'numpy'}"
    code = f"import sys, {module}; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def imported_by(file: Path) -> set[str]:
    """The modules that a file imports anywhere in it."""
    nodes = list(ast.walk(ast.parse(file.read_text("utf-8"))))
    direct = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    froms = [node for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    rooms = {f"allmodes.{a.name}" for node in froms if node.module == "allmodes" for a in node.names if a.name in ROOMS}
    return direct | {str(node.module) for node in froms} | rooms


@pytest.mark.parametrize("folder", [*(f"plugins/{word}" for word in PLUGINS), "core/allmodes/template"])
def test_plugins_and_their_tests_import_only_the_public_door(folder: str) -> None:
    files = list((ROOT / folder).rglob("*.py"))
    private = {f"{file.relative_to(ROOT)}: {name}" for file in files for name in imported_by(file) if is_private(name)}
    assert files
    assert not private


def is_private(module: str) -> bool:
    package, _, room = module.partition(".")
    own = {path.stem for path in (ROOT / "tests").glob("*")}  # helpers of our tests, which a copied plugin lacks
    return package in {"allmodes_schemas", *own} or (package == "allmodes" and room not in {"", "testing"})


def test_the_contract_of_the_public_door_names_every_room_of_the_core() -> None:
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    (contract,) = [each for each in linter["contracts"] if "public door" in each["name"]]
    assert set(contract["forbidden_modules"]) == {f"allmodes.{room}" for room in ROOMS - {"testing"}} | {
        "allmodes_schemas"
    }
    assert set(contract["source_modules"]) == {f"allmodes_{word}" for word in PLUGINS}


def test_every_public_name_can_be_loaded() -> None:
    assert [name for name in allmodes.__all__ if getattr(allmodes, name) is None] == []
    assert set(allmodes.__all__) == set(dir(allmodes))


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'allmodes' has no attribute 'Modell'"):
        allmodes.Modell  # noqa: B018


def test_the_core_names_no_method() -> None:
    files = [
        path for folder in ("core", "schemas") for kind in ("py", "yaml") for path in (ROOT / folder).rglob(f"*.{kind}")
    ]
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in sorted(files)
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if METHODS.search(line)
    ]
    assert not found, "\n".join(found)


def test_the_quick_tests_exist_and_cover_every_room() -> None:
    printed = subprocess.run(
        ["make", "--no-print-directory", "-f", "Makefile", "-f", "-", "list"],
        input="list:\n\t@echo $(QUICK)\n", cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    paths = [ROOT / word for word in printed.split()]
    files = [file for path in paths for file in (path.rglob("test_*.py") if path.is_dir() else [path])]
    modules = {name for file in files for name in imported_by(file)}
    assert {room for room in ROOMS if not any(f"{name}.".startswith(f"allmodes.{room}.") for name in modules)} == set()
