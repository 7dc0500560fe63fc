"""Data on which it is hard to keep every mode, with exact answers."""

from collections.abc import Iterable

from allmodes import DatasetConfig, hookimpl


@hookimpl
def allmodes_datasets() -> Iterable[type[DatasetConfig]]:
    """None so far."""
    return ()
