"""How an image becomes a network's input: one definition shared by training and classification."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
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
            raise InputError(
                f"resize must be at least {min(height, width)}, the crop's shorter side, not {self.resize}"
            )


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
    scaled, (left, top) = _scale_and_crop((image.width, image.height), preprocessing)
    # Only the part that the crop keeps is computed: a 60,000 × 2 strip must not become a picture of gigabytes.
    box = (
        left * image.width / scaled[0],
        top * image.height / scaled[1],
        (left + width) * image.width / scaled[0],
        (top + height) * image.height / scaled[1],
    )
    method = Image.Resampling.BICUBIC if preprocessing.interpolation == "bicubic" else Image.Resampling.BILINEAR
    pixels = np.array(image.resize((width, height), method, box=box))
    planes = pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)
    return torch.from_numpy(np.ascontiguousarray(planes))  # not by torch: its threads cost more than so small a copy


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
    old_height, old_width = images.shape[-2:]
    scaled, (left, top) = _scale_and_crop((old_width, old_height), preprocessing)
    if tuple(images.shape[1:]) == preprocessing.input and scaled == (width, height):
        return images.contiguous()
    weights = torch.tensor(GREY_WEIGHTS, device=images.device).view(1, 3, 1, 1)
    fitted = torch.empty((len(images), channels, height, width), dtype=torch.uint8, device=images.device)
    for start in range(0, len(images), 256):  # a chunk at a time: the float copy of a whole set could fill the memory
        chunk = images[start : start + 256].float()
        if channels == 1 and chunk.shape[1] == 3:
            chunk = (chunk * weights).sum(1, keepdim=True).round_()
        if scaled != (old_width, old_height):
            chunk = functional.interpolate(
                chunk, (scaled[1], scaled[0]), mode=preprocessing.interpolation, antialias=True
            )
        chunk = chunk[..., top : top + height, left : left + width].round_().clamp_(0, 255)
        fitted[start : start + 256] = chunk  # one channel is repeated where three are wanted
    return fitted


def normalise(images: Tensor, preprocessing: Preprocessing) -> Tensor:
    """Returns uint8 images (N, C, H, W) as float32, scaled to 0–1, mean subtracted, divided by std."""
    import torch

    mean = torch.tensor(preprocessing.mean, device=images.device).view(1, -1, 1, 1)
    std = torch.tensor(preprocessing.std, device=images.device).view(1, -1, 1, 1)
    return images.float().div_(255).sub_(mean).div_(std)


@lru_cache(4096)  # most images of a dataset have one of a few sizes
def _scale_and_crop(size: tuple[int, int], preprocessing: Preprocessing) -> tuple[tuple[int, int], tuple[int, int]]:
    """Returns the scaled image's (width, height) and the crop's (left, top) in it.

    Fractions of pixels go where torchvision's `Resize` and `CenterCrop` put them, with which published accuracies are
    measured: the longer side is cut off, the corner rounded half to even.
    """
    _, height, width = preprocessing.input
    # A crop of another aspect than the image must still be covered.
    scale = max(Fraction(preprocessing.resize, min(size)), Fraction(width, size[0]), Fraction(height, size[1]))
    scaled = int(size[0] * scale), int(size[1] * scale)
    return scaled, (round((scaled[0] - width) / 2), round((scaled[1] - height) / 2))
