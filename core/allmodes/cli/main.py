"""The command line's entry: arguments in, exit code out, every expected error as a line and not as a traceback."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cyclopts import CycloptsError

from allmodes.cli import console, models, new_plugin, show, tracking, train  # noqa: F401  (they register their commands)
from allmodes.cli.app import app
from allmodes.cli.console import FAILED, KILLED, OK, WRONG, Door, fail, tell_defect
from allmodes.registry.slots import PluginError
from allmodes.specs.loading import SpecError
from allmodes.text.printable import printable


def execute(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code: 0 done, 1 failed, 2 wrong input, 130 interrupted."""
    console.begin()
    try:
        code = app(
            arguments,
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
            console=Door(),  # of a width to read, also where `out` has none
        )
        return int(code or OK)
    except CycloptsError as error:
        fail(printable(str(error)))
        return WRONG
    except SpecError as error:
        fail(str(error))
        return WRONG
    except PluginError as error:
        fail(printable(str(error)))
        return WRONG
    except KeyboardInterrupt:
        fail("interrupted")
        return KILLED
    except OSError as error:
        fail(printable(f"{error.filename or ''}: {error.strerror or error}".removeprefix(": ")))
        return FAILED
    except Exception as error:
        return _known_failure(error)


def main() -> None:
    """The entry point of the `allmodes` command."""
    sys.excepthook = tell_defect
    sys.exit(execute())


def _known_failure(error: Exception) -> int:
    """Errors of modules that are only loaded when used; anything else is a defect and keeps its traceback."""
    known = ("CompositionError", "DataError", "ModelError", "RunError", "TrackingError")
    if type(error).__name__ not in known or not type(error).__module__.startswith("allmodes"):
        raise error
    several = type(error).__name__ == "CompositionError"
    fail(str(error) if several else printable(str(error)))
    return WRONG
