"""Random changes to training images, a whole batch at a time on its own device."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from explorer.training.recipe import Augmentation

COLOUR_NOISE = 0.1
"""Standard deviation of the noise along a principal axis, as a share of the colours' own (Krizhevsky et al. 2012)."""
ERASED_AREA = (0.02, 1 / 3)
"""Least and greatest share of an image that erasing blanks (Zhong et al. 2020, as in torchvision)."""
ERASED_ASPECT = 3.3
"""Greatest ratio of an erased rectangle's sides."""


def augment(
    images: Tensor,
    augmentation: Augmentation,
    generator: torch.Generator,
    size: tuple[int, int] | None = None,
    colours: Tensor | None = None,
    shift: float = 1 / 8,
) -> Tensor:
    """Returns changed copies of a batch.

    Args:
        images: uint8 (B, C, H, W).
        augmentation: "crop" pads a share of the side with zeros all around and cuts the old size out at a random
            place (Lee et al., "Deeply-Supervised Nets", 2015); "flip and crop" also mirrors every second image;
            "alexnet" cuts `size` out at a random place, mirrors every second image and adds noise along the colours'
            principal axes (Krizhevsky et al., "ImageNet Classification with Deep Convolutional Neural Networks", 2012);
            "trivial" is TrivialAugment Wide (Müller and Hutter, "TrivialAugment", 2021).
        generator: the source of chance, on the images' device.
        size: height and width that "alexnet" cuts out; None for the images' own.
        colours: `colours.principal_colours` of the training images, for "alexnet".
        shift: the share of the side that is padded; a pixel at least.
    """
    if augmentation == "none":
        return images
    if augmentation == "trivial":
        return _trivial(images, generator)
    height, width = images.shape[-2:]
    if augmentation == "alexnet":
        cropped = _crop(images, size or (height, width), True, generator)
        return cropped if colours is None else _shift_colours(cropped, colours, generator)
    down, across = max(int(height * shift), 1), max(int(width * shift), 1)
    padded = functional.pad(images, (across, across, down, down))
    return _crop(padded, (height, width), augmentation == "flip and crop", generator)


def _crop(images: Tensor, size: tuple[int, int], mirror: bool, generator: torch.Generator) -> Tensor:
    """Cuts `size` out of each image at a random place, and mirrors every second one where wanted."""
    count, _, height, width = images.shape
    device = images.device

    def choose(below: int) -> Tensor:
        return torch.randint(below, (count,), generator=generator, device=device)

    mirrored = choose(2) == 1 if mirror else None
    left, top = choose(width - size[1] + 1), choose(height - size[0] + 1)
    windows = images.unfold(2, size[0], 1).unfold(3, size[1], 1)  # (B, C, tops, lefts, H, W), no copy
    cropped = windows[torch.arange(count, device=device), :, top, left]  # (B, C, H, W)
    return cropped if mirrored is None else torch.where(mirrored.view(-1, 1, 1, 1), cropped.flip(-1), cropped)


def _shift_colours(images: Tensor, colours: Tensor, generator: torch.Generator) -> Tensor:
    """Adds to all pixels of an image the same random amount along each principal axis of the colours."""
    count, channels = images.shape[:2]
    amounts = torch.randn(count, channels, generator=generator, device=images.device) * COLOUR_NOISE
    shift = amounts @ colours.to(images.device).T * 255  # (B, C)
    return (images + shift.view(count, channels, 1, 1)).round_().clamp_(0, 255).to(torch.uint8)


def _trivial(images: Tensor, generator: torch.Generator) -> Tensor:
    from torchvision.transforms import InterpolationMode, TrivialAugmentWide

    change = TrivialAugmentWide(interpolation=InterpolationMode.BILINEAR)
    with torch.random.fork_rng(devices=[]):  # torchvision draws from the global generator of the CPU
        torch.default_generator.manual_seed(generator.initial_seed())
        return torch.stack([change(image) for image in images])


def erase(images: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Returns normalised images (B, C, H, W) of which a random share have a rectangle of zeros, the mean colour.

    Area and aspect of the rectangles are those of torchvision's RandomErasing; what would stand out is cut off.
    """
    if share == 0:
        return images
    count, _, height, width = images.shape
    device = images.device

    def draw() -> Tensor:
        return torch.rand(count, 1, 1, 1, generator=generator, device=device)

    chosen = draw() < share
    area = (ERASED_AREA[0] + (ERASED_AREA[1] - ERASED_AREA[0]) * draw()) * height * width
    aspect = ERASED_ASPECT ** (2 * draw() - 1)  # height over width, 1/3.3 as likely as 3.3
    tall = (area * aspect).sqrt().round().clamp(max=height)
    wide = (area / aspect).sqrt().round().clamp(max=width)
    top = (draw() * (height - tall + 1)).floor()
    left = (draw() * (width - wide + 1)).floor()
    rows = torch.arange(height, device=device).view(1, 1, height, 1)
    columns = torch.arange(width, device=device).view(1, 1, 1, width)
    inside = (rows >= top) & (rows < top + tall) & (columns >= left) & (columns < left + wide)
    return images.masked_fill(chosen & inside, 0)
