"""Known remedies against mode collapse as one plugin of allmodes, one short file for each method."""

from pathlib import Path

from allmodes import hookimpl


@hookimpl
def allmodes_recipes() -> Path:
    """`baselines/...`."""
    return Path(__file__).parent / "recipes"
