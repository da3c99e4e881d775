"""AlexNet of 2012, the network of one GPU pair, and two of one tower that came after it.

Krizhevsky, Sutskever and Hinton, "ImageNet Classification with Deep Convolutional Neural Networks", NIPS 2012.
Krizhevsky, "One weird trick for parallelizing convolutional neural networks", arXiv 1404.5997, 2014.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Annotated

from torch import nn
from torchvision import models

from explorer.architectures.options import Classes, Probability, Range
from explorer.architectures.sizes import flattened_size


def alexnet(
    num_classes: Classes = 1000,
    dropout: Probability = 0.5,
    groups: Annotated[
        int, Range(1, 2), "groups of convolutions 2, 4 and 5: 2 as on the paper's two GPUs, or 1, every map seeing all"
    ] = 2,
    *,
    input: tuple[int, int, int] = (3, 227, 227),
) -> nn.Module:
    """Builds AlexNet: five convolutions, three in two groups, local response normalisation, three dense layers."""
    layers: list[tuple[str, nn.Module]] = [
        ("conv1", nn.Conv2d(input[0], 96, 11, stride=4)),
        ("relu1", nn.ReLU(inplace=True)),
        ("norm1", response_normalisation()),
        ("pool1", nn.MaxPool2d(3, stride=2)),
        ("conv2", nn.Conv2d(96, 256, 5, padding=2, groups=groups)),
        ("relu2", nn.ReLU(inplace=True)),
        ("norm2", response_normalisation()),
        ("pool2", nn.MaxPool2d(3, stride=2)),
        ("conv3", nn.Conv2d(256, 384, 3, padding=1)),
        ("relu3", nn.ReLU(inplace=True)),
        ("conv4", nn.Conv2d(384, 384, 3, padding=1, groups=groups)),
        ("relu4", nn.ReLU(inplace=True)),
        ("conv5", nn.Conv2d(384, 256, 3, padding=1, groups=groups)),
        ("relu5", nn.ReLU(inplace=True)),
        ("pool5", nn.MaxPool2d(3, stride=2)),
    ]
    features = nn.Sequential()
    for name, layer in layers:
        features.add_module(name, layer)
    classifier = nn.Sequential()
    classifier.add_module("fc6", nn.Linear(flattened_size(features, input, canonical=9216), 4096))
    classifier.add_module("relu6", nn.ReLU(inplace=True))
    classifier.add_module("drop6", nn.Dropout(dropout))
    classifier.add_module("fc7", nn.Linear(4096, 4096))
    classifier.add_module("relu7", nn.ReLU(inplace=True))
    classifier.add_module("drop7", nn.Dropout(dropout))
    classifier.add_module("fc8", nn.Linear(4096, num_classes))
    network = _network(features, classifier)
    draw_he(network)
    return network


def alexnet_2014(num_classes: Classes = 1000, dropout: Probability = 0.5) -> nn.Module:
    """Builds the one-tower network of "One weird trick": no groups, no response normalisation, 64 first filters."""
    module: nn.Module = models.alexnet(num_classes=num_classes, dropout=dropout)
    return module


def alexnet_flowers17(
    num_classes: Classes = 17, dropout: Probability = 0.4, *, input: tuple[int, int, int] = (3, 224, 224)
) -> nn.Module:
    """Builds the one-tower network for 17 flowers: no padding, 2×2 pooling, batch normalisation after each layer."""
    features = nn.Sequential()
    channels = input[0]
    for number, (filters, size) in enumerate(((97, 11), (256, 11), (384, 3), (384, 3), (256, 3)), start=1):
        features.add_module(f"conv{number}", nn.Conv2d(channels, filters, size, stride=4 if number == 1 else 1))
        features.add_module(f"relu{number}", nn.ReLU(inplace=True))
        if number in (1, 2, 5):
            features.add_module(f"pool{number}", nn.MaxPool2d(2))
        features.add_module(f"bn{number}", nn.BatchNorm2d(filters))
        channels = filters
    classifier = nn.Sequential()
    units = flattened_size(features, input, canonical=256)
    for number in (6, 7):
        classifier.add_module(f"fc{number}", nn.Linear(units, 4096))
        classifier.add_module(f"relu{number}", nn.ReLU(inplace=True))
        classifier.add_module(f"drop{number}", nn.Dropout(dropout))
        classifier.add_module(f"bn{number}", nn.BatchNorm1d(4096))
        units = 4096
    classifier.add_module("fc8", nn.Linear(4096, num_classes))
    return _network(features, classifier)


def _network(features: nn.Module, classifier: nn.Module) -> nn.Module:
    return nn.Sequential(OrderedDict(features=features, flatten=nn.Flatten(), classifier=classifier))


def draw_he(network: nn.Module) -> None:
    """Draws weights so that signals keep their size from layer to layer, with biases of 0; for networks without norm.

    See He, Zhang, Ren and Sun, "Delving Deep into Rectifiers", ICCV 2015, section 2.2. With torch's own weights, and
    with the normal ones of AlexNet's paper, the loss of AlexNet stays that of guessing for a long while.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def response_normalisation() -> nn.LocalResponseNorm:
    """Section 3.3: k = 2, n = 5, α = 10⁻⁴, β = 0.75. PyTorch divides α by n, the paper does not."""
    return nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2)
