"""Samplers without a game beside methods: as many draws of each as methods have seeds, and an unpaired test."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from allmodes import Experiment, holm, unpaired_p

KEY = "w1"
SAMPLERS = ("bootstrap", "em")
"""Kinds of reference samplers that methods are tested against: a copy of the training set is no peer."""
LEVEL = 0.05
Draws = dict[str, list[float]]
"""The criterion of each draw of a sampler, by the sampler's row."""


def draw(experiment: Experiment, draws: int, file: Path) -> Draws:
    """Measure draws of the reference samplers of an experiment; kept in a file, which a second call reads."""
    if not file.exists():
        found = experiment.draw_references(draws)
        file.parent.mkdir(parents=True, exist_ok=True)
        numbers = {row: [scores[KEY] for scores in each] for row, each in found.items()}
        file.write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")
    return read(file)


def read(file: Path) -> Draws:
    """The draws that a file keeps; none where there is no file."""
    return dict(json.loads(file.read_text("utf-8"))) if file.exists() else {}


def judge(methods: Mapping[str, Sequence[float]], draws: Draws) -> dict[str, dict[str, str]]:
    """Which samplers each method is `better` or `worse` than, by Holm's correction for all tests together."""
    pairs = [(method, row) for method in methods for row in draws]
    corrected = holm([unpaired_p(methods[method], draws[row]) for method, row in pairs])
    found: dict[str, dict[str, str]] = {method: {} for method in methods}
    for (method, row), p in zip(pairs, corrected, strict=True):
        if p <= LEVEL:
            found[method][row] = "better" if fmean(methods[method]) < fmean(draws[row]) else "worse"
    return found
