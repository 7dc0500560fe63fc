"""Every method and hybrid on ring and grid, equal networks and generator updates: recipes for `allmodes compare`."""

from pathlib import Path

from allmodes import hookimpl


@hookimpl
def allmodes_recipes() -> Path:
    """`study/...`."""
    return Path(__file__).parent / "recipes"


@hookimpl
def allmodes_evidence() -> Path:
    """What the study at equal budgets gave, for `allmodes suggest`."""
    return Path(__file__).parent / "evidence"
