"""Counting how numbers are spread, exactly, however many there are and wherever they are kept."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from explorer.training.events import Histogram

BINS = 64
_CHUNK = 1 << 20
"""Numbers that are looked at together: what is needed beside them stays small."""


def histogram(tensors: Sequence[Tensor]) -> Histogram:
    """Counts all numbers of some tensors together, in `BINS` bins between the least and the greatest.

    As `numpy.histogram` does, in 64 bits; `torch.histc` counts in the tensor's own type, of which 32 bits end at 2^24.

    Args:
        tensors: of floating-point numbers of any precision and shape, on one device.
    """
    chunks = [chunk for tensor in tensors for chunk in torch.split(tensor.detach().reshape(-1), _CHUNK)]
    low, high, total, squares, finite, zeros = math.inf, -math.inf, 0.0, 0.0, 0, 0
    for numbers in map(_finite, chunks):
        if len(numbers):
            least, most = numbers.aminmax()
            low, high = min(low, float(least)), max(high, float(most))
            total, squares = total + float(numbers.sum()), squares + float(numbers.square().sum())
            finite, zeros = finite + len(numbers), zeros + int((numbers == 0).sum())
    non_finite = sum(map(len, chunks)) - finite
    if not finite:
        return Histogram(0.0, 1.0, (0,) * BINS, 0.0, 0.0, 0, non_finite)
    if low == high:
        low, high = low - 0.5, high + 0.5
    counts = torch.zeros(BINS, dtype=torch.int64, device=chunks[0].device)
    for numbers in map(_finite, chunks):
        bins = ((numbers - low) / (high - low) * BINS).long().clamp_(0, BINS - 1)
        counts += torch.bincount(bins, minlength=BINS)
    mean = total / finite
    std = math.sqrt(max(squares / finite - mean * mean, 0.0))
    return Histogram(low, high, tuple(counts.tolist()), mean, std, zeros, non_finite)


def dead_units(output: Tensor) -> tuple[int, int]:
    """Returns how many channels or neurons of an output are 0 everywhere for each image, and how many there are.

    Args:
        output: (B, C), (B, C, H, W) or tokens (B, N, C).
    """
    if output.ndim < 2:
        return 0, 0
    axis = 2 if output.ndim == 3 else 1
    alive = output.detach().ne(0).transpose(0, axis).flatten(1).any(1)
    return int((~alive).sum()), len(alive)


def _finite(chunk: Tensor) -> Tensor:
    finite = chunk.isfinite()
    return (chunk if finite.all() else chunk[finite]).double()
