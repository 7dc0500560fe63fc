"""`allmodes new-plugin NAME --from FILE.py`: a plugin around a user's file passes its tests; what cannot be one."""

from pathlib import Path

import pytest

from allmodes.cli import main as cli_main
from allmodes.cli.network_shapes import find_shapes
from allmodes.cli.new_plugin import write_around
from allmodes.cli.python_file import read_file
from allmodes.specs.source import SpecError
from fixtures.distributions import with_metadata
from test_authoring import run_tests

MINE = '''"""Mine."""

import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        return x + torch.relu(self.linear(x))


class MyGenerator(nn.Module):
    """From z to points"""

    def __init__(self, width: int = 8, check: float = 1.0, device=None):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, width), Block(width), nn.Linear(width, 2))

    def forward(self, z):
        return self.layers(z)


class Odd(nn.Module):
    def __init__(self, size):
        super().__init__()


def pull(step, radius=1.0):
    """How far generated points are from a circle."""
    return (step.fake.norm(dim=1) - radius).square().mean()


def width(x, y, samples):
    return 0.0


def spread(samples, real, scales=(1.0, 2.0)):
    return {f"spread_{i}": scale * (samples.std() - real.std()) for i, scale in enumerate(scales)}


if __name__ == "__main__":
    raise SystemExit("this is a script")
'''
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    file = tmp_path / "mine.py"
    file.write_text(MINE)
    return file


def refusal(file: Path, capsys: Capture, name: str = "acme") -> str:
    assert cli_main.execute(["new-plugin", name, "--from", str(file), "--folder", str(file.parent)]) == 2
    assert not list(file.parent.glob("*allmodes-*"))
    return capsys.readouterr().err.removeprefix("error: ").strip()


def test_a_plugin_around_a_file_passes_its_tests(
    mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli_main.execute(["new-plugin", "acme", "--from", "mine.py"]) == 0
    assert capsys.readouterr().out == (
        "allmodes-acme is a plugin of what mine.py has\n"
        "MyGenerator: network acme.my_generator, options width, check\n"
        "pull: loss acme.pull, options radius\n"
        "spread: metric acme.spread, options scales\n"
        "left out: Block is a part of MyGenerator\n"
        "left out: Odd takes 'size' without a default: give it one\n"
        "mine.py was imported once, in a process of its own, to find the shapes of MyGenerator\n"
        "install  pip install -e 'allmodes-acme[test]'\n"
        "test     python -m pytest allmodes-acme\n"
    )
    folder = tmp_path / "allmodes-acme"
    assert (folder / "allmodes_acme" / "model.py").read_text() == MINE
    assert "sees = ((3,),)" in (folder / "tests" / "test_acme.py").read_text()
    assert "failed" not in run_tests(with_metadata(folder))


def test_a_file_without_networks_is_never_run(tmp_path: Path) -> None:
    file = tmp_path / "loss.py"
    file.write_text("ran = open(__file__ + '.ran', 'w')\n\n\ndef pull(step):\n    return step.fake.mean()\n")
    written, reading, notes = write_around("acme", tmp_path, file, {})
    assert [found.word for found in reading.found] == ["pull"]
    assert notes == ()
    assert not Path(f"{file}.ran").exists()
    assert "PlainNetwork" not in (written / "allmodes_acme" / "config.py").read_text()


def test_shapes_are_those_that_a_trial_pass_takes(tmp_path: Path) -> None:
    file = tmp_path / "nets.py"
    file.write_text(
        "from torch import nn\n\n\nclass Image(nn.Sequential):\n    def __init__(self):\n"
        "        super().__init__(nn.Conv2d(3, 2, 4, 2, 1), nn.Flatten(), nn.Linear(2 * 16 * 16, 1), nn.Flatten(0))\n"
        "\n\nclass Broken(nn.Module):\n    def __init__(self):\n        raise ValueError\n"
    )
    assert find_shapes(file, ["Image", "Broken"]) == ({"Image": ((3, 32, 32), (1,))}, "")
    assert find_shapes(file, ["Absent"]) == ({}, f"importing {file} fails: KeyError: 'Absent'")


def test_a_class_of_allmodes_is_found_by_its_base(tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text(
        "import allmodes\nfrom torch import nn\n\n\nclass Hinge(allmodes.Game):\n    pass\n\n\n"
        "class Further(Hinge):\n    def __init__(self, margin: float = 1.0):\n        pass\n\n\n"
        "class Count(allmodes.Metric):\n    pass\n\n\n"
        "class Net(nn.Module):\n    def __init__(self, sees, gives, norm: str = 'batch'):\n"
        "        self.norm = nn.BatchNorm1d\n"
    )
    found = {one.name: one for one in read_file(file).found}
    assert {name: (one.slot, one.base) for name, one in found.items()} == {
        "Hinge": ("loss", "Game"),
        "Further": ("loss", "Game"),
        "Count": ("metric", "Metric"),
        "Net": ("network", "Module"),
    }
    assert (found["Net"].gives, found["Net"].mixes) == (("sees", "gives"), True)
    assert [(one.name, one.type, one.default) for one in found["Further"].options] == [("margin", "float", 1.0)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def f(:\n", "{file}:1: no Python that can be read: invalid syntax"),
        (
            "import torch\n\nprint(torch)\n",
            "{file}:3: runs when the file is imported, and so whenever a spec names its kinds: put it under "
            'if __name__ == "__main__":',
        ),
        (
            "import beside\n",
            "{file}:1: imports beside, which lies beside it and would not be in the package: copy what it needs into "
            "the file",
        ),
        (
            "from . import x\n",
            "{file}:1: imports ., which lies beside it and would not be in the package: copy what it needs into "
            "the file",
        ),
        (
            "def helper(x):\n    return x\n",
            "{file}: has nothing for a plugin: a plain nn.Module class, a function of step (a loss) or of samples (a "
            "metric)",
        ),
        (
            "def metric(samples, real, third):\n    return 0\n",
            "{file}: has nothing for a plugin: a plain nn.Module class, a function of step (a loss) or of samples (a "
            "metric)\n{file}: metric takes 'third' without a default: give it one",
        ),
    ],
)
def test_a_file_that_cannot_be_a_plugin_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("")
    file = tmp_path / "mine.py"
    file.write_text(text)
    with pytest.raises(SpecError) as error:
        read_file(file)
    assert str(error.value) == message.format(file=file)


def test_nothing_is_written_where_a_file_is_missing_or_the_name_is_taken(
    mine: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert "nine.py: no such file or folder" in " ".join(refusal(tmp_path / "nine.py", capsys).split())
    assert "invalid plugin name" in refusal(mine, capsys, "Acme")
