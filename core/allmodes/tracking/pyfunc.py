"""The loader's module by the name that models logged before 0.2 have for it."""

from allmodes.models.pyfunc import _load_pyfunc

__all__ = ["_load_pyfunc"]
