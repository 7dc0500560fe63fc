"""The labelled streams of a run: which items they hold, and the loader that serves them beside each batch."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from allmodes.data import Data, Loader
from allmodes.data.fresh import FreshLoader
from allmodes.data.labelled import LabelledItems, LabelledLoader, choose_labelled
from allmodes.game.noise import rng
from allmodes_schemas import Spec, StreamConfig

log = logging.getLogger("allmodes.data")


def labelled_of(streams: Mapping[str, StreamConfig], data: Data, seed: int) -> dict[str, LabelledItems]:
    """The labelled items of each stream by name, chosen by the seed.

    Raises DataError where there are too few, or a file of labels is not as it should be.
    """
    return {name: choose_labelled(name, config, data, rng(seed, f"streams/{name}")) for name, config in streams.items()}


def loader_of(spec: Spec, data: Data, seed: int, chosen: Mapping[str, LabelledItems] | None = None) -> Loader:
    """Batches of the data, each with a draw of every stream; `chosen` are the streams' items where they are known."""
    batches = data.loader(spec.training.batch_size, rng(seed, "data").initial_seed())
    if not spec.streams:
        return batches
    chosen = labelled_of(spec.streams, data, seed) if chosen is None else chosen
    loaders: dict[str, Loader] = {}
    for name, items in chosen.items():
        log.info("streams.%s: seed %d learns from the labels of %d items", name, seed, items.items)
        own = rng(seed, f"data/{name}").initial_seed()
        loaders[name] = FreshLoader(items.to(data.device), spec.streams[name].batch_size, own)
    return LabelledLoader(batches, loaders)
