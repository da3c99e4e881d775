"""A residual network without its skips: the plain network of the same layers.

He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", CVPR 2016, sections 3.3 and 4.1, compare both.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from explorer.architectures.surgery.plan import Plan, skips
from explorer.architectures.surgery.splice import get, own_modules, replace
from explorer.architectures.surgery.survey import Survey, survey
from explorer.errors import InputError

DROPPED = ("DropPath", "StochasticDepth")
"""Modules that leave out a residual branch while training; without a skip nothing would be left."""


class PlainBlock(nn.Module):
    """The modules of a residual block that are not its skip, one after the other, under their former names."""

    def __init__(self, block: nn.Module, order: Sequence[str]) -> None:
        super().__init__()
        self.order = tuple(order)
        for name in dict.fromkeys(order):
            self.add_module(name, block.get_submodule(name))

    def forward(self, x: Tensor) -> Tensor:
        for name in self.order:
            x = self._modules[name](x)  # type: ignore[misc]
        return x


def apply(network: nn.Module, plan: Plan) -> nn.Module:
    """Puts in the place of each block with a skip the chain of its layers; projections on skips go.

    Raises:
        InputError: there is no skip, or a block does more than call its modules one after the other.
    """
    found = survey(network, plan.input)
    own = {path for path, _ in own_modules(network)}
    closing = {call.path: (call.inputs, call.outputs[0], deep) for call, deep in skips(found) if call.path in own}
    if not closing:
        raise InputError("the network has no skips that an addition closes")
    chains = {}
    for path, (_, total, deep) in closing.items():
        calls = found.of(path)
        if len(calls) != 1 or not calls[0].inputs or not calls[0].outputs:
            raise InputError(f"{path} is more than a block that runs once")
        start, end = calls[0].inputs[0], calls[0].outputs[0]
        chains[path] = [*_chain(found, path, start, deep), *_chain(found, path, total, end)]
    for path, order in chains.items():
        block = get(network, path)
        kept = [name for name in order if type(block.get_submodule(name)).__name__ not in DROPPED]
        replace(network, path, PlainBlock(block, kept))
    return network


def _chain(found: Survey, path: str, start: int, end: int) -> list[str]:
    """Returns the names of the block's own modules that lead from one tensor to another.

    Raises:
        InputError: something else than modules in a row does.
    """
    names: list[str] = []
    while end != start:
        makers = [call for call in found.calls if end in call.outputs and end not in call.inputs]
        children = [
            call
            for call in makers
            if not call.function and call.path.rpartition(".")[0] == path and len(call.inputs) == 1
        ]
        if not children:
            raise InputError(f"the layers of {path} do not simply follow each other")
        names.append(children[-1].path.rpartition(".")[2])
        end = children[-1].inputs[0]
    return names[::-1]
