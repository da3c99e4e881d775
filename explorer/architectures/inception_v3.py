"""Inception v3, built by torchvision.

Szegedy, Vanhoucke, Ioffe, Shlens and Wojna, "Rethinking the Inception Architecture for Computer Vision", CVPR 2016.
"""

from __future__ import annotations

from typing import Annotated

from torch import nn
from torchvision import models

from explorer.architectures.options import Classes, Probability
from explorer.errors import InputError

LEAST_SIDE_WITH_AUX = 299
"""Pixels that leave the auxiliary head the 17×17 cells which its pool and its unpadded 5×5 kernel need."""


def inception_v3(
    num_classes: Classes = 1000,
    aux: Annotated[bool, "an auxiliary classifier that takes part in training only"] = False,
    dropout: Probability = 0.5,
    *,
    input: tuple[int, int, int] = (3, 299, 299),
) -> nn.Module:
    """Builds Inception v3 with batch normalisation, also in the auxiliary head.

    Raises:
        InputError: the input is too small for the auxiliary head.
    """
    if aux and min(input[1:]) < LEAST_SIDE_WITH_AUX:
        size = "×".join(map(str, input[1:]))
        raise InputError(f"inception_v3 with aux needs {LEAST_SIDE_WITH_AUX}×{LEAST_SIDE_WITH_AUX} pixels, not {size}")
    module: nn.Module = models.inception_v3(num_classes=num_classes, aux_logits=aux, dropout=dropout, init_weights=True)
    return module
