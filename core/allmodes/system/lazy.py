"""Names that a package hands out without importing them: each is loaded when it is first used."""

from __future__ import annotations

import ast
from pathlib import Path


def read_lazy_imports(file: str) -> dict[str, tuple[str, str]]:
    """Read what a module imports in its block `if TYPE_CHECKING:`.

    So type checkers and `__getattr__` read one list.

    Args:
        file: The module's source.

    Returns:
        By name in the module, the module that it comes from and its name there.
    """
    body = ast.parse(Path(file).read_text("utf-8")).body
    blocks = [node.body for node in body if isinstance(node, ast.If) and _is_type_checking(node.test)]
    imports = [node for block in blocks for node in block if isinstance(node, ast.ImportFrom)]
    return {alias.asname or alias.name: (node.module or "", alias.name) for node in imports for alias in node.names}


def _is_type_checking(test: ast.expr) -> bool:
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"
