"""How an image becomes a network's input: one definition shared by training and classification."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from explorer.errors import InputError

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

GREY_WEIGHTS = (0.299, 0.587, 0.114)
"""Luma of RGB as in ITU-R BT.601, which Pillow's mode "L" uses as well."""


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """What is done to an image before it enters a network."""

    input: tuple[int, int, int]
    """Channels (1 grey or 3 RGB), height and width of the network's input."""
    mean: tuple[float, ...]
    """Subtracted per channel, on the 0–1 scale."""
    std: tuple[float, ...]
    """Divided by per channel, on the 0–1 scale."""
    resize: int
    """The shorter side is scaled to this many pixels, then the centre is cropped to height × width."""
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"

    def __post_init__(self) -> None:
        channels, height, width = self.input
        if channels not in (1, 3):
            raise InputError(f"an image has 1 or 3 channels, not {channels}: choose a network for grey or RGB images")
        if not len(self.mean) == len(self.std) == channels:
            raise InputError(f"mean and std need {channels} values each, one a channel")
        if min(self.std) <= 0:
            raise InputError(f"std must be positive, not {min(self.std)}")
        if self.resize < min(height, width):
            raise InputError(f"resize must be at least {min(height, width)}, the crop's shorter side, not {self.resize}")


def image_to_tensor(image: Image.Image, preprocessing: Preprocessing) -> Tensor:
    """Scales, crops and converts one image.

    Args:
        image: any Pillow image of mode "L" or "RGB".
        preprocessing: what the network expects.

    Returns:
        uint8 tensor (C, H, W), not yet normalised.
    """
    import numpy as np
    import torch
    from PIL import Image

    channels, height, width = preprocessing.input
    image = image.convert("L" if channels == 1 else "RGB")
    shorter = max(preprocessing.resize, 1)
    scale = max(shorter / image.width, shorter / image.height)
    # A crop of another aspect than the image must still be covered.
    scale = max(scale, height / image.height, width / image.width)
    size = (max(width, round(image.width * scale)), max(height, round(image.height * scale)))
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    # Only the part that the crop keeps is computed: a 60,000 × 2 strip must not become a picture of gigabytes.
    box = (
        left * image.width / size[0],
        top * image.height / size[1],
        (left + width) * image.width / size[0],
        (top + height) * image.height / size[1],
    )
    method = Image.Resampling.BICUBIC if preprocessing.interpolation == "bicubic" else Image.Resampling.BILINEAR
    pixels = np.array(image.resize((width, height), method, box=box))
    tensor = torch.from_numpy(pixels)
    return tensor.unsqueeze(0) if channels == 1 else tensor.permute(2, 0, 1).contiguous()


def fit_to_input(images: Tensor, preprocessing: Preprocessing) -> Tensor:
    """Gives a whole set of images the network's channels, height and width.

    Args:
        images: uint8 tensor (N, C, H, W) with 1 or 3 channels.
        preprocessing: what the network expects.

    Returns:
        uint8 tensor (N, *preprocessing.input) on the same device.
    """
    import torch
    from torch.nn import functional

    channels, height, width = preprocessing.input
    if images.shape[1] == 3 and channels == 1:
        weights = torch.tensor(GREY_WEIGHTS, device=images.device).view(1, 3, 1, 1)
        images = (images * weights).sum(1, keepdim=True).round().to(torch.uint8)
    elif images.shape[1] == 1 and channels == 3:
        images = images.expand(-1, 3, -1, -1)
    old_height, old_width = images.shape[-2:]
    if (old_height, old_width) == (height, width):
        return images.contiguous()
    scale = max(height / old_height, width / old_width)
    size = (max(height, round(old_height * scale)), max(width, round(old_width * scale)))
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    fitted = torch.empty((len(images), channels, height, width), dtype=torch.uint8, device=images.device)
    for start in range(0, len(images), 1024):  # a chunk at a time: the float copy of a whole set could fill the memory
        chunk = functional.interpolate(
            images[start : start + 1024].float(), size, mode=preprocessing.interpolation, antialias=True
        )
        chunk = chunk.round_().clamp_(0, 255).to(torch.uint8)
        fitted[start : start + 1024] = chunk[..., top : top + height, left : left + width]
    return fitted


def normalise(images: Tensor, preprocessing: Preprocessing) -> Tensor:
    """Returns uint8 images (N, C, H, W) as float32, scaled to 0–1, mean subtracted, divided by std."""
    import torch

    mean = torch.tensor(preprocessing.mean, device=images.device).view(1, -1, 1, 1)
    std = torch.tensor(preprocessing.std, device=images.device).view(1, -1, 1, 1)
    return images.float().div_(255).sub_(mean).div_(std)
