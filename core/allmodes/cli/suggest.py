"""The command `suggest`. It loads no torch."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from allmodes.cli.console import OK, print_line, print_text
from allmodes.registry.registry import installed
from allmodes.specs.source import SpecError
from allmodes.studies.evidence import Traits, read_all, traits_of
from allmodes.studies.suggest import page
from allmodes.studies.suggest import suggest as sentences
from allmodes.text.printable import printable


def suggest(
    data: Annotated[str | None, Parameter(help="a spec, a recipe, or a kind of data such as ring")] = None,
    *,
    dims: Annotated[int | None, Parameter(help="coordinates of an item")] = None,
    modes: Annotated[int | None, Parameter(help="modes or classes, if you know")] = None,
    items: Annotated[int | None, Parameter(help="training items")] = None,
    imbalance: Annotated[float | None, Parameter(help="the commonest mode over the rarest")] = None,
    widths: Annotated[float | None, Parameter(help="the widest mode over the narrowest")] = None,
    curved: Annotated[bool | None, Parameter(help="modes lie along curves")] = None,
    everything: Annotated[bool, Parameter(name="--all", negative=(), help="all data, as a page of Markdown")] = False,
) -> int:
    """Say which methods did best on the tried data nearest to yours, with their numbers."""
    if everything:
        print_text(page(read_all(installed())).removesuffix("\n"))
        return OK
    numbers = {"dims": dims, "modes": modes, "items": items, "imbalance": imbalance, "widths": widths}
    for name, value in numbers.items():
        if value is not None and value < 1:
            raise SpecError(f"suggest: --{name} {value:g}: give a number of at least 1")
    asked = Traits(
        dims=dims, modes=modes, items=items, weight_ratio=imbalance, width_ratio=widths, curved=curved
    ).model_dump(exclude_none=True)
    if data is None and not asked:
        raise SpecError(
            "suggest: say what your data are: a spec, a recipe or a kind such as ring, or --dims, or ask for --all"
        )
    registry = installed()
    traits = (traits_of(data, registry) if data else Traits()).model_copy(update=asked)
    for source in read_all(registry):
        for line in sentences(source, traits):
            print_line(printable(line))
    return OK
