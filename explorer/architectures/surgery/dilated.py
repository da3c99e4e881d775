"""Strides exchanged for dilation, so that the last maps stay larger and every cell still sees as far.

Chen, Papandreou, Kokkinos, Murphy and Yuille, "DeepLab", ICLR 2015 and TPAMI 2018; Yu and Koltun, "Multi-Scale Context
Aggregation by Dilated Convolutions", ICLR 2016. For a ResNet the result is torchvision's
`replace_stride_with_dilation`, and so are the names of its parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from torch import nn
from torchvision.ops import DeformConv2d

from explorer.architectures.surgery.plan import Plan
from explorer.architectures.surgery.splice import replace
from explorer.architectures.surgery.survey import Call, Survey, survey
from explorer.errors import InputError

OutputStride = Annotated[Literal["8", "16", "32"], "how many pixels apart neighbouring cells of the last maps are"]
Strided = (nn.Conv2d, DeformConv2d, nn.MaxPool2d, nn.AvgPool2d)
Strides = tuple[int, int]
"""Pixels between neighbouring cells: as it was, and as it is to be."""


def apply(network: nn.Module, plan: Plan, *, output_stride: OutputStride = "8") -> nn.Module:
    """Removes the strides past `output_stride`, and dilates all kernels that come after them.

    Raises:
        InputError: the network does not reduce its maps so far, or reduces them with something that has no dilation.
    """
    limit = int(output_stride)
    found = survey(network, plan.input)
    modules = dict(network.named_modules())
    strides: dict[int, Strides] = {0: (1, 1)}
    changes: dict[str, Strides] = {}
    for call in found.calls:
        if not call.leaf:
            continue
        module = None if call.function else modules[call.path]
        given = call.inputs[:1] if isinstance(module, Strided) else call.inputs  # offsets come after what they shift
        old, new = max((strides[number] for number in given), default=(1, 1))
        factor = _factor(found, call, module)
        kept = factor if new * factor <= limit else 1
        if isinstance(module, Strided) and (old != new or kept != factor):
            changes[call.path] = (old // new, kept)
        elif kept != factor:
            where = f"{call.function} in {call.path or 'the network'}" if call.function else call.path
            raise InputError(f"{where} reduces the maps, and is no convolution or pool whose stride could be changed")
        for number in call.outputs:
            if number not in call.inputs:
                strides[number] = (old * factor, new * kept)
    own = max(old for old, _ in strides.values())
    if own < limit:
        raise InputError(f"output_stride must be at most {own}, the network's own, not {limit}")
    for path, (dilation, kept) in changes.items():
        changed = _changed(modules[path], dilation, kept, path)
        if changed is not modules[path]:
            replace(network, path, changed)
    return network


def _factor(found: Survey, call: Call, module: nn.Module | None) -> int:
    """Returns how many times fewer cells a side of the output of a call has."""
    if isinstance(module, Strided):
        return _one(module.stride)
    numbers = [*call.inputs[:1], *call.outputs]
    if len(numbers) < 2 or any(len(found.shapes[number]) != 4 for number in numbers):
        return 1
    before, after = (found.shapes[number][2] for number in numbers[:2])
    pooled_to_a_point = after == 1 or isinstance(module, nn.AdaptiveAvgPool2d | nn.AdaptiveMaxPool2d)
    return 1 if pooled_to_a_point else max(round(before / after), 1)


def _one(value: int | tuple[int, ...]) -> int:
    return value if isinstance(value, int) else max(value)


def _pair(value: int | tuple[int, ...]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def _changed(module: nn.Module, dilation: int, kept: int, path: str) -> nn.Module:
    """Spreads the kernel of a convolution or pool, and takes its stride away where `kept` is 1.

    Returns:
        The module itself, or one around it that pads the lower right.
    """
    assert isinstance(module, Strided)
    strided, kernel = _one(module.stride) > kept, _pair(module.kernel_size)
    if isinstance(module.padding, str):
        raise InputError(f"{path} has a padding of {module.padding!r} instead of a number of cells")
    if isinstance(module, nn.AvgPool2d) and dilation > 1 and max(kernel) > 1:
        raise InputError(f"{path} averages, which cannot be dilated: choose a larger output_stride")
    if strided:
        module.stride = (1, 1)
    apart = [dilation if side > 1 else 1 for side in kernel]
    padding = [around * by for around, by in zip(_pair(module.padding), apart, strict=True)]
    if isinstance(module, nn.MaxPool2d | nn.AvgPool2d):
        return _pool(module, strided, apart, padding)
    module.padding = (padding[0], padding[1])
    former = _pair(module.dilation)
    module.dilation = (former[0] * apart[0], former[1] * apart[1])
    if isinstance(module, nn.Conv2d):  # what other padding modes than zeros read
        module._reversed_padding_repeated_twice = [around for around in reversed(padding) for _ in range(2)]
    return module


def _pool(pool: nn.MaxPool2d | nn.AvgPool2d, strided: bool, apart: Sequence[int], padding: Sequence[int]) -> nn.Module:
    """Spreads a pool. Torch pads none by more than half its kernel, so that a spread one is padded in front of it."""
    kernel = _pair(pool.kernel_size)
    more = [0, 0]
    if strided and (pool.ceil_mode or min(kernel) % 2 == 0):
        # Such a pool covers all cells; without a stride it would lose as many as its kernel is longer than one.
        around = zip(apart, kernel, padding, strict=True)
        more = [max(by * (side - 1) - 2 * before, 0) for by, side, before in around]
    if isinstance(pool, nn.MaxPool2d):
        former = _pair(pool.dilation)
        pool.dilation = (former[0] * apart[0], former[1] * apart[1])
    elif not any(more):
        return pool
    if not any((*more, *padding)) or (not any(more) and max(apart) == 1):
        return pool
    pool.padding = 0
    sides = (padding[1], padding[1] + more[1], padding[0], padding[0] + more[0])
    edge = nn.ConstantPad2d(sides, float("-inf")) if isinstance(pool, nn.MaxPool2d) else nn.ReplicationPad2d(sides)
    return nn.Sequential(edge, pool)
