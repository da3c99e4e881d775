"""ResNet-50 with non-local blocks, for images.

Wang, Girshick, Gupta and He, "Non-local Neural Networks", CVPR 2018, sections 3 and 4.
"""

from __future__ import annotations

from torch import nn

from explorer.architectures.options import Classes
from explorer.architectures.resnet import resnet50
from explorer.architectures.surgery import nonlocal_block
from explorer.architectures.surgery.plan import make_plan


def nonlocal_resnet50(
    num_classes: Classes = 1000,
    blocks: nonlocal_block.Blocks = "5",
    pairing: nonlocal_block.Pairing = "embedded Gaussian",
    subsampling: nonlocal_block.Subsampling = False,
) -> nn.Module:
    """Builds ResNet-50 with one, five or ten non-local blocks in its second and third stages (res3 and res4)."""
    network = resnet50(num_classes)
    plan = make_plan(network, (3, 224, 224))
    return nonlocal_block.apply(network, plan, blocks=blocks, pairing=pairing, subsampling=subsampling)
