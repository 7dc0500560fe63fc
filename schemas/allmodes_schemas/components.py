"""Base configs of the slots of a spec: what a component declares before torch is loaded."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias, TypeVar

from pydantic import Field
from pydantic.config import JsonDict
from pydantic.dataclasses import dataclass as checked

from allmodes_schemas.base import Config, Iteration, KindConfig, Problem, Ramp, Sane, Shape, kinds_within
from allmodes_schemas.training import PlayerConfig

if TYPE_CHECKING:
    from allmodes_schemas.spec import Spec


K = TypeVar("K", bound=KindConfig)
ITERATIONS: JsonDict = {"unit": "iterations"}
"""The unit of an option, where its description alone would leave it open."""


Form: TypeAlias = Literal["point", "gaussian", "logits"]
"""How an auxiliary estimates the part that it gives, which has `size` entries; read without knowing its kind.

- `point`: an estimate (B, size) of the part.
- `gaussian`: a normal distribution of the part, an `allmodes.Gaussian` of `mean` and `log_variance`, each (B, size).
- `logits`: scores (B, size) of the part's entries, whose softmax is a distribution over them: of a `mode`.
"""


@dataclass(frozen=True)
class Need:
    """A requirement of a loss term, metric, prior or sampler.

    `slot` is where it is looked for: an `auxiliary` that gives `what` (a latent part), in the `form` that is asked for,
    if any; a latent `part` named `what`; a `prior` that offers `what`, such as `weights`; a `discriminator`, which a
    spec may lack; one that is `joint`; `labels` of the data; the `truth` (known modes) of the data; or the labelled
    `stream` that the component's own field `stream` names. `remedy` is the line to add or, for labels and truth, what
    to do: "take data with labels". For truth, it is by default to take one of the installed kinds that have it.
    """

    slot: Literal["auxiliary", "part", "prior", "discriminator", "joint", "labels", "truth", "stream"]
    what: str = ""
    remedy: str = ""
    form: Form | Literal[""] = ""


@checked(frozen=True)
class Key:
    """How one number of a metric is read and shown; the defaults suit any number, and other values are refused.

    Attributes:
        better: Which values are good; None where neither direction is, such as a share that should be near the true
            one. `training.checkpoints.best` keeps the best of a number that has it, and refuses others.
        unit: `share` for a number from 0 to 1, which the tables of `compare` and titles show as per cent.
        counts: Whether it counts modes or classes that the model has captured. The first such number of a spec is
            watched for collapse and shown in the progress bar.
        label: Short name in the titles of figures and in the progress bar. Titles show the first two numbers that have
            one, the view "Modes captured" in MLflow all of them.
        constant: Whether it describes the measurement, such as a radius, and not the samples: the tables of `compare`
            leave it out.
    """

    better: Literal["higher", "lower"] | None = None
    unit: Literal["", "share"] = ""
    counts: bool = False
    label: str = ""
    constant: bool = False


def _within(config: KindConfig, slot: type[K]) -> list[K]:
    """Kinds of a slot within a config, itself not included."""
    return [kind for where, kind in kinds_within(config) if where and isinstance(kind, slot)]


class DatasetConfig(KindConfig):
    """Data to learn from. `build()` returns an `allmodes.data.Data`."""

    def shape(self) -> Shape | None:
        """Shape of one item, or None where it is known once the files are read."""
        return None

    def classes(self) -> int | None:
        """Number of classes, or None where there are no labels or they are known once the files are read."""
        return None

    def known_modes(self) -> bool:
        """Whether the distribution is a mixture whose modes are known."""
        return False

    def check(self, spec: "Spec") -> Iterable[Problem]:
        """Further problems of a spec with these data (torch-free)."""
        return ()

    def build(self) -> Any:
        """Load or define the data (imports torch)."""
        raise NotImplementedError(f"{type(self).__name__} does not define build()")


class NetworkConfig(KindConfig):
    """A network body. `build(sees, gives)` returns an `allmodes.Network`."""

    def misfit(self, sees: tuple[Shape, ...], gives: Shape) -> str | None:
        """The reason why this network cannot map those shapes, or None."""
        return None

    def normalises_batches(self) -> bool:
        """Whether one item's output depends on the others of its batch (BatchNorm); by default, of a network within."""
        return any(network.normalises_batches() for network in _within(self, NetworkConfig))

    def bounds_slope(self) -> bool:
        """Whether its slope is bounded, as a Wasserstein game needs it; by default, that of a network within."""
        return any(network.bounds_slope() for network in _within(self, NetworkConfig))

    def parameters(self, sees: tuple[Shape, ...], gives: Shape) -> int | None:
        """The approximate number of weights, so that too many are refused before memory is taken; None: unknown."""
        return None

    def check(self, spec: "Spec") -> Iterable[Problem]:
        """Further problems of a spec with this network (torch-free)."""
        return ()

    def build(self, sees: tuple[Shape, ...], gives: Shape) -> Any:
        """The network from inputs of shapes `sees` to an output of shape `gives` (imports torch)."""
        raise NotImplementedError(f"{type(self).__name__} does not define build()")


class DiscriminatorOptions(Config):
    """Options that any network accepts when it is the discriminator: what it sees."""

    joint: str | None = None
    """Auxiliary whose code it sees beside real data (beside generated data: the latent's code)."""
    pack: Annotated[int, Sane(1024)] = Field(1, ge=1)
    """Items judged together (PacGAN)."""

    def alone(self) -> NetworkConfig:
        """The network's own config, without these options."""
        own = next(base for base in type(self).__bases__ if issubclass(base, NetworkConfig))
        return own.model_construct(**{name: getattr(self, name) for name in own.model_fields})


class PriorConfig(KindConfig):
    """The distribution of the latent. `build(data_shape)` returns an `allmodes.Prior`."""

    trained_by: ClassVar[tuple[str, ...]] = ()
    """Players that train its parameters, if it has any."""
    needs: ClassVar[tuple[Need, ...]] = ()

    @property
    def offers(self) -> tuple[str, ...]:
        """Tensors and methods that others may ask the prior for: `weights` are the modes' probabilities (modes,)."""
        return ()

    def parts(self) -> Mapping[str, int | None]:
        """Sizes of the latent's named parts; None where a fit to the data decides."""
        return {"code": None}

    def size(self) -> int | None:
        """The size of z, by default the code's; None where a fit to the data decides."""
        return self.parts().get("code")

    def check(self, spec: "Spec") -> Iterable[Problem]:
        """Further problems of a spec with this prior (torch-free)."""
        return ()

    def build(self) -> Any:
        """The prior (imports torch)."""
        raise NotImplementedError(f"{type(self).__name__} does not define build()")


class AuxiliaryConfig(KindConfig):
    """A network beside the two. `build(sees, parts)` returns an `allmodes.Auxiliary`."""

    gives: ClassVar[str] = "code"
    """The latent part that it estimates."""
    sees: ClassVar[Literal["data", "features"]] = "data"
    """Its input: data, or the discriminator's features (then it is a head on the discriminator's trunk)."""
    trained_by: ClassVar[tuple[str, ...]] = ("generator",)
    """Players that train it; several or none (frozen) are allowed."""

    @property
    def form(self) -> Form | Literal[""]:
        """What the auxiliary's `estimate` is; "" where only those can read it who know the kind."""
        return ""

    def misfit(self, sees: Shape) -> str | None:
        """The reason why its network cannot take data of that shape, or None."""
        return None

    def check(self, spec: "Spec") -> Iterable[Problem]:
        """Further problems of a spec with this auxiliary (torch-free)."""
        return ()

    def build(self, sees: Shape, parts: Mapping[str, int]) -> Any:
        """The auxiliary for inputs of shape `sees` and latent parts of those sizes, z included (imports torch)."""
        raise NotImplementedError(f"{type(self).__name__} does not define build()")


class LossTermConfig(KindConfig):
    """A contribution to players' objectives. `build()` returns an `allmodes.LossTerm`."""

    is_game: ClassVar[bool] = False
    """Whether it is the adversarial loss, of which a spec with a discriminator has exactly one."""
    needs: ClassVar[tuple[Need, ...]] = ()
    trained_by: ClassVar[tuple[str, ...]] = ()
    """Players that train its own parameters, if it has any."""
    penalises_gradients: ClassVar[bool] = False
    """Whether it differentiates the discriminator with respect to what it sees."""
    bounds_slope: ClassVar[bool] = False
    """Whether it bounds the discriminator's slope otherwise, as clipping does: a Wasserstein game needs a bound."""

    weight: float | Ramp = 1.0
    """Factor of the term."""
    every: Iteration = Field(1, ge=1, json_schema_extra=ITERATIONS)
    """Only at iterations divisible by this (the weight is not rescaled)."""
    start: Iteration = Field(0, ge=0, json_schema_extra=ITERATIONS)
    """First iteration at which the term counts."""

    @property
    def serves(self) -> tuple[str, ...]:
        """Players that it has a loss for: those of a game; () leaves open which, until the term is built."""
        return ("discriminator", "generator") if self.is_game else ()

    def players(self) -> tuple[PlayerConfig, ...]:
        """Players that the term adds, by default those of the terms within.

        One without modules trains what names it in `trained_by`.
        """
        return tuple(player for term in _within(self, LossTermConfig) for player in term.players())

    def check(self, spec: "Spec") -> Iterable[Problem]:
        """Further problems of a spec with this term (torch-free)."""
        return ()

    def build(self) -> Any:
        """The term (imports torch)."""
        raise NotImplementedError(f"{type(self).__name__} does not define build()")


class SamplerConfig(KindConfig):
    """How samples are drawn from a trained model. `build()` returns an `allmodes.Sampler`."""

    needs: ClassVar[tuple[Need, ...]] = ()

    def check(self, spec: "Spec") -> Iterable[Problem]:
        """Further problems of a spec with this sampler (torch-free)."""
        return ()

    def build(self) -> Any:
        """The sampler (imports torch)."""
        raise NotImplementedError(f"{type(self).__name__} does not define build()")


class ReferenceConfig(KindConfig):
    """A sampler that no game trained, measured beside every model. `build()` returns an `allmodes.ReferenceSampler`."""

    called: ClassVar[str] = ""
    """The name of its row in tables; by default its kind."""

    def row(self) -> str:
        """The title of its row: its name, and the options that differ from their defaults. No two may be equal."""
        options = self.model_dump(mode="json", exclude_defaults=True, exclude={"kind"}, serialize_as_any=True)
        return " ".join([self.called or self.kind, *(f"{name}={value}" for name, value in options.items())])

    def check(self, spec: "Spec") -> Iterable[Problem]:
        """Further problems of a spec with this reference (torch-free)."""
        return ()

    def build(self) -> Any:
        """The reference sampler (imports torch)."""
        raise NotImplementedError(f"{type(self).__name__} does not define build()")


class FeatureConfig(KindConfig):
    """A feature space. `build(data)` returns a module from items (B, *shape) to (B, F) features."""

    needs: ClassVar[tuple[Need, ...]] = ()

    def title(self) -> str:
        """The ending of the keys of metrics on these features: `fid_classifier`."""
        return self.kind.replace(".", "_")

    def build(self, data: Any) -> Any:
        """The features of an `allmodes.data.Data`, on the CPU and in evaluation mode (imports torch)."""
        raise NotImplementedError(f"{type(self).__name__} does not define build()")


class MetricConfig(KindConfig):
    """A number about a trained model. `build()` returns an `allmodes.metrics.Metric`."""

    free: ClassVar[frozenset[str]] = frozenset({"every"})
    needs: ClassVar[tuple[Need, ...]] = ()

    every: Iteration | None = Field(None, ge=1, json_schema_extra=ITERATIONS)
    """Iterations between its measurements: at the first evaluation from each multiple of it on, and at the end of the
    run. None: at each evaluation."""

    def title(self) -> str:
        """The name of this metric within a spec and of its figure's file; equal titles would write the same keys."""
        return self.kind

    def numbers(self) -> Mapping[str, Key]:
        """The numbers that the metric gives, by key; one that is not declared is shown plainly."""
        return {}

    def check(self, spec: "Spec") -> Iterable[Problem]:
        """Further problems of a spec with this metric (torch-free)."""
        return ()

    def build(self) -> Any:
        """The metric (imports torch)."""
        raise NotImplementedError(f"{type(self).__name__} does not define build()")
