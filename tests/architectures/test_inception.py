"""The Inception line beside its published numbers: GoogLeNet and its modules, v3, v4, Inception-ResNet v1 and v2."""

from __future__ import annotations

import pytest
import torch

from explorer.architectures.googlenet import MODULES
from explorer.architectures.inception_v4 import Residual
from explorer.architectures.registry import build, entry
from explorer.errors import InputError
from explorer.inspection.portrait import portray
from explorer.tasks.classification import split_outputs


@pytest.mark.parametrize(
    ("name", "params", "macs"),
    [
        ("inception_v3", 23834568, 5713216096),
        ("inception_v4", 42679816, 12253974624),
        ("inception_resnet_v2", 55843464, 13155794016),
        ("inception_resnet_v1", 22756328, 6206361696),
        ("googlenet", 6998552, 1582671872),
        ("googlenet_torchvision", 6624904, 1498376192),
        ("inception_module", 163696, 128049152),
    ],
)
def test_counts_are_the_published_ones(name: str, params: int, macs: int) -> None:
    anatomy = portray(name).anatomy
    assert (anatomy.params, anatomy.macs) == (params, macs)


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("inception_v3", [(192, 35, 35), (288, 35, 35), (768, 17, 17), (1280, 8, 8), (2048, 8, 8)]),
        ("inception_v4", [(384, 35, 35), (1024, 17, 17), (1536, 8, 8)]),
        ("inception_resnet_v2", [(320, 35, 35), (1088, 17, 17), (2080, 8, 8), (1536, 8, 8)]),
        ("inception_resnet_v1", [(64, 147, 147), (192, 71, 71), (256, 35, 35), (896, 17, 17), (1792, 8, 8)]),
    ],
)
def test_grids_shrink_as_in_the_papers(name: str, shapes: list[tuple[int, int, int]]) -> None:
    layers = iter(portray(name).anatomy.layers)
    for shape in shapes:
        assert any((1, *shape) in layer.output_shapes for layer in layers), shape


def test_the_auxiliary_head_of_inception_v3_speaks_in_training_alone() -> None:
    network = build(entry("inception_v3"), device="meta", aux=True, num_classes=5)
    x = torch.zeros(2, 3, 299, 299, device="meta")
    main, extra = split_outputs(network.train()(x))
    assert main.shape == (2, 5)
    assert [head.shape for head in extra] == [(2, 5)]
    assert split_outputs(network.eval()(x))[1] == ()
    assert portray("inception_v3", given={"aux": True}).anatomy.params == 27161264


def test_an_image_too_small_for_the_auxiliary_heads_of_googlenet_is_refused() -> None:
    with pytest.raises(InputError, match="googlenet with aux needs 79×79 pixels, not 79×78"):
        build(entry("googlenet"), (3, 79, 78), device="meta", aux=True)
    network = build(entry("googlenet"), (3, 79, 79), device="meta", aux=True).train()
    assert len(split_outputs(network(torch.zeros(2, 3, 79, 79, device="meta")))[1]) == 2


def test_an_image_too_small_for_the_auxiliary_head_is_refused() -> None:
    with pytest.raises(InputError, match="inception_v3 with aux needs 299×299 pixels, not 299×298"):
        build(entry("inception_v3"), (3, 299, 298), device="meta", aux=True)


@pytest.mark.parametrize(("name", "params"), [("googlenet", 13378280), ("googlenet_torchvision", 13004888)])
def test_auxiliary_heads_of_googlenet_count_and_speak_in_training_alone(name: str, params: int) -> None:
    assert portray(name, given={"aux": True}).anatomy.params == params
    network = build(entry(name), device="meta", aux=True, num_classes=5)
    x = torch.zeros(2, 3, 224, 224, device="meta")
    main, extra = split_outputs(network.train()(x))
    assert [head.shape for head in (main, *extra)] == [(2, 5)] * 3
    assert split_outputs(network.eval()(x))[1] == ()


def test_torchvisions_googlenet_has_a_small_kernel_where_the_paper_has_a_large_one() -> None:
    kernels = []
    for name, path in (("googlenet", "inception4a.branch5"), ("googlenet_torchvision", "inception4a.branch3")):
        branch = build(entry(name), device="meta").get_submodule(path)
        kernels.append(max(layer.kernel_size[0] for layer in branch.modules() if isinstance(layer, torch.nn.Conv2d)))
    assert kernels == [5, 3]


@pytest.mark.parametrize("module", list(MODULES))
def test_a_module_by_itself_is_the_one_within_googlenet(module: str) -> None:
    channels, n1, _, n3, _, n5, projection = MODULES[module]
    side = {"3": 28, "4": 14, "5": 7}[module[0]]
    anatomy = portray("inception_module", (channels, side, side), {"module": module}).anatomy
    whole = build(entry("googlenet"), device="meta").get_submodule(f"inception{module}")
    assert anatomy.params == sum(parameter.numel() for parameter in whole.parameters())
    assert anatomy.layers[-1].output_shapes[0] == (1, n1 + n3 + n5 + projection, side, side)


def test_the_naive_module_hands_its_input_on_and_costs_more_than_twice_as_much() -> None:
    naive = portray("inception_module", given={"form": "naive"}).anatomy
    assert naive.layers[-1].output_shapes[0] == (1, 64 + 128 + 32 + 192, 28, 28)
    assert naive.params == 193 * 64 + (192 * 9 + 1) * 128 + (192 * 25 + 1) * 32
    assert naive.macs > 2 * portray("inception_module").anatomy.macs


def test_residual_modules_scale_their_branches() -> None:
    torch.manual_seed(0)
    x = torch.rand(1, 8, 5, 5)
    modules = [Residual(8, [torch.nn.Sequential(torch.nn.Identity())], 8, scale) for scale in (0.1, 0.2)]
    modules[1].load_state_dict(modules[0].state_dict())
    with torch.no_grad():
        small, large = (module.eval()(x) - x for module in modules)
    inside = (x + large > 0) & (x + small > 0)
    assert torch.allclose(large[inside], 2 * small[inside], atol=1e-6)
