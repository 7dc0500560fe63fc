"""Draws of the modes of a latent, shared by the priors of several baselines."""

from __future__ import annotations

import torch
from torch import Tensor

from allmodes import Given, Noise


def one_hot(noise: Noise, like: Tensor, modes: int, given: Given) -> Tensor:
    """Unit vectors (n, modes): uniform draws, or the mode that is given, a number from 0 or one for each draw (n,).

    `like` (n, ...) gives their number, device and type.
    """
    if "mode" in given:
        chosen = torch.as_tensor(given["mode"], device=like.device).expand(len(like))
    else:
        chosen = (modes * noise.uniform("mode", len(like))).long()
    return unit(chosen, modes, like.dtype)


def unit(chosen: Tensor, modes: int, dtype: torch.dtype) -> Tensor:
    """Unit vectors (n, modes) of modes by number (n,)."""
    return (chosen[:, None] == torch.arange(modes, device=chosen.device)).to(dtype)
