"""The network of a recipe, built for a dataset's classes and tried once before training begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from explorer.architectures.options import Scalar
from explorer.architectures.registry import build, entry, options
from explorer.errors import InputError
from explorer.tasks import classification
from explorer.training.recipe import Recipe

if TYPE_CHECKING:
    from torch import nn


def build_network(recipe: Recipe, classes: int) -> tuple[nn.Module, dict[str, Scalar]]:
    """Builds the recipe's network with the first weights of its seed, on the CPU.

    Returns:
        (network, builder options with the dataset's number of classes).

    Raises:
        InputError: name, options or input do not fit, or it is no classifier of so many classes.
    """
    import torch

    network = entry(recipe.architecture)
    if network.other_inputs:
        raise InputError(f"{network.name} takes pairs, for {network.task}: training needs a network of images alone")
    chosen = dict(recipe.options)
    for option in options(network):
        if option.name == "num_classes":
            if option.parse(chosen.get("num_classes", classes)) != classes:
                raise InputError(f"num_classes must be {classes}, as {recipe.dataset} has: leave it out")
            chosen["num_classes"] = classes
    torch.manual_seed(recipe.seed)
    module = build(network, recipe.input, "cpu", **chosen)
    _check_outputs(module, recipe.input or network.input, classes, network.name)
    if recipe.first_weights == "glorot":
        _draw_glorot(module)
    return module, chosen


def _draw_glorot(network: nn.Module) -> None:
    """Draws the weights of convolutions and linear layers as Keras does where a script does not say otherwise.

    See Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010, equation
    16, and `kernel_initializer` and `bias_initializer` at https://keras.io/api/layers/core_layers/dense/.
    """
    from torch.nn import Conv1d, Conv2d, Conv3d, Linear, init

    for layer in network.modules():
        if isinstance(layer, Conv1d | Conv2d | Conv3d | Linear):
            init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                init.zeros_(layer.bias)


def _check_outputs(module: nn.Module, input: tuple[int, int, int], classes: int, name: str) -> None:
    """Runs one blank image through the network, which gives lazy modules their size as well."""
    import torch

    size = "×".join(map(str, input))
    module.eval()
    try:
        with torch.no_grad():
            logits, _ = classification.split_outputs(module(torch.zeros(1, *input)))
    except Exception as error:  # a user's network may raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{name} cannot classify images of {size}: {reason}") from None
    if logits.shape != (1, classes):
        raise InputError(f"{name} gives {tuple(logits.shape[1:])} values an image, the dataset has {classes} classes")
