"""Along which axes the colours of the training images vary."""

from __future__ import annotations

import torch
from torch import Tensor

from explorer.data.preprocessing import Preprocessing, fit_to_input

_CHUNK = 4096


def principal_colours(images: Tensor, channels: int) -> Tensor:
    """Returns the principal axes of the pixels' colours, each as long as the standard deviation along it.

    Krizhevsky, Sutskever and Hinton, "ImageNet Classification with Deep Convolutional Neural Networks", 2012, section
    4.1, scale by the eigenvalues of the covariance and leave their unit open. The roots of them have the unit of a
    colour; the numbers in general use (0.2175, 0.0188, 0.0045 for ImageNet, from fb.resnet.torch) are such roots.

    Args:
        images: uint8 (N, C, H, W) with 1 or 3 channels.
        channels: of the network.

    Returns:
        (C, C), an axis in each column, on the 0–1 scale.
    """
    size = (images.shape[2], images.shape[3])
    own = Preprocessing((channels, *size), (0.0,) * channels, (1.0,) * channels, min(size))
    total = torch.zeros(channels, dtype=torch.float64)
    products = torch.zeros(channels, channels, dtype=torch.float64)
    count = 0
    for begin in range(0, len(images), _CHUNK):
        chunk = fit_to_input(images[begin : begin + _CHUNK].cpu(), own)
        pixels = chunk.transpose(0, 1).reshape(channels, -1).double() / 255  # (C, pixels)
        total += pixels.sum(1)
        products += pixels @ pixels.T
        count += pixels.shape[1]
    mean = total / count
    values, axes = torch.linalg.eigh(products / count - torch.outer(mean, mean))
    lengths: Tensor = values.clamp(min=0).sqrt()
    scaled: Tensor = axes * lengths
    return scaled.float()
