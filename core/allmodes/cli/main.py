"""The entry of the command line: arguments in, exit code out; expected errors are printed as lines."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from cyclopts import CycloptsError

from allmodes.cli import console, models, new_plugin, show, tracking, train  # noqa: F401  (they register their commands)
from allmodes.cli.app import app
from allmodes.cli.console import FAILED, KILLED, OK, WRONG, PlainConsole, print_error, print_traceback
from allmodes.registry import faults
from allmodes.registry.slots import PluginError
from allmodes.specs.loading import SpecError
from allmodes.text.printable import printable


def execute(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code: 0 done, 1 failed, 2 wrong input, 130 interrupted."""
    console.reset()
    try:
        code = app(
            arguments,
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
            console=PlainConsole(),  # the help has the width of a terminal, even if `out` has not
        )
        return int(code or OK)
    except SpecError as error:
        print_error(str(error))
        return WRONG
    except (CycloptsError, PluginError) as error:
        print_error(printable(str(error)))
        return WRONG
    except KeyboardInterrupt:
        print_error("interrupted")
        return KILLED
    except OSError as error:
        if faults.calls(error):
            return _report_expected(error)
        print_error(printable(f"{error.filename or ''}: {error.strerror or error}".removeprefix(": ")))
        return FAILED
    except Exception as error:
        return _report_expected(error)


def main() -> None:
    """The entry point of the `allmodes` command."""
    sys.excepthook = print_traceback
    sys.exit(execute())


def _report_expected(error: Exception) -> int:
    """Print an error of a module that is loaded only when used, or of a component; any other is a defect and raised."""
    expected = ("CompositionError", "DataError", "ModelError", "RunError", "TrackingError")
    if type(error).__name__ not in expected or not type(error).__module__.startswith("allmodes"):
        return _report_fault(error)
    has_lines = type(error).__name__ == "CompositionError"
    print_error(str(error) if has_lines else printable(str(error)))
    return WRONG


def _report_fault(error: Exception) -> int:
    """Print an error of a component's code as a line; its traceback for those who ask for it."""
    faults.trace(error)
    if not faults.calls(error) or os.environ.get("ALLMODES_TRACEBACK"):
        raise error
    print_error(printable(f"{faults.describe(error)} (its traceback: set ALLMODES_TRACEBACK=1)"))
    return FAILED
