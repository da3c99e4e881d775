"""A network around its trained weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from explorer.architectures.registry import build, entry, options
from explorer.errors import InputError
from explorer.tasks.weights_file import ModelSpec

if TYPE_CHECKING:
    from torch import Tensor, nn


def assemble(spec: ModelSpec, weights: dict[str, Tensor], name: str) -> nn.Module:
    """Builds the network that the weights belong to, on the CPU, in 32 bits and evaluation mode.

    It starts on the meta device, which draws no random numbers from a training that goes on elsewhere.

    Args:
        spec: which network it is.
        weights: its state dict, which is taken over without a copy.
        name: what messages call the weights.

    Raises:
        InputError: the weights do not fit, or ask for a Python file that the user has not trained with.
    """
    architecture = entry(spec.architecture)
    if architecture.source == "file" and not Path(spec.architecture.rpartition(":")[0]).is_absolute():
        # Weights from elsewhere must not bring code along: a full path is one that this machine's user trained with.
        raise InputError(f"{name} asks for the Python file {spec.architecture} beside it, which is not run")
    chosen = dict(spec.options)
    if any(option.name == "num_classes" for option in options(architecture)):
        chosen.setdefault("num_classes", len(spec.classes))
    network = build(architecture, spec.preprocessing.input, device="meta", **chosen)
    _fill(network, weights, spec, name)
    if any(buffer.is_meta for buffer in network.buffers()):  # constants that a state dict does not hold
        network = build(architecture, spec.preprocessing.input, **chosen)
        _fill(network, weights, spec, name)
    return network.float().eval()


def _fill(network: nn.Module, weights: dict[str, Tensor], spec: ModelSpec, name: str) -> None:
    expected = network.state_dict()
    odd = list(expected.keys() ^ weights.keys())
    for key in expected.keys() & weights.keys():
        old, new = weights[key], expected[key]
        if old.shape != new.shape or old.is_floating_point() != new.is_floating_point():
            odd.append(key)
    if odd:
        raise InputError(
            f"the weights in {name} do not fit {spec.architecture}: {len(odd)} of {len(expected)} tensors differ, "
            f"{min(odd)} for one; they were trained with other options or another version, train anew"
        )
    network.load_state_dict(weights, assign=True)
