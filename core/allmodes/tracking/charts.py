"""The charts of the views: final numbers, their course by iteration, and pictures without the settings above them.

MLflow's UI adds charts of all other numbers below these, in a section for each prefix: losses in `train/generator`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

FINAL, COURSE, PICTURES = "At the end", "By iteration", "Pictures"


def layout(keys: Iterable[str]) -> dict[str, Any]:
    """The sections and charts of numbers, in the form of MLflow's UI; charts that no run has numbers for stay away."""
    keys = list(keys)
    bars = [_chart("BAR", FINAL, key, key) for key in keys]
    lines = [_chart("LINE", COURSE, f"eval/{key}", key) | LINE for key in keys]
    picture = _chart("IMAGE", PICTURES, "", "samples") | {"imageKeys": ["samples"], "step": 0, "showRunParams": False}
    sections = [{"uuid": name, "name": name, "display": True} for name in (FINAL, COURSE, PICTURES)]
    charts = {"compareRunCharts": [*bars, *lines, picture], "compareRunSections": sections}
    return charts | {"isAccordionReordered": True, "hideEmptyCharts": True}


LINE: dict[str, Any] = {
    **{"lineSmoothness": 0, "scaleType": "linear", "xAxisKey": "step", "xAxisScaleType": "linear"},
    **{"useGlobalXaxisKey": True, "useGlobalLineSmoothing": True},
}


def _chart(kind: str, section: str, key: str, title: str) -> dict[str, Any]:
    place = {"uuid": f"{kind}{key}", "type": kind, "metricSectionId": section}
    return place | {"metricKey": key, "displayName": title}
