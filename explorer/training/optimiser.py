"""The optimiser of a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from explorer.errors import InputError
from explorer.training.recipe import Recipe

if TYPE_CHECKING:
    from torch import nn, optim


def build_optimiser(recipe: Recipe, module: nn.Module) -> optim.Optimizer:
    """Returns the optimiser; weight decay spares normalisation and biases, as is usual since He et al. 2018.

    See "Bag of Tricks for Image Classification with Convolutional Neural Networks", section 3.1.

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
    if recipe.optimiser == "sgd":
        return optim.SGD(
            groups, recipe.learning_rate, momentum=recipe.momentum, nesterov=recipe.momentum > 0, fused=True
        )
    kind = optim.Adam if recipe.optimiser == "adam" else optim.AdamW
    return kind(groups, recipe.learning_rate, betas=(recipe.momentum, 0.999), fused=True)
