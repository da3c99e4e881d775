"""Telling classes apart: cross-entropy, and the share of images whose likeliest class is right."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from explorer.errors import InputError

AUXILIARY_WEIGHT = 0.3
"""How much each auxiliary classifier counts in the loss (Szegedy et al. 2015, section 5)."""


def split_outputs(outputs: object) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Returns the main logits (B, classes) and those of auxiliary classifiers, which a network may add in training."""
    if isinstance(outputs, Tensor):
        return outputs, ()
    if isinstance(outputs, tuple | list) and outputs and isinstance(outputs[0], Tensor):
        return outputs[0], tuple(extra for extra in outputs[1:] if isinstance(extra, Tensor))
    raise TypeError(f"a classifier gives a tensor of logits, this network gives a {type(outputs).__name__}")


def loss(outputs: object, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Returns the mean cross-entropy of a batch, in nats, auxiliary classifiers included."""
    logits, auxiliary = split_outputs(outputs)
    total = functional.cross_entropy(logits, labels, label_smoothing=label_smoothing)
    for extra in auxiliary:
        total = total + AUXILIARY_WEIGHT * functional.cross_entropy(extra, labels, label_smoothing=label_smoothing)
    return total


def loss_in_turn(outputs: object, labels: Tensor, step: int, steps: int, label_smoothing: float = 0.0) -> Tensor:
    """Returns the mean cross-entropy, in nats, of the one classifier whose part of the run the step is in.

    The auxiliary classifier nearest to the image has the first part, the main output the last; parts are equally long.

    Args:
        outputs: of the network in training: the main logits (B, classes), then those nearer and nearer to the image.
        labels: of the batch, (B,).
        step: steps done before this one.
        steps: of the whole run.
        label_smoothing: share of each label that is spread over all classes.

    Raises:
        InputError: the network has no auxiliary classifier.
    """
    logits, auxiliary = split_outputs(outputs)
    if not auxiliary:
        raise InputError("this network has no auxiliary heads to train in turn: choose auxiliary=summed, or aux=true")
    heads = (*reversed(auxiliary), logits)
    return functional.cross_entropy(heads[step * len(heads) // steps], labels, label_smoothing=label_smoothing)


def count_correct(outputs: object, labels: Tensor) -> Tensor:
    """Returns how many images of the batch have their own label as the likeliest, as a scalar tensor on the device."""
    logits, _ = split_outputs(outputs)
    return (logits.argmax(1) == labels).sum(dtype=torch.int64)
