"""What a spec has to be so that several processes can train one run of it together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from allmodes.specs.shapes import discriminator_options
from allmodes.specs.source import SpecError
from allmodes.system.ranks import find_rank
from allmodes_schemas import Spec

LEAST = 2
"""Groups of items, as the discriminator judges them together, of which each process needs as many."""


def check_ranks(spec: Spec, seeds: Sequence[int], processes: int) -> None:
    """Raise SpecError, with a line for each problem, where so many processes cannot train one run of a spec."""
    if problems := [*_find_problems(spec, seeds, processes)]:
        raise SpecError("\n".join(problems))


def refuse_ranks(command: str) -> None:
    """Raise SpecError where torchrun has started several processes of a command that trains more than one run."""
    if rank := find_rank():
        what = f"{command}: torchrun's {rank.processes} processes train one run of one spec and seed"
        raise SpecError(f"{what}: start this without torchrun")


def _find_problems(spec: Spec, seeds: Sequence[int], processes: int) -> Iterator[str]:
    training = spec.training
    if len(seeds) != 1:
        yield f"seeds: {processes} processes train one run, not {len(seeds)}: give one seed, such as --seeds {seeds[0]}"
    if training.engine not in ("auto", "eager"):
        what = f"is {training.engine}, but {processes} processes train one run with the eager engine"
        yield f"training.engine: {what}: set it to eager or auto"
    if ":" in training.device:
        what = f"is {training.device}, but each of {processes} processes has a card of its own"
        yield f"training.device: {what}: set it to cuda or auto"
    pack = discriminator_options(spec).pack
    packed = f" x discriminator.pack ({pack})" if pack > 1 else ""
    yield from _check_size("training.batch_size", training.batch_size, processes, pack, packed)
    for name, stream in spec.streams.items():
        yield from _check_size(f"streams.{name}.batch_size", stream.batch_size, processes)


def _check_size(field: str, size: int, processes: int, pack: int = 1, packed: str = "") -> Iterator[str]:
    """Problems with the size of a batch of which each process has an equal part, of whole packs."""
    step = processes * pack
    if size % step or size < LEAST * step:
        near = max(round(size / step), LEAST) * step
        what = f"is {size}, which {processes} processes share"
        yield f"{field}: {what}: set it to a multiple of {processes}{packed}, {LEAST * step} or more, such as {near}"
