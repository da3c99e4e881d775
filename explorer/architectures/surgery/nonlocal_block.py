"""Non-local blocks: self-attention over all places of a map, between the blocks of a network.

Wang, Girshick, Gupta and He, "Non-local Neural Networks", CVPR 2018, sections 3 and 4.1, for images instead of clips.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from explorer.architectures.options import Range
from explorer.architectures.surgery.plan import Plan
from explorer.architectures.surgery.splice import Inserted, insert
from explorer.errors import InputError

Pairing = Annotated[
    Literal["embedded Gaussian", "Gaussian", "dot product", "concatenation"],
    "how two places are compared (section 3.2)",
]
Blocks = Annotated[
    Literal["1", "5", "10"],
    "1: before the last block of the last stage but one; 5: two and three in the two stages before the last, evenly "
    "spread; 10: after every block of both",
]
AfterStage = Annotated[int, Range(0, 9), "one block at the end of this stage instead; 0: as `blocks` says"]
Subsampling = Annotated[bool, "2×2 max pooling of what every place is compared with (section 3.3)"]


class NonLocal(Inserted):
    """Adds to each place a mean over all places, weighted by how they pair: (B, C, H, W) to the same.

    The last batch normalisation starts with a scale of zero, so that the block first changes nothing (section 4.1).
    """

    def __init__(self, channels: int, pairing: str, subsampling: bool) -> None:
        super().__init__()
        inner = max(channels // 2, 1)
        self.pairing = pairing
        embeds = pairing != "Gaussian"
        self.theta = nn.Conv2d(channels, inner, 1) if embeds else None
        self.phi = nn.Conv2d(channels, inner, 1) if embeds else None
        self.g = nn.Conv2d(channels, inner, 1)
        pairs = pairing == "concatenation"  # w · [θ, φ] is w₁ · θ + w₂ · φ
        self.pair_theta = nn.Conv2d(inner, 1, 1, bias=False) if pairs else None
        self.pair_phi = nn.Conv2d(inner, 1, 1, bias=False) if pairs else None
        self.pool = nn.MaxPool2d(2) if subsampling else None
        self.w = nn.Conv2d(inner, channels, 1)
        self.bn = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.bn.weight)

    def forward(self, x: Tensor) -> Tensor:
        y = self._mean(x).transpose(1, 2).reshape(x.shape[0], -1, *x.shape[2:])  # (B, C / 2, H, W)
        return x + self.bn(self.w(y))  # type: ignore[no-any-return]

    def _mean(self, x: Tensor) -> Tensor:
        """Returns the weighted means, (B, H·W, C / 2)."""
        theta = x if self.theta is None else self.theta(x)
        phi = self._pooled(x if self.phi is None else self.phi(x))
        values = self._pooled(self.g(x)).flatten(2).transpose(1, 2)  # (B, places, C / 2)
        if self.pair_theta is not None and self.pair_phi is not None:
            rows, columns = self.pair_theta(theta).flatten(2), self.pair_phi(phi).flatten(2)  # (B, 1, places)
            weights = torch.relu(rows.transpose(1, 2) + columns) / values.shape[1]
        else:
            weights = torch.matmul(theta.flatten(2).transpose(1, 2), phi.flatten(2))  # (B, H·W, places)
            weights = weights / values.shape[1] if self.pairing == "dot product" else weights.softmax(-1)
        return torch.matmul(weights, values)

    def _pooled(self, x: Tensor) -> Tensor:
        return x if self.pool is None else self.pool(x)


def apply(
    network: nn.Module,
    plan: Plan,
    *,
    blocks: Blocks = "1",
    pairing: Pairing = "embedded Gaussian",
    subsampling: Subsampling = False,
    after_stage: AfterStage = 0,
) -> nn.Module:
    """Adds non-local blocks where the paper does, or at the end of one stage.

    Raises:
        InputError: the network has too few stages or blocks, or maps too small to be pooled.
    """
    for path, before, channels, size in _places(plan, blocks, after_stage):
        if subsampling and min(size) < 2:
            raise InputError(f"subsampling must be false for maps of {size[0]}×{size[1]} cells, as at {path}")
        insert(network, path, "non_local", NonLocal(channels, pairing, subsampling), before)
    return network


def _places(plan: Plan, blocks: str, after_stage: int) -> list[tuple[str, bool, int, tuple[int, int]]]:
    """Returns path, whether before it, channels and size of each place."""
    if after_stage:
        count = len(plan.stages)
        if after_stage > count:
            raise InputError(f"after_stage must be from 0 to {count}, the number of stages, not {after_stage}")
        last = plan.stages[after_stage - 1][-1]
        return [(last.path, False, last.leaving, last.size)]
    if len(plan.stages) < 3:
        raise InputError(f"it needs three stages of maps, and {len(plan.stages)} were found: say after_stage instead")
    third, fourth = plan.stages[-3], plan.stages[-2]
    if blocks == "1":
        before = fourth[-1]
        if not before.entering:
            raise InputError(f"blocks must be 5 or 10 here, not 1: {before.path} takes several maps")
        return [(before.path, True, before.entering, before.size)]
    chosen = [*third, *fourth]
    if blocks == "5":
        if len(third) < 2 or len(fourth) < 3:
            raise InputError(
                f"blocks must be 1 here, not 5: that needs two and three blocks in the stages before the last, "
                f"which have {len(third)} and {len(fourth)}"
            )
        steps = ((third, 2), (fourth, 3))
        chosen = [stage[(len(stage) // count) * (index + 1) - 1] for stage, count in steps for index in range(count)]
    return [(block.path, False, block.leaving, block.size) for block in chosen]
