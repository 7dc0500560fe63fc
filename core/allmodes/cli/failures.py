"""What is printed of an error of a command, and the exit code; loaded with the first such error."""

from __future__ import annotations

import os

from allmodes.cli.console import FAILED, WRONG, print_error
from allmodes.registry import faults
from allmodes.registry.slots import PluginError
from allmodes.specs.loading import SpecError
from allmodes.text.printable import printable


def report(error: Exception) -> int:
    """Print an error as lines and return the exit code; a defect of allmodes is raised."""
    match error:
        case SpecError():
            print_error(str(error))
            return WRONG
        case PluginError():
            print_error(printable(str(error)))
            return WRONG
        case OSError() if not faults.calls(error):
            print_error(printable(f"{error.filename or ''}: {error.strerror or error}".removeprefix(": ")))
            return FAILED
    return _report_expected(error)


def _report_expected(error: Exception) -> int:
    """Print an error of a module that is loaded only when used, or of a component; any other is a defect and raised."""
    expected = ("CompositionError", "DataError", "ModelError", "RunError", "TrackingError", "VariableError")
    if type(error).__name__ == "PeerError":
        print_error(printable(str(error)))
        return FAILED
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
