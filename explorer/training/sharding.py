"""A network that is divided among processes: each holds a part of every layer (FSDP).

Zhao et al., "PyTorch FSDP: Experiences on Scaling Fully Sharded Data Parallel", 2023, as torch's `fully_shard` does:
a block's parts are put together when it is its turn, and taken apart again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from torch import nn
    from torch.distributed.device_mesh import DeviceMesh
    from torch.optim import Optimizer

T = TypeVar("T")

LEAST = 500_000
"""Parameters of a block that is put together by itself; smaller ones are part of what they lie in."""


def shard(network: nn.Module, mesh: DeviceMesh) -> nn.Module:
    """Divides a network among the processes of a mesh, block by block: Fabric's `parallelize_fn`.

    A block is an item of a sequence or a list of modules with `LEAST` parameters or more that are in no smaller block.
    """
    from torch.distributed.fsdp import fully_shard

    along = mesh["data_parallel"]
    _divide(network, False, lambda block: fully_shard(block, mesh=along))
    fully_shard(network, mesh=along)
    return network


def _divide(module: nn.Module, is_item: bool, take: Callable[[nn.Module], object]) -> int:
    """Takes the blocks in a module, the innermost first, and returns how many parameters are left outside of them."""
    from torch import nn

    holds_items = isinstance(module, nn.Sequential | nn.ModuleList | nn.ModuleDict)
    left = sum(parameter.numel() for parameter in module.parameters(recurse=False))
    left += sum(_divide(child, holds_items, take) for child in module.children())
    if left < LEAST or not is_item or isinstance(module, nn.ModuleList | nn.ModuleDict):  # lists are never called
        return left
    take(module)
    return 0


def assemble(state: T) -> T:
    """Returns tensors, and what holds them, with the parts of each put together; all processes must call it."""
    from torch.utils._pytree import tree_leaves, tree_map

    if not any(map(_is_divided, tree_leaves(state))):
        return state
    whole: T = tree_map(lambda value: value.full_tensor() if _is_divided(value) else value, state)
    return whole


def load_network(network: nn.Module, state: dict[str, Any]) -> None:
    """Gives a network the weights in a state, divided as its own are.

    Raises:
        RuntimeError: they do not fit.
    """
    own = network.state_dict()
    if any(map(_is_divided, own.values())):
        state = {name: _divided(value, own.get(name)) for name, value in state.items()}
    network.load_state_dict(state)


def load_optimiser(optimiser: Optimizer, state: dict[str, Any]) -> None:
    """Gives an optimiser a state, divided as the parameters are that it belongs to."""
    # Which kernels it uses depends on that as well.
    pairs = zip(state["param_groups"], optimiser.param_groups, strict=True)
    groups = [saved | ({"fused": own["fused"]} if "fused" in own else {}) for saved, own in pairs]
    optimiser.load_state_dict(state | {"param_groups": groups})
    for parameter, values in optimiser.state.items():
        for name, value in values.items():
            if _is_divided(parameter) and getattr(value, "shape", None) == parameter.shape:
                values[name] = _divided(value, parameter)


def _is_divided(value: object) -> bool:
    return hasattr(value, "full_tensor")  # a DTensor, which takes long to import


def _divided(value: Any, like: object) -> Any:
    """Returns a tensor divided like another one, or as it is where that is whole."""
    from torch.distributed.tensor import DTensor, distribute_tensor

    if not isinstance(like, DTensor):
        return value
    # All processes have it, so nothing needs to be sent.
    return distribute_tensor(value.to(like.device), like.device_mesh, like.placements, src_data_rank=None)
