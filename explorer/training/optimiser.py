"""The optimiser of a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from explorer.errors import InputError
from explorer.training.recipe import Recipe

if TYPE_CHECKING:
    from torch import nn, optim


def build_optimiser(recipe: Recipe, module: nn.Module, fused: bool = True) -> optim.Optimizer:
    """Returns the optimiser; weight decay spares normalisation and biases, as is usual since He et al. 2018.

    See "Bag of Tricks for Image Classification with Convolutional Neural Networks", section 3.1. RMSprop averages over
    squared gradients with 0.9, as Hinton's lecture 6e and Keras do, not with torch's 0.99.

    Args:
        recipe: which one, and its settings.
        module: what is trained: its parameters that require a gradient.
        fused: one kernel for all parameters, where torch has one; it cannot take gradients that are unscaled before.

    Raises:
        InputError: the network has nothing to train.
    """
    from torch import optim

    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    if not trained:
        raise InputError(f"{recipe.architecture} has no parameters to train: choose another network")
    groups: list[dict[str, Any]] = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    rate, momentum = recipe.learning_rate, recipe.momentum
    other: dict[str, Any] = {"eps": recipe.epsilon} if recipe.epsilon else {}
    # torch's fused SGD cannot take up a layer that gets its first gradient later than the others.
    fused = fused and recipe.auxiliary != "in turn" and not recipe.unfreeze
    if recipe.optimiser in ("sgd", "nesterov"):
        nesterov = recipe.optimiser == "nesterov" and momentum > 0
        return optim.SGD(groups, rate, momentum=momentum, nesterov=nesterov, fused=fused)
    if recipe.optimiser == "rmsprop":
        return optim.RMSprop(groups, rate, alpha=0.9, momentum=momentum, **other)
    if recipe.optimiser == "lamb":
        from timm.optim import Lamb

        lamb: optim.Optimizer = Lamb(groups, rate, betas=(momentum, 0.999), **other)
        return lamb
    kind = optim.Adam if recipe.optimiser == "adam" else optim.AdamW
    return kind(groups, rate, betas=(momentum, 0.999), fused=fused, **other)
