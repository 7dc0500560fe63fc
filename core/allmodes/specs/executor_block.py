"""The block `executor` of a file: where its spec is trained. It is read beside the spec, and no part of it."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from allmodes.specs import messages
from allmodes.specs.source import SpecError, SpecSource
from allmodes.specs.union import plain
from allmodes_schemas import ExecutorConfig, Placement

KEY = "executor"


@dataclass(frozen=True)
class ExecutorBlock:
    """The settings of a block, and the file that it stands in."""

    config: ExecutorConfig
    source: SpecSource

    def place(self, name: str) -> str:
        """Where a setting is written: `file:line:column`."""
        return self.source.place((KEY, name))

    def message(self, name: str, what: str) -> str:
        """A message about a setting, with its place."""
        return self.source.message((KEY, name), what)


def read_executor(source: SpecSource) -> ExecutorBlock | None:
    """The block of a file, None where there is none. Raises SpecError with a line for each problem."""
    if (tree := source.tree.get(KEY)) is None:
        return None
    try:
        config = Placement.model_validate({KEY: plain(tree)}).executor
    except ValidationError as error:
        raise SpecError("\n".join(messages.describe_errors(error.errors(), source, Placement))) from None
    return None if config is None else ExecutorBlock(config, source)


__all__ = ["KEY", "ExecutorBlock", "read_executor"]
