"""Texts of strangers: what of a spec is read, how large it may be, and what of it reaches the terminal."""

import copy
import io
import logging
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from allmodes.cli import console, progress, tables
from allmodes.cli import main as cli_main
from allmodes.experiments import logs
from allmodes.registry.registry import Registry
from allmodes.registry.slots import Plugin
from allmodes.specs import loading, safe_yaml
from allmodes.specs.loading import SpecError
from allmodes.text.printable import printable
from fixtures.distributions import first_party
from tiny import SPEC

Capture = pytest.CaptureFixture[str]
REGISTRY = first_party()
STEERING = "\x1b[31mred\x07\u202e\u2066\u200b\x9b\x7f"
LAUGHS = "a0: &a0 [1]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9))
MERGES = "a0: &a0 {k: 1}\n" + "".join(f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 10)}]}}\n" for i in range(1, 9))
GAME = {"kind": "non_saturating"}


def checked(**changes: Any) -> tuple[list[str], list[str]]:
    """Errors and warnings of the tiny spec with other values; `training` is changed key by key."""
    values: dict[str, Any] = copy.deepcopy(dict(SPEC)) | {"losses": [GAME]} | changes
    values["training"] = {**SPEC["training"], **changes.get("training", {})}
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", UserWarning)
        try:
            loading.parse(values, REGISTRY)
            errors = []
        except SpecError as error:
            errors = [line.removeprefix("spec: ") for line in str(error).splitlines()]
    return errors, [str(one.message).removeprefix("spec: ") for one in warned]


def error(**changes: Any) -> str:
    (line,), warned = checked(**changes)
    assert warned == []
    return line


def warning(**changes: Any) -> str:
    errors, (line,) = checked(**changes)
    assert errors == []
    return line


def complaint(act: Callable[[], object]) -> str:
    with pytest.raises(SpecError) as raised:
        act()
    return str(raised.value)


# YAML


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LAUGHS, f"x:6:10: {safe_yaml.TOO_LARGE}"),
        (MERGES, f"x:5:45: {safe_yaml.TOO_LARGE}"),
        ("a: [" + "1, " * 200_000 + "]", f"x: {safe_yaml.TOO_LARGE}"),
        ("a: [" + "1, " * 26_000 + "]", f"x:1:74996: {safe_yaml.TOO_LARGE}"),
        ("a: " + "x" * 2**20, "x: has more than 1 MiB: this is not a spec"),
        ("a: " + "[" * 100_000, "x: nested too deeply"),
        ("- " * 100_000, "x: nested too deeply"),
        ("? " * 100_000, "x: nested too deeply"),
        ("a: &a [*a]", "x:1:8: alias *a is used within its own value"),
        ("a: &a {<<: *a}", "x:1:12: alias *a is used within its own value"),
        ("name: !!bool foo", "x:1:7: tags such as !!bool are not allowed: remove it"),
        ("name: !!binary '#'", "x:1:7: tags such as !!binary are not allowed: remove it"),
        ("name: !!timestamp x", "x:1:7: tags such as !!timestamp are not allowed: remove it"),
        ("name: !!set {a}", "x:1:7: tags such as !!set are not allowed: remove it"),
        ("name: !mine x", "x:1:7: tags such as !mine are not allowed: remove it"),
        (
            "!!python/object/apply:os.system ['x']",
            "x:1:1: tags such as !!python/object/apply:os.system are not allowed: remove it",
        ),
    ],
)
def test_a_text_beyond_the_limits_is_refused_with_one_line_at_once(text: str, message: str) -> None:
    began = time.process_time()
    assert complaint(lambda: loading.read(text, "x")) == message
    assert time.process_time() - began < 10  # 2 s where nothing else runs


@pytest.mark.parametrize("text", ["2001-99-99", "2001-12-09 12:00:00", "=", "<<", "190:20:30"])
def test_words_that_older_yaml_converts_are_text(text: str) -> None:
    assert loading.read(f"name: {text}", "x").tree == {"name": text}


def test_an_override_has_the_same_limits() -> None:
    for value, message in (
        ("!!bool x", "tags such as !!bool are not allowed: remove it"),
        ("[" * 999, safe_yaml.TOO_DEEP),
    ):
        text = f"name={value}"
        assert complaint(lambda text=text: loading.load("gan/ring", REGISTRY, [text])) == f"--set {text}: {message}"


def test_overriding_an_alias_leaves_its_other_places_unchanged() -> None:
    text = '{"a": &n {"hidden": [8]}, "b": *n}'
    source = loading.read(text, "x")
    loading.override(source, "b.hidden=[9]")
    assert loading.plain(source.tree) == {"a": {"hidden": [8]}, "b": {"hidden": [9]}}


def test_python_values_have_the_same_limits() -> None:
    means = [[0.0, float(i)] for i in range(10_001)]
    assert error(data={"kind": "mixture", "means": means}) == safe_yaml.TOO_LARGE
    loop: list[Any] = []
    loop.append(loop)
    assert error(seeds=loop) == safe_yaml.TOO_DEEP


def test_the_number_of_messages_is_limited() -> None:
    errors, _ = checked(**{f"zz{i}": 1 for i in range(80)})
    assert len(errors) == 51
    assert errors[-1] == "... and 30 more"
    assert len(error(**{"z" * 100_000: 1})) < 2000


# The terminal


def test_control_characters_are_escaped() -> None:
    assert printable("a\x1b[31m\n\t\x85\u2028\u202e\ud800") == r"a\x1b[31m\n\t\x85\u2028\u202e\ud800"
    assert printable("Größe 漢字\xa0±") == "Größe 漢字\xa0±"


@pytest.mark.parametrize("terminal_there", [True, False])
def test_all_terminal_output_goes_through_the_console(terminal_there: bool) -> None:
    file = io.StringIO()
    door = console.PlainConsole(file=file, force_terminal=terminal_there, color_system=None, width=200)
    door.print(f"{STEERING} [red]x[/red] :smile:")
    table = console_table(STEERING)
    door.print(table)
    bar = progress.RunProgress(door).progress
    bar.add_task(f"[bold]{STEERING}", rate="", modes="", losses="")
    door.print(bar.get_renderable())
    message = file.getvalue()
    assert "[red]x[/red] :smile:" in message
    assert "[bold]" in message
    assert [sign for sign in message if not sign.isprintable() and sign != "\n"] == []


def console_table(cell: str) -> Any:
    registry = Registry()
    registry.plugins["bad"] = Plugin("bad", f"allmodes-{cell}", cell, error=f"[red]{cell}", origin=cell)
    return tables.plugins_table(tables.plugin_rows(registry, lambda text: True))


def test_a_message_is_one_line_whatever_it_names(capsys: Capture) -> None:
    console.reset()
    for say in (console.print_line, console.print_note, console.print_warning):
        say(f"a\n{STEERING}[red]")
    console.print_error("first\nsecond \x1b")
    captured = capsys.readouterr()
    spelled = printable(STEERING) + "[red]"
    assert captured.out == f"a\\n{spelled}\n"
    assert captured.err.splitlines() == [
        f"a\\n{spelled}", f"warning: a\\n{spelled}", "error: first", r"error: second \x1b"
    ]  # fmt: skip


def test_a_log_record_is_one_line() -> None:
    file = io.StringIO()
    logs.start(as_json=False, stream=file)
    logs.LOGGER.warning("x\n2026 INFO forged \x1b[2J")
    logs.stop()
    (line,) = file.getvalue().splitlines()
    assert line.endswith(r"WARNING x\n2026 INFO forged \x1b[2J")
    assert logging.raiseExceptions is False


@pytest.mark.parametrize("name", ["a\nb.yaml", "\x1b[31m.yaml", "[red].yaml", "a\u202eb.yaml"])
def test_a_file_name_is_shown_on_one_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli_main.execute(["validate", name]) == 2
    Path(name).write_text("name: [")
    assert cli_main.execute(["validate", name]) == 2
    Path(name).write_text('"\\e[31m\\n": 1')
    assert cli_main.execute(["validate", name]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert all(line.startswith(f"error: {printable(name)}:") for line in lines)
    assert all(line.isprintable() for line in lines)


def test_control_characters_of_a_defect_are_escaped(capsys: Capture) -> None:
    try:
        raise ValueError(f"[red]{STEERING}")
    except ValueError as problem:
        console.print_traceback(type(problem), problem, problem.__traceback__)
    message = capsys.readouterr().err
    assert message.startswith("Traceback")
    assert message.splitlines()[-1] == f"ValueError: [red]{printable(STEERING)}"


# Sizes


def mlp(**settings: Any) -> dict[str, Any]:
    return {"kind": "mlp", "hidden": [8], **settings}


MEANT = "and most likely a slip: set large: true if you mean it"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training": {"threads": 10**6}}, f"training.threads: 1,000,000 is more than 1,024, {MEANT}"),
        ({"generator": mlp(hidden=[10**9])}, f"generator.hidden.0: 1,000,000,000 is more than 65,536, {MEANT}"),
        ({"generator": mlp(hidden=[8] * 101)}, f"generator.hidden.length: 101 is more than 100, {MEANT}"),
        ({"training": {"batch_size": 2**18}}, f"training.batch_size: 262,144 is more than 131,072, {MEANT}"),
        ({"evaluation": {"samples": 10**7}}, f"evaluation.samples: 10,000,000 is more than 1,000,000, {MEANT}"),
        ({"prior": {"kind": "gaussian", "dim": 10**6}}, f"prior.dim: 1,000,000 is more than 100,000, {MEANT}"),
        (
            {"losses": [{"kind": "baselines.unrolled", "updates": 1000}]},
            f"losses.0.updates: 1,000 is more than 100, {MEANT}",
        ),
        (
            {"generator": mlp(hidden=[60_000] * 3)},
            "generator: its 7,200,420,002 weights take 107 GiB with gradients and moments: make it narrower, or set "
            "large: true if you mean it",
        ),
    ],
)
def test_an_implausible_size_needs_large(changes: dict[str, Any], message: str) -> None:
    assert error(**changes) == message
    assert checked(**changes, large=True) == ([], [])


def test_memory_is_checked_again_once_files_give_the_shape() -> None:
    from allmodes.specs.checks import check_loaded

    csv = {"kind": "csv", "path": "x.csv"}
    values = {**SPEC, "data": csv, "evaluation": {"samples": 10_000}, "losses": [GAME]}
    (problem,) = check_loaded(loading.parse(values, REGISTRY), (500_000,), None)
    assert (problem.where, problem.what[:29]) == (("evaluation", "samples"), "10,000 items take 19 GiB: tak")


@pytest.mark.parametrize("network", ["mlp", "dcgan"])
def test_weights_are_counted_before_they_are_made(network: str) -> None:
    torch = pytest.importorskip("torch")
    from allmodes.builtin.config.networks import DcganConfig, MlpConfig

    config = MlpConfig(hidden=(30, 50)) if network == "mlp" else DcganConfig(channels=16)
    for sees, gives in ((((9,),), (3, 32, 32)), (((3, 32, 32),), (1,)), (((3, 32, 32), (9,)), (1,))):
        with torch.device("meta"):
            built = sum(p.numel() for p in config.build(sees, gives).parameters())
        assert config.parameters(sees, gives) == pytest.approx(built, rel=0.05 if network == "dcgan" else 0)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"training": {"optimizer": {"kind": "adam", "lr": 1e308}}}, "training.optimizer.lr: 1e+308"),
        ({"training": {"optimizer": {"kind": "adam", "eps": 1e-300}}}, "training.optimizer.eps: 1e-300"),
        ({"losses": [{**GAME, "weight": 1e308}]}, "losses.0.weight: 1e+308"),
        ({"losses": [{**GAME, "weight": {"start": 1, "end": 1e300, "over": 20}}]}, "losses.0.weight.end: 1e+300"),
        ({"data": {"kind": "ring", "weights": [1e308, *[1] * 7]}}, "data.weights.0: 1e+308"),
        ({"prior": {"kind": "gaussian", "dim": 2, "std": 1e-300}}, "prior.std: 1e-300"),
    ],
)
def test_numbers_beyond_32_bit_floats_are_refused_even_with_large(changes: dict[str, Any], place: str) -> None:
    message = f"{place} cannot be computed with in 32-bit floats: take a size between 1e-30 and 1e+30"
    assert error(**changes, large=True) == message


def test_a_share_that_is_1_in_32_bit_floats_is_refused() -> None:
    assert error(training={"ema": {"decay": 1 - 1e-9}}) == (
        "training.ema.decay: should be at most 0.9999999: nearer to 1 it is 1 in 32-bit floats, and nothing would move"
    )


def test_widths_that_are_lost_beside_their_means_are_refused() -> None:
    assert error(data={"kind": "ring", "std": 1e-9}) == (
        "data: std 1e-09 is lost beside a mean of size 1, where 32-bit floats are 1e-07 apart: take at least 1e-06, or "
        "smaller means"
    )
    assert error(data={"kind": "mixture", "means": [[0], [1e6]], "std": [1e-3, 0.1]}).startswith(
        "data: std 0.1 is lost"
    )
    assert checked(data={"kind": "mixture", "means": [[0], [1e6]], "std": [1e-3, 10]})[0] == []
    assert error(prior={"kind": "uniform", "low": 1e8, "high": 1e8 + 1}) == (
        "prior: low and high (1e+08) are so near to each other that 32-bit floats hold nothing between"
    )


def test_batch_norm_of_one_item_is_refused() -> None:
    message = "BatchNorm needs two items or more at once: raise training.batch_size, or switch it off"
    assert error(training={"batch_size": 1}, generator=mlp(batch_norm=True)) == f"generator: {message}"
    assert error(discriminator=mlp(batch_norm=True, pack=8)) == f"discriminator: {message}"


# What has no effect

DISCRIMINATOR, GENERATOR = {"player": "discriminator"}, {"player": "generator"}


@pytest.mark.parametrize(
    ("turn", "message"),
    [
        ({"start": 5, "end": 3}, "the turn is never taken: it begins at iteration 5 and ends before 3"),
        ({"start": 5, "end": 9, "every": 10}, "the turn is never taken: it begins at iteration 10 and ends before 9"),
    ],
)
def test_a_turn_that_is_never_taken_is_refused(turn: dict[str, int], message: str) -> None:
    assert error(training={"schedule": [DISCRIMINATOR, GENERATOR | turn]}) == f"training.schedule.1: {message}"


@pytest.mark.parametrize("weight", [0, -1, {"start": 0, "end": 0, "over": 10}])
def test_a_game_without_a_positive_weight_is_refused(weight: Any) -> None:
    (line, *_), _ = checked(losses=[GAME | {"weight": weight}])
    assert line.startswith("losses.0.weight: a game cannot have weight ")


def test_a_game_that_begins_after_the_run_is_refused() -> None:
    assert error(losses=[GAME | {"start": 20}]) == (
        "losses.0: non_saturating never counts in this run: it begins at iteration 20, and the run has 20"
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"training": {"schedule": [DISCRIMINATOR, GENERATOR | {"start": 50}]}},
            "training.schedule.1: the turn is not taken in this run: it begins at iteration 50, and the run has 20",
        ),
        (
            {"training": {"schedule": [DISCRIMINATOR, GENERATOR | {"every": 30}]}},
            "training.schedule.1.every: the turn is taken once in this run: every 30 of 20 iterations",
        ),
        (
            {"losses": [GAME, {"kind": "r1", "every": 21}]},
            "losses.1.every: r1 counts once in this run: every 21 of 20 iterations",
        ),
        ({"losses": [GAME, {"kind": "r1", "weight": 0}]}, "losses.1.weight: r1 has weight 0 throughout: remove it"),
        (
            {"losses": [GAME, {"kind": "r1", "start": 5, "every": 30}]},
            "losses.1: r1 never counts in this run: it begins at iteration 30, and the run has 20",
        ),
        (
            {"losses": [GAME, {"kind": "r1", "weight": {"start": 1, "end": 2, "over": 100}}]},
            "losses.1.weight: the ramp goes on to iteration 100 of 20: it is 1.19, not 2, at the end",
        ),
        (
            {"training": {"optimizer": {"kind": "adam", "lr": {"start": 1, "end": 2, "over": 9, "begin": 50}}}},
            "training.optimizer.lr: the ramp begins at iteration 50, after the run's 20",
        ),
        (
            {"training": {"optimizer": {"kind": "adam", "lr": {"start": 1, "end": 0, "over": 9, "begin": 3}}}},
            "training.optimizer.lr: the rate is 0 from iteration 12 on: the 8 iterations after it train nothing by it",
        ),
        (
            {"losses": [GAME, {"kind": "r1", "start": 10, "weight": {"start": 1, "end": 2, "over": 5}}]},
            "losses.1.weight: the ramp is over before the term counts, from iteration 10 on",
        ),
        (
            {"losses": [GAME, {"kind": "r1", "weight": {"start": 1, "end": 1, "over": 5}}]},
            "losses.1.weight: the ramp goes from 1 to itself: write the number",
        ),
        (
            {"evaluation": {"every": 500, "samples": 64}},
            "evaluation.every: 500 is more than the 20 iterations of the run: the run is measured at its end alone",
        ),
        (
            {"training": {"log_every": 50}},
            "training.log_every: 50 is more than the 20 iterations of the run: losses are logged at the first "
            "iteration alone",
        ),
    ],
)
def test_settings_without_effect_in_a_run_are_warnings(changes: dict[str, Any], message: str) -> None:
    assert warning(**changes) == message


def test_a_player_whose_losses_never_count_learns_nothing() -> None:
    _, warned = checked(
        prior={"kind": "nemgan.mode_mixture", "modes": 2, "dim": 2},
        auxiliaries={"inverter": {"kind": "nemgan.inverter"}},
        losses=[GAME, {"kind": "nemgan.latent_inversion", "weight": 0}],
    )
    assert warned == [
        "losses.1.weight: nemgan.latent_inversion has weight 0 throughout: remove it",
        "losses.1: player 'inversion' learns nothing in this run, of nemgan.latent_inversion",
    ]


def test_the_recipes_have_no_settings_without_effect() -> None:
    known = "so weights: learned stay equal"
    for recipe in REGISTRY.recipes:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", UserWarning)
            loading.load(recipe, REGISTRY)
        assert [str(one.message) for one in warned if known not in str(one.message)] == []


# Names


@pytest.mark.parametrize("name", ["..", ".", "a/b", "a b", "a\n"])
def test_an_invalid_name_error_is_in_words(name: str) -> None:
    assert error(name=name) == (
        f"name: should be a name of letters, digits, dots, dashes and underscores, and not of dots alone, got {name!r}"
    )


def test_other_pattern_errors_are_in_words() -> None:
    assert error(training={"device": "gpu"}) == (
        "training.device: should be 'auto', 'cpu', 'cuda' or a card such as 'cuda:1', got 'gpu'"
    )
    assert error(streams={"Few Labels": {}}) == (
        "streams.Few Labels: should be a name of small letters, digits and underscores that begins with a letter, got "
        "'Few Labels'"
    )
