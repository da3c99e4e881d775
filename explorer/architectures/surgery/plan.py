"""Where things can be put into a network: its blocks, the ends of their residual branches, and its stages.

Nothing is written down by hand for a family: the blocks follow from one pass. A block is

1. a module whose code adds its input, or something less deep, to what it has made (a residual block), or joins its
   input with that along the channels (a layer of a dense block);
2. outside those, the innermost module of a class of its own that holds a spatial convolution and one more weighted
   layer: an Inception module, a depthwise separable convolution;
3. where there is none of these, as in VGG, a `Sequential` that keeps the resolution and holds two convolutions, or else
   each spatial convolution with its normalisation and activation.

A stage is a run of blocks whose outputs have the same resolution.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from torch import nn

from explorer.architectures.surgery.splice import own_modules
from explorer.architectures.surgery.survey import Call, Shape, Survey, survey
from explorer.errors import InputError

SUMS = ("add", "iadd", "radd")
JOINS = ("cat", "concat", "concatenate")
AFTER_A_CONVOLUTION = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.ReLU, nn.Tanh, nn.Sigmoid, nn.SiLU, nn.GELU)
"""What belongs to the convolution in front of it."""


@dataclass(frozen=True, slots=True)
class Block:
    """One place for attention."""

    path: str
    """Of its module."""
    branch: str
    """Path of the module whose output is the block's residual branch; the block's own where it has no skip."""
    channels: int
    """Of the branch's output."""
    entering: int
    """Channels of the block's input; 0 where it takes several."""
    leaving: int
    """Channels of the block's output."""
    size: tuple[int, int]
    """Height and width of its output."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A network as a surgeon sees it."""

    input: Shape
    """(C, H, W) that the network is run with."""
    stages: tuple[tuple[Block, ...], ...]

    def chosen(self, stages: str) -> list[Block]:
        """Returns the blocks of the stages that `stages` lists: "all", "last", or their numbers, as in "34".

        Raises:
            InputError: there is no such stage, or the network has no stages at all.
        """
        count = len(self.stages)
        if not count:
            raise InputError("no stages of two-dimensional maps were found in it")
        numbers = {"all": list(range(1, count + 1)), "last": [count]}.get(stages)
        if numbers is None:
            numbers = [int(digit) if digit.isdigit() else 0 for digit in stages]
        if not numbers or min(numbers) < 1 or max(numbers) > count:
            raise InputError(f"stages must be all, last, or numbers from 1 to {count} such as {count}, not {stages!r}")
        return [block for number in sorted(set(numbers)) for block in self.stages[number - 1]]


def make_plan(network: nn.Module, input: Shape) -> Plan:
    """Returns the blocks of a network; runs it once on the meta device.

    Raises:
        InputError: the network cannot take the input, (C, H, W).
    """
    found = survey(network, input)
    modules = dict(own_modules(network))
    blocks = _named_blocks(found, modules) or _sequential_blocks(found, modules) or _convolutions(found, modules)
    stages = groupby(blocks, key=lambda block: block.size)
    return Plan(tuple(input), tuple(tuple(members) for _, members in stages))


def is_spatial(module: nn.Module) -> bool:
    """Whether a module is a two-dimensional convolution that looks at more than one cell."""
    return isinstance(module, nn.Conv2d) and max(module.kernel_size) > 1


def skips(found: Survey) -> list[tuple[Call, int]]:
    """Returns the additions that close a skip, each with the number of the tensor that the residual branch gives."""
    closing = []
    for call in found.calls:
        maps = [number for number in call.inputs if len(found.shapes[number]) == 4]
        if call.function in SUMS and call.path and len(maps) == 2:
            shallow, deep = sorted(maps, key=found.depths.__getitem__)
            if found.depths[shallow] < found.depths[deep] and found.shapes[shallow] == found.shapes[deep]:
                closing.append((call, deep))
    return closing


def _named_blocks(found: Survey, modules: dict[str, nn.Module]) -> list[Block]:
    branches = {call.path: deep for call, deep in [*_dense_joins(found), *skips(found)] if call.path in modules}
    holders = {path for path in branches if not any(_within(other, path) for other in branches)}
    candidates = {
        path
        for path, module in modules.items()
        if path and type(module) not in (nn.Sequential, nn.ModuleList) and _holds_block(module)
    }
    free = {path for path in candidates if not any(_related(path, holder) for holder in holders)}
    innermost = {path for path in free if not any(_within(other, path) for other in free)}
    blocks = []
    for call in found.calls:
        if call.function or call.path not in holders | innermost or not _maps(found, call):
            continue
        branch = _producer(found, branches[call.path], call.path) if call.path in holders else ""
        blocks.append(_block(found, call, branch or call.path))
    return blocks if len(blocks) > 1 else []


def _dense_joins(found: Survey) -> list[tuple[Call, int]]:
    """Returns where a module joins its own input with what it has made, along the channels."""
    entering = {call.path: call.inputs[0] for call in found.calls if not call.function and call.inputs}
    return [
        (call, max(call.inputs, key=found.depths.__getitem__))
        for call in found.calls
        if call.function in JOINS and call.path and entering.get(call.path) in call.inputs and len(call.inputs) == 2
    ]


def _holds_block(module: nn.Module) -> bool:
    parts = list(module.modules())
    weighted = sum(isinstance(part, nn.Conv2d | nn.Linear) for part in parts)
    return weighted >= 2 and any(map(is_spatial, parts))


def _within(path: str, outer: str) -> bool:
    return path.startswith(outer + ".")


def _related(path: str, other: str) -> bool:
    return path == other or _within(path, other) or _within(other, path)


def _maps(found: Survey, call: Call) -> bool:
    """Whether a module takes one map and gives one."""
    numbers = (*call.inputs[:1], *call.outputs)
    return len(call.outputs) == 1 and len(numbers) == 2 and all(len(found.shapes[number]) == 4 for number in numbers)


def _producer(found: Survey, number: int, holder: str) -> str:
    """Returns the path of the outermost module in `holder` that gives a tensor, or what that is only scaled from."""
    while True:
        makers = [call for call in found.calls if number in call.outputs and number not in call.inputs]
        modules = [call.path for call in makers if not call.function and _within(call.path, holder)]
        if modules:
            return modules[-1]
        functions = [call for call in makers if call.function and _within(call.path + ".", holder)]
        same = [
            earlier for call in functions for earlier in call.inputs if found.shapes[earlier] == found.shapes[number]
        ]
        if len(same) != 1:
            return ""
        number = same[0]


def _block(found: Survey, call: Call, branch: str) -> Block:
    shape = found.shapes[call.outputs[0]]
    channels = found.shapes[found.of(branch)[0].outputs[0]][1]
    entering = found.shapes[call.inputs[0]][1] if call.alone else 0
    return Block(call.path, branch, channels, entering, shape[1], (shape[2], shape[3]))


def _sequential_blocks(found: Survey, modules: dict[str, nn.Module]) -> list[Block]:
    calls = []
    for call in found.calls:
        module = modules.get(call.path)
        if call.function or not call.path or type(module) is not nn.Sequential or not _maps(found, call):
            continue
        sizes = {found.shapes[number][2:] for number in (call.inputs[0], call.outputs[0])}
        if len(sizes) == 1 and _holds_block(module):
            calls.append(call)
    innermost = [call for call in calls if not any(_within(other.path, call.path) for other in calls)]
    return [_block(found, call, call.path) for call in innermost] if len(innermost) > 1 else []


def _convolutions(found: Survey, modules: dict[str, nn.Module]) -> list[Block]:
    blocks = []
    for call in found.calls:
        module = modules.get(call.path)
        if call.function or module is None or not is_spatial(module) or not _maps(found, call):
            continue
        last = call
        while True:
            users = [other for other in found.calls if last.outputs[0] in other.inputs and other.leaf]
            if len(users) != 1 or not isinstance(modules.get(users[0].path), AFTER_A_CONVOLUTION) or users[0].function:
                break
            last = users[0]
        blocks.append(_block(found, call, last.path))
    return blocks
