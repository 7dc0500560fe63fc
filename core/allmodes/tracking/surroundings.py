"""Where a run happens, as tags: the program's command and versions, the machine, and the commit of the user's code."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType

from allmodes.system.notebook import is_notebook
from allmodes.text import redact
from allmodes.tracking.description import TAG

COMMAND, OUTER = "ALLMODES_COMMAND", "MLFLOW_RUN_ID"
"""Variables of the environment by which a process tells its workers what they cannot see."""
PATIENCE = 2.0  # s for git: `status` takes longer in very large folders, which is then unknown


def tags() -> dict[str, str]:
    """The tags of runs that this process begins in its working folder, without secrets."""
    found = {"allmodes.host": socket.gethostname(), "allmodes.command": command()}
    found |= {f"version.{name}": number for name in ("torch", "mlflow") if (number := _version(name))}
    return {**found, "version.python": platform.python_version(), **_commit(Path.cwd())}


def command() -> str:
    """The command line of the program, or of the one that started this worker."""
    if given := os.environ.get(COMMAND):
        return given
    if is_notebook():
        return "a notebook"
    return redact.command([Path(sys.argv[0]).name, *sys.argv[1:]])[:TAG] if sys.argv and sys.argv[0] else "python"


def outer_run() -> str | None:
    """The id of the user's own run, in which ours are nested: the active one, or that of the environment."""
    mlflow: ModuleType | None = sys.modules.get("mlflow")  # without it no run is active
    active = getattr(mlflow, "active_run", lambda: None)()
    return str(active.info.run_id) if active else os.environ.get(OUTER) or None


def of_workers() -> dict[str, str]:
    """What worker processes need to know of this one, as variables of their environment."""
    outer = outer_run()
    return {COMMAND: command()} | ({OUTER: outer} if outer else {})


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _commit(folder: Path) -> dict[str, str]:
    """Commit, branch and address of the repository that a folder lies in, and whether files in it were changed."""
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return {}
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    found = {"commit": commit, "branch": _git(folder, "rev-parse", "--abbrev-ref", "HEAD")}
    found |= {"repoURL": _git(folder, "remote", "get-url", "origin")}
    ours = {f"mlflow.source.git.{name}": redact.text(value) for name, value in found.items() if value}
    return ours | ({} if changed is None else {"allmodes.git.dirty": str(bool(changed)).lower()})


def _git(folder: Path, *words: str) -> str | None:
    """What git answers; None where there is no git or no repository, or git takes too long."""
    if (program := shutil.which("git")) is None:
        return None
    line = [program, "--no-optional-locks", "-C", str(folder), *words]
    try:
        done = subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
