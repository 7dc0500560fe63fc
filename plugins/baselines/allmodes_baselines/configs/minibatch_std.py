"""Settings of minibatch standard deviation."""

from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import override

from allmodes import Sane, Shape
from allmodes_baselines.configs.around import AroundConfig


class MinibatchStdConfig(AroundConfig):
    """A discriminator that is told how much the items of its batch differ."""

    kind: Literal["baselines.minibatch_std"] = "baselines.minibatch_std"
    hidden: Annotated[int, Sane(2**16)] = Field(128, ge=1)
    """Units of the layer on the features and the standard deviation; it replaces the head of the network inside."""

    @override
    def normalises_batches(self) -> bool:
        return True  # an item's score depends on the others

    @override
    def build(self, sees: tuple[Shape, ...], gives: Shape) -> Any:
        from allmodes_baselines.minibatch_std import with_spread

        return with_spread(self.build_inner(sees, gives), gives, self.hidden)
