"""From text to a checked spec. Loads no torch."""

from allmodes.specs.loading import (
    check,
    check_again,
    dump,
    load,
    locate,
    parse,
    plain,
    schema,
    spec_model,
    stored,
    text,
)
from allmodes.specs.source import Source, SpecError, read

__all__ = [
    "Source",
    "SpecError",
    "check",
    "check_again",
    "dump",
    "load",
    "locate",
    "parse",
    "plain",
    "read",
    "schema",
    "spec_model",
    "stored",
    "text",
]
