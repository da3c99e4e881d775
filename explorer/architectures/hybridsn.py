"""HybridSN: convolutions over bands and space, then over space alone, for hyperspectral images.

Roy, Krishna, Dubey and Chaudhuri, "HybridSN: Exploring 3-D–2-D CNN Feature Hierarchy for Hyperspectral Image
Classification", IEEE Geoscience and Remote Sensing Letters 17(2), 2020.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from explorer.architectures.options import Classes, Probability
from explorer.architectures.sizes import flattened_size


class Volume(nn.Module):
    """The bands of an image as the depth of a volume with one channel: (B, bands, H, W) to (B, 1, bands, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.unsqueeze(1)


def hybridsn(
    num_classes: Classes = 16, dropout: Probability = 0.4, *, input: tuple[int, int, int] = (30, 25, 25)
) -> nn.Module:
    """Builds the network of table I, which tells the class of the pixel in the middle of a window.

    Args:
        num_classes: kinds of ground cover; 16 in Indian Pines.
        dropout: after each of the two hidden dense layers.
        input: bands, height, width.
    """
    bands = max(input[0] - 12, 1)  # what the 3-D convolutions leave; they refuse fewer than 13 themselves
    features = nn.Sequential()
    features.add_module("volume", Volume())
    features.add_module("conv1", nn.Conv3d(1, 8, (7, 3, 3)))
    features.add_module("relu1", nn.ReLU(inplace=True))
    features.add_module("conv2", nn.Conv3d(8, 16, (5, 3, 3)))
    features.add_module("relu2", nn.ReLU(inplace=True))
    features.add_module("conv3", nn.Conv3d(16, 32, (3, 3, 3)))
    features.add_module("relu3", nn.ReLU(inplace=True))
    features.add_module("maps", nn.Flatten(1, 2))  # (B, 32·(bands - 12), H - 6, W - 6)
    features.add_module("conv4", nn.Conv2d(32 * bands, 64, 3))
    features.add_module("relu4", nn.ReLU(inplace=True))
    classifier = nn.Sequential(
        nn.Linear(flattened_size(features, input, canonical=18496), 256),
        nn.ReLU(inplace=True),
        nn.Dropout(dropout),
        nn.Linear(256, 128),
        nn.ReLU(inplace=True),
        nn.Dropout(dropout),
        nn.Linear(128, num_classes),
    )
    return nn.Sequential(OrderedDict(features=features, flatten=nn.Flatten(), classifier=classifier))
