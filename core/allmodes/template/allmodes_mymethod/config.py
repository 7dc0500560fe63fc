"""Settings of mymethod's prior, reader, loss and metric. Torch is imported inside `build()`, never above."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from allmodes import (
    AuxiliaryConfig,
    Key,
    LossTermConfig,
    MetricConfig,
    Need,
    NetworkConfig,
    PlayerConfig,
    PriorConfig,
    Shape,
)


class WordsConfig(PriorConfig):
    """Normal noise and a word, one of K with equal probabilities, as a unit vector."""

    kind: Literal["mymethod.words"] = "mymethod.words"
    noise: int = Field(2, ge=1)
    """Size of the noise n."""
    words: int = Field(8, ge=2)
    """Number of words, K."""

    @override
    def parts(self) -> Mapping[str, int | None]:
        # z as a whole, and the word: `allmodes sample --mode` draws by the part called mode
        return {"code": self.noise + self.words, "mode": self.words}

    @override
    def build(self) -> Any:
        from allmodes_mymethod.model import Words

        return Words(self.noise, self.words)


class LayerConfig(NetworkConfig):
    """A network with one hidden layer."""

    kind: Literal["mymethod.layer"] = "mymethod.layer"
    hidden: int = Field(64, ge=1)
    """Size of the hidden layer."""

    @override
    def misfit(self, sees: tuple[Shape, ...], gives: Shape) -> str | None:
        return None if len(sees) == 1 else f"{self.kind} takes one input, not {len(sees)}"

    @override
    def build(self, sees: tuple[Shape, ...], gives: Shape) -> Any:
        from allmodes_mymethod.model import Layer

        return Layer(sees[0], gives, self.hidden)


class ReaderConfig(AuxiliaryConfig):
    """R, which maps data to a score for each word."""

    kind: Literal["mymethod.reader"] = "mymethod.reader"
    gives: ClassVar[str] = "mode"
    form: ClassVar[Literal["logits"]] = "logits"
    trained_by: ClassVar[tuple[str, ...]] = ("reader",)

    network: NetworkConfig = LayerConfig()
    """The body of R, any installed network."""

    @override
    def misfit(self, sees: Shape) -> str | None:
        return self.network.misfit((sees,), (1,))

    @override
    def build(self, sees: Shape, parts: Mapping[str, int]) -> Any:
        from allmodes_mymethod.model import Reader

        return Reader(self.network.build((sees,), (parts["mode"],)), sees)


class ReadingConfig(LossTermConfig):
    """Cross entropy of the word and what R reads in the generated item; trains generator and R."""

    kind: Literal["mymethod.reading"] = "mymethod.reading"
    needs: ClassVar[tuple[Need, ...]] = (
        Need("part", "mode", "a prior with words, such as prior: {kind: mymethod.words}"),
        Need("auxiliary", "mode", "auxiliaries.reader: {kind: mymethod.reader}", form="logits"),
    )

    auxiliary: str = "reader"
    """The reader."""

    @override
    def players(self) -> tuple[PlayerConfig, ...]:
        return (PlayerConfig(name="reader", modules=()),)  # it trains what names it in trained_by

    @override
    def build(self) -> Any:
        from allmodes_mymethod.model import Reading

        return Reading(self.auxiliary)


class UnderstoodConfig(MetricConfig):
    """Share of draws in which the reader finds the word again."""

    kind: Literal["mymethod.understood"] = "mymethod.understood"
    needs: ClassVar[tuple[Need, ...]] = (
        Need("auxiliary", "mode", "auxiliaries.reader: {kind: mymethod.reader}", form="logits"),
    )

    auxiliary: str = "reader"
    """The reader."""

    @override
    def numbers(self) -> Mapping[str, Key]:
        return {"understood": Key("higher", unit="share", label="understood")}

    @override
    def build(self) -> Any:
        from allmodes_mymethod.model import Understood

        return Understood(self.auxiliary)
