"""A notebook as a page: its texts, and its cells of code as blocks. `conf.py` calls this when the site is built."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def text(file: Path) -> str:
    """Return a notebook in Markdown, without outputs."""
    cells = json.loads(file.read_text("utf-8"))["cells"]
    return "\n\n".join(map(_cell, cells)) + f"\n\nThe notebook itself is `{file.name}` in `docs/{file.parent.name}`.\n"


def _cell(cell: dict[str, Any]) -> str:
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        return source
    language = "yaml" if source.startswith("%%writefile") else "python"
    first, _, rest = source.partition("\n")
    if language == "yaml":
        return f"`{first.split()[1]}`:\n\n```yaml\n{rest}\n```"
    return f"```python\n{source}\n```"
