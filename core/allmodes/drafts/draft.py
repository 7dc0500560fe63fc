"""The first spec for a file or folder of the user's."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from allmodes.data.base import DataError
from allmodes.data.description import counted, describe_data
from allmodes.data.finite import FiniteData
from allmodes.drafts import measures, writing
from allmodes.drafts.kinds import block_of
from allmodes.drafts.looking import Look, Reader
from allmodes.drafts.methods import Method, methods, traits_of
from allmodes.game.compose import CompositionError, compose
from allmodes.registry.faults import calls, describe
from allmodes.registry.registry import Registry
from allmodes.specs import loading
from allmodes.specs.source import SpecError
from allmodes.system.torch_settings import plain_torch
from allmodes.text.printable import printable

ASKED = re.compile(r"\b(?:set|or(?! set\b)) (\w+)(?:: ('[^']*'|[^\s,;\[]+)|\b)")
"""What an error asks to set: an option, and the value where it names one."""
SEEDS = (0, 1, 2)
LEARNABLE = 30
"""Items below which nothing of a distribution can be learned."""
SHORT = 1000
"""Iterations of a run that nobody needs to look at before."""
KEYS = ("prior", "generator", "discriminator", "auxiliaries")
"""Blocks of networks, in the order in which they are written."""


@dataclass(frozen=True)
class Draft:
    """A spec that was written for data, and the method that it takes."""

    text: str
    method: str


def name_of(data: str) -> str:
    """A name for the spec, from that of the data: letters, digits, dashes and underscores."""
    stem = re.sub(
        r"(\.(csv|tsv|tab|txt|dat|parquet|pq|parq|npz|npy|gz|bz2|xz))+$", "", Path(data).absolute().name.lower()
    )
    return re.sub(r"[^a-z0-9_]+", "-", stem).strip("-_")[:80] or "my-data"


@plain_torch()
def draft(
    data: str,
    registry: Registry,
    settings: Mapping[str, Any],
    to: str,
    schema: str | None,
    say: Callable[[str], None],
    warn: Callable[[str], None] | None = None,
) -> Draft:
    """Read data, and write the spec of a method that suits them and was built on them.

    Args:
        data: A file, a folder or a pattern.
        registry: The plugins in use.
        settings: Settings of the data's block that the user chose.
        to: What the spec's file will be called.
        schema: What editors complete from, relative to the spec; None for none.
        say: Told the data as they were read, and what was set for them and why.
        warn: Told where the items are too few to learn from; by default `say` is.

    Raises SpecError and DataError where the data cannot be read so.
    """
    look = _look(Reader({**block_of(data), **settings}, registry, say))
    say(describe_data(look.data, look.block["kind"]))
    if few := too_few(look.data):
        (warn or say)(few)
    for method in methods(look.data, registry):
        text = "".join(_parts(data, look, method, to, schema))
        if not (problem := _problem(text, look, registry)):
            return Draft(text, method.name)
        say(f"{method.name} does not suit these data, so the next is taken: {problem}")
    raise SpecError(printable(f"{data}: no method suits these data"))


def _look(reader: Reader) -> Look:
    try:
        return reader.look()
    except DataError as error:
        raise DataError(f"{error}{hint(str(error), reader.settings)}") from None


def hint(problem: str, settings: Collection[str]) -> str:
    """How to tell init what an error asks to set; empty where it asks for nothing that can be set."""
    found = [(name, value) for name, value in ASKED.findall(problem) if name in settings]
    ways = [f"--set data.{name}={value.rstrip('.') or '...'}" for name, value in found]
    return f" (tell init: {' or '.join(ways)})" if ways else ""


def too_few(data: FiniteData) -> str:
    """What to know where items are too few to learn a distribution from; empty where they are not."""
    if data.items >= LEARNABLE:
        return ""
    have = f"{counted(data.items, 'item')} to train on and {data.test_items:,} held out are too few"
    return f"{have}: no method learns a distribution from them, and no number measured on them means much: collect more"


def _problem(text: str, look: Look, registry: Registry) -> str:
    """Why a spec cannot be trained on the data; empty where all that is built before training was."""
    try:
        spec = loading.check_again(loading.read(text, "spec"), registry)
        compose(spec, look.data, spec.seeds[0])
    except (SpecError, CompositionError, DataError) as error:
        return str(error)
    except Exception as error:
        if not calls(error):  # a defect of ours
            raise
        return describe(error)
    return ""


def _parts(data: str, look: Look, method: Method, to: str, schema: str | None) -> Iterator[str]:
    yield writing.schema_line(schema) if schema else ""
    quick = (
        ""
        if method.blocks["training"]["iterations"] <= SHORT
        else "   (a look first: add --set training.iterations=100)"
    )
    yield writing.comments(
        f"Written by `allmodes init {data}`; change what you like. `allmodes show KIND` lists the options of a kind.",
        f"Train it: allmodes run {to}{quick}",
    )
    yield writing.comments(f"WARNING: {few}.") if (few := too_few(look.data)) else ""
    yield f"schema_version: 1\n{writing.block('name', name_of(data))}\n"
    reasons = [f"- {key}: {writing.inline(look.block[key])}, since {why}" for key, why in look.why.items()]
    yield writing.comments(describe_data(look.data, look.block["kind"]).removeprefix("data: "), *reasons)
    yield writing.block("data", dict(look.block))
    yield "\n" + writing.comments(*(f"{sentence}." for sentence in method.why), *_more(look))
    yield from (writing.block(key, method.blocks[key]) for key in KEYS if key in method.blocks)
    yield from (writing.block(key, value) for key, value in method.blocks.items() if key not in (*KEYS, "training"))
    yield "\n" + writing.comments(*_about_training(method.blocks["training"]))
    yield writing.block("training", method.blocks["training"])
    evaluation = measures.evaluation_of(look.data, method.blocks["training"]["iterations"])
    yield "\n" + writing.comments(_about_samples(look.data.test_items))
    yield writing.measured(evaluation, measures.metrics_for(look.data))
    yield "\n" + writing.comments(*_about_seeds(look))
    yield writing.block("seeds", list(_seeds(look)))


def _more(look: Look) -> Iterator[str]:
    traits = traits_of(look.data)
    modes = f" --modes {traits.modes}" if traits.modes else ""
    if not traits.images:
        asked = f"allmodes suggest --dims {traits.dims} --items {traits.items}{modes}"
        yield f"What did best on such data, with numbers: {asked}"


def _about_training(training: Mapping[str, Any]) -> Iterator[str]:
    yield f"The budget: {training['iterations']:,} updates of {training['batch_size']} items."
    if not _falls_to_zero(training):
        yield "A finished run is trained longer by: allmodes resume latest --set training.iterations=..."


def _falls_to_zero(training: Mapping[str, Any]) -> bool:
    """Whether a learning rate is 0 at the end, from where on more iterations train nothing."""
    optimizers = (training.get("optimizer"), *training.get("optimizers", {}).values())
    rates = [optimizer.get("lr") for optimizer in optimizers if optimizer]
    return any(isinstance(rate, Mapping) and rate.get("end") == 0 for rate in rates)


def _about_samples(held_out: int) -> str:
    have = f"{counted(held_out, 'item')} {'is' if held_out == 1 else 'are'}"
    return f"Measured beside real data, of which {have} held out: with more samples these would repeat."


def _seeds(look: Look) -> tuple[int, ...]:
    return SEEDS[:1] if len(look.data.shape) == 3 else SEEDS


def _about_seeds(look: Look) -> Iterator[str]:
    several = (
        "More seeds show how much is chance" if len(_seeds(look)) == 1 else "Several seeds show how much is chance"
    )
    yield f"{several}: each is a run of its own."
