from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from explorer.architectures.options import check_options
from explorer.architectures.registry import build, entry, options
from explorer.data.datasets import dataset_info
from explorer.errors import InputError
from explorer.training.network import build_network
from explorer.training.presets import GOOD_AND_QUICK, preset_names, preset_recipe, presets
from explorer.training.recipe import default_recipe
from explorer.training.schedule import rate_at
from explorer.training.transfer import layers_up_to


@pytest.mark.parametrize("name", presets())
def test_preset_fits_its_network_and_its_dataset(name: str) -> None:
    recipe = preset_recipe(name)
    network = entry(recipe.architecture)
    check_options(options(network), recipe.options, network.name)
    channels = dataset_info(recipe.dataset).shape[0]
    assert (recipe.input or network.input)[0] in (channels, 3)
    module = build(network, recipe.input, "meta", **recipe.options)
    for layer in (recipe.freeze, recipe.refreeze):
        assert bool(layers_up_to(module, layer)) == bool(layer)
    assert presets()[name].source
    assert preset_names().count(name) == 1


def test_resnet_on_cifar_is_that_of_the_paper() -> None:
    recipe = preset_recipe("resnet-cifar")
    assert (recipe.optimiser, recipe.momentum, recipe.weight_decay, recipe.batch_size) == ("sgd", 0.9, 1e-4, 128)
    assert recipe.augmentation == "flip and crop"
    assert int(32 * recipe.shift) == 4
    steps = 45_000 // 128 + 1
    assert recipe.epochs * steps == pytest.approx(64_000, rel=0.01)
    rates = [rate_at(recipe, step, steps) for step in (0, 31_900, 32_100, 47_900, 48_100)]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001])


def test_lenet_1998_lowers_its_rate_after_the_passes_of_the_paper() -> None:
    recipe = preset_recipe("lenet-1998")
    changes = [epoch for epoch in range(1, 20) if rate_at(recipe, epoch, 1) != rate_at(recipe, epoch - 1, 1)]
    assert changes == [2, 5, 8, 12]
    rates = [rate_at(recipe, epoch, 1) for epoch in (0, *changes)]
    assert rates == pytest.approx([0.0005, 0.0002, 0.0001, 0.00005, 0.00001], rel=0.5)
    assert (rates[0], rates[-1]) == pytest.approx((0.0005, 0.00001), rel=0.01)
    assert (recipe.epochs, recipe.batch_size) == (20, 1)


PRINTED = {
    "alexnet": ("sgd", 0.9, 5e-4, 128, 0.01, 90, [0.01, 0.001, 0.0001, 0.00001]),
    "vgg": ("sgd", 0.9, 5e-4, 256, 0.01, 74, [0.01, 0.001, 0.0001, 0.00001]),
    "densenet-bc": ("nesterov", 0.9, 1e-4, 64, 0.1, 300, [0.1, 0.01, 0.001]),
    "mobilenet-v2": ("rmsprop", 0.9, 4e-5, 96, 0.045, 100, [0.045 * 0.98 ** (10 * fall) for fall in range(10)]),
}
"""What the papers have: method, momentum, weight decay, batch, rate, epochs (MobileNetV2's are not told), rates."""


@pytest.mark.parametrize("name", PRINTED)
def test_numbers_are_those_of_the_paper(name: str) -> None:
    recipe = preset_recipe(name)
    *settings, rates = PRINTED[name]
    assert settings == [
        recipe.optimiser,
        recipe.momentum,
        recipe.weight_decay,
        recipe.batch_size,
        recipe.learning_rate,
        recipe.epochs,
    ]
    every_epoch = [rate_at(recipe, epoch, 1) for epoch in range(recipe.epochs)]
    assert sorted(set(every_epoch), reverse=True) == pytest.approx(rates, rel=1e-3)


def test_views_and_crops_are_those_of_the_papers() -> None:
    chosen = {name: (preset_recipe(name).augmentation, preset_recipe(name).evaluation) for name in ("alexnet", "vgg")}
    assert chosen == {"alexnet": ("alexnet", "ten-crop"), "vgg": ("alexnet", "mirror")}
    assert preset_recipe("mobilenet-v2").epsilon == 1


def test_another_network_keeps_its_own_options_and_layers() -> None:
    own = preset_recipe("lenet-keras")
    assert own.options == {"activation": "tanh", "pooling": "max"}
    other = preset_recipe("lenet-keras", "resnet20_cifar", "digits")
    assert (other.architecture, other.dataset, other.options, other.input) == ("resnet20_cifar", "digits", {}, None)
    assert (other.batch_size, other.learning_rate, other.epochs) == (514, 0.05, 8)
    tuned = preset_recipe("inception-v3-finetune", "resnet50")
    assert (tuned.freeze, tuned.unfreeze) == ("", 0)


def test_good_and_quick_is_the_default() -> None:
    assert preset_recipe(GOOD_AND_QUICK, "resnet20_cifar", "cifar10") == default_recipe("resnet20_cifar", "cifar10")


def test_unknown_preset_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(InputError, match=r"no preset 'resnet-cifr': did you mean resnet-cifar\? the presets are"):
        preset_recipe("resnet-cifr")


def test_lenet_of_keras_begins_with_its_first_weights() -> None:
    network, _ = build_network(preset_recipe("lenet-keras"), 10)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            field = math.prod(layer.weight.shape[2:])
            bound = math.sqrt(6 / (field * (layer.weight.shape[0] + layer.weight.shape[1])))
            assert 0.9 * bound < float(layer.weight.detach().abs().max()) <= bound
            assert layer.bias is not None
            assert not layer.bias.any()
    other, _ = build_network(preset_recipe("lenet-keras"), 10)
    assert all(map(torch.equal, network.parameters(), other.parameters()))


def test_inception_is_tuned_as_in_keras_documentation() -> None:
    recipe = preset_recipe("inception-v3-finetune")
    assert recipe.optimiser == "rmsprop"
    assert recipe.learning_rate / (1 - recipe.momentum) == pytest.approx(0.001)
    assert (recipe.unfreeze_optimiser, recipe.unfreeze_rate, recipe.momentum) == ("sgd", 1e-4, 0.9)
    module = build(entry("inception_v3"), None, "meta")
    kept = {id(layer) for layer in layers_up_to(module, recipe.refreeze)}
    trained = {
        name.split(".")[0]
        for name, layer in module.named_modules()
        if id(layer) not in kept and next(layer.parameters(recurse=False), None) is not None
    }
    assert trained == {"Mixed_7b", "Mixed_7c", "fc"}
