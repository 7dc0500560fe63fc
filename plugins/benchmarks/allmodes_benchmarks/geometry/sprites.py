"""Glyphs of 3 x 3 px, drawn at several places and sizes."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import product

import numpy as np

from allmodes_benchmarks.geometry.random import CANDIDATES, Array, Stream, radius, rounded

GLYPH = 3
"""Height and width of a glyph in px, at scale 1."""
DARK, LIGHT = -0.8, 0.8
"""Background, and a glyph at full brightness: noise stays between -1 and 1."""
FAINT = 0.5
"""The lowest brightness, where the highest is 1."""
FEWEST, MOST = 4, 7
"""Pixels of a glyph that are on."""


@lru_cache(maxsize=8)
def draw_templates(size: int, shapes: int, positions: int, scales: int, seed: int) -> Array:
    """Masks (K, size, size) of every glyph at every place and scale, in the order of labels.

    Raises:
        ValueError: If a glyph has fewer places than asked for.
    """
    glyphs = _draw_glyphs(shapes, Stream("glyphs", seed))
    masks = []
    for glyph, scale in product(glyphs, range(scales)):
        shape = np.kron(glyph, np.ones((size // 8 + scale,) * 2)).astype(np.float64)
        offsets = places(size, positions, scale)
        masks += [_placed(shape, size, top, left) for top, left in product(offsets, offsets)]
    return np.stack(masks)


def places(size: int, positions: int, scale: int) -> list[int]:
    """Where glyphs begin, along one axis, in equal steps from edge to edge."""
    room = size - GLYPH * (size // 8 + scale)
    if positions > room + 1:
        there = f"glyphs of scale {scale + 1} have {max(0, room + 1)} places along an axis of {size} px"
        raise ValueError(f"{there}: set positions to {room + 1} or less" if room >= 0 else f"{there}: set fewer scales")
    return [round(i * room / max(1, positions - 1)) for i in range(positions)]


def std_of(templates: Array, separation: float) -> float:
    """Standard deviation of noise whose regions of high quality are `separation` times as far apart as if they touched.

    The closest items of masks m and l, with brightnesses a and b from FAINT to 1, are ||a m - b l|| apart. That falls
    with a and b together, so that one of them is FAINT; the other is then the best, <m, l> FAINT / |l|^2, or the
    nearest to it. Noise is kept so small that five stds of it leave images in [-1, 1].
    """
    flat = templates.reshape(len(templates), -1) * (LIGHT - DARK)
    inner = flat @ flat.T  # (K, K)
    squares = np.diag(inner)
    best = np.clip(FAINT * inner / squares, FAINT, 1)  # of the second, where the first is faint
    gaps = FAINT**2 * squares[:, None] - 2 * FAINT * best * inner + best**2 * squares
    np.fill_diagonal(gaps, np.inf)
    std = math.sqrt(gaps.min()) / (2 * separation * radius(flat.shape[1] - 1))
    return float(rounded(np.asarray(min(std, (1 - LIGHT) / 5))))


def _draw_glyphs(n: int, stream: Stream) -> list[Array]:
    """Draw glyphs that reach all four edges, each the one of a few that differs most from all before it."""
    every = [np.array([code >> bit & 1 for bit in range(GLYPH**2)], dtype=np.float64) for code in range(2**GLYPH**2)]
    left = [glyph.reshape(GLYPH, GLYPH) for glyph in every if _is_glyph(glyph.reshape(GLYPH, GLYPH))]
    chosen = list[Array]()
    for _ in range(n):
        candidates = (stream.uniform(CANDIDATES) * len(left)).astype(int)
        apart = [min([np.abs(left[k] - glyph).sum() for glyph in chosen], default=0) for k in candidates]
        chosen.append(left.pop(int(candidates[int(np.argmax(apart))])))
    return chosen


def _is_glyph(glyph: Array) -> bool:
    edges = (glyph[0], glyph[-1], glyph[:, 0], glyph[:, -1])
    return FEWEST <= glyph.sum() <= MOST and all(edge.any() for edge in edges)


def _placed(shape: Array, size: int, top: int, left: int) -> Array:
    mask = np.zeros((size, size))
    mask[top : top + len(shape), left : left + len(shape)] = shape
    return mask
