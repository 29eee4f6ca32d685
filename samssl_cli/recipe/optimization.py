"""What every training shares: no section of its own, but the ground of several."""

from typing import Literal

from pydantic import Field

from samssl_cli.recipe.section import Fraction, NonNegative, Positive, PositiveCount, Section


class Optimization(Section):
    """How any network is fitted."""

    without_effect = frozenset({"checkpoint_every"})

    steps: PositiveCount = Field(6000, description="optimisation steps")
    optimizer: Literal["sgd", "adamw"] = Field("adamw", description="optimiser")
    learning_rate: Positive = Field(2e-3, description="rate at the start")
    momentum: Fraction = Field(0.9, description="of sgd")
    weight_decay: NonNegative = Field(1e-4, description="L2 penalty (decoupled for adamw)")
    schedule: Literal["constant", "cosine", "poly", "step"] = Field(
        "cosine", description="how the rate falls"
    )
    poly_power: Positive = Field(0.9, description="exponent of the poly schedule")
    decay_every: PositiveCount = Field(2500, description="steps between divisions by 10 (step)")
    max_gradient_norm: NonNegative = Field(
        12.0, description="clip gradients to this norm; 0 leaves them alone"
    )
    mixed_precision: bool = Field(True, description="half precision on CUDA")
    cpu_bfloat16: bool = Field(
        False,
        description="bfloat16 on a CPU: faster where it has instructions for it (AVX512-BF16, AMX)",
    )
    checkpoint_every: PositiveCount = Field(250, description="steps between saved states")
