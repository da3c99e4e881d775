from __future__ import annotations

import pytest
import torch
from timm.optim import Lamb
from torch import nn

from explorer.architectures.registry import build, entry
from explorer.errors import InputError
from explorer.training.optimiser import build_optimiser
from explorer.training.recipe import Recipe


def test_weight_decay_spares_biases_and_normalisation() -> None:
    network = build(entry("resnet20_cifar"), num_classes=10)
    optimiser = build_optimiser(Recipe(weight_decay=0.1), network)
    decayed = {id(p) for group in optimiser.param_groups if group["weight_decay"] == 0.1 for p in group["params"]}
    spared = {id(p) for group in optimiser.param_groups if group["weight_decay"] == 0 for p in group["params"]}
    for name, parameter in network.named_parameters():
        assert id(parameter) in (spared if name.endswith("bias") or "bn" in name else decayed), name
    assert len(decayed) + len(spared) == len(list(network.parameters()))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("sgd", torch.optim.SGD),
        ("nesterov", torch.optim.SGD),
        ("rmsprop", torch.optim.RMSprop),
        ("adam", torch.optim.Adam),
        ("adamw", torch.optim.AdamW),
        ("lamb", Lamb),
    ],
)
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_each_optimiser_takes_a_step(name: str, kind: type, momentum: float) -> None:
    layer = nn.Linear(2, 2)
    before = layer.weight.detach().clone()
    optimiser = build_optimiser(Recipe(optimiser=name, momentum=momentum), layer)
    layer(torch.ones(1, 2)).sum().backward()
    optimiser.step()
    assert type(optimiser) is kind
    assert not torch.equal(layer.weight, before)


@pytest.mark.parametrize(("name", "nesterov"), [("sgd", False), ("nesterov", True)])
def test_momentum_is_plain_or_nesterovs(name: str, nesterov: bool) -> None:
    recipe = Recipe(optimiser=name, momentum=0.8, learning_rate=0.2)
    group = build_optimiser(recipe, nn.Linear(2, 2)).param_groups[0]
    assert (group["momentum"], group["nesterov"], group["lr"]) == (0.8, nesterov, 0.2)


def test_frozen_parameters_are_left_out() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    network[0].requires_grad_(False)
    optimiser = build_optimiser(Recipe(), network)
    assert sum(len(group["params"]) for group in optimiser.param_groups) == 2


@pytest.mark.parametrize("network", [nn.ReLU(), nn.Linear(2, 2).requires_grad_(False)])
def test_network_without_anything_to_train_is_refused(network: nn.Module) -> None:
    with pytest.raises(InputError, match="no parameters to train"):
        build_optimiser(Recipe(), network)
