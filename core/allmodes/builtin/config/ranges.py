"""Ranges of numbers that several configs share."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, lt=1)]
Label = Annotated[int, Field(ge=0)]
Size = Annotated[int, Field(ge=1, le=4096)]
"""Height and width of an image in pixels."""
Workers = Annotated[int, Field(ge=0, le=256)]
