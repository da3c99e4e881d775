"""ResNet-50 with dilation in the place of its last strides, as networks for segmentation use it.

Chen, Papandreou, Kokkinos, Murphy and Yuille, "DeepLab: Semantic Image Segmentation with Deep Convolutional Nets,
Atrous Convolution, and Fully Connected CRFs", TPAMI 40(4), 2018.
"""

from __future__ import annotations

from torch import nn

from explorer.architectures.options import Classes
from explorer.architectures.resnet import resnet50
from explorer.architectures.surgery import dilated
from explorer.architectures.surgery.plan import make_plan


def resnet50_dilated(num_classes: Classes = 1000, output_stride: dilated.OutputStride = "8") -> nn.Module:
    """Builds ResNet-50 whose last maps have one cell for every 8, 16 or 32 pixels; at 32 it is ResNet-50."""
    network = resnet50(num_classes)
    return dilated.apply(network, make_plan(network, (3, 224, 224)), output_stride=output_stride)
