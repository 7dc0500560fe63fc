"""Requirements that components declare in `needs`, and labels of the data, held against the rest of a spec."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from allmodes.specs.shapes import discriminator_options
from allmodes_schemas import (
    AuxiliaryConfig,
    KindConfig,
    Location,
    Need,
    Problem,
    Spec,
    kinds_within,
)


def check_needs(spec: Spec) -> Iterator[Problem]:
    """Components whose requirements the spec does not meet, with the line that would."""
    for where, component, need in list_needs(spec):
        if message := _missing(spec, component, need):
            yield Problem(where, message)


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
