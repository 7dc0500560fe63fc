"""A network around a network, as the core has it."""

from allmodes import Around, Head, Trunk

__all__ = ["Around", "Head", "Trunk"]
