"""What a terminal shows: lists that are filtered and folded, arrows beside metrics, and what Tab completes."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from allmodes.cli import console, show, tables
from allmodes.cli import main as cli_main
from allmodes.cli.app import app
from allmodes.experiments.results import Results
from allmodes.registry.registry import installed
from allmodes.runs.run import Outcome
from allmodes.specs import loading
from tiny import SPEC

Capture = pytest.CaptureFixture[str]


class Terminal(io.TextIOWrapper):
    """A terminal with an encoding, whose lines are kept."""

    def __init__(self, encoding: str) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, write_through=True)

    def isatty(self) -> bool:
        return True

    @property
    def lines(self) -> list[str]:
        buffer = self.buffer
        assert isinstance(buffer, io.BytesIO)
        return buffer.getvalue().decode(self.encoding).splitlines()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """A terminal of 70 columns in UTF-8, without colours."""
    yield from _terminal("utf-8", monkeypatch)


def _terminal(encoding: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    file = Terminal(encoding)
    out = console.PlainConsole(file=file, force_terminal=True, width=70, color_system=None)
    for module in (console, show):
        monkeypatch.setattr(module, "out", out)
    yield file


def test_recipes_are_filtered_by_a_word_of_their_name_or_description(capsys: Capture) -> None:
    assert cli_main.execute(["recipes", "VEEGAN/ri"]) == 0
    assert capsys.readouterr().out == "veegan/ring  VEEGAN on the ring of 8 Gaussians with the networks of the grid\n"
    assert cli_main.execute(["recipes", "frogs"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [
        "nemgan/cifar2",
        "nemgan/small-cifar2",
    ]


def test_a_word_that_nothing_has_is_an_error(capsys: Capture) -> None:
    assert cli_main.execute(["recipes", "gan/rign"]) == 2
    assert capsys.readouterr().err == "error: no recipe has the word 'gan/rign' (did you mean 'gan/ring'?)\n"
    assert cli_main.execute(["plugins", "wassertein"]) == 2
    assert capsys.readouterr().err == (
        "error: no plugin or kind has the word 'wassertein' (did you mean 'wasserstein'?)\n"
    )


def test_plugins_are_filtered_by_a_word(capsys: Capture) -> None:
    assert cli_main.execute(["plugins", "kid"]) == 0
    out = capsys.readouterr().out
    assert "metric kid" in out
    assert "wasserstein" not in out


def test_on_a_terminal_long_descriptions_are_folded_within_their_column(terminal: Terminal) -> None:
    assert cli_main.execute(["recipes", "bourgan/every-mode-ring"]) == 0
    assert terminal.lines == [
        "bourgan/every-mode-ring  A latent of the data's shape and width, a",
        "                         residual generator and local coordinates on",
        "                         Gaussians on a ring",
    ]


def results() -> Results:
    outcome = Outcome("finished", 20, 1.0, {"modes": 7.0, "kl": 0.1, "high_quality_radius": 3.0})
    return Results(loading.parse(SPEC, installed()), Path("runs/x"), {3: outcome})


def names(table: tables.Table) -> list[str]:
    return [str(cell) for cell in table.columns[0].cells]


def test_arrows_point_to_the_better_values_where_there_are_some(terminal: Terminal) -> None:
    table = tables.results_table(results())
    assert names(table) == ["modes ↑", "kl ↓", "high_quality_radius"]
    assert table.caption == "↑ higher is better, ↓ lower is better"


def test_a_terminal_without_arrows_gets_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in _terminal("ascii", monkeypatch):
        table = tables.results_table(results())
        assert names(table) == ["modes ^", "kl v", "high_quality_radius"]
        assert table.caption == "^ higher is better, v lower is better"


def test_names_in_a_pipe_stay_as_they_are() -> None:
    table = tables.results_table(results())
    assert (names(table), table.caption) == (["modes", "kl", "high_quality_radius"], None)


def completed(line: str, capsys: Capture) -> list[str]:
    """What is offered for the last word of a command, of which some was written."""
    assert cli_main.execute(["__complete", *line.split(" ")]) == 0
    marked, *words = filter(None, capsys.readouterr().out.splitlines())
    assert marked == "\x1fbegin"
    return words


def test_words_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("runs/a-1", "runs/b-2", "runs/.hidden", "specs"):
        Path(folder).mkdir(parents=True)
    for file in ("specs/mine.yaml", "specs/notes.txt", "ring.csv"):
        Path(file).touch()
    assert completed("run gan/r", capsys) == ["gan/ring"]
    assert completed("compare gan/ring study/ring-g", capsys) == ["study/ring-gan", "study/ring-gdpp"]
    assert completed("run specs/", capsys) == ["specs/mine.yaml"]
    assert completed("show density", capsys) == ["density_coverage"]
    assert completed("sample l", capsys) == completed("run l", capsys) == ["latest"]
    assert completed("resume runs/", capsys) == ["runs/a-1", "runs/b-2", "runs/a-1/", "runs/b-2/"]
    assert completed("init r", capsys) == ["ring.csv", "runs/"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_a_script_of_completion_is_made_for_every_shell(shell: str) -> None:
    assert "__complete" in app.generate_completion(shell=shell)  # type: ignore[arg-type]


def test_the_schema_is_written_for_editors_and_replaces_no_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert cli_main.execute(["schema", "--out", "allmodes.schema.json"]) == 0
        assert capsys.readouterr().out == (
            "schema   allmodes.schema.json\nline     # yaml-language-server: $schema=allmodes.schema.json\n"
        )
    assert json.loads(Path("allmodes.schema.json").read_text()) == loading.schema(installed())
    Path("mine.json").write_text("{}")
    assert cli_main.execute(["schema", "-o", "mine.json"]) == 2
    assert capsys.readouterr().err == (
        "error: --out mine.json: already exists, and is no schema of ours: choose another file\n"
    )
    assert cli_main.execute(["schema", "-o", "no/mine.json"]) == 2
    assert capsys.readouterr().err == "error: --out no/mine.json: there is no folder no\n"


def test_a_spec_that_is_shown_names_the_schema_that_lies_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli_main.execute(["show", "gan/ring"]) == 0
    assert capsys.readouterr().out.startswith("schema_version: 1\n")
    Path("allmodes.schema.json").touch()
    assert cli_main.execute(["show", "gan/ring"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("# yaml-language-server: $schema=allmodes.schema.json\nschema_version: 1\n")
    assert loading.check(loading.read(out, "shown"), installed()).name == "gan-ring"
