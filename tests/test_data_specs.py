"""From a spec to data and back: what only files know is checked once they are loaded, and the documentation holds."""

import contextlib
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from allmodes import Experiment
from allmodes.cli.main import execute
from allmodes.data import DataError, from_dataset
from allmodes.game.compose import CompositionError, compose
from allmodes.registry.registry import installed
from allmodes.specs import loading
from files import folder, picture
from tiny import SPEC

DOCUMENT = (Path(__file__).parents[1] / "docs" / "data.md").read_text("utf-8")
YAML = re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)
PYTHON = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def experiment(data: dict[str, Any], **parts: Any) -> Experiment:
    evaluation = {"every": 10, "samples": 8, "metrics": ["wasserstein"], "figure": False}
    return Experiment.from_spec({**SPEC, "evaluation": evaluation, "data": data, **parts}, track=False)


def refusal(build: Callable[[], object]) -> str:
    with pytest.raises((CompositionError, DataError)) as error:
        build()
    return str(error.value)


@pytest.mark.parametrize("memory", ["resident", "stream"])
def test_a_folder_of_images_is_trained_on_as_well_in_memory_as_streamed(memory: str) -> None:
    folder(Path("images"), each=12)
    results = experiment({"kind": "image_folder", "root": "images", "memory": memory}).run()
    again = experiment({"kind": "image_folder", "root": "images", "memory": "resident"}).run()
    assert results.status == "finished"
    assert results.values("w1") == again.values("w1")


def test_rows_of_a_csv_are_trained_on() -> None:
    np.savetxt("f.csv", np.random.default_rng(0).normal(5, 2, (60, 3)), delimiter=",", header="a,b,c", comments="")
    assert experiment({"kind": "csv", "path": "f.csv"}).run().status == "finished"


def test_images_that_fit_no_network_are_refused_once_they_are_loaded() -> None:
    for i in range(4):
        picture(Path(f"images/{i}.png"), seed=i, size=(12, 8))
    dcgan = {"kind": "dcgan", "channels": 4, "batch_norm": False}
    told = experiment({"kind": "image_folder", "root": "images"}, generator=dcgan, discriminator=dcgan)
    what = "dcgan needs square images, but these have 8 x 12 px: crop or pad them"
    assert refusal(lambda: compose(told.spec, told.data, 0)) == f"generator: {what}\ndiscriminator: {what}"


def test_missing_labels_are_an_error_once_the_data_are_loaded() -> None:
    for i in range(4):
        picture(Path(f"images/{i}.png"), seed=i)
    told = experiment({"kind": "image_folder", "root": "images"}, evaluation={"metrics": ["class_coverage"]})
    message = refusal(lambda: compose(told.spec, told.data, 0))
    assert message.startswith(
        "evaluation.metrics.0: class_coverage needs labels, which data image_folder does not have"
    )


def test_a_batch_larger_than_the_data_is_refused() -> None:
    folder(Path("images"), each=2)
    told = experiment({"kind": "image_folder", "root": "images"})
    assert refusal(lambda: told.data.loader(8, 0)) == (
        "training: batch_size is 8 but the data have 3 items: set batch_size to 3 or less"
    )


def test_data_from_python_have_to_be_given_again() -> None:
    told = experiment({"kind": "python", "name": "mine", "item_shape": [2], "labels": None, "items": 5})
    assert refusal(lambda: told.data) == "data: mine came from Python: pass data=... to Experiment"


def test_skip_unreadable_on_the_command_line_leaves_images_out(capfd: pytest.CaptureFixture[str]) -> None:
    folder(Path("images"), each=10)
    Path("images/cat/00.png").write_bytes(b"no image")
    Path("spec.yaml").write_text(
        loading.dump(experiment({"kind": "image_folder", "root": "images", "memory": "resident"}).spec)
    )
    command = ["run", "spec.yaml", "--no-tracking", "--quiet"]
    assert execute(command) == 2
    assert "images/cat/00.png cannot be read" in capfd.readouterr().err
    assert execute([*command, "--skip-unreadable"]) == 0
    assert "1 of 20 images cannot be read and are left out: images/cat/00.png" in capfd.readouterr().err


def test_skip_unreadable_is_refused_for_data_that_have_no_images(capfd: pytest.CaptureFixture[str]) -> None:
    assert execute(["run", "gan/ring", "--skip-unreadable"]) == 2
    assert capfd.readouterr().err == ("error: --skip-unreadable: data ring reads no images one by one: leave it out\n")


# The documentation


@pytest.mark.parametrize("text", YAML, ids=[text.partition("\n")[0] for text in YAML])
def test_the_specs_of_the_documentation_are_valid(text: str) -> None:
    assert loading.check(loading.read(text, "data.md"), installed()).name.startswith("my-")


@pytest.mark.parametrize("code", PYTHON)
def test_the_examples_of_the_documentation_print_their_output(code: str) -> None:
    torch.manual_seed(0)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(code, {})
    stated = re.findall(r"print\(.*\)  # ([\d(t].*)", code)
    assert [line for line in stated if line[0] != "t" or "torch" in line] == [
        line for line in printed.getvalue().splitlines() if line in stated
    ]


def test_the_documentation_names_every_kind() -> None:
    from allmodes.builtin import FILES

    assert all(f"`{kind.kind_name()}`" in DOCUMENT or f"kind: {kind.kind_name()}" in DOCUMENT for kind in FILES)
    assert from_dataset.__name__ in DOCUMENT
