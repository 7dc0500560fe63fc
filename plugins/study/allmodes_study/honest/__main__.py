"""The study at equal budgets by one command, which goes on where it was stopped.

python -m allmodes_study.honest --jobs 2 --docs docs/results
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from allmodes_study.honest import evidence, pages
from allmodes_study.honest.plan import Plan, small
from allmodes_study.honest.stages import StoppedError, Study


def main(arguments: list[str] | None = None) -> int:
    """Run what is not finished, and write evidence and page of what is; returns the exit code."""
    options = _parser().parse_args(arguments)
    plan = small() if options.small else Plan()
    code = 0
    if not options.page:
        try:
            Study(plan, options.folder, options.jobs, options.figures).run()
        except StoppedError as stop:
            print(stop, file=sys.stderr)
            code = 130
    if (options.folder / "tuning.json").exists():
        _write(plan, options)
    return code


def _write(plan: Plan, options: argparse.Namespace) -> None:
    made = dict(item.partition("=")[::2] for item in options.made)
    page = evidence.gather(plan, options.folder, {"command": "`python -m allmodes_study.honest`", **made})
    trials = json.loads((options.folder / "tuning.json").read_text("utf-8"))
    evidence.write(page, options.evidence or options.folder / "honest.json")
    options.docs.mkdir(parents=True, exist_ok=True)
    pages.curves(plan, options.folder, options.docs)
    (options.docs / "honest_study.md").write_text(pages.write(plan, page, trials), encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, default=Path("runs/honest"), help="where runs lie")
    parser.add_argument("--jobs", type=int, help="processes side by side; default: one a core")
    parser.add_argument("--docs", type=Path, default=Path(), help="where the page honest_study.md is written")
    parser.add_argument("--evidence", type=Path, help="the page for suggest; default: honest.json in --folder")
    parser.add_argument("--made", action="append", default=[], metavar="KEY=TEXT", help="a line on how it was made")
    parser.add_argument("--small", action="store_true", help="three methods, seconds: to see that it works")
    parser.add_argument("--no-figures", dest="figures", action="store_false", help="draw nothing; a later command does")
    parser.add_argument("--page", action="store_true", help="train nothing; write what there is")
    return parser


if __name__ == "__main__":
    sys.exit(main())
