"""Each step of surgery beside published counts, torchvision's own variants and arithmetic."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torchvision import models

from explorer.architectures.cards import catalogue, families
from explorer.architectures.entry import Entry
from explorer.architectures.options import Scalar
from explorer.architectures.registry import build, entry
from explorer.architectures.surgery.plan import make_plan
from explorer.architectures.surgery.steps import STEPS
from explorer.errors import InputError
from explorer.inspection.anatomy import Anatomy
from explorer.inspection.network_export import write_network
from explorer.inspection.portrait import portray


def anatomy(name: str, **given: Scalar) -> Anatomy:
    return portray(name, None, {key.replace("__", "."): value for key, value in given.items()}).anatomy


def params(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@cache
def base_params(name: str) -> int:
    return params(build(entry(name), device="meta"))


@pytest.mark.parametrize(
    ("name", "given", "count"),
    [
        ("resnet50+se", {}, 28_088_024),
        ("resnet50+se", {"se__bias": False}, 28_071_976),
        ("resnet50+se", {"se__bias": False, "se__ratio": 8}, 30_586_920),
        ("resnet50+se", {"se__bias": False, "se__ratio": 2}, 45_676_584),
        ("bn_inception+se", {}, 11_941_638),
        ("resnet18+cbam", {}, 11_779_392),
        ("resnet50+cbam", {}, 28_089_624),
        ("resnet50+cbam", {"cbam__spatial": False}, 28_088_024),  # its perceptron is that of SE
        ("resnet50+cbam", {"cbam__channel": False}, 25_557_032 + 16 * 100),
        ("resnet50+nonlocal", {}, 27_658_792),
        ("resnet50+nonlocal", {"nonlocal__blocks": "5"}, 32_915_496),
        ("resnet50+nonlocal", {"nonlocal__pairing": "Gaussian"}, 27_658_792 - 2 * (1024 * 512 + 512)),
        ("resnet50+nonlocal", {"nonlocal__pairing": "concatenation"}, 27_658_792 + 2 * 512),
        ("resnet50+deformable", {}, 25_805_918),
        ("resnet50+deformable", {"deformable__groups": 4}, 26_552_576),
        ("resnet50+deformable", {"deformable__stages": "234"}, 26_137_874),
        ("resnet50+deformable", {"deformable__stages": "234", "deformable__version": "2"}, 26_428_295),
        ("resnet34+plain", {}, 21_623_848),
        ("resnet18+plain", {}, 11_515_688),
        ("resnet20_cifar+plain", {}, 269_722),
        ("resnet50+dilated", {}, 25_557_032),
        ("resnet50+nobn", {}, 25_557_032 - 53_120 + 26_560),
    ],
)
def test_parameters_are_the_published_or_computed_ones(name: str, given: dict[str, Scalar], count: int) -> None:
    network = build(entry(name), device="meta", **{key.replace("__", "."): value for key, value in given.items()})
    assert params(network) == count


def test_macs_of_attention_over_channels_and_places_are_those_of_the_authors_code() -> None:
    assert anatomy("resnet50+cbam").macs == 4_095_573_110
    assert anatomy("resnet18+cbam").macs == 1_815_063_764


@pytest.mark.parametrize(("blocks", "macs", "pairs"), [("1", 4_500_226_048, 196**2 * 1024), ("5", 6_144_393_216, None)])
def test_macs_of_non_local_blocks_are_convolutions_and_two_products(blocks: str, macs: int, pairs: int | None) -> None:
    found = anatomy("resnet50+nonlocal", nonlocal__blocks=blocks)
    products = sum(layer.macs for layer in found.layers if layer.type == "matmul")
    assert found.macs - products == macs
    assert products == (pairs or 2 * 784**2 * 512 + 3 * 196**2 * 1024)


def test_deformable_convolutions_count_what_plain_ones_do_and_their_offsets() -> None:
    found = anatomy("resnet50+deformable")
    offsets = 3 * 49 * 512 * 9 * 18
    assert found.macs == anatomy("resnet50").macs + offsets
    assert [layer.type for layer in found.layers].count("DeformConv2d") == 3


@pytest.mark.slow
def test_branches_inside_a_residual_block_are_no_chain() -> None:
    with pytest.raises(InputError, match=r"the layers of repeat\.0 do not simply follow each other"):
        build(entry("inception_resnet_v2+plain"), device="meta")


def test_plain_networks_are_those_of_the_catalogue() -> None:
    for plain, catalogued in (("resnet34+plain", "plain34"), ("resnet20_cifar+plain", "plain20_cifar")):
        found, known = anatomy(plain), anatomy(catalogued)
        assert (found.params, found.macs) == (known.params, known.macs)
        assert not [layer for layer in found.layers if layer.type == "add"]


# -- against torchvision and the untouched network -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stride", "replaced"),
    [("8", [False, True, True]), pytest.param("16", [False, False, True], marks=pytest.mark.slow)],
)
def test_dilation_gives_torchvisions_dilated_resnet(stride: str, replaced: list[bool]) -> None:
    torch.manual_seed(0)
    theirs = models.resnet50(replace_stride_with_dilation=replaced).eval()
    ours = build(entry("resnet50+dilated"), **{"dilated.output_stride": stride}).eval()
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(ours(x), theirs(x))


def test_a_dilated_network_sees_in_every_cell_what_the_strided_one_sees_in_its_own() -> None:
    torch.manual_seed(0)
    plain, spread = build(entry("vgg16_headless")).eval(), build(entry("vgg16_headless+dilated")).eval()
    spread.load_state_dict(plain.state_dict(), strict=False)
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        coarse, fine = plain(x), spread(x)
    assert fine.shape[2:] == (8, 8)
    assert torch.allclose(coarse, fine[:, :, ::4, ::4], atol=1e-5)


@pytest.mark.parametrize("step", ["se", "cbam", "nonlocal", "deformable"])
def test_weights_of_the_untouched_network_fit_and_only_new_ones_are_missing(step: str) -> None:
    torch.manual_seed(0)
    plain, changed = build(entry("resnet20_cifar")).eval(), build(entry(f"resnet20_cifar+{step}")).eval()
    answer = changed.load_state_dict(plain.state_dict(), strict=False)
    assert answer.unexpected_keys == []
    new = {"se": ".se.", "cbam": ".cbam.", "nonlocal": ".non_local.", "deformable": ".offset."}[step]
    assert answer.missing_keys
    assert all(new in key for key in answer.missing_keys)
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        same = torch.allclose(changed(x), plain(x), atol=1e-4)
    assert same == (step in ("nonlocal", "deformable")), "these two begin as what they replace"


def test_a_normalisation_of_mean_zero_and_variance_one_can_be_left_out() -> None:
    torch.manual_seed(0)
    plain, changed = build(entry("resnet20_cifar")).eval(), build(entry("resnet20_cifar+nobn")).eval()
    for module in plain.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 0.0
    changed.load_state_dict(plain.state_dict(), strict=False)
    x = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.allclose(changed(x), plain(x), rtol=1e-4)


# -- everything together ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [step.name for step in STEPS if step.name != "dilated"])
def test_a_small_network_learns_after_each_step(step: str) -> None:
    torch.manual_seed(0)
    network = build(entry(f"resnet20_cifar+{step}")).train()
    x = torch.randn(4, 3, 16, 16)
    for parameter in network.parameters():  # what starts at zero gives what stands before it no gradient
        if not parameter.any():
            nn.init.normal_(parameter, std=0.1)
    loss: Tensor = nn.functional.cross_entropy(network(x), torch.tensor([0, 1, 2, 3]))
    loss.backward()  # type: ignore[no-untyped-call]
    dead = [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert dead == []
    assert loss.isfinite()


def test_all_steps_together_can_be_copied_saved_and_run() -> None:
    names = "+".join(step.name for step in STEPS if step.name != "dilated")
    network = build(entry(f"resnet20_cifar+{names}")).eval()
    other = copy.deepcopy(network)
    other.load_state_dict(network.state_dict())
    x = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(other(x), network(x))


def added(network: nn.Module, name: str) -> int:
    """The parameters of squeeze and excitation with a ratio of 2, from the widths of the blocks alone."""
    plan = make_plan(network, entry(name).input)
    widths = [block.channels for stage in plan.stages for block in stage]
    return sum(2 * width * (width // 2) + width + width // 2 for width in widths)


def small(known: Entry) -> bool:
    """Whether a network is quickly built and run, even on the meta device."""
    count = known.published[0].params
    return count is not None and count.value < 4_000_000


FIRST = [known.name for known in families().values() if not known.other_inputs and known.task == "classification"]
NARROW = {"lenet5_1998"}
"""Its convolutions are grouped by hand, and some have one channel."""


QUICK = [known.name for known in catalogue() if small(known)]


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in FIRST if name not in NARROW],
)
def test_attention_goes_into_every_family(name: str) -> None:
    untouched = build(entry(name), device="meta")
    changed = build(entry(f"{name}+se"), device="meta", **{"se.ratio": 2})
    assert params(changed) == params(untouched) + added(untouched, name) > params(untouched)


@pytest.mark.slow
@pytest.mark.parametrize("step", [step.name for step in STEPS])
@pytest.mark.parametrize("name", FIRST)
def test_every_step_is_done_to_every_family_or_refused_in_one_line(name: str, step: str) -> None:
    refusal = ""
    try:
        network = build(entry(f"{name}+{step}"), device="meta")
    except InputError as error:
        refusal = str(error)
    if refusal:
        assert "\n" not in refusal
        assert step in refusal
        return
    change = params(network) - base_params(name)
    if step in ("se", "cbam", "nonlocal", "deformable"):
        assert change > 0
    elif step == "dilated":
        assert change == 0
    else:
        assert change <= 0


@pytest.mark.slow
@pytest.mark.parametrize("step", ["nonlocal", "deformable", "cbam"])
def test_a_changed_network_is_exported_and_gives_the_same_elsewhere(step: str, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    torch.manual_seed(0)
    network = build(entry(f"resnet20_cifar+{step}")).eval()
    if step == "deformable":
        for name, weight in network.named_parameters():
            if ".offset." in name:
                nn.init.normal_(weight, std=0.05)
    path = tmp_path / "network.onnx"
    write_network(network, [(1, 3, 32, 32)], path, {}, "network")
    x = torch.randn(3, 3, 32, 32)
    try:
        session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # of a runtime without DeformConv
        pytest.skip(f"the runtime has no such operation: {error}")
    (answer,) = session.run(None, {"input": x.numpy()})
    with torch.no_grad():
        assert torch.allclose(torch.from_numpy(answer), network(x), rtol=1e-3, atol=1e-4)
