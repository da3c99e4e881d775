from __future__ import annotations

import pytest
import torch
from torch import nn

from explorer.training.average import WeightAverage


def test_average_follows_the_weights() -> None:
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, 1.0)
    average = WeightAverage(layer, 0.9)
    wanted = 1.0
    for step in range(200):
        nn.init.constant_(layer.weight, float(step))
        average.update(step)
        decay = min(0.9, (1 + step) / (10 + step))
        wanted = decay * wanted + (1 - decay) * step
    assert average.state_dict()["weight"].item() == pytest.approx(wanted, rel=1e-5)
    assert 185 < wanted < 195  # a decay of 0.9 is nine steps behind
    assert layer.weight.item() == 199


def test_normalisation_is_averaged_and_its_counter_copied() -> None:
    norm = nn.BatchNorm1d(2)
    average = WeightAverage(norm, 0.5)
    norm(torch.full((4, 2), 10.0))
    average.update(1000)
    assert norm.running_mean is not None
    assert torch.equal(average.state_dict()["running_mean"], norm.running_mean / 2)
    assert average.state_dict()["num_batches_tracked"] == 1


def test_average_is_no_part_of_training() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5))
    average = WeightAverage(network, 0.9)
    assert not any(module.training for module in average.network.modules())
    assert not any(parameter.requires_grad for parameter in average.network.parameters())
    assert network.training
