"""Batch normalisation over the whole batch where several processes have a share of it each."""

from __future__ import annotations

from types import MethodType
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm


def normalise_over_processes(network: nn.Module, kind: str) -> nn.Module:
    """Returns the network with batch normalisation that sees the images of all processes in training.

    The names of weights and buffers stay. On CUDA it is torch's SyncBatchNorm, which has no code for the CPU.

    Args:
        network: is changed.
        kind: of the device, `cpu` or `cuda`.
    """
    if kind == "cuda":
        from timm.layers import convert_sync_batchnorm  # knows timm's own layers beside torch's

        converted: nn.Module = convert_sync_batchnorm(network)
        return converted
    for layer in network.modules():
        if isinstance(layer, _BatchNorm):
            layer.forward = MethodType(torch.compiler.disable(_forward), layer)  # type: ignore[method-assign, no-untyped-call]
    return network


def _forward(layer: _BatchNorm, images: Tensor) -> Tensor:
    """Normalises (B, C, …) by mean and variance over the images of all processes."""
    if not layer.training:
        outputs: Tensor = type(layer).forward(layer, images)
        return outputs
    outputs, mean, variance, size = _Normalise.apply(images, layer.weight, layer.bias, layer.eps)
    if layer.running_mean is not None and layer.running_var is not None and layer.num_batches_tracked is not None:
        layer.num_batches_tracked.add_(1)
        share = 1 / float(layer.num_batches_tracked) if layer.momentum is None else layer.momentum
        layer.running_mean.lerp_(mean.to(layer.running_mean.dtype), share)
        layer.running_var.lerp_((variance * size / (size - 1)).to(layer.running_var.dtype), share)
    for name in ("drop", "act"):  # of timm's layers that also drop and activate
        if hasattr(layer, name):
            outputs = getattr(layer, name)(outputs)
    return outputs


class _Normalise(torch.autograd.Function):
    """Ioffe and Szegedy, "Batch Normalization", 2015, algorithm 1 and the gradients of its section 3.

    Sums over the processes are in double precision: differences of squares lose nothing that matters there.
    """

    @staticmethod
    def forward(
        ctx: Any, images: Tensor, weight: Tensor | None, bias: Tensor | None, epsilon: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        precise = images.float() if images.dtype in (torch.bfloat16, torch.float16) else images
        variance, mean = torch.var_mean(precise, _all_but_channels(images), correction=0)
        mean, variance = mean.double(), variance.double()
        size = torch.full_like(mean, images.numel() // images.shape[1])
        sums = torch.stack((size, size * mean, size * (variance + mean.square())))
        distributed.all_reduce(sums)
        size, mean = sums[0], sums[1] / sums[0]
        variance = (sums[2] / size - mean.square()).clamp(min=0)
        inverse = (variance + epsilon).rsqrt()
        scale = inverse if weight is None else inverse * weight
        shift = -mean * scale if bias is None else bias - mean * scale
        ctx.save_for_backward(images, weight, mean, inverse, size)
        outputs = torch.addcmul(_along(shift, precise), precise, _along(scale, precise)).to(images.dtype)
        ctx.mark_non_differentiable(mean, variance, size)
        return outputs, mean, variance, size

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None, None]:
        images, weight, mean, inverse, size = ctx.saved_tensors
        precise = images.to(torch.promote_types(images.dtype, torch.float32))
        gradient = gradient.to(precise.dtype)
        places = _all_but_channels(images)
        centred = precise - _along(mean, precise)
        own = torch.stack((gradient.sum(places).double(), (gradient * centred).sum(places).double() * inverse))
        bias_gradient, weight_gradient = (own[0], own[1]) if weight is not None else (None, None)
        sums = own.clone()
        distributed.all_reduce(sums)
        scale = inverse if weight is None else inverse * weight
        slope = -scale * inverse * sums[1] / size
        shift = -scale * sums[0] / size
        inner = torch.addcmul(_along(shift, precise), centred, _along(slope, precise))
        inner = inner.addcmul_(gradient, _along(scale, precise)).to(images.dtype)
        if weight is None or weight_gradient is None or bias_gradient is None:
            return inner, None, None, None
        return inner, weight_gradient.to(weight.dtype), bias_gradient.to(weight.dtype), None


def _all_but_channels(images: Tensor) -> list[int]:
    return [place for place in range(images.ndim) if place != 1]


def _along(values: Tensor, images: Tensor) -> Tensor:
    """Returns a value for each channel (C,) as it is combined with images (B, C, …)."""
    return values.to(images.dtype).view(1, -1, *[1] * (images.ndim - 2))
