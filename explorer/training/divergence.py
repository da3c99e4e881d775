"""Where numbers that are none first appear in a network."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from explorer.architectures.tensors import tensors_in


def find_origin(network: nn.Module, forward: Callable[[], object]) -> tuple[int, str]:
    """Runs a batch once more and looks in which layer the first NaN or infinity appears.

    Args:
        network: whose layers are watched.
        forward: puts the batch through it.

    Returns:
        (how many layers were done before, what was found as part of a sentence).
    """
    found: list[str] = []
    done = 0

    def watch(name: str) -> Callable[[nn.Module, object, object], None]:
        def look(module: nn.Module, inputs: object, outputs: object) -> None:
            nonlocal done
            # Children are done before their parents, so that the first one is the innermost.
            if found:
                return
            if all(map(_finite, tensors_in(outputs))):
                done += 1
            else:
                own = all(map(_finite, module.parameters(recurse=False)))
                layer = f"{name or 'the network'} ({type(module).__name__})"
                found.append(f"first in {layer}" if own else f"first in the weights of {layer}")

        return look

    handles = [module.register_forward_hook(watch(name)) for name, module in network.named_modules()]
    # Compiled code does not see the hooks; asking for the plain one takes seconds where nothing is compiled.
    compiled = network._compiled_call_impl is not None
    try:
        with torch.no_grad(), torch.compiler.set_stance("force_eager") if compiled else nullcontext():
            forward()
    finally:
        for handle in handles:
            handle.remove()
    return done, found[0] if found else "though the network's outputs are numbers"


def _finite(tensor: Tensor) -> bool:
    return bool(tensor.isfinite().all())
