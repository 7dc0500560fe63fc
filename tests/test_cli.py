"""Command lines: output, exit codes, messages, and modules that are not loaded."""

import json
import re
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from allmodes.cli import app, console, describe
from allmodes.cli import main as cli_main
from allmodes.experiments import logs
from allmodes.registry.registry import installed
from allmodes.registry.slots import SLOT_BASES
from allmodes.runs.run import Run
from allmodes.specs.seeds import parse_seeds
from fixtures.distributions import ACME, Environment, first_party
from tiny import SPEC

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("tiny.json").write_text(json.dumps(SPEC))
    return "tiny.json"


def printed(capsys: Capture) -> tuple[str, str]:
    captured = capsys.readouterr()
    return captured.out, captured.err


def loaded_by(*arguments: str) -> set[str]:
    command = f"from allmodes.cli.main import execute\nexecute({list(arguments)!r})"
    code = f"import sys\n{command}\nprint('|'.join(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    return set(out.splitlines()[-1].split("|"))


HEAVY = {"torch", "torchvision", "mlflow", "sklearn", "scipy", "faiss", "matplotlib", "numpy", "pandas", "pyarrow"}


@pytest.mark.parametrize(
    "command",
    [
        *("validate gan/ring", "validate veegan/grid", "validate gan/ring --set a=1", "validate nothing", "plugins"),
        *("recipes", "show gan/ring", "show mlp", "schema", "--help", "--version", "validate --help", "wrong", "run"),
    ],
)
def test_commands_that_train_nothing_load_nothing_heavy(command: str) -> None:
    assert not HEAVY & loaded_by(*command.split())


@pytest.mark.parametrize("arguments", [(), ("--help",), ("--version",)])
def test_the_list_of_commands_loads_neither_pydantic_nor_a_plugin(arguments: tuple[str, ...]) -> None:
    loaded = loaded_by(*arguments)
    assert not {"pydantic", "pluggy", "ruamel.yaml", "allmodes_schemas", "rich.markdown", "pygments"} & loaded
    assert not [name for name in loaded if name.startswith("allmodes_")]


def test_the_list_of_commands_has_the_first_sentences_of_their_docstrings() -> None:
    functions = {
        f"{module}:{name}": str(function.__doc__).partition("\n\n")[0]
        for module in {command.partition(":")[0] for command in app.COMMANDS}
        for name, function in vars(import_module(f"allmodes.cli.{module}")).items()
        if f"{module}:{name}" in app.COMMANDS
    }
    assert functions == app.COMMANDS


def test_a_run_without_tracking_loads_no_mlflow_faiss_torchvision_or_compiler(spec: str) -> None:
    assert not {"mlflow", "faiss", "torchvision", "torch._dynamo"} & loaded_by("run", spec, "--no-tracking", "-q")


def test_validate_prints_the_kinds_of_a_valid_spec(spec: str, capsys: Capture) -> None:
    assert cli_main.execute(["validate", spec]) == 0
    assert printed(capsys)[0] == "tiny.json is valid: ring, gaussian, non_saturating, r1\n"


def test_an_invalid_spec_exits_with_2_and_a_line_for_each_error(spec: str, capsys: Capture) -> None:
    Path("wrong.yaml").write_text("name: x\ndata: {kind: rings}\nprior: {kind: gaussian, dims: 2}\n" + REST)
    assert cli_main.execute(["validate", "wrong.yaml"]) == 2
    lines = printed(capsys)[1].splitlines()
    assert lines[0].startswith(
        "error: wrong.yaml:2:8: data.kind: no installed plugin provides data 'rings' (did you mean 'ring'?)"
    )
    assert lines[1] == "error: wrong.yaml:3:25: prior.dims: unknown key (did you mean 'dim'?)"


REST = """generator: {kind: mlp}
discriminator: {kind: mlp}
losses: [{kind: non_saturating}]
"""


def test_run_prints_results_beside_real_data_and_the_folder(spec: str, capsys: Capture) -> None:
    changes = ["--set", "training.iterations=10", "--set", "evaluation.figure=true"]
    assert cli_main.execute(["run", spec, "--no-tracking", "-q", "--seeds", "0,2", *changes]) == 0
    out = printed(capsys)[0]
    assert "tiny: finished" in out
    for word in ("modes", "high_quality", "real data", "seed 0", "seed 2", "folder", "samples.png"):
        assert word in out


@pytest.mark.parametrize(("text", "seeds"), [("0-2", (0, 1, 2)), ("5", (5,)), ("3,1", (3, 1)), ("0-1,7", (0, 1, 7))])
def test_seeds_are_ranges_and_lists(text: str, seeds: tuple[int, ...]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["a", "3-1", "1-", "", "-1"])
def test_invalid_seeds_error_shows_the_syntax(spec: str, text: str, capsys: Capture) -> None:
    assert cli_main.execute(["run", spec, f"--seeds={text}"]) in (2,)
    assert printed(capsys)[1] == f"error: --seeds {text}: write 0-4 or 0,2,5\n"


@pytest.mark.parametrize(("text", "seed"), [("0,0", 0), ("0-4,2", 2)])
def test_a_seed_given_twice_is_refused(spec: str, text: str, seed: int, capsys: Capture) -> None:
    assert cli_main.execute(["run", spec, f"--seeds={text}"]) == 2
    assert printed(capsys)[1] == f"error: --seeds {text}: {seed} is listed twice: each seed is one run\n"


def test_ctrl_c_lists_the_seeds_that_have_not_begun(
    spec: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(run: Run) -> str:
        signal.raise_signal(signal.SIGINT)
        return run.name

    monkeypatch.setattr(logs, "describe_start", interrupt)
    assert cli_main.execute(["run", spec, "--no-tracking", "-q", "--seeds", "0-2"]) == 130
    assert "\nnot begun: seed 1, seed 2\n" in printed(capsys)[0]


def test_run_names_a_folder_that_cannot_be_written(spec: str, capsys: Capture) -> None:
    Path("taken").write_text("a file")
    assert cli_main.execute(["run", spec, "--no-tracking", "-q", "--out", "taken"]) == 1
    assert "taken" in printed(capsys)[1]
    assert Path("taken").read_text() == "a file"


def test_a_failed_run_exits_with_1_and_prints_its_error(spec: str, capsys: Capture) -> None:
    change = "training.optimizer={kind: sgd, lr: 1.0e+30}"
    assert cli_main.execute(["run", spec, "--no-tracking", "-q", "--set", change]) == 1
    assert "is no longer finite at iteration" in printed(capsys)[1]


def test_sample_writes_arrays_tables_and_pictures_and_overwrites_nothing(spec: str, capsys: Capture) -> None:
    assert cli_main.execute(["run", spec, "--no-tracking", "-q"]) == 0
    (folder,) = Path("runs").iterdir()
    for name in ("x.npz", "deep/x.csv", "x.png"):
        assert cli_main.execute(["sample", str(folder), "-n", "50", "--seed", "1", "--out", name]) == 0
    array = np.load("x.npz")["samples"]
    assert array.shape == (50, 2)
    np.testing.assert_allclose(np.loadtxt("deep/x.csv", delimiter=","), array, rtol=1e-6)
    assert Path("x.png").read_bytes().startswith(b"\x89PNG")
    before = Path("x.png").read_bytes()
    assert cli_main.execute(["sample", str(folder), "--out", "x.png"]) == 2
    assert printed(capsys)[1].endswith(
        "error: --out x.png: already exists, and nothing is overwritten: choose another\n"
    )
    assert Path("x.png").read_bytes() == before
    for name in ("samples.npz", "samples-2.npz", "samples-3.npz"):
        assert cli_main.execute(["sample", str(folder), "-n", "2"]) == 0
        assert printed(capsys)[0].endswith(f"are in {name}\n")


def test_sample_refuses_unknown_formats_and_missing_runs(spec: str, capsys: Capture) -> None:
    assert cli_main.execute(["sample", "runs/none", "--out", "x.txt"]) == 2
    assert printed(capsys)[1] == (
        "error: --out x.txt: the file must end in .npz, .csv, .parquet, .png; "
        "without an ending it is a folder of pictures\n"
    )
    assert cli_main.execute(["sample", "nothing-here"]) == 2
    assert printed(capsys)[1] == f"error: nothing-here: no such file or folder in {Path.cwd()}\n"


def test_show_lists_the_options_of_a_kind_and_the_defaults_of_a_spec(spec: str, capsys: Capture) -> None:
    assert cli_main.execute(["show", "gradient_penalty"]) == 0
    assert "strength" in printed(capsys)[0]
    assert cli_main.execute(["show", spec]) == 0
    assert "discriminator_updates: 1" in printed(capsys)[0]


def test_schema_prints_json_with_the_installed_kinds(capsys: Capture) -> None:
    assert cli_main.execute(["schema"]) == 0
    assert "gradient_penalty" in json.dumps(json.loads(printed(capsys)[0]))


def test_recipes_lists_each_with_its_description(capsys: Capture) -> None:
    assert cli_main.execute(["recipes"]) == 0
    assert "gan/ring" in printed(capsys)[0]


def test_tables_in_a_pipe_have_one_line_per_row() -> None:
    command = [sys.executable, "-m", "allmodes", "plugins"]
    lines = subprocess.run(command, capture_output=True, text=True, check=False, encoding="utf-8").stdout.splitlines()
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines]
    for word, kind in installed().all_kinds():
        assert [word, kind.name, kind.config.summary(), str(kind.plugin)] in rows


# Plugins

KINDS = '''
from typing import Literal
from pydantic import Field
from allmodes import LossTermConfig, Need, PlayerConfig, PriorConfig, hookimpl

class BumpConfig(PriorConfig):
    """A bump."""
    kind: Literal["acme.bump"] = "acme.bump"
    trained_by = ("generator",)
    old: int = Field(3, ge=0, deprecated="it does nothing", json_schema_extra={"unit": "seconds"})
    """How long."""
    def parts(self):
        return {"code": 2, "mode": None}

class CycleConfig(LossTermConfig):
    """A cycle."""
    kind: Literal["acme.cycle"] = "acme.cycle"
    needs = (Need("auxiliary", "code", "auxiliaries.inverter: {kind: acme.inverter}"),)
    def players(self):
        return (PlayerConfig(name="cycler", modules=("generator", "inverter")),)

@hookimpl
def allmodes_latent_priors():
    return [BumpConfig]

@hookimpl
def allmodes_loss_terms():
    return [CycleConfig]
'''


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Environment:
    monkeypatch.setattr(console.out, "width", 400)
    return Environment(monkeypatch, tmp_path / "site")


def rows(capsys: Capture) -> list[str]:
    """The lines of standard output, without the frames of tables."""
    return [" ".join(line.replace("│", " ").split()) for line in printed(capsys)[0].splitlines()]


def test_plugins_lists_version_origin_kinds_and_loading_errors(environment: Environment, capsys: Capture) -> None:
    site = environment.install(ACME)
    bad = environment.install("import foo", plugin="bad", name="allmodes-bad", version="0.3")
    assert cli_main.execute(["plugins"]) == 1
    lines = rows(capsys)
    first = lines.index(f"acme allmodes-acme 1.0 {site} prior acme.bell")
    assert lines[first + 1 : first + 3] == ["prior acme.bump", "auxiliary acme.helper"]
    broken = "could not be loaded: ModuleNotFoundError: No module named 'foo'"
    assert f"bad allmodes-bad 0.3 {bad} {broken}" in lines
    assert "prior acme.bump A bump. More follows. allmodes-acme 1.0" in lines


def test_show_prints_requirements_provisions_and_units_of_a_kind(environment: Environment, capsys: Capture) -> None:
    environment.install(KINDS)
    assert cli_main.execute(["show", "acme.cycle"]) == 0
    assert [line for line in rows(capsys) if line[:1].isalpha()][:8] == [
        "acme.cycle: A cycle.",
        "slot loss",
        "from allmodes-acme 1.0",
        "requires an auxiliary that maps data to code: auxiliaries.inverter: {kind: acme.inverter}",
        "provides player cycler, which trains generator and inverter",
        "Options",
        "weight number or ramp 1 Factor of the term.",
        "every whole number ≥ 1, in iterations 1 Only at iterations divisible by this (the weight is not rescaled).",
    ]
    assert cli_main.execute(["show", "acme.bump"]) == 0
    lines = rows(capsys)
    assert "provides latent parts code (2), mode (fitted), trained by generator" in lines
    assert "old whole number ≥ 0, in seconds 3 Deprecated. How long." in lines
    assert cli_main.execute(["show", "ring"]) == 0
    lines = rows(capsys)
    first = lines.index("requires nothing")
    assert lines[first + 1 : first + 4] == ["provides items of shape 2", "labels, 8", "known modes"]


def test_show_warns_of_a_renamed_kind(environment: Environment, capsys: Capture) -> None:
    renamed = '    renamed = (Renamed("acme.lump", "acme.bump", since="1.1", until="2.0"),)\n'
    code = KINDS.replace("PriorConfig, hookimpl", "PriorConfig, Renamed, hookimpl")
    environment.install(code.replace('    trained_by = ("generator",)\n', renamed))
    assert cli_main.execute(["show", "acme.lump"]) == 0
    out, err = printed(capsys)
    assert "acme.bump: A bump." in out
    assert " ".join(err.split()) == (
        "warning: 'acme.lump' is called 'acme.bump' since allmodes-acme 1.1, and 2.0 will not read it: write acme.bump"
    )


@pytest.mark.parametrize(
    ("kind", "advice"),
    [
        ("gausian", "no installed plugin provides kind 'gausian' (did you mean 'gaussian'?). {all}"),
        ("acme.cicle", "no installed plugin provides kind 'acme.cicle' (did you mean 'acme.cycle'?). {all}"),
        ("sphere.encoder", "no installed plugin provides kind 'sphere.encoder': pip install allmodes-sphere. {all}"),
        (
            "bad.x",
            "kind 'bad.x' comes from allmodes-bad 0.3, which could not be loaded: ModuleNotFoundError: "
            "No module named 'foo'",
        ),
    ],
)
def test_show_advises_on_an_unknown_kind(kind: str, advice: str, environment: Environment, capsys: Capture) -> None:
    environment.install(KINDS)
    environment.install("import foo", plugin="bad", name="allmodes-bad", version="0.3")
    assert cli_main.execute(["show", kind]) == 2
    assert printed(capsys)[1] == f"error: {advice.format(all='`allmodes plugins` lists all')}\n"


def test_the_schema_has_the_kinds_of_an_installed_plugin(environment: Environment, capsys: Capture) -> None:
    environment.install(ACME)
    assert cli_main.execute(["schema"]) == 0
    assert '"const": "acme.bump"' in printed(capsys)[0]


# Messages


COMMANDS = (
    "run compare resume validate references recipes plugins new-plugin show suggest schema sample export evaluate sync "
    "register ui"
)


@pytest.mark.parametrize("command", ["", *COMMANDS.split()])
def test_help_goes_to_standard_output_in_lines_to_read(command: str, capsys: Capture) -> None:
    assert cli_main.execute([*command.split(), "--help"]) == 0
    out, err = printed(capsys)
    assert out.startswith(f"Usage: allmodes {command}".rstrip())
    assert max(map(len, out.splitlines())) <= 200
    assert "--empty" not in out
    assert err == ""


def test_an_invalid_argument_prints_one_line(capsys: Capture) -> None:
    assert cli_main.execute(["run", "gan/ring", "--zzz"]) == 2
    assert printed(capsys) == ("", "error: Unknown option: --zzz.\n")
    assert cli_main.execute(["sample", "x", "-n", "[red]\x1b"]) == 2
    assert printed(capsys) == ("", 'error: Invalid value for -n: unable to convert "[red]\\x1b" into int.\n')


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "specs/nope.yaml"], "specs/nope.yaml: no such file or folder: there is no folder {here}/specs"),
        (["run", "my/spec"], "my/spec: no such file or folder: there is no folder {here}/my"),
        (["validate", "tinny.json"], "tinny.json: no such file or folder in {here} (did you mean 'tiny.json'?)"),
        (["show", "./nope"], "./nope: no such file or folder in {here}"),
        (["show", "train.csv"], "train.csv: no such file or folder in {here}"),
        (["show", "other.ymal"], "other.ymal: no such file or folder in {here}"),
        (["show", "other.yaml~"], "other.yaml~: no such file or folder in {here}"),
        (["show", "other.yaml.bak"], "other.yaml.bak: no such file or folder in {here}"),
        (["compare", "specs/*.yaml"], "specs/*.yaml: no such file or folder in {here}"),
        (["sample", "runs/nope"], "runs/nope: no such file or folder: there is no folder {here}/runs"),
        (["resume", "nope"], "nope: no such file or folder in {here}"),
        (["references", "nope.yaml"], "nope.yaml: no such file or folder in {here}"),
        (["evaluate", "nope"], "nope: no such file or folder in {here}"),
        (["compare", "a/b.yaml"], "a/b.yaml: no such file or folder: there is no folder {here}/a"),
        (["run", "x" * 300 + ".yaml"], "x" * 300 + ".yaml: no such file or folder in {here}"),
        (["run", "."], ".: not the folder of a run: it has no spec.yaml"),
        (["run", "gan/rign"], "gan/rign: neither a file, a run's folder nor a recipe (did you mean 'gan/ring'?)"),
    ],
)
def test_a_mistyped_path_is_reported_as_a_missing_file(
    arguments: list[str], message: str, spec: str, capsys: Capture
) -> None:
    assert cli_main.execute(arguments) == 2
    assert printed(capsys)[1] == f"error: {message.format(here=Path.cwd())}\n"


def test_a_path_in_place_of_a_kind_is_not_reported_as_a_missing_package(spec: str, capsys: Capture) -> None:
    Path("x.json").write_text(json.dumps({**SPEC, "data": {"kind": "train.csv"}}))
    assert cli_main.execute(["validate", "x.json"]) == 2
    assert "pip install" not in printed(capsys)[1]


def test_a_recipe_that_cannot_be_read_does_not_hide_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    registry, bad = first_party(), tmp_path / "bad.yaml"
    bad.write_text("description: [")
    registry._recipes |= {"gan/bad": bad, "gan/gone": tmp_path / "gone.yaml"}
    monkeypatch.setattr("allmodes.cli.show.installed", lambda: registry)
    assert cli_main.execute(["recipes"]) == 0
    lines = {line.split()[0]: line.split(maxsplit=1)[1] for line in printed(capsys)[0].splitlines()}
    assert lines["gan/bad"].startswith("cannot be read: gan/bad:1:14: this [ is opened and never closed")
    assert lines["gan/gone"].startswith("cannot be read: ")
    assert lines["gan/ring"]


def test_run_and_resume_print_folder_and_iterations(spec: str, capsys: Capture) -> None:
    assert cli_main.execute(["run", spec, "--no-tracking", "-q"]) == 0
    (folder,) = Path("runs").iterdir()
    place = folder / "seed-3"
    assert printed(capsys)[1] == f"tiny/seed-3 begins: 20 iterations on cpu, in {place}\n"
    longer = ["--no-tracking", "-q", "--set", "training.iterations=25"]
    assert cli_main.execute(["resume", str(folder), *longer]) == 0
    assert printed(capsys)[1] == f"tiny/seed-3 goes on from iteration 20 to 25 on cpu, in {place}\n"
    assert cli_main.execute(["resume", str(folder), *longer]) == 2
    assert printed(capsys)[1] == (
        f"error: {folder} is finished at iteration 25: to train on, set more, such as --set training.iterations=50\n"
    )


def test_a_run_logs_at_iterations_without_a_loss(spec: str, capsys: Capture) -> None:
    changes = ["losses=[{kind: non_saturating, every: 2}]", "training.log_every=1", "training.iterations=4"]
    overrides = [word for change in changes for word in ("--set", change)]
    assert cli_main.execute(["run", spec, "--no-tracking", "-q", *overrides]) == 0


def test_very_many_samples_or_processes_are_refused(spec: str, capsys: Capture) -> None:
    assert cli_main.execute(["sample", "x", "-n", "2000000"]) == 2
    slip = "more than 1,000,000, and most likely a slip: add --large if you mean it"
    assert printed(capsys)[1] == f"error: --number 2000000: {slip}\n"
    assert cli_main.execute(["compare", spec, "--jobs", "1000000"]) == 2
    assert printed(capsys)[1].startswith("error: --jobs 1000000: there are ")


def test_show_prints_the_options_of_every_kind_as_the_reference_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "docs"))
    import reference

    page = reference.text(first_party())
    for _, kind in first_party().all_kinds():
        base = next(slot for slot in SLOT_BASES.values() if issubclass(kind.config, slot))
        for option in describe.list_options(kind.config):
            common = base.model_fields.get(option.name)
            own = common is None or kind.config.model_fields[option.name].default != common.default
            default = option.default if option.default in ("required", "empty") else f"`{option.default}`"
            meaning = option.meaning.replace("|", "\\|").replace("\n", " ")
            ends = re.escape(f" | {default} | {meaning} |".replace("\\|", "|")).replace(r"\|", r"\\?\|")
            assert not own or re.search(rf"^\| `{option.name}` .*{ends}$", page, re.MULTILINE), (kind.name, option)


def test_show_lists_players_and_turns_below_a_spec(spec: str, capsys: Capture) -> None:
    assert cli_main.execute(["show", spec]) == 0
    adam = "{kind: adam}"
    assert printed(capsys)[0].splitlines()[-3:] == [
        "# Players, in the order of their turns:",
        f"#   once: player discriminator, which trains discriminator with {adam}",
        f"#   once: player generator, which trains generator with {adam}",
    ]
