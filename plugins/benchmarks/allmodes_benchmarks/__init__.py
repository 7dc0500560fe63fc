"""Data on which it is hard to keep every mode, with exact answers."""

from collections.abc import Iterable
from pathlib import Path

from allmodes import DatasetConfig, hookimpl
from allmodes_benchmarks.configs.arcs import ArcsConfig
from allmodes_benchmarks.configs.mixture import RandomMixtureConfig
from allmodes_benchmarks.configs.roll import SwissRollConfig
from allmodes_benchmarks.configs.spirals import SpiralsConfig
from allmodes_benchmarks.configs.sprites import SpritesConfig


@hookimpl
def allmodes_datasets() -> Iterable[type[DatasetConfig]]:
    """A family of geometries each, of which a seed chooses one."""
    return (ArcsConfig, RandomMixtureConfig, SpiralsConfig, SpritesConfig, SwissRollConfig)


@hookimpl
def allmodes_recipes() -> Path:
    """`benchmarks/...`."""
    return Path(__file__).parent / "recipes"
