"""How Sphinx builds these pages into a site: `make docs`."""

import os
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from allmodes import installed

DOCS = Path(__file__).parent.resolve()
ROOT = DOCS.parent

sys.path.insert(0, str(DOCS))
import api  # noqa: E402
import notebooks  # noqa: E402
import reference  # noqa: E402

project = "allmodes"
author = "The allmodes founders"
copyright = "The allmodes founders, Apache-2.0"
release = metadata.version("allmodes")

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "myst_parser", "sphinxcontrib.mermaid"]
myst_enable_extensions = ["dollarmath"]
myst_fence_as_directive = ["mermaid"]
myst_heading_anchors = 4

html_theme = "furo"
html_title = "allmodes"
html_show_sourcelink = False
nitpicky = True

# Signatures name types of torch, pydantic and the core's own rooms, which have no page here.
nitpick_ignore_regex = [("py:.*", ".*")]
default_role = "code"  # of docstrings, whose backticks mean code
autodoc_typehints_format = "short"
napoleon_use_ivar = True

ELSEWHERE = {
    "index": "README.md",
    "changelog": "CHANGELOG.md",
    "contributing": "CONTRIBUTING.md",
    **{f"plugins/{path.parent.name}": f"{path.relative_to(ROOT)}" for path in ROOT.glob("plugins/*/README.md")},
}
"""Pages of the site and the files outside this folder that hold the same text."""

GENERATED = {
    "api": api.door,
    "examples/first_steps": lambda: notebooks.text(DOCS / "examples" / "first_steps.ipynb"),
    "hooks": api.hooks,
    "spec": lambda: reference.text(installed()),
    "testing": api.contracts,
}
"""What is appended to a page when the site is built."""

PAGES = {ROOT / file: DOCS / f"{page}.md" for page, file in ELSEWHERE.items()}
LINK = re.compile(r"(?<!!)\[([^\[\]]+)\]\(((?!https?:|#)[^)\s#]+)(#[^)\s]*)?\)")


def setup(app: Any) -> None:
    """Register the handlers of Sphinx's events."""
    app.connect("source-read", _read)
    app.connect("autodoc-process-docstring", api.process_docstring, priority=900)
    app.connect("autodoc-process-signature", api.process_signature)


def _read(app: Any, page: str, source: list[str]) -> None:
    """Read pages that stand for a file elsewhere, append generated text, and point links into the site."""
    file = ROOT / ELSEWHERE[page] if page in ELSEWHERE and page != "index" else DOCS / f"{page}.md"
    text = source[0] if file.is_relative_to(DOCS) else file.read_text("utf-8")
    if page in GENERATED:
        text += f"\n{GENERATED[page]()}"
    source[0] = LINK.sub(lambda link: _relinked(link, file, DOCS / f"{page}.md"), text)


def _relinked(link: re.Match[str], file: Path, page: Path) -> str:
    """Return the link as the site needs it: to a page, or the bare name of any other file of the repository."""
    words, path, anchor = link[1], link[2], link[3] or ""
    target = (file.parent / path).resolve()
    target = PAGES.get(target, target)
    if target.is_relative_to(DOCS) or not target.exists():
        return f"[{words}]({Path(os.path.relpath(target, page.parent)).as_posix()}{anchor})"
    return words
