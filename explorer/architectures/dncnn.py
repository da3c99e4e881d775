"""DnCNN, which takes the noise out of an image by learning the noise.

Zhang, Zuo, Chen, Meng and Zhang, "Beyond a Gaussian Denoiser: Residual Learning of Deep CNN for Image Denoising",
IEEE Transactions on Image Processing 26(7), 2017.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from torch import Tensor, nn

from explorer.architectures.options import Range

Depth = Annotated[int, Range(3, 100), "convolutions: 17 for one noise level (DnCNN-S), 20 for many (DnCNN-B, DnCNN-3)"]
Width = Annotated[int, Range(1, 1024), "maps of every convolution but the last"]
Bias = Annotated[
    Literal["first", "none", "all"], "convolutions with a bias: the first alone, as in the authors' PyTorch code"
]
BatchNorm = Annotated[bool, "batch normalisation after every convolution but the first and the last"]
Residual = Annotated[bool, "learn the noise, which is then subtracted; otherwise the clean image itself"]


class DnCNN(nn.Module):
    """A stack of 3×3 convolutions that estimates the noise, which is taken from the image (figure 1)."""

    def __init__(self, channels: int, depth: int, width: int, bias: Bias, batch_norm: bool, residual: bool) -> None:
        super().__init__()
        self.residual = residual
        inner, outer = bias == "all", bias != "none"
        self.noise = nn.Sequential(nn.Conv2d(channels, width, 3, padding=1, bias=outer), nn.ReLU(inplace=True))
        for _ in range(depth - 2):
            self.noise.append(nn.Conv2d(width, width, 3, padding=1, bias=inner))
            if batch_norm:
                self.noise.append(nn.BatchNorm2d(width, eps=1e-4))
            self.noise.append(nn.ReLU(inplace=True))
        self.noise.append(nn.Conv2d(width, channels, 3, padding=1, bias=inner))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.orthogonal_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        estimate = self.noise(x)  # (B, C, H, W)
        return x - estimate if self.residual else estimate  # type: ignore[no-any-return]


def dncnn_s(
    depth: Depth = 17,
    width: Width = 64,
    bias: Bias = "first",
    batch_norm: BatchNorm = True,
    residual: Residual = True,
    *,
    input: tuple[int, int, int] = (1, 40, 40),
) -> nn.Module:
    """Builds DnCNN-S, for one level of noise: grey images, or as many channels as the input has."""
    return DnCNN(input[0], depth, width, bias, batch_norm, residual)


def dncnn_b(
    depth: Depth = 20,
    width: Width = 64,
    bias: Bias = "first",
    batch_norm: BatchNorm = True,
    residual: Residual = True,
    *,
    input: tuple[int, int, int] = (1, 50, 50),
) -> nn.Module:
    """Builds DnCNN-B, for a level of noise that it is not told: grey images, or as many channels as the input has."""
    return DnCNN(input[0], depth, width, bias, batch_norm, residual)


cdncnn_b = dncnn_b
"""DnCNN-B for colour images: as many channels as its card's input has."""
dncnn_3 = dncnn_b
"""The layers of DnCNN-B, trained for noise, for enlarged and for JPEG images."""


def weights_from_dncnn_pytorch(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns the weights that S. Yan's DnCNN-PyTorch publishes under the names they have here, unchanged.

    Their network has no bias at all: build it with `bias="none"`.
    """
    return {re.sub(r"^(module\.)?dncnn\.", "noise.", name): value for name, value in state.items()}
