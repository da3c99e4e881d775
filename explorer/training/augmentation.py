"""Random changes to training images, a whole batch at a time on its own device."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from explorer.training.recipe import Augmentation


def augment(images: Tensor, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    """Returns changed copies of a batch.

    Args:
        images: uint8 (B, C, H, W).
        augmentation: "crop" pads an eighth of the side with zeros all around and cuts the old size out at a random
            place (Lee et al., "Deeply-Supervised Nets", 2015); "flip and crop" also mirrors every second image.
        generator: the source of chance, on the images' device.
    """
    if augmentation == "none":
        return images
    count, channels, height, width = images.shape
    device = images.device

    def choose(below: int) -> Tensor:
        return torch.randint(below, (count, 1, 1, 1), generator=generator, device=device)

    down, across = max(height // 8, 1), max(width // 8, 1)
    padded = functional.pad(images, (across, across, down, down))
    columns = torch.arange(width, device=device).view(1, 1, 1, width)
    if augmentation == "flip and crop":
        columns = torch.where(choose(2) == 1, width - 1 - columns, columns)
    columns = columns + choose(2 * across + 1)  # (B, 1, 1, W)
    rows = torch.arange(height, device=device).view(1, 1, height, 1) + choose(2 * down + 1)  # (B, 1, H, 1)
    image = torch.arange(count, device=device).view(count, 1, 1, 1)
    channel = torch.arange(channels, device=device).view(1, channels, 1, 1)
    return padded[image, channel, rows, columns]
