"""Finding networks by name: the catalogue, torchvision and timm."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from explorer.architectures.cards import catalogue
from explorer.architectures.entry import Figure
from explorer.architectures.registry import IMAGENET_MEAN, build, entry, library_entries, options
from explorer.errors import InputError


def test_every_network_of_the_catalogue_is_found_by_its_name() -> None:
    assert [entry(known.name) for known in catalogue()] == list(catalogue())


def test_the_catalogue_is_there_without_torch() -> None:
    code = (
        "import sys; from explorer.architectures.registry import catalogue; catalogue(); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("lenet6", "did you mean lenet5"),
        ("ResNet50", "did you mean resnet50"),
        ("qwertz", "`list` shows what there is"),
        ("", "`list` shows what there is"),
        ("torchvision:resnet55", "did you mean torchvision:resnet50"),
        ("torchvision:", "`list` shows what there is"),
        ("timm:convnext_tinny", "did you mean timm:convnext_tiny"),
        ("timm:", "`list` shows what there is"),
        ("keras:resnet50", "did you mean"),
    ],
)
def test_an_unknown_name_is_told_with_close_ones(name: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        entry(name)
    message = str(caught.value)
    assert hint in message
    assert repr(name.rpartition(":")[2] if name.startswith(("timm", "torchvision")) else name) in message
    assert "\n" not in message


def test_the_same_name_means_the_catalogues_or_the_librarys_network() -> None:
    names = ("resnet50", "torchvision:resnet50", "timm:resnet50")
    assert [entry(name).source for name in names] == ["explorer", "torchvision", "timm"]
    assert [entry(name).implementation for name in names] == ["torchvision", "torchvision", "timm"]


@pytest.mark.parametrize(
    ("name", "input"),
    [
        ("torchvision:resnet50", (3, 224, 224)),
        ("torchvision:inception_v3", (3, 299, 299)),
        ("torchvision:efficientnet_b7", (3, 600, 600)),
        ("torchvision:vit_h_14", (3, 224, 224)),  # weights for 518 need another network
        ("torchvision:fcn_resnet50", (3, 520, 520)),
        ("torchvision:r3d_18", (3, 112, 112)),
        ("timm:inception_resnet_v2", (3, 299, 299)),
        ("timm:tf_efficientnet_b7", (3, 600, 600)),
        ("timm:resnet50.a1_in1k", (3, 224, 224)),
    ],
)
def test_a_librarys_network_comes_with_its_own_input(name: str, input: tuple[int, int, int]) -> None:
    assert entry(name).input == input


def test_a_librarys_network_comes_with_its_own_normalisation() -> None:
    assert entry("torchvision:resnet50").mean == IMAGENET_MEAN
    assert entry("timm:vit_tiny_patch16_224").mean == (0.5, 0.5, 0.5)


def test_torchvisions_networks_come_with_the_numbers_it_publishes() -> None:
    (published,) = entry("torchvision:resnet50").published
    assert (published.params, published.macs) == (Figure("25,557,032"), Figure("4.089 G"))
    assert published.source == "torchvision, ResNet50_Weights.IMAGENET1K_V1"


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("resnet50", "classification"),
        ("fcn_resnet50", "segmentation"),
        ("fasterrcnn_resnet50_fpn", "detection"),
        ("r3d_18", "video"),
        ("raft_small", "optical_flow"),
    ],
)
def test_torchvisions_networks_are_told_apart_by_task(name: str, task: str) -> None:
    assert entry(f"torchvision:{name}").task == task


def test_weights_that_timm_does_not_have_are_told_with_those_it_has() -> None:
    with pytest.raises(InputError, match=r"'resnet50\.nonsense'; those of resnet50 are .*resnet50\.a1_in1k"):
        entry("timm:resnet50.nonsense")


@pytest.mark.parametrize("source", ["torchvision", "timm"])
def test_every_network_of_a_library_has_an_entry(source: str) -> None:
    entries = library_entries(source)  # type: ignore[arg-type]
    assert len({known.name for known in entries}) == len(entries) > 100
    assert all(known.name.startswith(f"{source}:") for known in entries)
    assert all(len(known.input) == 3 and min(known.input) >= 1 for known in entries)


@pytest.mark.parametrize("name", ["torchvision:shufflenet_v2_x1_0", "timm:resnet18", "torchvision:fcn_resnet50"])
def test_a_librarys_network_takes_the_number_of_classes(name: str) -> None:
    assert [option.name for option in options(entry(name))] == ["num_classes"]
    network = build(entry(name), device="meta", num_classes="5").eval()
    outputs = network(torch.zeros(1, 3, 224, 224, device="meta"))
    logits = outputs["out"] if isinstance(outputs, dict) else outputs
    assert logits.shape[:2] == (1, 5)


def test_a_network_that_computes_with_numbers_while_it_is_made_still_takes_no_memory() -> None:
    network = build(entry("torchvision:regnet_y_400mf"), device="meta")
    assert {tensor.device.type for tensor in network.state_dict().values()} == {"meta"}


def test_building_torchvisions_networks_is_silent(recwarn: pytest.WarningsRecorder) -> None:
    build(entry("torchvision:googlenet"), device="meta")
    assert [str(warning.message) for warning in recwarn] == []
