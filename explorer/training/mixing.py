"""Mixup and CutMix: training on blends of two images, with a loss that is the blend of both labels' losses."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """What the images of a batch are of."""

    labels: Tensor
    """int64 (B,): of the larger part of each image."""
    others: Tensor | None = None
    """int64 (B,): of the smaller part; None where images are whole."""
    share: float = 1.0
    """The larger part, from 0.5 to 1."""

    def select(self, piece: slice) -> Targets:
        """Returns those of some of the images."""
        others = None if self.others is None else self.others[piece]
        return Targets(self.labels[piece], others, self.share)


def mix(
    images: Tensor, labels: Tensor, mixup: float, cutmix: float, generator: torch.Generator
) -> tuple[Tensor, Targets]:
    """Blends each image of a batch with another one of it.

    The share is drawn once a batch from Beta(α, α), which is symmetric: the image itself gets the larger part. Sources:
    Zhang, Cisse, Dauphin and Lopez-Paz, "mixup", ICLR 2018; Yun et al., "CutMix", ICCV 2019.

    Args:
        images: normalised, (B, C, H, W).
        labels: (B,).
        mixup: α of mixup; 0 for none.
        cutmix: α of CutMix; 0 for none. Where both are wanted each batch has one of them, either as likely.
        generator: the source of chance, on the images' device.
    """
    if (mixup == 0 and cutmix == 0) or len(labels) < 2:
        return images, Targets(labels)
    draw = np.random.default_rng(generator.initial_seed())  # numbers that the CPU needs: no wait for the device
    cut = cutmix > 0 and (mixup == 0 or draw.random() < 0.5)
    alpha = cutmix if cut else mixup
    share = float(draw.beta(alpha, alpha))
    share = max(share, 1 - share)
    order = torch.randperm(len(labels), generator=generator, device=labels.device)
    if not cut:
        return images * share + images[order] * (1 - share), Targets(labels, labels[order], share)
    height, width = images.shape[-2:]
    side = math.sqrt(1 - share)
    tall, wide = round(side * height), round(side * width)
    top, left = (int(draw.integers(room + 1)) for room in (height - tall, width - wide))
    blend = images.clone()
    blend[..., top : top + tall, left : left + wide] = images[order, ..., top : top + tall, left : left + wide]
    return blend, Targets(labels, labels[order], 1 - tall * wide / (height * width))
