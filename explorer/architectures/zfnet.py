"""ZFNet: AlexNet with a finer first layer, found by looking at what its layers respond to.

Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014: figure 3, and table 2 for the
wide form.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from explorer.architectures.alexnet import response_normalisation
from explorer.architectures.options import Classes, Probability
from explorer.architectures.sizes import flattened_size


def zfnet(
    num_classes: Classes = 1000, dropout: Probability = 0.5, *, input: tuple[int, int, int] = (3, 224, 224)
) -> nn.Module:
    """Builds the network of figure 3: 384, 384 and 256 maps in layers 3, 4 and 5."""
    return _network((384, 384, 256), num_classes, dropout, input)


def zfnet_wide(
    num_classes: Classes = 1000, dropout: Probability = 0.5, *, input: tuple[int, int, int] = (3, 224, 224)
) -> nn.Module:
    """Builds the wide form of table 2: 512, 1024 and 512 maps in layers 3, 4 and 5."""
    return _network((512, 1024, 512), num_classes, dropout, input)


def _network(filters: tuple[int, int, int], num_classes: int, dropout: float, input: tuple[int, int, int]) -> nn.Module:
    third, fourth, fifth = filters
    features = nn.Sequential(
        OrderedDict[str, nn.Module](
            conv1=nn.Conv2d(input[0], 96, 7, stride=2, padding=1),  # (B, 96, 110, 110)
            relu1=nn.ReLU(inplace=True),
            pool1=nn.MaxPool2d(3, 2, ceil_mode=True),  # (B, 96, 55, 55)
            norm1=response_normalisation(),
            conv2=nn.Conv2d(96, 256, 5, stride=2),  # (B, 256, 26, 26)
            relu2=nn.ReLU(inplace=True),
            pool2=nn.MaxPool2d(3, 2, ceil_mode=True),  # (B, 256, 13, 13)
            norm2=response_normalisation(),
            conv3=nn.Conv2d(256, third, 3, padding=1),
            relu3=nn.ReLU(inplace=True),
            conv4=nn.Conv2d(third, fourth, 3, padding=1),
            relu4=nn.ReLU(inplace=True),
            conv5=nn.Conv2d(fourth, fifth, 3, padding=1),
            relu5=nn.ReLU(inplace=True),
            pool5=nn.MaxPool2d(3, 2),  # (B, fifth, 6, 6)
        )
    )
    classifier = nn.Sequential(
        OrderedDict[str, nn.Module](
            fc6=nn.Linear(flattened_size(features, input, canonical=36 * fifth), 4096),
            relu6=nn.ReLU(inplace=True),
            drop6=nn.Dropout(dropout),
            fc7=nn.Linear(4096, 4096),
            relu7=nn.ReLU(inplace=True),
            drop7=nn.Dropout(dropout),
            fc8=nn.Linear(4096, num_classes),
        )
    )
    return nn.Sequential(OrderedDict[str, nn.Module](features=features, flatten=nn.Flatten(), classifier=classifier))
