"""A process that holds plugins to contracts, watched: one that hangs or dies is ended, and another goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from allmodes.specs.source import SpecError

TICK = 0.2
"""Seconds between two looks at the file of events."""


@dataclass(frozen=True)
class Outcome:
    """How a test ended: passed, failed, untried, or skipped where it does not apply; and why."""

    test: str
    outcome: str
    why: str


@dataclass
class Check:
    """The outcomes of a kind or a recipe."""

    title: str
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The name of the kind or the recipe, without its slot."""
        return self.title.rpartition(" ")[2]

    def having(self, outcome: str) -> list[Outcome]:
        """The outcomes of one sort."""
        return [one for one in self.outcomes if one.outcome == outcome]


class Events:
    """The file of events, which a process appends to."""

    def __init__(self, file: Path) -> None:
        self.file = file
        file.touch()

    def read(self) -> list[dict[str, str]]:
        """All events, but for a last line that is not yet whole."""
        return [json.loads(line) for line in self.file.read_text("utf-8").splitlines(keepends=True) if line[-1] == "\n"]

    def add(self, **event: Any) -> None:
        """Append an event."""
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")


def watch(folder: Path, plugins: Sequence[str], quick: bool, seconds: float, log: Callable[[str], None]) -> list[Check]:
    """Hold plugins to the contracts; a test that takes longer than some seconds is given up, with its kind or recipe.

    Args:
        folder: An empty one, for the file of events and for runs.
        plugins: Their names.
        quick: Train no recipe.
        seconds: The longest that one test may take.
        log: Is told each kind or recipe that begins.

    Raises SpecError where nothing can be begun.
    """
    events = Events(folder / "events.jsonl")
    while True:
        why, outcome = _watch_one(events, plugins, quick, seconds, log)
        last = (events.read() or [{}])[-1]
        if "end" in last:
            return _gather(events.read())
        if "title" not in last or not why:
            raise SpecError(f"the contracts could not begin: {why}")
        events.add(**{"title": last["title"], "test": last["test"], "outcome": outcome, "why": why})


def _watch_one(
    events: Events, plugins: Sequence[str], quick: bool, seconds: float, log: Callable[[str], None]
) -> tuple[str, str]:
    """Run a process to its end, or until nothing happens; returns why it did not come to the end, and what that is."""
    seen, since = events.read(), time.monotonic()
    with (events.file.parent / "output").open("wb") as output:
        process = _start(events.file, plugins, quick, output)
        try:
            while process.poll() is None:
                now = events.read()
                if len(now) > len(seen):
                    _tell_new(seen, now, log)
                    seen, since = now, time.monotonic()
                if time.monotonic() - since > seconds:
                    return f"took longer than {seconds:g} seconds", "untried"
                time.sleep(TICK)
        finally:
            process.kill()
            process.wait()
    return f"the process ended with code {process.returncode}: {_last_line(events.file.parent)}", "failed"


def _start(file: Path, plugins: Sequence[str], quick: bool, output: Any) -> subprocess.Popen[bytes]:
    """Start the process, which finds the plugins that this one finds, and no plugins of pytest's but its own."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment.pop("PYTEST_ADDOPTS", None)
    command = [sys.executable, "-P", "-m", "allmodes.testing.checking", str(file), "quick" if quick else "", *plugins]
    return subprocess.Popen(command, env=environment, stdout=output, stderr=output, stdin=subprocess.DEVNULL)  # noqa: S603


def _tell_new(seen: Sequence[dict[str, str]], now: Sequence[dict[str, str]], log: Callable[[str], None]) -> None:
    known = {event.get("title") for event in seen if event.get("test")}
    for event in now[len(seen) :]:
        if event.get("test") and event["title"] not in known:
            known.add(event["title"])
            log(event["title"])


def _gather(events: Sequence[dict[str, str]]) -> list[Check]:
    """The outcomes by kind and recipe, in the order in which they were begun."""
    found = {event["title"]: Check(event["title"]) for event in events if "title" in event}
    for event in events:
        if "outcome" in event:
            found[event["title"]].outcomes.append(Outcome(event["test"], event["outcome"], event["why"]))
    return list(found.values())


def _last_line(folder: Path) -> str:
    lines = (folder / "output").read_text("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "it printed nothing"
