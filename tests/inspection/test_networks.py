"""What an inspection says about whole networks: the catalogue, and a sample of torchvision's and timm's."""

from __future__ import annotations

import csv
import json
from functools import cache
from pathlib import Path

import pytest

from explorer.architectures.cards import catalogue
from explorer.architectures.registry import build, entry
from explorer.inspection.anatomy import INPUT, Anatomy, Shape
from explorer.inspection.conformance import checks
from explorer.inspection.portrait import Portrait, portray

REFERENCE = Path(__file__).resolve().parent.parent / "reference"

LIBRARY = [
    "timm:convnext_tiny",
    "timm:densenet201",
    "timm:inception_resnet_v2",
    "timm:mvitv2_tiny",
    "timm:swin_tiny_patch4_window7_224",
    "timm:tf_efficientnet_b0",
    "timm:vit_tiny_patch16_224",
    "torchvision:fcn_resnet50",
    "torchvision:shufflenet_v2_x1_0",
    "torchvision:vit_b_16",
]
NETWORKS = [known.name for known in catalogue()] + LIBRARY

PUBLISHED = list(csv.DictReader((REFERENCE / "published.csv").read_text(encoding="utf-8").splitlines()))
STAGES = json.loads((REFERENCE / "stages.json").read_text(encoding="utf-8"))


@cache
def portrait(name: str, input: tuple[int, int, int] | None = None, options: str = "") -> Portrait:
    return portray(name, input, dict(pair.split("=") for pair in options.split()))


def shapes_of(anatomy: Anatomy, index: int) -> tuple[Shape, ...]:
    return anatomy.inputs if index == INPUT else anatomy.layers[index].output_shapes


@pytest.mark.parametrize("name", NETWORKS)
def test_network_runs_to_its_end(name: str) -> None:
    anatomy = portrait(name).anatomy
    assert anatomy.failure is None
    assert anatomy.outputs
    assert anatomy.output_layers


@pytest.mark.parametrize("name", NETWORKS)
def test_parameters_of_the_layers_sum_to_those_of_the_network(name: str) -> None:
    anatomy = portrait(name).anatomy
    parameters = list(build(entry(name), device="meta").parameters())
    assert sum(layer.params for layer in anatomy.layers) == anatomy.params
    assert sum(layer.trainable_params for layer in anatomy.layers) == anatomy.trainable_params
    assert anatomy.params == sum(parameter.numel() for parameter in parameters)


@pytest.mark.parametrize("name", NETWORKS)
def test_macs_are_half_of_what_torchs_flop_counter_counts(name: str) -> None:
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    anatomy = portrait(name).anatomy
    network = build(entry(name), device="meta").eval()
    inputs = [torch.zeros(shape, device="meta") for shape in anatomy.inputs]
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        network(*inputs)
    unknown = sum(layer.macs for layer in anatomy.layers if layer.type == "DeformConv2d")  # torch has no formula for it
    assert 2 * (anatomy.macs - unknown) == counter.get_total_flops()
    assert sum(layer.macs for layer in anatomy.layers) == anatomy.macs


@pytest.mark.parametrize("name", NETWORKS)
def test_activation_bytes_of_the_layers_sum_to_those_of_the_network(name: str) -> None:
    anatomy = portrait(name).anatomy
    assert anatomy.activation_bytes > 0
    assert sum(layer.activation_bytes for layer in anatomy.layers) == anatomy.activation_bytes


@pytest.mark.parametrize("name", NETWORKS)
def test_layers_are_numbered_in_execution_order_and_fed_by_earlier_ones(name: str) -> None:
    layers = portrait(name).anatomy.layers
    assert [layer.index for layer in layers] == list(range(len(layers)))
    assert [layer.name for layer in layers if any(index >= layer.index for index in layer.inputs)] == []
    assert len({layer.name for layer in layers}) == len(layers)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_edge_carries_a_shape_that_its_source_gives(name: str) -> None:
    anatomy = portrait(name).anatomy
    for layer in anatomy.layers:
        for index in layer.inputs:
            assert set(shapes_of(anatomy, index)) & set(layer.input_shapes), (layer.name, index)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_lies_between_the_input_and_an_output(name: str) -> None:
    anatomy = portrait(name).anatomy
    fed = {INPUT}
    for layer in anatomy.layers:
        if fed & set(layer.inputs):
            fed.add(layer.index)
    feeding = set(anatomy.output_layers)
    for layer in reversed(anatomy.layers):
        if layer.index in feeding:
            feeding.update(layer.inputs)
    assert [layer.name for layer in anatomy.layers if layer.index not in fed] == []
    assert [layer.name for layer in anatomy.layers if layer.index not in feeding] == []


@pytest.mark.parametrize("name", NETWORKS)
def test_groups_name_the_modules_that_contain_layers_parents_first(name: str) -> None:
    anatomy = portrait(name).anatomy
    paths = [group.path for group in anatomy.groups]
    modules = dict(build(entry(name), device="meta").named_modules())
    assert all(layer.group in ("", *paths) for layer in anatomy.layers)
    assert [type(modules[path]).__name__ for path in paths] == [group.type for group in anatomy.groups]
    assert all(parent in paths[: paths.index(path)] for path in paths if (parent := path.rpartition(".")[0]) in paths)


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: f"{row['name']}-{row['input']}-{row['options']}")
def test_published_counts_are_reproduced(row: dict[str, str]) -> None:
    channels, height, width = map(int, row["input"].split("x"))
    anatomy = portrait(row["name"], (channels, height, width), row["options"]).anatomy
    assert anatomy.params == int(row["params"])
    if row["macs"]:
        assert anatomy.macs == pytest.approx(int(row["macs"]), rel=0.01)


@pytest.mark.parametrize("name", STAGES)
def test_published_stage_shapes_occur_in_their_order(name: str) -> None:
    channels, height, width = STAGES[name]["input"]
    layers = iter(portrait(name, (channels, height, width)).anatomy.layers)
    for stage, shape in STAGES[name]["stages"]:
        assert any((1, *shape) in layer.output_shapes for layer in layers), stage


@pytest.mark.parametrize("name", ["torchvision:googlenet", "torchvision:fcn_resnet50", "torchvision:r3d_18"])
def test_torchvisions_networks_are_those_of_its_published_numbers(name: str) -> None:
    found = checks(portrait(name))
    assert [check.what for check in found] == ["params", "macs"]
    assert [check.verdict for check in found] == ["exact", "agrees"]


def test_a_video_network_is_shown_a_clip() -> None:
    shown = portrait("torchvision:r3d_18")
    assert shown.input == (3, 112, 112)
    assert shown.anatomy.inputs == ((1, 3, 16, 112, 112),)
    assert shown.anatomy.outputs == ((1, 400),)


def test_an_optical_flow_network_is_shown_two_frames() -> None:
    anatomy = portrait("torchvision:raft_small").anatomy
    assert anatomy.failure is None
    assert anatomy.inputs == ((1, 3, 224, 224),) * 2
    assert anatomy.outputs[-1] == (1, 2, 224, 224)


def test_a_dictionary_of_outputs_gives_each_of_its_tensors() -> None:
    anatomy = portrait("torchvision:fcn_resnet50").anatomy
    assert anatomy.outputs == ((1, 21, 520, 520), (1, 21, 520, 520))
    assert [anatomy.layers[index].type for index in anatomy.output_layers] == ["interpolate", "interpolate"]


def test_a_detector_is_shown_up_to_where_it_looks_at_values() -> None:
    anatomy = portrait("torchvision:fasterrcnn_resnet50_fpn").anatomy
    assert anatomy.failure is not None
    assert "values of a tensor" in anatomy.failure.message
    assert any(layer.name == "backbone.body.layer4.2.conv3" and layer.executed for layer in anatomy.layers)
