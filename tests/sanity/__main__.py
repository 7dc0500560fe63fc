"""Run all checks and write the page."""

import argparse
import platform
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from statistics import fmean, stdev

import torch

from allmodes import RingConfig
from sanity.checks import CHECKS
from sanity.measuring import Verdict, copied, judge
from sanity.numbers import ANY, NUMBERS, OF_MEMORY, OF_MODES, Role

ROOT = Path(__file__).parents[2]
COPIES = [RingConfig(items=1000, items_seed=seed).build() for seed in range(5)], 500
"""Sets of training items that are copied, and how many of each."""
TITLES: Mapping[Role, str] = {
    "fidelity": "Fidelity", "diversity": "Diversity", "both": "Distances of distributions",
}  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sanity", description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results" / "sanity.md")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    begin = time.process_time()
    verdicts = [verdict for check in CHECKS for verdict in judge(check, options.seeds)]
    copies = copied(*COPIES, (*ANY, *OF_MODES, *OF_MEMORY))
    options.out.write_text(page(verdicts, copies, options.seeds, time.process_time() - begin), "utf-8")


def page(
    verdicts: Sequence[Verdict], copies: Mapping[str, tuple[list[float], ...]], seeds: Sequence[int], seconds: float
) -> str:
    """The page of all verdicts and of a copy's numbers, in Markdown."""
    text = (Path(__file__).parent / "page.md").read_text("utf-8")
    versions = f"torch {torch.__version__.partition('+')[0]}, Python {platform.python_version()}"
    cost = f"{seconds:.0f} CPU seconds with one thread"
    made = f"{date.today()}, commit {_commit()}, seeds {', '.join(map(str, seeds))}, {cost}, {versions}"
    return text.format(made=made, tables="\n".join(tables(verdicts)), copies="\n".join(copy_rows(copies)))


def tables(verdicts: Sequence[Verdict]) -> Iterable[str]:
    """A table for each role: a row for each check, a column for each number."""
    for role, title in TITLES.items():
        keys = [key for key in NUMBERS if NUMBERS[key].role == role]
        yield f"### {title}\n"
        yield _row("", *(f"`{key.removesuffix('_items')}`" for key in keys))
        yield _row(*["---"] * (len(keys) + 1))
        for check in CHECKS:
            cells = [_cell([v.passed for v in verdicts if (v.check, v.key) == (check.name, key)]) for key in keys]
            if any(cells):
                yield _row(check.name, *cells)
        yield _row("**all**", *(f"**{_cell([v.passed for v in verdicts if v.key == key])}**" for key in keys)) + "\n"


def copy_rows(copies: Mapping[str, tuple[list[float], ...]]) -> Iterable[str]:
    """A row for each number: new draws', a copy's, and whether they are apart in all repetitions."""
    for key, (new, copy) in copies.items():
        seen = max(new) < min(copy) or max(copy) < min(new)
        yield _row(f"`{key.removesuffix('_items')}`", _spread(new), _spread(copy), "yes" if seen else "no")


def _spread(values: Sequence[float]) -> str:
    return f"{fmean(values):.4g} ± {stdev(values):.2g}"


def _cell(passed: Sequence[bool]) -> str:
    """How many passed of those that were asked; a tick where all did, nothing where none was asked."""
    if not passed:
        return ""
    return "✓" if all(passed) else f"{sum(passed)}/{len(passed)}"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _commit() -> str:
    return subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()


if __name__ == "__main__":
    main()
