"""EfficientNet-B0 to B7 and the rule that scales the first of them, built by torchvision.

Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019.
"""

from __future__ import annotations

import math
from typing import Annotated

from torch import nn
from torchvision import models
from torchvision.models.efficientnet import MBConvConfig

from explorer.architectures.options import Classes, Probability, Range
from explorer.errors import InputError

BASELINE = (
    (1, 3, 1, 32, 16, 1),
    (6, 3, 2, 16, 24, 2),
    (6, 5, 2, 24, 40, 2),
    (6, 3, 2, 40, 80, 3),
    (6, 5, 1, 80, 112, 3),
    (6, 5, 2, 112, 192, 4),
    (6, 3, 1, 192, 320, 1),
)
"""Table 1 of the paper, stages 2 to 8: expansion, kernel, stride, input channels, output channels and layers."""

BASELINE_SIDE = 224
"""Side of the images that the baseline is for, in pixels."""

DEEPEST, WIDEST = 8, 8
"""How far the baseline may be scaled: B7 is 3.1 times as deep and twice as wide."""

Phi = Annotated[float, Range(0, 10), "compound coefficient: how often the three factors below are applied; 0 gives B0"]
Alpha = Annotated[float, Range(1, 2), "depth: the layers of a stage grow by alpha to the power of phi"]
Beta = Annotated[float, Range(1, 2), "width: the channels grow by beta to the power of phi"]
Gamma = Annotated[
    float,
    Range(1, 2),
    "resolution: choose 224 gamma^phi as the input's side (258 at phi 1, 296 at 2, 596 at 7); it changes no layer",
]


def scaled_side(phi: float, gamma: float) -> int:
    """Returns the side of the images that the rule asks for, in pixels: 224 γ^φ (equation 3)."""
    return round(BASELINE_SIDE * math.pow(gamma, phi))


def efficientnet(
    phi: Phi = 0.0,
    alpha: Alpha = 1.2,
    beta: Beta = 1.1,
    gamma: Gamma = 1.15,
    num_classes: Classes = 1000,
    dropout: Probability = 0.2,
) -> nn.Module:
    """Builds the baseline scaled by the compound rule itself: depth α^φ, width β^φ (equation 3).

    The network carries the side of the images that γ^φ asks for as `resolution`; the rule keeps α β² γ² near 2, so
    that each step of φ doubles the work.

    Raises:
        InputError: the rule asks for a network deeper or wider than any machine would build.
    """
    depth, width = alpha**phi, beta**phi
    if depth > DEEPEST or width > WIDEST:
        name, factor, limit = ("alpha", depth, DEEPEST) if depth > DEEPEST else ("beta", width, WIDEST)
        raise InputError(
            f"{name} to the power of phi must be from 1 to {limit}, not {factor:.3g}: choose less of either"
        )
    stages = [MBConvConfig(*stage, width_mult=width, depth_mult=depth) for stage in BASELINE]
    module = models.EfficientNet(stages, dropout=dropout, num_classes=num_classes)
    module.resolution = scaled_side(phi, gamma)
    built: nn.Module = module
    return built


def _efficientnet(scale: int, num_classes: int, dropout: float) -> nn.Module:
    module: nn.Module = getattr(models, f"efficientnet_b{scale}")(num_classes=num_classes, dropout=dropout)
    return module


def efficientnet_b0(num_classes: Classes = 1000, dropout: Probability = 0.2) -> nn.Module:
    """Builds the baseline that the compound rule scales: seven stages of MBConv blocks with squeeze-and-excitation."""
    return _efficientnet(0, num_classes, dropout)


def efficientnet_b1(num_classes: Classes = 1000, dropout: Probability = 0.2) -> nn.Module:
    """Builds B1, 1.1 times as deep as B0, for 240×240 pixels."""
    return _efficientnet(1, num_classes, dropout)


def efficientnet_b2(num_classes: Classes = 1000, dropout: Probability = 0.3) -> nn.Module:
    """Builds B2, 1.1 times as wide and 1.2 times as deep as B0, for 260×260 pixels."""
    return _efficientnet(2, num_classes, dropout)


def efficientnet_b3(num_classes: Classes = 1000, dropout: Probability = 0.3) -> nn.Module:
    """Builds B3, 1.2 times as wide and 1.4 times as deep as B0, for 300×300 pixels."""
    return _efficientnet(3, num_classes, dropout)


def efficientnet_b4(num_classes: Classes = 1000, dropout: Probability = 0.4) -> nn.Module:
    """Builds B4, 1.4 times as wide and 1.8 times as deep as B0, for 380×380 pixels."""
    return _efficientnet(4, num_classes, dropout)


def efficientnet_b5(num_classes: Classes = 1000, dropout: Probability = 0.4) -> nn.Module:
    """Builds B5, 1.6 times as wide and 2.2 times as deep as B0, for 456×456 pixels."""
    return _efficientnet(5, num_classes, dropout)


def efficientnet_b6(num_classes: Classes = 1000, dropout: Probability = 0.5) -> nn.Module:
    """Builds B6, 1.8 times as wide and 2.6 times as deep as B0, for 528×528 pixels."""
    return _efficientnet(6, num_classes, dropout)


def efficientnet_b7(num_classes: Classes = 1000, dropout: Probability = 0.5) -> nn.Module:
    """Builds B7, 2.0 times as wide and 3.1 times as deep as B0, for 600×600 pixels."""
    return _efficientnet(7, num_classes, dropout)
