"""ResNet with the convolutional block attention module, and the switches of the paper's ablations.

Woo, Park, Lee and Kweon, "CBAM: Convolutional Block Attention Module", ECCV 2018, sections 3 and 4.1.
"""

from __future__ import annotations

from typing import Annotated

from torch import nn

from explorer.architectures.options import Classes, Range
from explorer.architectures.resnet import StrideIn, resnet18, resnet50
from explorer.architectures.surgery import cbam as attention
from explorer.architectures.surgery.plan import make_plan

INPUT = (3, 224, 224)


def cbam_resnet18(
    num_classes: Classes = 1000,
    ratio: Annotated[int, Range(1, 64), "how many times fewer channels the shared perceptron has inside (r)"] = 16,
    order: attention.Order = "channel-first",
    channel: attention.Channel = True,
    spatial: attention.Spatial = True,
    channel_pooling: attention.ChannelPooling = "avg+max",
    spatial_pooling: attention.SpatialPooling = "avg+max",
    kernel: attention.Kernel = "7",
) -> nn.Module:
    """Builds ResNet-18 with attention over channels and places at the end of each residual branch."""
    network = resnet18(num_classes)
    return attention.apply(
        network,
        make_plan(network, INPUT),
        ratio=ratio,
        order=order,
        channel=channel,
        spatial=spatial,
        channel_pooling=channel_pooling,
        spatial_pooling=spatial_pooling,
        kernel=kernel,
    )


def cbam_resnet50(
    num_classes: Classes = 1000,
    ratio: Annotated[int, Range(1, 256), "how many times fewer channels the shared perceptron has inside (r)"] = 16,
    order: attention.Order = "channel-first",
    channel: attention.Channel = True,
    spatial: attention.Spatial = True,
    channel_pooling: attention.ChannelPooling = "avg+max",
    spatial_pooling: attention.SpatialPooling = "avg+max",
    kernel: attention.Kernel = "7",
    stride_in: StrideIn = "3x3",
) -> nn.Module:
    """Builds ResNet-50 with attention over channels and places at the end of each residual branch."""
    network = resnet50(num_classes, stride_in)
    return attention.apply(
        network,
        make_plan(network, INPUT),
        ratio=ratio,
        order=order,
        channel=channel,
        spatial=spatial,
        channel_pooling=channel_pooling,
        spatial_pooling=spatial_pooling,
        kernel=kernel,
    )
