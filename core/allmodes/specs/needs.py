"""Requirements that components declare in `needs`, and labels of the data, held against the rest of a spec."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from allmodes.registry import faults
from allmodes.registry.registry import Registry
from allmodes.registry.slots import Kind
from allmodes.specs.shapes import discriminator_options
from allmodes_schemas import (
    AuxiliaryConfig,
    DatasetConfig,
    KindConfig,
    Location,
    Need,
    Problem,
    Spec,
    kinds_within,
)


def check_needs(spec: Spec, registry: Registry) -> Iterator[Problem]:
    """Components whose requirements the spec does not meet, with the line that would, or the kinds that do."""
    for where, component, need in list_needs(spec):
        if need.slot == "truth" and not need.remedy:
            need = replace(need, remedy=_take_known_modes(registry))
        if message := _missing(spec, component, need):
            yield Problem(where, message)


def _take_known_modes(registry: Registry) -> str:
    """What to take where the modes of data have to be known: all installed kinds, of plugins too."""
    kinds = [name for name, kind in registry.of(DatasetConfig).items() if _has_known_modes(kind)]
    return f"take data of kind {', '.join(kinds[:-1])} or {kinds[-1]}" if kinds[1:] else ""


def _has_known_modes(kind: Kind) -> bool:
    """Whether the modes of data of a kind are known, as far as that takes no option."""
    config = kind.config.model_construct(kind=kind.name)
    try:
        return isinstance(config, DatasetConfig) and config.known_modes() is True
    except faults.FAULTS:  # a stranger's, which asks for an option
        return False


def check_labels(spec: Spec) -> Iterator[Problem]:
    """Components and streams that need labels, of data that have none."""
    for where, component, need in list_needs(spec):
        if need.slot == "labels":
            yield Problem(where, _no_labels(spec, component, need))
    yield from check_streams(spec)


def check_streams(spec: Spec) -> Iterator[Problem]:
    """Streams without labels of their own, of data that have none."""
    for name, stream in spec.streams.items():
        if stream.labels_file is None:
            message = f"data {spec.data.kind} have no labels: give them in labels_file, a CSV of index,label"
            yield Problem(("streams", name), message)


def list_needs(spec: Spec) -> Iterator[tuple[Location, KindConfig, Need]]:
    """Every requirement with the component that declares it and the component's location."""
    for where, component in kinds_within(spec):
        needs: Iterable[Need] = getattr(component, "needs", ())
        yield from ((where, component, need) for need in needs)


def _missing(spec: Spec, component: KindConfig, need: Need) -> str:
    """The message about a requirement that is not met, or nothing."""
    needs = f"{component.kind} needs"
    match need.slot:
        case "auxiliary":
            return _missing_auxiliary(spec, component, need)
        case "part" if need.what not in spec.prior.parts():
            return f"{needs} a latent part {need.what!r}, which prior {spec.prior.kind} does not have{_add(need)}"
        case "labels" if spec.data.classes() is None and spec.data.shape() is not None:
            return _no_labels(spec, component, need)
        case "truth" if not spec.data.known_modes():
            return f"{needs} data whose modes are known, which {spec.data.kind} is not{_remedy(need)}"
        case "prior" if need.what not in spec.prior.offers:
            return f"{needs} a prior that offers {need.what}, which {spec.prior.kind} does not{_add(need)}"
        case "joint" if not discriminator_options(spec).joint:
            return f"{needs} a discriminator that sees a code beside the data{_add(need)}"
        case "stream" if (name := getattr(component, "stream", need.what)) not in spec.streams:
            return f"{needs} a stream of labelled items, but there is no {name!r}{_add(need)}"
    return ""


def _missing_auxiliary(spec: Spec, component: KindConfig, need: Need) -> str:
    givers = {name: auxiliary for name, auxiliary in spec.auxiliaries.items() if auxiliary.gives == need.what}
    suitable = [name for name, auxiliary in givers.items() if _has_form(auxiliary, need.form)]
    name, part = getattr(component, "auxiliary", None), need.what
    if need.form and (name in givers or (givers and not suitable)):
        part = f"{need.what} as {need.form}"
    if not suitable:
        return f"{component.kind} needs an auxiliary that maps data to {part}; none is defined{_add(need)}"
    if name and name not in suitable:
        reads = f"{component.kind} reads auxiliary {name!r}, which does not map data to {part}"
        return f"{reads}: set auxiliary: {suitable[0]}"
    return ""


def _has_form(auxiliary: AuxiliaryConfig, form: str) -> bool:
    """Whether an auxiliary can be read in a form, if one is asked for; the mean of a `gaussian` is a `point`."""
    return not form or auxiliary.form in ((form, "gaussian") if form == "point" else (form,))


def _no_labels(spec: Spec, component: KindConfig, need: Need) -> str:
    return f"{component.kind} needs labels, which data {spec.data.kind} does not have{_remedy(need)}"


def _add(need: Need) -> str:
    return f": add {need.remedy}" if need.remedy else ""


def _remedy(need: Need) -> str:
    return f": {need.remedy}" if need.remedy else ""
