"""Shapes and multiplications of the commonest operations in closed form, without running their kernels.

On the meta device most of the time of a pass goes into torch's Python kernels for convolution and normalisation, which
work out what the sizes alone tell. An answer is given only where the result is certain; else the kernel runs, and
raises what there is to raise.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from inspect import signature
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.graph import increment_version
from torch.nn import functional


class Answer(NamedTuple):
    """What a function gives."""

    result: Tensor | tuple[Tensor, ...]
    macs: int = 0
    """Multiply–accumulate operations."""


def _plain(input: Tensor, *others: Tensor | None) -> bool:
    """Whether results are laid out as usual: no other type, device, precision or order in memory."""
    return input.is_meta and input.is_contiguous() and all(t is None or t.dtype == input.dtype for t in others)


def _made(shape: Sequence[int], input: Tensor) -> Tensor:
    return torch.empty(shape, dtype=input.dtype, device="meta")


def _each(value: int | Sequence[int], rank: int) -> Sequence[int]:
    return (value,) * rank if isinstance(value, int) else tuple(value) * rank if len(value) == 1 else value


def _convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: str | int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Answer | None:
    (channels, depth, *kernel), (batch, entering, *size) = weight.shape, input.shape
    rank = len(kernel)
    if isinstance(padding, str) or len(size) != rank or entering != depth * groups or not _plain(input, weight, bias):
        return None
    strides, around, apart = _each(stride, rank), _each(padding, rank), _each(dilation, rank)
    windows = zip(size, kernel, strides, around, apart, strict=True)
    after = [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in windows]
    if channels % groups or min(after) < 1:
        return None
    shape = (batch, channels, *after)
    return Answer(_made(shape, input), prod(shape) * depth * prod(kernel))


def _linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Answer | None:
    if weight.dim() != 2 or not input.dim() or input.shape[-1] != weight.shape[1] or not _plain(input, weight, bias):
        return None
    shape = (*input.shape[:-1], weight.shape[0])
    return Answer(_made(shape, input), prod(shape) * weight.shape[1])


def _lstm(input: Tensor, hx: Any, weights: Any, *settings: Any) -> Answer | None:
    """Answers for whole sequences; torch would take the steps one by one."""
    if len(settings) != 6 or not isinstance(weights, list | tuple) or input.dim() != 3 or not input.is_meta:
        return None  # packed sequences have other arguments
    biases, layers, _, _, bidirectional, batch_first = settings
    stacks = layers * (1 + bidirectional)
    fits = input.shape[2] == weights[0].shape[1] and all(weight.dtype == input.dtype for weight in weights)
    if not fits or len(weights) != stacks * (2 + 2 * biases):
        return None  # with a projection there are more
    hidden = weights[1].shape[1]
    batch, steps = input.shape[:2] if batch_first else input.shape[1::-1]
    output = _made((steps, batch, hidden * (1 + bidirectional)), input)
    state = [_made((stacks, batch, hidden), input) for _ in range(2)]
    macs = steps * batch * sum(weight.numel() for weight in weights if weight.dim() == 2)
    return Answer((output.transpose(0, 1) if batch_first else output, *state), macs)


def _batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Answer | None:
    if input.dim() < 2 or (running_mean is None) != training or not _plain(input, weight, bias):
        return None  # training with running statistics would change them
    if training and input.numel() <= input.shape[1]:
        return None  # one value a channel has no variance
    each = (running_mean, running_var, weight, bias)
    fits = all(values is None or values.shape == input.shape[1:2] for values in each)
    return Answer(_made(input.shape, input)) if fits else None


def _layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Answer | None:
    shape = tuple(normalized_shape)
    if not shape or tuple(input.shape[-len(shape) :]) != shape or not _plain(input, weight, bias):
        return None
    fits = all(values is None or tuple(values.shape) == shape for values in (weight, bias))
    return Answer(_made(input.shape, input)) if fits else None


def _group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Answer | None:
    if input.dim() < 2 or num_groups < 1 or input.shape[1] % num_groups or not _plain(input, weight, bias):
        return None
    if input.numel() <= input.shape[0] * num_groups:
        return None  # one value a group has no variance
    fits = all(values is None or values.shape == input.shape[1:2] for values in (weight, bias))
    return Answer(_made(input.shape, input)) if fits else None


def _mean(input: Tensor, dim: Any = None, keepdim: bool = False, **kwargs: Any) -> Answer | None:
    dims = (dim,) if isinstance(dim, int) else dim
    if kwargs or not dims or not _plain(input) or not input.is_floating_point():
        return None
    rank = input.dim()
    if any(not -rank <= place < rank for place in dims) or len({place % rank for place in dims}) < len(dims):
        return None
    gone = {place % rank for place in dims}
    sizes = [1 if place in gone else size for place, size in enumerate(input.shape) if keepdim or place not in gone]
    return Answer(_made(sizes, input))


def _pointwise(function: Callable[..., Any], in_place: bool = False) -> Callable[..., Answer | None]:
    """Returns the answer of a function of each element by itself, such as an activation."""
    try:
        place = list(signature(function).parameters).index("inplace")
    except ValueError:  # no such argument, or a built-in function, which has none
        place = sys.maxsize

    def answer(input: Tensor, *args: Any, **kwargs: Any) -> Answer | None:
        if not _plain(input) or not input.is_floating_point() or kwargs.get("out") is not None:
            return None
        if in_place or kwargs.get("inplace") or (len(args) >= place and args[place - 1]):
            return _overwritten(input)
        return Answer(_made(input.shape, input))

    return answer


def _overwritten(input: Tensor) -> Answer:
    increment_version(input)
    return Answer(input)


def _binary(input: Tensor, other: Any, **kwargs: Any) -> Answer | None:
    shape = _broadcast(input, other)
    return None if shape is None or kwargs else Answer(_made(shape, input))


def _binary_in_place(input: Tensor, other: Any, **kwargs: Any) -> Answer | None:
    return None if kwargs or _broadcast(input, other) != input.shape else _overwritten(input)


def _broadcast(input: Any, other: Any) -> Sequence[int] | None:
    """Returns the shape of a sum or product; None where it is not plain. `torch.broadcast_shapes` takes 0.2 ms."""
    if not isinstance(input, Tensor) or not _plain(input) or not input.is_floating_point():
        return None
    if type(other) in (int, float):
        return input.shape
    if not isinstance(other, Tensor) or not _plain(other) or other.dtype != input.dtype:
        return None
    if input.shape == other.shape:
        return input.shape
    if input.dim() != other.dim():
        return None
    pairs = list(zip(input.shape, other.shape, strict=True))
    return torch.Size(n if m == 1 else m for m, n in pairs) if all(m == n or 1 in (m, n) for m, n in pairs) else None


def _cat(tensors: Sequence[Tensor], dim: int = 0, **kwargs: Any) -> Answer | None:
    first = tensors[0] if isinstance(tensors, list | tuple) and tensors else None
    if kwargs or first is None or not isinstance(dim, int) or not -first.dim() <= dim < first.dim():
        return None
    if any(not _plain(part, first) or part.dim() != first.dim() for part in tensors):
        return None
    axis = dim % first.dim()
    shapes = [(*part.shape[:axis], *part.shape[axis + 1 :]) for part in tensors]
    if any(shape != shapes[0] for shape in shapes):
        return None
    total = sum(part.shape[axis] for part in tensors)
    return Answer(_made((*first.shape[:axis], total, *first.shape[axis + 1 :]), first))


def _adaptive_pool(input: Tensor, output_size: Any) -> Answer | None:
    sizes = (output_size, output_size) if isinstance(output_size, int) else tuple(output_size)
    if input.dim() != 4 or len(sizes) != 2 or not _plain(input) or 0 in input.shape:
        return None
    after = [before if size is None else size for before, size in zip(input.shape[2:], sizes, strict=True)]
    return Answer(_made((*input.shape[:2], *after), input)) if min(after) > 0 else None


def _found(names: str) -> frozenset[Callable[..., Any]]:
    """Returns torch's functions of these names: plain, of tensors and of layers."""
    places = (torch, Tensor, functional)
    return frozenset(getattr(place, name) for name in names.split() for place in places if hasattr(place, name))


_MULTIPLYING: dict[Callable[..., Any], Callable[..., Answer | None]] = {
    torch.conv1d: _convolution,
    torch.conv2d: _convolution,
    torch.conv3d: _convolution,
    functional.linear: _linear,
    torch.lstm: _lstm,
}
_OTHERS: dict[Callable[..., Any], Callable[..., Answer | None]] = {
    functional.batch_norm: _batch_norm,
    functional.layer_norm: _layer_norm,
    functional.group_norm: _group_norm,
    torch.mean: _mean,
    Tensor.mean: _mean,
    functional.adaptive_avg_pool2d: _adaptive_pool,
    torch.cat: _cat,
    **dict.fromkeys(_found("add sub mul div __add__ __radd__ __sub__ __mul__ __rmul__ __truediv__"), _binary),
    **dict.fromkeys(_found("add_ sub_ mul_ div_ __iadd__ __isub__ __imul__ __itruediv__"), _binary_in_place),
    **{
        function: _pointwise(function)
        for function in _found(
            "relu relu6 leaky_relu elu selu silu gelu mish sigmoid tanh hardtanh hardsigmoid hardswish softplus "
            "logsigmoid exp neg"
        )
    },
    **{function: _pointwise(function, in_place=True) for function in _found("relu_ sigmoid_ tanh_ hardtanh_ silu_")},
}
ANSWERS = _MULTIPLYING | _OTHERS
"""Functions that can be answered for: called with the same arguments, each gives None where the function has to run."""

WITHOUT_MACS = frozenset(_OTHERS) | _found(
    "softmax log_softmax pow sqrt rsqrt abs square log dropout dropout2d max_pool1d max_pool2d avg_pool2d "
    "adaptive_max_pool2d concat stack chunk split split_with_sizes unbind flatten unflatten view reshape reshape_as "
    "permute transpose unsqueeze squeeze expand expand_as contiguous sum amax max min pad clamp clone detach roll dim "
    "size numel _assert __getitem__"
)
"""Functions without a convolution or matrix product inside: nothing needs to watch their kernels."""
