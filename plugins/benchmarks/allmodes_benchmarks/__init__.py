"""Data on which it is hard to keep every mode, with exact answers."""

from collections.abc import Iterable
from pathlib import Path

from allmodes import DatasetConfig, hookimpl
from allmodes_benchmarks.configs.arcs import ArcsConfig
from allmodes_benchmarks.configs.mixture import RandomMixtureConfig


@hookimpl
def allmodes_datasets() -> Iterable[type[DatasetConfig]]:
    """A family of geometries each, of which a seed chooses one."""
    return (ArcsConfig, RandomMixtureConfig)


@hookimpl
def allmodes_recipes() -> Path:
    """`benchmarks/...`."""
    return Path(__file__).parent / "recipes"
