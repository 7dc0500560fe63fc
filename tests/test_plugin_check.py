"""`allmodes plugins check`: the contracts find what is wrong with a plugin that has no tests of its own."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from allmodes.cli import checking
from allmodes.cli import main as cli_main
from allmodes.specs.loading import SpecError
from fixtures.distributions import Environment

Capture = pytest.CaptureFixture[str]

ODD = '''
from pathlib import Path
from typing import Literal

from allmodes import DatasetConfig, PriorConfig, hookimpl


class GlobalConfig(PriorConfig):
    """Draws from torch's own generator."""

    kind: Literal["odd.global"] = "odd.global"

    def parts(self):
        return {"code": 2}

    def build(self):
        import torch

        from allmodes import Latent, Prior

        class Global(Prior):
            dim, sizes = 2, {"code": 2}

            def forward(self, noise, n, given=None):
                z = torch.randn(n, 2)
                return Latent(z, {"code": z})

        return Global()


class NeedyConfig(PriorConfig):
    """Has no default."""

    kind: Literal["odd.needy"] = "odd.needy"
    height: float
    """Of something."""


class GoneConfig(DatasetConfig):
    """Reads a file that is not here."""

    kind: Literal["odd.gone"] = "odd.gone"

    def build(self):
        return open("/nowhere/data.csv")


@hookimpl
def allmodes_latent_priors():
    return (GlobalConfig, NeedyConfig)


@hookimpl
def allmodes_datasets():
    return (GoneConfig,)


@hookimpl
def allmodes_recipes():
    return Path(__file__).parent / "recipes"
'''

RECIPE = """# The author's own settings.
name: odd-gone
description: data that are not here
data: {kind: odd.gone}
prior: {kind: gaussian, dim: 2}
generator: {kind: mlp}
discriminator: {kind: mlp}
losses: [{kind: non_saturating}]
"""


def install(environment: Environment) -> None:
    """Install the plugin with its recipe."""
    recipes = environment.install(ODD, plugin="odd", name="allmodes-odd") / "recipes" / "odd"
    recipes.mkdir(parents=True)
    (recipes / "gone.yaml").write_text(RECIPE)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Environment:
    return Environment(monkeypatch, tmp_path / "site")


def test_a_plugin_without_tests_is_held_to_the_contracts(environment: Environment, capsys: Capture) -> None:
    install(environment)
    code = cli_main.execute(["plugins", "check", "odd"])
    out, err = capsys.readouterr()
    assert code == 1
    advice = "forward takes randomness from the global generator of torch: ask for it by name, as in"
    line = f"prior odd.global: only its own noise makes a draw random: {advice} noise.normal('eps', n, 2)"
    assert f"error: {line}\n" in err
    assert [line for line in err.splitlines() if line.startswith("error: ") and "prior odd.global: " not in line] == []
    why = "no recipe uses it, and it needs values for height"
    assert f"not tried  prior odd.needy: {why}\n" in out
    why = "its data cannot be read: [Errno 2] No such file or directory: '/nowhere/data.csv'"
    assert f"not tried  data odd.gone, recipe odd/gone: {why}\n" in out
    assert err.startswith("allmodes-odd 1.0: 3 kinds, 1 recipes\n")


@pytest.mark.slow  # it trains nine recipes, four times each
def test_our_own_plugin_holds(capsys: Capture) -> None:
    assert cli_main.execute(["plugins", "check", "allmodes-veegan"]) == 0
    assert "veegan.game" in capsys.readouterr().out


def test_a_plugin_without_kinds_has_no_contract(environment: Environment, capsys: Capture) -> None:
    environment.install("", plugin="odd", name="allmodes-odd")
    assert cli_main.execute(["plugins", "check", "allmodes-odd"]) == 0
    what = "allmodes-odd 1.0 can be loaded; it has neither kinds nor recipes, so no contract applies\n"
    assert capsys.readouterr().out == what


def test_what_cannot_be_checked_is_said(
    environment: Environment, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment.install("1 / 0", plugin="broken", name="allmodes-broken")
    assert cli_main.execute(["plugins", "check", "broken"]) == 2
    message = "error: allmodes-broken 1.0 could not be loaded: ZeroDivisionError: division by zero\n"
    assert capsys.readouterr().err == message
    assert cli_main.execute(["plugins", "check", "allmodes-brocken"]) == 2
    assert capsys.readouterr().err == (
        "error: no plugin 'allmodes-brocken' is installed (did you mean 'allmodes-broken'?): `allmodes plugins` lists "
        "all\n"
    )
    install(environment)
    find = importlib.util.find_spec
    monkeypatch.setattr("allmodes.cli.plugin_check.find_spec", lambda name: None if name == "pytest" else find(name))
    assert cli_main.execute(["plugins", "check", "odd"]) == 2
    message = "error: pytest is not installed, and the contracts are tests: pip install 'allmodes[test]'\n"
    assert capsys.readouterr().err.endswith(message)


# A process that hangs or dies

PRELUDE = """
import json, os, pathlib, sys, time
file = pathlib.Path(sys.argv[1])
done = [json.loads(line).get("title") for line in file.read_text().splitlines() if "outcome" in line]
def write(**event):
    with file.open("a") as to:
        to.write(json.dumps(event) + chr(10))
def held(title):
    write(title=title, test="test_a")
    write(title=title, test="test_a", outcome="passed", why="")
"""


def watch(script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float = 3.0) -> list[checking.Check]:
    """Watch a script in the place of the contracts; each try begins with the titles that are done."""
    command = [sys.executable, "-c", PRELUDE + script]
    monkeypatch.setattr(
        checking, "_start", lambda file, *_: subprocess.Popen([*command, str(file)], stdout=_[-1], stderr=_[-1])
    )
    return checking.watch(tmp_path, ["odd"], quick=False, seconds=seconds, log=lambda _: None)


def summary(checks: list[checking.Check]) -> dict[str, list[str]]:
    return {check.title: [f"{one.outcome}: {one.why}" for one in check.outcomes] for check in checks}


def test_a_test_that_hangs_is_given_up_and_the_others_are_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = """
if "one" not in done:
    held("one")
    write(title="two", test="test_b")
    time.sleep(60)
assert done == ["one", "two"]
held("three")
write(end="yes")
"""
    assert summary(watch(script, tmp_path, monkeypatch)) == {
        "one": ["passed: "], "two": ["untried: took longer than 3 seconds"], "three": ["passed: "],
    }  # fmt: skip


def test_a_test_that_ends_the_process_has_failed_and_the_others_are_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = """
if "one" not in done:
    write(title="one", test="test_a")
    print("out of luck", flush=True)
    os._exit(7)
held("two")
write(end="yes")
"""
    assert summary(watch(script, tmp_path, monkeypatch)) == {
        "one": ["failed: the process ended with code 7: out of luck"], "two": ["passed: "],
    }  # fmt: skip


def test_a_process_that_cannot_begin_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SpecError) as error:
        watch("sys.exit('no torch here')", tmp_path, monkeypatch)
    assert str(error.value) == ("the contracts could not begin: the process ended with code 1: no torch here")
