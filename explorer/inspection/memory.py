"""Memory of a network: what a pass needs at once, and the records of what a step of training takes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from explorer.inspection.anatomy import INPUT, Anatomy

Optimiser = Literal["sgd", "sgd-momentum", "rmsprop", "adam", "adamw"]
Precision = Literal["32", "bf16", "fp16"]
Phase = Literal["forward", "backward", "update"]


@dataclass(frozen=True, slots=True)
class InferenceMemory:
    """Inputs and activations of one pass in evaluation mode without gradients, in bytes; weights come on top."""

    batch: int
    input_bytes: int
    peak_bytes: int
    """The most that lives at once."""
    peak_layer: int
    """Index of the layer at work then, the first of several; -1 where no layer ran."""
    live: tuple[int, ...]
    """What lives while each layer works, its inputs and outputs included; 0 for layers that did not run."""


@dataclass(frozen=True, slots=True)
class TrainingSetup:
    """What beside the network decides how much memory a step of training takes."""

    batch: int = 32
    optimiser: Optimiser = "sgd-momentum"
    precision: Precision = "32"
    """`bf16` and `fp16` are mixed precision: 32-bit parameters, forward pass under autocast."""


@dataclass(frozen=True, slots=True)
class TrainingMemory:
    """Memory of one step of training, after the first one, which makes the optimiser's state; all in bytes."""

    setup: TrainingSetup
    parts: tuple[Part, ...]
    peak_bytes: int
    """The most that lives at once: what the parts hold at that moment, summed."""
    phase: Phase
    """When that is."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one kind of tensors takes."""

    name: str
    """One of the names in `PARTS`."""
    bytes: int
    """When all of it is there: activations at the end of the forward pass, gradients at the end of the backward one."""
    at_peak: int
    """When the step takes the most; activations give way as gradients come, so not all of both is there at once."""


OPTIMISERS: dict[Optimiser, str] = {
    "sgd": "SGD",
    "sgd-momentum": "SGD with momentum",
    "rmsprop": "RMSprop",
    "adam": "Adam",
    "adamw": "AdamW",
}
PRECISIONS: dict[Precision, str] = {"32": "32 bits", "bf16": "bf16 mixed", "fp16": "fp16 mixed"}
PHASES: dict[Phase, str] = {
    "forward": "in the forward pass",
    "backward": "in the backward pass",
    "update": "in the optimiser's update",
}
PARTS = {
    "parameters": "Parameters",
    "buffers": "Buffers",
    "optimiser": "Optimiser's state",
    "input": "Batch of images",
    "weight_copies": "16-bit copies of weights",
    "activations": "Activations kept",
    "gradients": "Gradients of parameters",
    "temporaries": "Temporaries",
}
"""The parts of a step's memory by name, in order, with their titles."""


def inference_memory(anatomy: Anatomy, batch: int = 1) -> InferenceMemory:
    """Returns what a pass needs where every block of memory is given back after its last use.

    A block lives from the layer that makes it to the last one that reads any tensor in it, views and results of
    operations in place included; inputs live from the beginning, the network's outputs to the end. That is liveness
    analysis as compilers know it: the least that any executor needs that follows this order. PyTorch takes more where
    a name in Python code outlives the last use of its tensor (the caller's own input; that of a block which runs on
    with another tensor), where a module makes tensors of its own (the indices of a max pooling, the squares of a local
    response normalisation), and where a kernel needs a workspace: 9 % more for ResNet-18, 15 % for ResNet-50, 44 % for
    VGG-11, and 2.3 times as much for AlexNet, at the input size of the papers.

    Args:
        anatomy: of a pass with batch size 1.
        batch: all blocks are so many times as large.
    """
    inputs = tuple(range(len(anatomy.inputs)))
    executed = [layer for layer in anatomy.layers if layer.executed]
    last = max(len(executed) - 1, 0)

    def blocks(index: int) -> tuple[int, ...]:
        return inputs if index == INPUT else anatomy.layers[index].blocks

    born = dict.fromkeys(inputs, 0)
    dies = dict.fromkeys(inputs, 0)
    for layer in executed:
        for block in layer.blocks:
            born.setdefault(block, layer.index)
        for block in (*layer.blocks, *(block for index in layer.inputs for block in blocks(index))):
            dies[block] = layer.index
    for block in (block for index in anatomy.output_layers for block in blocks(index)):
        dies[block] = last
    changes = [0] * (len(anatomy.layers) + 2)
    for block, begin in born.items():
        changes[begin] += batch * anatomy.blocks[block]
        changes[dies[block] + 1] -= batch * anatomy.blocks[block]
    live = tuple(accumulate(changes))[: len(anatomy.layers)]
    input_bytes = batch * sum(anatomy.blocks[block] for block in inputs)
    peak = max(live, default=input_bytes)
    return InferenceMemory(batch, input_bytes, peak, live.index(peak) if live else INPUT, live)
