"""What the steps of surgery are called, and what a name with steps means."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from explorer.architectures.cards import ideas
from explorer.architectures.registry import build, entry, options
from explorer.architectures.surgery.steps import STEPS, base_of, split, steps_of, with_step, without_step
from explorer.errors import InputError


@pytest.mark.parametrize(
    ("name", "base", "steps"),
    [
        ("resnet50", "resnet50", ()),
        ("resnet50+se", "resnet50", ("se",)),
        ("timm:resnet50.a1_in1k+se+dilated", "timm:resnet50.a1_in1k", ("se", "dilated")),
        ("c++/net.py:Net", "c++/net.py:Net", ()),
        ("c++/net.py:Net+se", "c++/net.py:Net", ("se",)),
    ],
)
def test_a_name_is_a_network_and_the_steps_that_change_it(name: str, base: str, steps: tuple[str, ...]) -> None:
    assert split(name) == (base, steps)
    assert base_of(name) == base


def test_steps_are_put_on_a_name_and_taken_off_again() -> None:
    assert with_step(with_step("resnet50", "se"), "cbam") == "resnet50+se+cbam"
    assert with_step("resnet50+se", "se") == "resnet50+se"
    assert without_step("resnet50+se+cbam", "se") == "resnet50+cbam"
    assert without_step("resnet50+se", "se") == "resnet50"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet50+sse", "nothing is called 'sse' that could be done to a network: did you mean se?"),
        ("resnet50+qwxyz", "there are se, cbam, nonlocal, deformable, dilated, plain, nobn"),
        ("resnet50+", "there are se,"),
        ("resnet50+se+se", "se is named twice"),
        ("resnet55+se", "did you mean resnet50"),
    ],
)
def test_an_unknown_step_is_told_with_those_there_are(name: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        entry(name)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_changed_network_keeps_its_description_but_no_published_numbers() -> None:
    base, changed = entry("resnet50"), entry("resnet50+se+cbam")
    assert changed.title == "ResNet-50 + SE + CBAM"
    assert (changed.input, changed.mean, changed.family) == (base.input, base.mean, base.family)
    assert changed.published == changed.stages == ()
    assert all(step.help.en in changed.note.en and step.help.zh in changed.note.zh for step in steps_of("x+se+cbam"))


def test_a_step_brings_its_ideas_and_takes_those_that_it_undoes() -> None:
    assert entry("resnet18+cbam+plain").ideas == (
        *(idea for idea in entry("resnet18").ideas if idea != "residual"),
        "channel-attention",
        "spatial-attention",
    )
    named = {idea for step in STEPS for idea in (*step.adds, *step.removes)}
    assert named <= set(ideas())


def test_every_step_is_described_in_both_languages() -> None:
    assert all(text for step in STEPS for text in (step.title.en, step.title.zh, step.help.en, step.help.zh))


def test_the_options_of_a_step_follow_those_of_the_network_under_its_name() -> None:
    names = [option.name for option in options(entry("vgg16+se"))]
    assert names == ["num_classes", "batch_norm", "dropout", "se.ratio", "se.bias", "se.stages"]
    assert all(option.help for option in options(entry("vgg16+" + "+".join(step.name for step in STEPS))))


def test_names_are_there_before_torch() -> None:
    code = "import sys, explorer.architectures.registry as r; r.entry('resnet50+se'); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        (
            "resnet50+se",
            {"se.ratio": 300},
            "se.ratio must be from 1 to 256, the channels of the narrowest block",
        ),
        ("resnet50+se", {"se.stages": "5"}, "se.stages must be all, last, or numbers from 1 to 4"),
        ("resnet50+se", {"se.stages": ""}, "se.stages must be all, last, or numbers from 1 to 4"),
        ("resnet50+se", {"se.rotio": 3}, "resnet50+se has no option 'se.rotio': did you mean se.ratio?"),
        ("resnet50+cbam", {"cbam.channel": False, "cbam.spatial": False}, "cbam.channel must be true"),
        (
            "resnet50+deformable",
            {"deformable.groups": 3},
            "deformable.groups must divide the 512 channels",
        ),
        ("resnet50+nonlocal", {"nonlocal.after_stage": 5}, "nonlocal.after_stage must be from 0 to 4"),
        ("resnet18+nonlocal", {"nonlocal.blocks": "5"}, "nonlocal.blocks must be 1 here, not 5"),
        ("resnet20_cifar+dilated", {}, "dilated.output_stride must be at most 4, the network's own, not 8"),
        ("vgg16+plain", {}, "vgg16+plain: plain cannot be done, the network has no skips"),
        ("densenet121+plain", {}, "no skips that an addition closes"),
        ("googlenet+plain", {}, "no skips that an addition closes"),
        ("vgg16+nobn", {}, "vgg16+nobn: nobn cannot be done, the network has no batch normalisation"),
        ("alexnet+dilated", {}, "alexnet+dilated cannot run with an input of 3×227×227: at classifier.fc6 (Linear)"),
        ("inception_v3+dilated", {}, "max_pool2d in Mixed_6a reduces the maps"),
        ("dscmr+se", {}, "dscmr+se cannot be made"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(name: str, given: dict[str, int], message: str) -> None:
    with pytest.raises(InputError) as caught:
        build(entry(name), device="meta", **given)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_users_own_network_is_changed_as_well(tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    file.write_text(
        "from torch import nn\n"
        "first, second = nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, 32, 3)\n"
        "net = nn.Sequential(first, nn.ReLU(), nn.MaxPool2d(2), second, nn.ReLU())\n"
    )
    network = build(entry(f"{file}:net+se"), device="meta", **{"se.ratio": 4})
    added = sum(2 * width * width // 4 + width + width // 4 for width in (16, 32))
    assert sum(parameter.numel() for parameter in network.parameters()) == 448 + 4640 + added
