"""The charts of the view: final numbers, their course by iteration, pictures without the settings above them, losses.

MLflow's UI adds charts of all other numbers below these, in a section for each prefix.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

FINAL, COURSE, PICTURES, LOSSES = "At the end", "By iteration", "Pictures", "Losses"
LOSS = ("train/generator", "train/discriminator")


def layout(keys: Iterable[str]) -> dict[str, Any]:
    """The sections and charts of numbers, in the form of MLflow's UI; charts that no run has numbers for stay away."""
    keys = list(keys)
    bars = [_chart("BAR", FINAL, key, key) for key in keys]
    lines = [_chart("LINE", COURSE, f"eval/{key}", key) | LINE for key in keys]
    losses = [_chart("LINE", LOSSES, key, key.removeprefix("train/")) | LINE for key in LOSS]
    picture = _chart("IMAGE", PICTURES, "", "samples") | {"imageKeys": ["samples"], "step": 0, "showRunParams": False}
    sections = [{"uuid": name, "name": name, "display": True} for name in (FINAL, COURSE, PICTURES, LOSSES)]
    charts = {"compareRunCharts": [*bars, *lines, picture, *losses], "compareRunSections": sections}
    return charts | {"isAccordionReordered": True, "hideEmptyCharts": True}


LINE: dict[str, Any] = {
    **{"lineSmoothness": 0, "scaleType": "linear", "xAxisKey": "step", "xAxisScaleType": "linear"},
    **{"useGlobalXaxisKey": True, "useGlobalLineSmoothing": True},
}


def _chart(kind: str, section: str, key: str, title: str) -> dict[str, Any]:
    place = {"uuid": f"{kind}{key}", "type": kind, "metricSectionId": section}
    return place | {"metricKey": key, "displayName": title}
