"""Runs what a page of the documentation shows, block after block, in one namespace and one working folder.

A comment before a block tells how its text is used: `<!-- test: file NAME -->` writes it to a file first,
`<!-- test: exact -->` compares output to the digit, `<!-- test: from FILE -->` finds it in the template of plugins and
does not run it, `<!-- test: skip, REASON -->` runs nothing. A comment `<!-- test: setup ... -->` holds Python that
prepares what a reader brings along.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from ruamel.yaml import YAML

from allmodes import installed
from allmodes.cli import main as cli_main
from allmodes.specs import loading
from allmodes.specs.axes import Axes
from allmodes.specs.members import axes_of, members
from allmodes.specs.search_plan import read_plan

BLOCK = re.compile(
    r"<!-- test: setup\n(?P<setup>.*?)-->"
    r"|(?:<!-- test: (?P<mark>(?!setup).*?) -->\n)?^(?P<indent> *)```(?P<language>[\w{}]*)\n(?P<text>.*?)^ *```$",
    re.DOTALL | re.MULTILINE,
)
NUMBER = re.compile(r"\d+(,\d{3})*(\.\d+)?(e[+-]?\d+)?")
TEMPLATE = Path(__file__).parents[1] / "core" / "allmodes" / "template"
SHOWN_ONLY = ("text", "mermaid")
BASE = {
    "name": "fragment",
    "data": {"kind": "digits"},
    "prior": {"kind": "gaussian", "dim": 8},
    "generator": {"kind": "mlp"},
    "discriminator": {"kind": "mlp"},
    "losses": [{"kind": "non_saturating"}],
}
"""What a fragment is laid over on a page without a spec."""


@dataclass(frozen=True)
class Block:
    """A block of a page: its language, its text, the mark before it, and the line of its first line."""

    language: str
    text: str
    mark: str
    line: int

    @property
    def skipped(self) -> bool:
        """Whether the page gives a reason for not running the block."""
        return self.mark.startswith("skip, ")


def blocks_of(page: Path) -> Iterator[Block]:
    """The blocks of a page in order; Sphinx's directives are none."""
    text = page.read_text("utf-8")
    for found in BLOCK.finditer(text):
        if found["setup"] is not None:
            yield Block("python", found["setup"], "", text.count("\n", 0, found.start("setup")))
        elif not found["language"].startswith("{"):
            line = text.count("\n", 0, found.start("text"))
            yield Block(found["language"], found["text"], found["mark"] or "", line)


@dataclass
class Runner:
    """Runs the blocks of one page. `capture` returns what was printed since it was last asked."""

    page: Path
    capture: Callable[[], str]
    module: ModuleType
    spec: dict[str, Any] = field(default_factory=BASE.copy)

    def run(self, block: Block) -> None:
        """Run a block; one in an unknown language fails."""
        if block.mark.startswith("file "):
            Path(block.mark.removeprefix("file ")).write_text(block.text, "utf-8")
        if block.mark.startswith("from "):
            self.quote(block, block.mark.removeprefix("from "))
            return
        if block.skipped or block.language in SHOWN_ONLY:
            return
        known = {
            "python": self.python,
            "yaml": self.yaml,
            "console": self.console,
            "json": self.json,
            "toml": self.toml,
        }
        assert block.language in known, f"{self.page.name}:{block.line}: give the reason why this block is not run"
        known[block.language](block)

    def quote(self, block: Block, file: str) -> None:
        """Find each definition in a file of the template."""
        text = (TEMPLATE / file).read_text("utf-8")
        missing = [part for part in block.text.strip().split("\n\n\n") if part not in text]
        assert not missing, f"{self.page.name}:{block.line}: {file} has other lines: copy them into the page"

    def python(self, block: Block) -> None:
        """Run it after the page's blocks before; a failure points into the page."""
        code = compile("\n" * block.line + block.text, str(self.page), "exec", dont_inherit=True)
        exec(code, self.module.__dict__)

    def yaml(self, block: Block) -> None:
        """Check a spec; a fragment is laid over the spec before it on the page."""
        tree = YAML(typ="safe").load(block.text)
        self.spec = tree if {"data", "losses"} <= tree.keys() else {**self.spec, **tree}
        source = loading.SpecSource(self.spec, self.page.name)
        if "search" in self.spec:
            read_plan(source, Axes(), installed())
        else:
            members(source, axes_of(source), installed())

    def json(self, block: Block) -> None:
        """Read each line, or all of it."""
        for line in block.text.splitlines() if block.text.startswith("{") else [block.text]:
            json.loads(line)

    def toml(self, block: Block) -> None:
        """Read it."""
        tomllib.loads(block.text)

    def console(self, block: Block) -> None:
        """Run each command, and find the lines that are shown after it among those that it prints, in order."""
        assert block.text.startswith("$ "), f"{self.page.name}:{block.line}: begin commands with $"
        for command, shown in _commands(block.text):
            self.capture()
            code = _execute(command)
            printed = self.capture()
            place = f"{self.page.name}: $ {command}\n{printed}"
            assert (code != 0) == any(line.startswith("error:") for line in shown), place
            _compare(shown, printed, block.mark == "exact", place)


def _commands(text: str) -> Iterator[tuple[str, list[str]]]:
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, *shown = part.replace("\\\n", " ").splitlines()
        yield command.partition("  #")[0], [line for line in shown if line.strip()]


def _execute(command: str) -> int:
    words = [_place(word) for word in shlex.split(command)]
    if words[0] == "allmodes":
        return cli_main.execute(words[1:])
    if words[0] == "python":  # the one that runs the tests, whose environment need not be activated
        words[0] = sys.executable
    done = subprocess.run(words, capture_output=True, text=True)
    print(done.stdout + done.stderr)
    return done.returncode


def _place(word: str) -> str:
    """`runs/name-...` is the newest folder of that name."""
    if "..." not in word:
        return word
    found = sorted(Path().glob(word.replace("...", "*")), key=lambda path: path.stat().st_mtime)
    assert found, f"nothing is called {word}"
    return str(found[-1])


def _compare(shown: list[str], printed: str, exact: bool, place: str) -> None:
    lines = iter([_plain(line, exact) for line in printed.splitlines()])
    for line in shown:
        pattern = re.escape(_plain(line, exact)).replace(r"\.\.\.", ".*")
        assert line.strip() == "..." or any(re.fullmatch(pattern, have) for have in lines), f"no {line!r} in {place}"


def _plain(line: str, exact: bool) -> str:
    """Without a table's frame and spacing, which follow the numbers; unless exact, without the numbers."""
    line = " ".join(re.sub("[┃│]", " ", re.sub("[─━]+", "─", line)).split())
    return line if exact else NUMBER.sub("#", line)


def module_of(page: Path) -> ModuleType:
    """A module for a page's Python, which may look itself up."""
    module = ModuleType(f"allmodes_page_{page.stem}")
    sys.modules[module.__name__] = module
    return module


def reasons(page: Path) -> Mapping[int, str]:
    """Why blocks of a page are not run, by line."""
    return {block.line: block.mark.removeprefix("skip, ") for block in blocks_of(page) if block.skipped}
