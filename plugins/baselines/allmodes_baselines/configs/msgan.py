"""Settings of MSGAN."""

from typing import Any, Literal

from typing_extensions import override

from allmodes import LossTermConfig


class ModeSeekingConfig(LossTermConfig):
    """Small where two latents give items as far apart as they are themselves (Mao et al., 2019)."""

    kind: Literal["baselines.mode_seeking"] = "baselines.mode_seeking"

    @override
    def build(self) -> Any:
        from allmodes_baselines.msgan import ModeSeeking

        return ModeSeeking()
