"""Settings of the methods; they load no torch."""

from collections.abc import Iterable
from math import prod

from allmodes import Problem, Spec


def check_code(kind: str, spec: Spec) -> Iterable[Problem]:
    """A problem where the latent's code has not the size of an item, to which a transport moves it."""
    shape, code = spec.data.shape(), spec.prior.parts().get("code")
    if shape is not None and code is not None and code != prod(shape):
        what = f"{kind} moves the code, of size {code}, to items of size {prod(shape)}: give both the same size"
        yield Problem(("prior",), what)
