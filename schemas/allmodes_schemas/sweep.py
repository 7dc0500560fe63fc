"""What a file says beside its spec where it stands for several: the settings that vary, and how they are searched."""

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic.json_schema import WithJsonSchema

from allmodes_schemas.base import Config, Sane
from allmodes_schemas.spec import Seed

MOST_STEPS = 1000


class Range(Config):
    """Numbers from one to another, both included."""

    model_config = ConfigDict(populate_by_name=True)

    start: int | float = Field(alias="from")
    """The first."""
    to: int | float
    """The last."""
    steps: int | None = Field(None, ge=2, le=MOST_STEPS)
    """How many. None: each whole number; in a search, any number in between."""
    scale: Literal["linear", "log"] = "linear"
    """Whether they have equal differences or equal ratios."""

    @model_validator(mode="after")
    def _grows(self) -> Self:
        if not self.start < self.to:
            raise ValueError(f"should go up, but from is {self.start:g} and to is {self.to:g}")
        if self.scale == "log" and self.start <= 0:
            raise ValueError(f"should be positive on a log scale, but from is {self.start:g}")
        return self

    def numbers(self) -> list[int | float]:
        """The numbers, where `steps` says how many; whole ones as int where both ends are whole numbers."""
        last = (self.steps or 2) - 1
        inner = [self._at(i / last) for i in range(1, last)]
        ends_whole = isinstance(self.start, int) and isinstance(self.to, int)
        is_whole = ends_whole and all(abs(value - round(value)) < 1e-9 * abs(value) for value in inner)
        return [self.start, *(round(value) if is_whole else value for value in inner), self.to]

    def _at(self, share: float) -> float:
        if self.scale == "log":
            return float(self.start * (self.to / self.start) ** share)
        return float(self.start + (self.to - self.start) * share)


_CHOICES: Any = {"anyOf": [{"type": "array", "minItems": 1}, Range.model_json_schema(), {"type": "object"}]}
Choices = Annotated[Any, WithJsonSchema(_CHOICES)]
"""What one setting may be: a list of values, or a range."""


class SearchConfig(Config):
    """A search for the best settings by Optuna (`pip install "allmodes[search]"`)."""

    trials: Annotated[int, Sane(10_000)] = Field(ge=1)
    """How many settings are tried in all."""
    by: str = Field(min_length=1)
    """The number that counts, by its key, such as `modes` or `w1`; the mean over the seeds."""
    better: Literal["lower", "higher"] | None = None
    """Which direction is better. None: as the metric says."""
    sampler: Literal["tpe", "random"] = "tpe"
    """What suggests settings: Optuna's tree-structured Parzen estimator, or chance."""
    seed: Seed = 0
    """Seed of what is suggested."""
    batch: int = Field(4, ge=1, le=64)
    """How many trials are suggested at a time, from the results of those before; they are trained side by side."""
    prune: bool = False
    """Whether runs stop early that are worse than the median of the finished trials at the same evaluation."""
    space: dict[str, Choices] = Field({})
    """What each setting may be, by its dotted path, in the place of `vary`."""


class Sweep(Config):
    """The keys of a file that stands for several specs."""

    vary: dict[str, Choices] = Field({})
    """Settings by their dotted paths, each with the values that it takes: a grid. Those below `zip` belong together."""
    search: SearchConfig | None = None
    """A search for the best of the settings that vary."""


__all__ = ["Choices", "Range", "SearchConfig", "Sweep"]
