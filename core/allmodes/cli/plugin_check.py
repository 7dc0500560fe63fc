"""The command `plugins check`: what an installed plugin provides, held to the contracts of `allmodes.testing`."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators
from rich.table import Table

from allmodes.cli.checking import Check, Outcome, watch
from allmodes.cli.console import FAILED, OK, out, print_error, print_line, print_note
from allmodes.cli.entries import find_plugins
from allmodes.registry.registry import Registry, installed
from allmodes.registry.slots import Plugin
from allmodes.specs.source import SpecError


def check(
    name: Annotated[str, Parameter(help="an installed distribution, such as allmodes-mymethod")],
    *,
    quick: Annotated[bool, Parameter(negative=(), help="train no recipe")] = False,
    seconds: Annotated[
        float, Parameter(validator=validators.Number(gt=0), help="the longest that one test may take")
    ] = 120,
) -> int:
    """Hold all kinds and recipes of an installed plugin to the contracts of allmodes, without its author's tests."""
    registry = installed()
    plugins = find_plugins(name, registry)
    _check_loaded(plugins)
    provided = _count(plugins, registry)
    print_note(f"{plugins[0]}: {provided[0]} kinds, {provided[1]} recipes")
    if not any(provided):
        print_line(f"{plugins[0]} can be loaded; it has neither kinds nor recipes, so no contract applies")
        return OK
    if not find_spec("pytest"):
        raise SpecError("pytest is not installed, and the contracts are tests: pip install 'allmodes[test]'")
    with tempfile.TemporaryDirectory(prefix="allmodes-check-") as folder:
        checks = watch(Path(folder), [plugin.name for plugin in plugins], quick, seconds, print_note)
    return _tell(checks)


def _check_loaded(plugins: Sequence[Plugin]) -> None:
    for plugin in plugins:
        if plugin.error:
            raise SpecError(f"{plugin} could not be loaded: {plugin.error}")


def _count(plugins: Sequence[Plugin], registry: Registry) -> tuple[int, int]:
    names = {plugin.name for plugin in plugins}
    kinds = [kind for _, kind in registry.all_kinds() if kind.plugin.name in names]
    return len(kinds), len([name for name in registry.recipes if name.partition("/")[0] in names])


def _tell(checks: Sequence[Check]) -> int:
    """Print what held, what failed and what could not be tried; returns the exit code."""
    out.print(_table(checks))
    failed = [(check, outcome) for check in checks for outcome in check.having("failed")]
    for check, outcome in failed:
        print_error(f"{_where(check, outcome)}: {outcome.why.removeprefix(f'{check.name}: ')}")
    for why, titles in _untried(checks).items():
        print_line(f"not tried  {', '.join(titles)}: {why}")
    return FAILED if failed else OK


def _untried(checks: Sequence[Check]) -> dict[str, list[str]]:
    """By reason, what could not be tried, or not wholly."""
    found = dict[str, list[str]]()
    for check in checks:
        for why in dict.fromkeys(outcome.why for outcome in check.having("untried")):
            found.setdefault(why, []).append(check.title)
    return found


def _where(check: Check, outcome: Outcome) -> str:
    test = outcome.test.removeprefix("test_").replace("_", " ")
    return f"{check.title}: {test}" if test else check.title


def _table(checks: Sequence[Check]) -> Table:
    table = Table(title="Contracts", title_justify="left")
    table.add_column("what")
    for column in ("held", "failed", "not tried", "does not apply"):
        table.add_column(column, justify="right")
    for check in checks:
        counts = (len(check.having(outcome)) for outcome in ("passed", "failed", "untried", "skipped"))
        table.add_row(check.title, *(str(count or "") for count in counts))
    return table
