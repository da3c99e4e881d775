"""The families around ResNet: pre-activation, wide, ResNeXt, highway and fractal networks."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from explorer.architectures.fractalnet import FractalBlock, FractalNet
from explorer.architectures.highway import HighwayLayer
from explorer.architectures.registry import build, entry
from explorer.errors import InputError
from explorer.inspection.portrait import portray


@pytest.mark.parametrize(
    ("name", "given", "params", "macs"),
    [
        ("preact_resnet164_cifar", {}, 1_703_258, 244_500_992),
        ("resnetv2_50", {}, 25_549_352, 4_089_184_256),
        ("wide_resnet_cifar", {}, 36_479_194, 5_243_328_768),
        ("wide_resnet_cifar", {"depth": 40, "width": 1}, 563_930, 83_280_512),
        ("wide_resnet_cifar", {"depth": 40, "width": 2}, 2_243_546, 327_599_360),
        ("wide_resnet_cifar", {"depth": 40, "width": 8}, 35_748_314, 5_172_024_320),
        ("wide_resnet_cifar", {"depth": 28, "width": 12}, 52_517_850, 7_543_905_792),
        ("wide_resnet_cifar", {"depth": 22, "width": 8}, 17_158_106, 2_454_115_328),
        ("wide_resnet_cifar", {"depth": 16, "width": 10}, 17_116_634, 2_412_173_568),
        ("resnext50", {}, 25_028_904, 4_230_479_872),
        ("resnext50", {"cardinality": 2, "width": 40}, 25_425_000, 4_124_508_160),
        ("resnext29_cifar", {}, 34_426_698, 5_387_266_048),
        ("resnext29_cifar", {"cardinality": 32, "width": 4}, 4_775_754, 774_055_936),
        ("fractalnet_cifar", {}, 33_724_618, 845_222_912),
    ],
)
def test_parameters_and_macs_are_the_published_ones(name: str, given: dict[str, Any], params: int, macs: int) -> None:
    anatomy = portray(name, None, given).anatomy
    assert (anatomy.params, anatomy.macs) == (params, macs)


def test_the_paper_leaves_normalisation_out_of_the_count_of_1001_layers() -> None:
    network = build(entry("preact_resnet1001_cifar"), device="meta")
    weights = [module.weight for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    assert sum(parameter.numel() for parameter in network.parameters()) == 10_327_706
    assert sum(weight.numel() for weight in weights) == 10_178_480
    assert len(weights) == 1001 + 3  # projections are not counted


@pytest.mark.parametrize("name", ["preact_resnet164_cifar", "wide_resnet_cifar"])
def test_nothing_follows_the_sum_of_a_pre_activated_block(name: str) -> None:
    given = {"depth": 16, "width": 1} if name == "wide_resnet_cifar" else {}
    layers = portray(name, None, given).anatomy.layers
    sums = {layer.index for layer in layers if layer.type == "add"}
    followers = [layer for layer in layers if sums & set(layer.inputs)]
    assert sums
    assert {layer.type for layer in followers} == {"BatchNorm2d", "add"}


def test_keras_counts_biases_and_moving_statistics_in_addition() -> None:
    network = build(entry("resnetv2_50"), device="meta")
    biased = [
        module.out_channels
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d) and name.rpartition(".")[2] not in ("conv1", "conv2", "fc")
    ]
    statistics = sum(buffer.numel() for name, buffer in network.named_buffers() if "running" in name)
    assert (len(biased), sum(biased), statistics) == (21, 19_008, 45_440)
    assert sum(parameter.numel() for parameter in network.parameters()) + sum(biased) + statistics == 25_613_800


def test_a_wide_network_counts_its_depth_as_the_paper_does() -> None:
    network = build(entry("wide_resnet_cifar"), device="meta", depth=22, width=2)
    assert sum(isinstance(module, nn.Conv2d | nn.Linear) for module in network.modules()) == 22 + 1
    with pytest.raises(InputError, match=r"^depth must be 4 more than a multiple of 6, such as 28 or 34, not 30$"):
        build(entry("wide_resnet_cifar"), device="meta", depth=30)


def test_dropout_stands_between_the_two_convolutions_of_a_wide_block() -> None:
    layers = portray("wide_resnet_cifar", None, {"depth": 10, "width": 1, "dropout": 0.3}).anatomy.layers
    names = [layer.name for layer in layers if layer.name.startswith("stage2.0")]
    assert names.index("stage2.0.conv1") < names.index("stage2.0.dropout") < names.index("stage2.0.conv2")


def test_cardinality_is_the_number_of_groups() -> None:
    layers = portray("resnext29_cifar", None, {"cardinality": 16, "width": 8}).anatomy.layers
    grouped = [layer for layer in layers if dict(layer.hyperparameters).get("groups", 1) != 1]
    assert [layer.output_shapes[0][1] for layer in grouped] == [128] * 3 + [256] * 3 + [512] * 3
    assert {dict(layer.hyperparameters)["groups"] for layer in grouped} == {16}


# -- highway -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "depth", "params"), [("highway19_cifar", 19, 2.3e6), ("highway32_cifar", 32, 1.25e6)])
def test_highway_networks_have_the_printed_depth_and_parameters(name: str, depth: int, params: float) -> None:
    network = build(entry(name), device="meta")
    weighted = [path for path, module in network.named_modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    gates = [path for path in weighted if path.endswith("gate")]
    assert len(weighted) - len(gates) == depth
    count = sum(parameter.numel() for parameter in network.parameters())
    assert count == pytest.approx(params, abs=0.05e6 if depth == 19 else 0.0055e6)


def test_an_open_gate_transforms_and_a_shut_one_carries() -> None:
    torch.manual_seed(0)
    layer = HighwayLayer(3, -2.0)
    assert layer.gate.bias is not None
    assert layer.gate.bias.tolist() == [-2.0] * 3
    x = torch.randn(2, 3, 5, 5)
    nn.init.constant_(layer.gate.bias, -100.0)
    assert torch.equal(layer(x), x)
    nn.init.constant_(layer.gate.bias, 100.0)
    assert torch.equal(layer(x), layer.transform(x).relu())
    nn.init.zeros_(layer.gate.weight)
    nn.init.zeros_(layer.gate.bias)
    assert torch.allclose(layer(x), (layer.transform(x).relu() + x) / 2)


# -- fractal -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("columns", "convolutions"), [(1, 1), (2, 3), (3, 7), (4, 15)])
def test_a_block_has_columns_of_doubling_length(columns: int, convolutions: int) -> None:
    block = FractalBlock(3, 4, columns, 0.0, 0.0)
    assert [len(column) for column in block.columns] == [2**c for c in range(columns)]  # type: ignore[arg-type]
    assert sum(isinstance(module, nn.Conv2d) for module in block.modules()) == convolutions


def test_a_block_is_the_expansion_rule() -> None:
    torch.manual_seed(0)
    block = FractalBlock(4, 4, 3, 0.0, 0.0).eval()
    x = torch.randn(2, 4, 6, 6)
    (a,), (b, c), (d, e, f, g) = ([*column] for column in block.columns)  # type: ignore[misc]
    half = (b(x) + e(d(x))) / 2
    expected = (a(x) + c(half) + g(f(half))) / 3
    assert torch.allclose(block(x), expected, atol=1e-6)


@pytest.mark.parametrize("column", [0, 1, 2])
def test_a_column_left_alone_is_its_units_in_a_row(column: int) -> None:
    torch.manual_seed(0)
    block = FractalBlock(4, 4, 3, 0.0, 0.15).eval()
    x = torch.randn(2, 4, 6, 6)
    assert torch.allclose(block(x, column), nn.Sequential(*block.columns[column])(x))  # type: ignore[arg-type]


def test_local_drop_path_leaves_out_inputs_but_never_all() -> None:
    torch.manual_seed(0)
    block = FractalBlock(4, 4, 2, 0.0, 0.15)
    inputs = [torch.tensor(1.0), torch.tensor(2.0), torch.tensor(6.0)]
    assert block.eval()._mean(inputs) == 3.0
    block.train()
    drawn = torch.stack([block._mean(inputs) for _ in range(2000)]).tolist()
    assert set(drawn) == {1.0, 1.5, 2.0, 3.0, 3.5, 4.0, 6.0}
    assert drawn.count(3.0) / 2000 == pytest.approx(0.85**3, abs=0.04)


def test_half_of_the_batches_that_drop_paths_keep_one_column() -> None:
    torch.manual_seed(0)
    network = FractalNet(3, 1, 0.15, 0.0, 10)
    columns = [network._column() for _ in range(2000)]
    assert columns.count(None) / 2000 == pytest.approx(0.5, abs=0.04)
    assert {column for column in columns if column is not None} == {0, 1, 2}
    assert {network.eval()._column() for _ in range(20)} == {None}
    assert {FractalNet(3, 1, 0.0, 0.0, 10)._column() for _ in range(20)} == {None}


def test_drop_path_trains_and_dropout_rises_from_block_to_block() -> None:
    torch.manual_seed(0)
    network = build(entry("fractalnet_cifar"), columns=2, blocks=2, drop_path=0.15, dropout=0.4).train()
    rates = {module.p for module in network.modules() if isinstance(module, nn.Dropout)}
    assert rates == {0.1}  # none in the first block
    for _ in range(6):
        loss = network(torch.randn(2, 3, 8, 8)).square().mean()
        assert loss.isfinite()
        loss.backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
