"""ResNet-50 with deformable convolutions in its last stages.

Dai et al., "Deformable Convolutional Networks", ICCV 2017; Zhu, Hu, Lin and Dai, "Deformable ConvNets v2", CVPR 2019.
"""

from __future__ import annotations

from typing import Annotated, Literal

from torch import nn

from explorer.architectures.options import Classes
from explorer.architectures.resnet import resnet50
from explorer.architectures.surgery import deformable
from explorer.architectures.surgery.plan import make_plan

STAGES = {"c5": "4", "c4-c5": "34", "c3-c5": "234"}


def deformable_resnet50(
    num_classes: Classes = 1000,
    version: deformable.Version = "1",
    stages: Annotated[Literal["c5", "c4-c5", "c3-c5"], "stages whose 3×3 convolutions are deformable"] = "c5",
    groups: Annotated[
        Literal["1", "2", "4", "8"], "groups of channels with offsets of their own (deformable groups)"
    ] = "1",
) -> nn.Module:
    """Builds ResNet-50 whose 3×3 convolutions sample at learned offsets, in 3, 9 or 13 blocks."""
    network = resnet50(num_classes)
    plan = make_plan(network, (3, 224, 224))
    return deformable.apply(network, plan, version=version, stages=STAGES[stages], groups=int(groups))
