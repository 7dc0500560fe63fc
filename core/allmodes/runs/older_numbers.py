"""Numbers of evaluations as earlier versions called them, in results and specs."""

from __future__ import annotations

import re

STEMS = (
    *("fid", "kid", "kid_std", "precision", "recall", "density", "coverage", "clipped_density", "clipped_coverage"),
    *("sliced_w1", "sliced_w2", "vendi", "truncated_vendi", "rke", "vendi_gap", "rke_gap", "ndb", "jsd"),
)
"""Numbers in a feature space, whose names end with the space's."""
OLDER = re.compile(rf"(.*/)?(recent_)?({'|'.join(STEMS)})_pixels")
"""The features `items` were called `pixels`."""


def renew(name: str) -> str:
    """The name of a number today."""
    return f"{name.removesuffix('pixels')}items" if name.endswith("_pixels") and OLDER.fullmatch(name) else name
