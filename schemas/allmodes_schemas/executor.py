"""What a file says, beside its spec, of where `compare` trains it: it is no part of a run."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field
from pydantic.json_schema import WithJsonSchema

from allmodes_schemas.base import Config, KindConfig, worded

MOST = 10_000
"""Workers that one command may ask for."""


def _to_text(value: Any) -> Any:
    """A number as it would stand on the command line."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


_WORD = worded(r"^[\w.,:@+/=*&|\[\]-]+$", "a word of letters, digits and . , : @ + / = * & | [ ] - _")
_TIME = worded(r"^[\d:-]+$", "minutes, or a time such as 4:00:00 or 1-12:00:00")
_TEXT: Any = {"anyOf": [{"type": "string"}, {"type": "number"}]}
Word: TypeAlias = Annotated[str, BeforeValidator(_to_text), Field(pattern=_WORD, max_length=200), WithJsonSchema(_TEXT)]
Duration: TypeAlias = Annotated[str, BeforeValidator(_to_text), Field(pattern=_TIME), WithJsonSchema(_TEXT)]


class LocalConfig(KindConfig):
    """Processes of this command, which train all."""

    kind: Literal["local"] = "local"
    jobs: int | None = Field(None, ge=1, le=MOST)
    """Processes side by side. None: one for each core."""


class JoinConfig(KindConfig):
    """Processes of this command, which share the runs with other commands in the same folder."""

    kind: Literal["join"] = "join"
    jobs: int | None = Field(None, ge=1, le=MOST)
    """Processes of this command side by side. None: one for each core."""
    pack: int = Field(1, ge=1, le=MOST)
    """Most runs that one process claims and trains together."""


class SlurmConfig(KindConfig):
    """An array of jobs of Slurm. What is left out is as the cluster has it."""

    kind: Literal["slurm"] = "slurm"
    workers: int = Field(1, ge=1, le=MOST)
    """Jobs of the array."""
    partition: Word | None = None
    """Slurm's partition."""
    account: Word | None = None
    """Who is charged."""
    qos: Word | None = None
    """Quality of service."""
    constraint: Word | None = None
    """Features that a node has to have."""
    time: Duration | None = None
    """The time limit of a job: minutes, or a time such as `4:00:00`."""
    gpus: Word | None = None
    """GPUs of a job: a number, or a type and a number such as `a100:1`."""
    cpus: int | None = Field(None, ge=1)
    """Cores of a job."""
    memory: Word | None = None
    """Memory of a job, such as `8G`."""
    notice: int = Field(120, ge=1)
    """Seconds before the time limit at which a job saves, and asks to be queued again."""
    restarts: int = Field(100, ge=0)
    """How often a job asks for that at most."""
    jobs: int | None = Field(None, ge=1, le=MOST)
    """Processes of a job side by side. None: as many as `cpus`, else one."""
    pack: int = Field(1, ge=1, le=MOST)
    """Most runs that one process claims and trains together."""


class RayConfig(KindConfig):
    """Tasks of Ray, on the cluster that RAY_ADDRESS names, or on this machine."""

    kind: Literal["ray"] = "ray"
    workers: int = Field(1, ge=1, le=MOST)
    """Tasks side by side."""
    cpus: float = Field(1.0, ge=0)
    """Cores of a task."""
    gpus: float = Field(0.0, ge=0)
    """GPUs of a task, in parts if you like: 0.25."""
    retries: int = Field(100, ge=0)
    """How often a task is tried again whose process died."""
    jobs: int | None = Field(None, ge=1, le=MOST)
    """Processes of a task side by side. None: one."""
    pack: int = Field(1, ge=1, le=MOST)
    """Most runs that one process claims and trains together."""


ExecutorConfig: TypeAlias = Annotated[LocalConfig | JoinConfig | SlurmConfig | RayConfig, Field(discriminator="kind")]
EXECUTORS: dict[str, type[LocalConfig | JoinConfig | SlurmConfig | RayConfig]] = {
    form.kind_name(): form for form in (LocalConfig, JoinConfig, SlurmConfig, RayConfig)
}
"""The forms by their kinds."""


class Placement(Config):
    """The key of a file that says where it is trained."""

    executor: ExecutorConfig | None = None
    """Where `allmodes compare` trains: processes here, or jobs of a cluster. It is no part of a run's settings."""


__all__ = [
    "EXECUTORS",
    "ExecutorConfig",
    "JoinConfig",
    "LocalConfig",
    "Placement",
    "RayConfig",
    "SlurmConfig",
]
