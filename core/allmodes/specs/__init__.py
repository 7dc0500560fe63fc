"""From text to a checked spec. Loads no torch."""

from allmodes.specs.loading import (
    check,
    check_again,
    dump,
    load,
    load_stored,
    locate,
    parse,
    plain,
    read_text,
    schema,
    spec_model,
)
from allmodes.specs.source import SpecError, SpecSource, read

__all__ = [
    "SpecError",
    "SpecSource",
    "check",
    "check_again",
    "dump",
    "load",
    "load_stored",
    "locate",
    "parse",
    "plain",
    "read",
    "read_text",
    "schema",
    "spec_model",
]
