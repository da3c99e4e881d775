"""One real forward pass on the meta device, recorded: leaf modules and functional operations, their edges and costs.

Nothing is traced symbolically and no memory is spent on activations. Three observers watch the pass: hooks tell which
module is at work, a function mode sees the operations between modules (`add`, `cat`, `flatten`…), and a dispatch mode
sees the kernels below both, whose multiplications torch's own formulas count.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from explorer.architectures.tensors import tensors_in
from explorer.inspection.anatomy import INPUT, Anatomy, Shape
from explorer.inspection.receptive_field import receptive_fields
from explorer.inspection.recorder import Origin, Recorder


@contextmanager
def _uncollected() -> Iterator[None]:
    """Puts garbage collection off: nothing of a pass is garbage yet, and looking for some doubles its time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@_uncollected()
def capture(module: nn.Module, inputs: Sequence[Shape]) -> Anatomy:
    """Runs `module` once in evaluation mode on meta tensors and records what happens.

    Args:
        module: its parameters and buffers are on the meta device. It is left as it was: no hook stays, every module
            has its training flag back.
        inputs: shapes of the positional inputs, batch first: `[(1, 3, 224, 224)]`.

    Returns:
        The anatomy; where the network fails half-way, what ran until then and the failure.
    """
    recorder = Recorder(module)
    tensors = [torch.zeros(shape, device="meta") for shape in inputs]
    for tensor in tensors:
        recorder.hand_over(tensor, Origin((INPUT,)))
        recorder.block(tensor)
    failure = None
    result: object = None
    with (
        torch.no_grad(),
        _evaluating(module, recorder.modules),
        recorder.hooks(),
        _Kernels(recorder),
        _Calls(recorder),
    ):
        try:
            result = module(*tensors)
        except (Exception, SystemExit) as error:
            failure = recorder.failure(error)
    recorder.add_unused()
    outputs = list(tensors_in(result))
    layers = receptive_fields(tuple(recorder.layers), tuple(inputs))
    parameters = list(module.parameters())
    return Anatomy(
        layers=layers,
        groups=tuple(recorder.groups.values()),
        inputs=tuple(tuple(shape) for shape in inputs),
        outputs=tuple(tuple(tensor.shape) for tensor in outputs),
        output_layers=tuple(dict.fromkeys(index for tensor in outputs for index in recorder.origin(tensor).layers)),
        params=sum(parameter.numel() for parameter in parameters),
        trainable_params=sum(parameter.numel() for parameter in parameters if parameter.requires_grad),
        param_bytes=sum(parameter.nbytes for parameter in parameters),
        buffer_bytes=sum(buffer.nbytes for buffer in module.buffers()),
        macs=sum(layer.macs for layer in layers),
        activation_bytes=sum(layer.activation_bytes for layer in layers),
        blocks=tuple(recorder.blocks),
        failure=failure,
    )


@contextmanager
def _evaluating(module: nn.Module, parts: Iterable[nn.Module]) -> Iterator[None]:
    """Evaluation mode for the time of the pass, each module's own flag restored after it."""
    training = [part for part in parts if part.training]
    if training:
        module.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True


class _Calls(TorchFunctionMode):
    """Reports each torch function that the network's own code calls."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return self._recorder.call(func, args, kwargs or {})


class _Kernels(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves its base untyped
    """Counts the multiplications of each kernel with torch's own formulas."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._recorder = recorder

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        packet = func._overloadpacket
        if packet in flop_registry:
            self._recorder.count(flop_registry[packet](*args, **kwargs, out_val=result) // 2)
        elif "scaled_dot_product" in packet.__name__:
            query, key, value = args[:3]  # (B, heads, L, E), (B, heads, S, E), (B, heads, S, V)
            cells = math.prod(query.shape[:-1]) * key.shape[-2]
            self._recorder.count(cells * (query.shape[-1] + value.shape[-1]))
        elif packet.__name__ == "deform_conv2d":
            weight = args[1]  # (C out, C in / groups, height, width)
            self._recorder.count(result.numel() * weight[0].numel())
        return result
