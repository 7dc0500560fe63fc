"""The methods of the honest study, one table: what each has that the others have not.

All have a perceptron of two hidden layers of 64 for every network, Adam, a falling rate, and a moving average of the
generator; `specs.py` adds these. `$modes`, `$latent` and `$iterations` stand for what a case knows: the number of modes
(only for methods that are told it), a latent of at least 16 entries with one for each mode, the number of coordinates
(for methods that move a latent to data of the same size; `$noise` is one more), and the run's length.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Block: TypeAlias = dict[str, Any]

BODY: Block = {"kind": "mlp", "hidden": [64, 64]}
JUDGE: Block = {**BODY, "activation": "leaky_relu"}
NORMAL: Block = {"kind": "gaussian", "dim": 16}
GAME: Block = {"kind": "non_saturating"}
RELATIVISTIC: tuple[Block, ...] = (
    {"kind": "relativistic"},
    {"kind": "r1", "gamma": 0.1},
    {"kind": "r2", "gamma": 0.1},
)
CLIPLESS: tuple[Block, ...] = ({"kind": "wasserstein"}, {"kind": "gradient_penalty", "strength": 0.1})
EMBEDDED: Block = {"kind": "bourgan.metric_mixture", "subsample": 1024, "std": 0.01}
DISTANCE: Block = {"kind": "bourgan.distance", "weight": 0.1}
MIXED: Block = {"kind": "nemgan.mode_mixture", "dim": "$latent", "modes": "$modes"}
INVERTER: Block = {"kind": "nemgan.inverter", "output": "linear", "network": BODY}
INVERSION: Block = {"kind": "nemgan.latent_inversion", "z_weight": 0.0, "y_loss": "categorical"}
RECONSTRUCTION: tuple[Block, ...] = ({"kind": "veegan.game"}, {"kind": "veegan.code_reconstruction"})


@dataclass(frozen=True)
class Method:
    """A method's own parts of a spec.

    Attributes:
        description: One line.
        losses: The game and further terms.
        prior, generator, discriminator, auxiliaries: As in a spec; no discriminator where it is None.
        training: Settings of training beyond those of all.
        told: What the method is told that others are not; empty for nothing.
        is_given_items: Whether it is fitted to single training items, which it could copy: memorisation is measured.
        recipe: One with the same parts, to begin with; empty for `study/grid-<name>`.
    """

    description: str
    losses: tuple[Block, ...]
    prior: Block = field(default_factory=lambda: NORMAL)
    generator: Block = field(default_factory=lambda: BODY)
    discriminator: Block | None = field(default_factory=lambda: JUDGE)
    auxiliaries: Mapping[str, Block] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    told: str = ""
    is_given_items: bool = False
    recipe: str = ""


MODES = "the number of modes"
LOCAL_GAME: tuple[Block, ...] = (
    {"kind": "relativistic"},
    {"kind": "bourgan.local_penalty", "weight": {"start": 5, "end": 1, "over": "$iterations"}},
)
RESIDUAL: Block = {"kind": "bourgan.residual", "network": {"kind": "bourgan.chart", "network": BODY}}
CHARTED: Block = {"kind": "bourgan.chart", "network": JUDGE}
PACKED, ENCODED = {**JUDGE, "pack": 2}, {**JUDGE, "joint": "encoder"}
PAIRED = {**JUDGE, "joint": "reconstructor"}
CRITIC = {"discriminator_updates": 5}
CODES: Block = {"kind": "gaussian", "dim": 15, "nuisance_dim": 1}

METHODS: Mapping[str, Method] = {
    "gan": Method("A plain non-saturating GAN", (GAME,)),
    "every-mode": Method(
        "BourGAN's every-mode: a latent of the data's shape and width, a residual generator, local coordinates",
        LOCAL_GAME,
        prior={"kind": "bourgan.atlas"},
        generator=RESIDUAL,
        discriminator=CHARTED,
        told="all training items, for the latent and the coordinates of its networks",
        is_given_items=True,
        recipe="bourgan/every-mode-grid",
    ),
    "every-mode-compressed": Method(
        "every-mode with a latent of a few charts of the data, without its items",
        LOCAL_GAME,
        prior={"kind": "bourgan.compressed"},
        generator=RESIDUAL,
        discriminator=CHARTED,
        told="all training items, for the charts of its latent and its networks",
        is_given_items=True,
        recipe="bourgan/every-mode-compressed-grid",
    ),
    "switch": Method(
        "A Gaussian latent and a generator of 64 experts, more than modes, that jumps, by coupling, no discriminator",
        ({"kind": "modern.coupling"},),
        prior={"kind": "gaussian", "dim": "$dims", "nuisance_dim": "$noise"},
        generator={"kind": "modern.switch", "experts": 64, "network": {**JUDGE, "init": "torch"}},
        discriminator=None,
        told="8,192 training items, with which latents are coupled; 64 of them, where its experts begin",
        is_given_items=True,
        recipe="modern/switch-grid",
    ),
    "wgan-gp": Method("WGAN-GP, five discriminator updates", CLIPLESS, training=CRITIC),
    "r3gan": Method("R3GAN: the relativistic game with R1 and R2", RELATIVISTIC),
    "unrolled": Method("Unrolled GAN, five updates ahead", ({"kind": "baselines.unrolled", "updates": 5},)),
    "pacgan": Method("PacGAN with packs of two", (GAME,), discriminator=PACKED),
    "msgan": Method("MSGAN: mode seeking", (GAME, {"kind": "baselines.mode_seeking"})),
    "infogan": Method(
        "InfoGAN with a category for each mode and two styles",
        (GAME, {"kind": "baselines.information"}),
        prior={"kind": "baselines.info_latent", "noise_dim": 14, "modes": "$modes", "style_dim": 2},
        auxiliaries={"q": {"kind": "baselines.q_head", "network": {"kind": "mlp", "hidden": [64]}}},
        told=MODES,
    ),
    "clustergan": Method(
        "ClusterGAN, five discriminator updates",
        (*CLIPLESS, {"kind": "baselines.cluster_inversion"}),
        prior={"kind": "baselines.cluster_latent", "noise_dim": 16, "modes": "$modes"},
        auxiliaries={"encoder": {"kind": "baselines.cluster_encoder", "network": BODY}},
        training=CRITIC,
        told=MODES,
    ),
    "deligan": Method(
        "DeLiGAN with 50 Gaussians in the plane, more than modes",
        (GAME, {"kind": "baselines.width", "weight": 0.1}),
        prior={"kind": "baselines.mixture_of_gaussians", "dim": 2, "modes": 50, "sigma": 0.02},
    ),
    "mgan": Method(
        "MGAN with a generator (two layers of 32) for each mode",
        (GAME, {"kind": "baselines.which_generator", "beta": 0.1}),
        prior={"kind": "baselines.modes", "modes": "$modes", "prior": NORMAL},
        generator={"kind": "baselines.generators", "k": "$modes", "network": {"kind": "mlp", "hidden": [32, 32]}},
        auxiliaries={"classifier": {"kind": "baselines.classifier"}},
        told=MODES,
        recipe="baselines/mgan-ring",
    ),
    "ali": Method(
        "ALI: a game on pairs with a noisy encoder",
        ({"kind": "baselines.ali"},),
        discriminator=ENCODED,
        auxiliaries={"encoder": {"kind": "baselines.encoder", "noise": "gaussian", "network": BODY}},
    ),
    "veegan": Method(
        "VEEGAN",
        RECONSTRUCTION,
        prior=CODES,
        discriminator=PAIRED,
        auxiliaries={"reconstructor": {"kind": "veegan.reconstructor", "network": BODY}},
        training={"schedule": "simultaneous"},
    ),
    "bourgan": Method("BourGAN", (GAME, DISTANCE), prior=EMBEDDED, told="1,024 training items, for the latent"),
    "nemgan": Method(
        "NEMGAN without labels",
        (GAME, {**INVERSION, "z_weight": 1.0}),
        prior=MIXED,
        auxiliaries={"inverter": INVERTER},
        told=MODES,
    ),
    "bourgan-nemgan": Method(
        "Hybrid of BourGAN and NEMGAN",
        (GAME, DISTANCE, INVERSION),
        prior={**EMBEDDED, "modes": "$modes"},
        auxiliaries={"inverter": INVERTER},
        told=f"{MODES}; 1,024 training items, for the latent",
    ),
    "veegan-nemgan": Method(
        "Hybrid of VEEGAN and NEMGAN",
        (*RECONSTRUCTION, INVERSION),
        prior=MIXED,
        discriminator=PAIRED,
        auxiliaries={
            "reconstructor": {"kind": "veegan.reconstructor", "code_noise": 0.17, "network": BODY},
            "inverter": INVERTER,
        },
        told=MODES,
    ),
    "pacgan-bourgan": Method(
        "Hybrid of PacGAN and BourGAN",
        (GAME, DISTANCE),
        prior=EMBEDDED,
        discriminator=PACKED,
        told="1,024 training items, for the latent",
    ),
    "veegan-r3gan": Method(
        "Hybrid of VEEGAN and R3GAN",
        (*RELATIVISTIC, {"kind": "veegan.code_reconstruction"}),
        prior=CODES,
        auxiliaries={"reconstructor": {"kind": "veegan.reconstructor", "network": BODY}},
    ),
    "bourgan-r3gan": Method(
        "Hybrid of BourGAN and R3GAN",
        (*RELATIVISTIC, DISTANCE),
        prior=EMBEDDED,
        told="1,024 training items, for the latent",
    ),
    "drifting": Method(
        "Drifting Models", ({"kind": "modern.drifting"},), discriminator=None, recipe="modern/drifting-grid"
    ),
    "rs-imle": Method(
        "RS-IMLE",
        ({"kind": "modern.rs_imle", "epsilon": 0.02, "candidates": 1},),
        discriminator=None,
        recipe="modern/rsimle-grid",
    ),
    "transport": Method(
        "The relativistic game with a falling transport term",
        (
            *RELATIVISTIC,
            {
                "kind": "modern.transport",
                "weight": {"start": 0.2, "end": 0.01, "over": "$iterations", "shape": "cosine"},
            },
        ),
        prior={"kind": "gaussian", "dim": "$dims"},
        recipe="modern/transport-grid",
    ),
    "uotm": Method(
        "UOTM",
        ({"kind": "modern.uotm", "tau": 0.02}, {"kind": "r1", "gamma": 0.1}),
        prior={"kind": "gaussian", "dim": "$dims", "nuisance_dim": 2},
        recipe="modern/uotm-grid",
    ),
}
"""The methods by name; the first is what statistics compare the others with."""
