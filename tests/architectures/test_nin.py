"""Network in Network for CIFAR-10."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from explorer.architectures.registry import build, entry
from explorer.errors import InputError
from explorer.inspection.portrait import portray


def test_parameters_and_macs_are_the_published_ones() -> None:
    anatomy = portray("nin_cifar").anatomy
    assert (anatomy.params, anatomy.macs) == (966_986, 222_486_528)


def test_maps_of_each_stage_are_the_papers() -> None:
    shapes = {layer.name: layer.output_shapes[0][1:] for layer in portray("nin_cifar").anatomy.layers}
    assert [shapes[f"mlpconv1.conv{index}"] for index in (1, 2, 3)] == [(192, 32, 32), (160, 32, 32), (96, 32, 32)]
    assert shapes["pool1"] == (96, 16, 16)
    assert [shapes[f"mlpconv2.conv{index}"] for index in (1, 2, 3)] == [(192, 16, 16)] * 3
    assert shapes["pool2"] == (192, 8, 8)
    assert [shapes[f"mlpconv3.conv{index}"] for index in (1, 2, 3)] == [(192, 8, 8), (192, 8, 8), (10, 8, 8)]


def test_a_score_is_the_mean_of_the_map_of_its_class() -> None:
    torch.manual_seed(0)
    network = build(entry("nin_cifar"), num_classes=4).eval()
    maps = []
    network.get_submodule("mlpconv3").register_forward_hook(lambda module, arguments, output: maps.append(output))
    scores = network(torch.randn(2, 3, 32, 32))
    assert maps[0].shape == (2, 4, 8, 8)
    assert torch.allclose(scores, maps[0].mean((2, 3)))
    assert not any(isinstance(module, nn.Linear) for module in network.modules())


def test_dropout_follows_all_but_the_last_mlpconv_layer() -> None:
    network = build(entry("nin_cifar"), device="meta", dropout=0.3)
    shares = {name: module.p for name, module in network.named_modules() if isinstance(module, nn.Dropout)}
    assert shares == {"dropout1": 0.3, "dropout2": 0.3}


def test_fresh_weights_keep_the_scores_apart() -> None:
    torch.manual_seed(0)
    network = build(entry("nin_cifar")).eval()
    scores = network(torch.randn(8, 3, 32, 32))
    assert 0.01 < scores.std() < 10


def test_a_bad_share_of_dropout_is_refused_with_its_range() -> None:
    with pytest.raises(InputError, match=r"^dropout must be from 0 to 0\.99, not 1"):
        build(entry("nin_cifar"), dropout=1.0)
