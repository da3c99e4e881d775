"""DnCNN, which takes the noise out of an image by learning the noise.

Zhang, Zuo, Chen, Meng and Zhang, "Beyond a Gaussian Denoiser: Residual Learning of Deep CNN for Image Denoising",
IEEE Transactions on Image Processing 26(7), 2017.
"""

from __future__ import annotations

from typing import Annotated

from torch import Tensor, nn

from explorer.architectures.options import Range

Depth = Annotated[int, Range(3, 100), "convolutions: 17 for one noise level (DnCNN-S), 20 for many (DnCNN-B, DnCNN-3)"]
FirstBias = Annotated[bool, "a bias in the first convolution, as in the authors' PyTorch code"]


class DnCNN(nn.Module):
    """A stack of 3×3 convolutions with 64 maps that estimates the noise, which is taken from the image."""

    def __init__(self, channels: int, depth: int, first_bias: bool) -> None:
        super().__init__()
        self.noise = nn.Sequential(nn.Conv2d(channels, 64, 3, padding=1, bias=first_bias), nn.ReLU(inplace=True))
        for _ in range(depth - 2):
            self.noise.append(nn.Conv2d(64, 64, 3, padding=1, bias=False))
            self.noise.append(nn.BatchNorm2d(64, eps=1e-4))
            self.noise.append(nn.ReLU(inplace=True))
        self.noise.append(nn.Conv2d(64, channels, 3, padding=1, bias=False))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.orthogonal_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        return x - self.noise(x)  # type: ignore[no-any-return]  # (B, C, H, W)


def dncnn_s(depth: Depth = 17, first_bias: FirstBias = True, *, input: tuple[int, int, int] = (1, 40, 40)) -> nn.Module:
    """Builds DnCNN-S for grey images, or for as many channels as the input has."""
    return DnCNN(input[0], depth, first_bias)
