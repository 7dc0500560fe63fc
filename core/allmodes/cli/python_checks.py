"""Whether a user's Python file can be a module of a package: it defines, and imports nothing that lies beside it."""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path

from allmodes.specs.source import SpecError
from allmodes.system.no_such_file import holds

HARMLESS = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign, ast.If, ast.Try)
"""Statements at the top of a file that define; others act when it is imported."""


def check_statements(path: Path, tree: ast.Module) -> None:
    """Raise SpecError where a file does something when it is imported."""
    for node in tree.body:
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if not isinstance(node, HARMLESS) and not is_text:
            problem = "runs when the file is imported, and so whenever a spec names its kinds"
            raise SpecError(f'{path}:{node.lineno}: {problem}: put it under if __name__ == "__main__":')


def check_imports(path: Path, tree: ast.Module) -> None:
    """Refuse imports of what lies beside the file: the package would not have it."""
    imports = (node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom))
    for node in imports:
        for name in _imported(node):
            word = name.partition(".")[0]
            beside = not word or any(holds((path.parent / end).exists) for end in (f"{word}.py", f"{word}/__init__.py"))
            if beside and not (word and _is_installed(word, path.parent)):
                problem = f"imports {name}, which lies beside it and would not be in the package"
                raise SpecError(f"{path}:{node.lineno}: {problem}: copy what it needs into the file")


def _imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    """The modules that a statement imports; one that begins with a dot is relative."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return ["." * node.level + (node.module or "")]


def _is_installed(word: str, folder: Path) -> bool:
    """Whether a package is found elsewhere than in a folder."""
    try:
        spec = find_spec(word)
    except (ImportError, ValueError):
        return False
    return spec is not None and (spec.origin is None or folder.resolve() not in Path(spec.origin).resolve().parents)
