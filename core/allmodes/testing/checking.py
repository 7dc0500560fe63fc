"""`python -m allmodes.testing.checking EVENTS QUICK PLUGIN...`: hold plugins to the contracts, in a process of its own.

What happens is appended to a file, a line of JSON for each event, so that a process that hangs or dies loses nothing.
A title that is in the file already is left out, so that another process goes on with the next.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from allmodes.testing.installed import UNTRIED, first_line, list_titles, make_contracts
from allmodes.testing.kinds import installed_once

CLASSES: dict[str, type] = {}
"""The contracts that are run, for the file of tests that pytest collects."""
TESTS = "from allmodes.testing import checking\n\nglobals().update(checking.CLASSES)\n"


class Reporter:
    """Appends events to a file: what begins, and how it ended."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def write(self, **event: str) -> None:
        """Append an event."""
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")

    def titles(self) -> set[str]:
        """What was done, or given up, by processes before."""
        events = [json.loads(line) for line in self.file.read_text("utf-8").splitlines()]
        return {event["title"] for event in events if "outcome" in event}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: Any) -> None:
        """Say which test begins."""
        self.write(title=item.cls.title, test=item.name)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: Any, call: Any) -> Generator[None, Any, Any]:
        """Say how a test ended: after its call, or where it could not begin or end."""
        report = yield
        if report.when == "call" or report.outcome != "passed":
            error = call.excinfo.value if call.excinfo else None
            why = _explain(error)
            outcome = "untried" if report.outcome == "skipped" and why.startswith(UNTRIED) else report.outcome
            self.write(title=item.cls.title, test=item.name, outcome=outcome, why=why.removeprefix(UNTRIED))
        return report


def check(file: Path, quick: bool, plugins: list[str]) -> None:
    """Run the contracts of all that plugins provide, but for what the file of events has."""
    reporter, registry = Reporter(file), installed_once()
    done = reporter.titles()
    things = {title: thing for title, thing in list_titles(plugins, registry).items() if title not in done}
    making = make_contracts(things, registry, quick)
    for title in things:
        reporter.write(title=title, test="")
        _, made = next(making)
        if isinstance(made, str):
            reporter.write(title=title, test="", outcome="untried", why=made)
        else:
            CLASSES[made.__name__] = made
    if CLASSES:
        _run(file.parent, reporter)
    reporter.write(end="yes")


def _run(folder: Path, reporter: Reporter) -> None:
    tests, settings = folder / "test_installed.py", folder / "pytest.ini"
    tests.write_text(TESTS, "utf-8")
    settings.write_text("[pytest]\n", "utf-8")
    options = ["-q", "-p", "no:cacheprovider", "--import-mode=importlib", f"--basetemp={folder / 'runs'}"]
    code = pytest.main([str(tests), "-c", str(settings), f"--rootdir={folder}", *options], plugins=[reporter])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        sys.exit(int(code))  # without the event of the end: not all was run


def _explain(error: BaseException | None) -> str:
    if error is None:
        return ""
    expected = isinstance(error, AssertionError | pytest.skip.Exception)
    return first_line(error) if expected else f"{type(error).__name__}: {first_line(error)}"


if __name__ == "__main__":
    from allmodes.testing import checking  # as the file of tests imports it, and not as __main__

    checking.check(Path(sys.argv[1]), sys.argv[2] == "quick", sys.argv[3:])
