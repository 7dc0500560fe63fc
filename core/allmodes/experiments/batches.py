"""The batches of a run: the choice of its labelled items, and the loader that draws them beside the data."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from allmodes.data.base import Data, Loader
from allmodes.data.labelled import LabelledItems, LabelledLoader, StreamLoader, choose_labelled
from allmodes.game.noise import rng
from allmodes_schemas import Spec, StreamConfig

log = logging.getLogger("allmodes.data")


def choose_streams(streams: Mapping[str, StreamConfig], data: Data, seed: int) -> dict[str, LabelledItems]:
    """Choose the labelled items of each stream by the seed.

    Raises DataError where there are too few, or a file of labels is invalid.
    """
    return {name: choose_labelled(name, config, data, rng(seed, f"streams/{name}")) for name, config in streams.items()}


def make_loader(spec: Spec, data: Data, seed: int, chosen: Mapping[str, LabelledItems] | None = None) -> Loader:
    """Make a loader of batches, each with a draw of every stream, whose items are chosen here unless they are given."""
    batches = data.loader(spec.training.batch_size, rng(seed, "data").initial_seed())
    if not spec.streams:
        return batches
    chosen = choose_streams(spec.streams, data, seed) if chosen is None else chosen
    loaders: dict[str, Loader] = {}
    for name, items in chosen.items():
        log.info("streams.%s: seed %d learns from the labels of %d items", name, seed, items.items)
        own = rng(seed, f"data/{name}").initial_seed()
        loaders[name] = StreamLoader(name, items.to(data.device), spec.streams[name].batch_size, own)
    return LabelledLoader(batches, loaders)
