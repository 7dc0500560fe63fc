"""The entry of the command line: arguments in, exit code out; expected errors are printed as lines."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress

from cyclopts import CycloptsError

from allmodes.cli import console
from allmodes.cli.app import app
from allmodes.cli.console import KILLED, OK, WRONG, PlainConsole, print_error, print_traceback
from allmodes.system.ranks import find_rank
from allmodes.system.variables import VariableError
from allmodes.text.printable import printable


def execute(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code: 0 done, 1 failed, 2 wrong input.

    A program that was asked to end, and saved, gives 130 after Ctrl-C, 143 after SIGTERM, and 75 after a signal that
    the environment names.
    """
    console.reset()
    if _is_follower():
        console.hush()
    try:
        code = app(
            arguments,
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
            console=PlainConsole(),  # the help has the width of a terminal, even if `out` has not
        )
        return int(code or OK)
    except Exception as error:
        console.err.quiet = False  # each process tells: torchrun ends all when the first has ended
        return _report(error)
    except KeyboardInterrupt:
        print_error("interrupted")
        return KILLED


def _is_follower() -> bool:
    """Whether this is one of several processes of a run, and not the one that prints."""
    with suppress(VariableError):
        return (rank := find_rank()) is not None and not rank.leads
    return False


def _report(error: Exception) -> int:
    """Print an error and return the exit code."""
    if isinstance(error, CycloptsError):
        print_error(printable(str(error)))
        return WRONG
    from allmodes.cli.failures import report

    return report(error)


def main() -> None:
    """The entry point of the `allmodes` command."""
    sys.excepthook = print_traceback
    sys.exit(execute())
