"""The difference of two networks: what is matched with what, and that the differences sum to those of the totals.

Expected numbers of parameters are those that torchvision and timm publish; those of blocks follow from the papers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from explorer.inspection.anatomy import Anatomy
from explorer.inspection.capture import capture
from explorer.inspection.comparison.alignment import FORBIDDEN, Sequence, align
from explorer.inspection.comparison.diff import Change, Diff, diff
from explorer.inspection.comparison.stages import Stage, stage_paths
from explorer.inspection.portrait import Portrait, portray

Counts = tuple[int, int, int, int]
"""Same, changed, added, removed."""


@cache
def portrait(name: str, **given: Any) -> Portrait:
    return portray(name, None, given)


@cache
def compare(a: str, b: str) -> Diff:
    return diff(portrait(a).anatomy, portrait(b).anatomy)


def counts(difference: Diff) -> Counts:
    same, changed, added, removed = (difference.counts[change] for change in Change)
    return same, changed, added, removed


def stage(difference: Diff, name: str) -> Stage:
    return next(stage for stage in difference.stages if name in (stage.a, stage.b))


def of_change(difference: Diff, change: Change) -> list[str]:
    layers = [match.b or match.a for match in difference.layers if match.change is change]
    return [layer.name for layer in layers if layer is not None]


PAIRS: list[tuple[str, str, Counts, int]] = [
    ("resnet50", "resnet50", (175, 0, 0, 0), 0),
    ("resnet50", "torchvision:resnet50", (175, 0, 0, 0), 0),
    ("torchvision:resnet50", "timm:resnet50", (175, 0, 0, 0), 0),
    ("resnet50", "resnet101", (175, 0, 170, 0), 44_549_160 - 25_557_032),
    ("resnet18", "resnet34", (69, 0, 56, 0), 21_797_672 - 11_689_512),
    ("vgg16", "torchvision:vgg16_bn", (40, 0, 13, 0), 138_365_992 - 138_357_544),
    ("vgg16", "vgg19", (40, 0, 6, 0), 143_667_240 - 138_357_544),
    ("densenet121", "torchvision:densenet169", (356, 75, 168, 0), 14_149_480 - 7_978_856),
    ("resnet50", "timm:seresnet50", (175, 0, 96, 0), 28_088_024 - 25_557_032),
    ("resnet50", "torchvision:wide_resnet50_2", (63, 112, 0, 0), 68_883_240 - 25_557_032),
    ("torchvision:resnet50", "torchvision:resnext50_32x4d", (63, 112, 0, 0), 25_028_904 - 25_557_032),
    ("mobilenet_v2", "timm:mobilenetv2_100", (152, 0, 0, 1), 0),
    ("lenet5", "lenet5_1998", (2, 8, 12, 2), 60_000 - 61_706),
]


@pytest.mark.parametrize(("a", "b", "expected", "delta"), PAIRS, ids=[f"{pair[0]}-{pair[1]}" for pair in PAIRS])
def test_layers_are_matched_by_what_they_do(a: str, b: str, expected: Counts, delta: int) -> None:
    difference = compare(a, b)
    assert counts(difference) == expected
    assert difference.delta_params == delta


@pytest.mark.parametrize(("a", "b"), [pair[:2] for pair in PAIRS])
def test_differences_sum_to_those_of_the_totals(a: str, b: str) -> None:
    difference = compare(a, b)
    for field in ("params", "macs", "activation_bytes"):
        expected = getattr(difference.b, field) - getattr(difference.a, field)
        assert getattr(difference, f"delta_{field}") == expected
        assert sum(getattr(match, f"delta_{field}") for match in difference.layers) == expected
        assert sum(getattr(stage, f"delta_{field}") for stage in difference.stages) == expected
    for change in Change:
        assert sum(getattr(stage, change.value) for stage in difference.stages) == difference.counts[change]


@pytest.mark.parametrize(("a", "b"), [pair[:2] for pair in PAIRS])
def test_the_other_way_round_is_the_mirror_image(a: str, b: str) -> None:
    there, back = compare(a, b), compare(b, a)
    assert {(match.a, match.b) for match in there.layers} == {(match.b, match.a) for match in back.layers}
    assert set(there.stages) == {stage.mirrored() for stage in back.stages}
    assert there.mirrored() == back
    assert there.delta_macs == -back.delta_macs


@pytest.mark.parametrize(("a", "b"), [pair[:2] for pair in PAIRS])
def test_every_layer_occurs_once_and_in_order(a: str, b: str) -> None:
    difference = compare(a, b)
    for side, anatomy in (("a", difference.a), ("b", difference.b)):
        found = [getattr(match, side) for match in difference.layers]
        expected = [layer for layer in anatomy.layers if layer.type != "Identity"]
        assert [layer for layer in found if layer is not None] == expected


def test_resnet101_has_seventeen_more_blocks_in_its_third_stage() -> None:
    difference = compare("resnet50", "resnet101")
    third = stage(difference, "layer3")
    assert third.added_parts == ((17, "Bottleneck"),)
    assert (third.delta_params, third.same) == (18_992_128, 62)
    assert {name.rsplit(".", 1)[0] for name in of_change(difference, Change.ADDED)} == {
        f"layer3.{block}" for block in range(6, 23)
    }
    others = [stage for stage in difference.stages if stage is not third]
    assert not any(stage.added or stage.removed or stage.changed for stage in others)


def test_vgg_with_batch_normalisation_has_nothing_else_on_top() -> None:
    difference = compare("vgg16", "torchvision:vgg16_bn")
    added = [match.b for match in difference.layers if match.change is Change.ADDED]
    assert [layer.type for layer in added if layer is not None] == ["BatchNorm2d"] * 13
    assert stage(difference, "features").added_parts == ((13, "BatchNorm2d"),)


def test_densenet169_has_more_dense_layers_and_so_wider_ones_behind_them() -> None:
    difference = compare("densenet121", "torchvision:densenet169")
    assert stage(difference, "features.denseblock3").added_parts == ((8, "_DenseLayer"),)
    assert stage(difference, "features.denseblock4").added_parts == ((16, "_DenseLayer"),)
    assert stage(difference, "features.transition3").changed == 4
    first = next(m for m in difference.layers if m.b and m.b.name.endswith("denseblock4.denselayer1.conv1"))
    assert first.a is not None
    assert first.a.name == first.b.name if first.b else False
    assert {field.name for field in first.fields} == {"input_shapes", "params", "macs"}


def test_squeeze_and_excitation_is_added_as_whole_modules() -> None:
    difference = compare("resnet50", "timm:seresnet50")
    parts = {stage.a: stage.added_parts for stage in difference.stages if stage.added}
    expected = {"layer1": 3, "layer2": 4, "layer3": 6, "layer4": 3}
    assert parts == {name: ((count, "SEModule"),) for name, count in expected.items()}


def test_a_deeper_network_with_other_names_gets_whole_blocks_too() -> None:
    difference = compare("resnet50", "timm:resnet101")
    assert counts(difference) == (175, 0, 170, 0)
    assert stage(difference, "layer3").added_parts == ((17, "Bottleneck"),)


def test_a_narrower_network_only_changes() -> None:
    difference = diff(portrait("mobilenet_v2").anatomy, portrait("mobilenet_v2", width=0.5).anatomy)
    assert counts(difference) == (6, 147, 0, 0)
    depthwise = next(match for match in difference.layers if match.a and match.a.name == "features.2.conv.1.0")
    assert {field.name: (field.a, field.b) for field in depthwise.fields}["groups"] == (96, 48)


def test_another_input_changes_shapes_and_macs_but_no_parameters() -> None:
    small = portray("resnet18", (3, 128, 128))
    difference = diff(portrait("resnet18").anatomy, small.anatomy)
    assert difference.counts[Change.ADDED] == difference.counts[Change.REMOVED] == 0
    assert difference.delta_params == 0
    names = {field.name for match in difference.layers for field in match.fields}
    assert names == {"input_shapes", "output_shapes", "macs", "activation_bytes"}


def test_another_activation_is_a_change_of_type() -> None:
    from torch import nn

    def network(activation: nn.Module) -> Anatomy:
        return capture(
            nn.Sequential(nn.Conv2d(3, 8, 3), activation, nn.Flatten(), nn.Linear(8 * 36, 10)), [(1, 3, 8, 8)]
        )

    difference = diff(network(nn.ReLU()), network(nn.SiLU()))
    changed = [match for match in difference.layers if match.change is Change.CHANGED]
    assert counts(difference) == (3, 1, 0, 0)
    assert [(field.name, field.a, field.b) for field in changed[0].fields] == [("type", "ReLU", "SiLU")]


def test_a_network_that_fails_is_compared_as_far_as_it_runs() -> None:
    failing = portray("vgg16", (3, 16, 16))
    assert failing.failure_text
    difference = diff(failing.anatomy, portrait("vgg16").anatomy)
    assert difference.counts[Change.REMOVED] == 0
    assert sum(match.delta_params for match in difference.layers) == difference.delta_params == 0
    last = next(match for match in difference.layers if match.b and match.b.name == "classifier.6")
    assert "executed" in {field.name for field in last.fields}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet50", ("layer1", "layer2", "layer3", "layer4")),
        ("timm:resnet50", ("layer1", "layer2", "layer3", "layer4", "global_pool")),
        ("vgg16", ("features", "classifier")),
        ("mobilenet_v2", (*(f"features.{number}" for number in range(19)), "classifier")),
    ],
)
def test_parts_are_where_the_network_first_divides(name: str, expected: tuple[str, ...]) -> None:
    assert stage_paths(portrait(name).anatomy) == expected


def _best(a: str, b: str, begin: list[int], end: list[int]) -> int:
    """The best score of all alignments, found by trying each: a letter matched is worth 10, a gap costs its ends."""

    @cache
    def best(i: int, j: int, gap: str) -> int:
        if i == len(a) and j == len(b):
            return -_closing(gap, i, j)
        scores = []
        if i < len(a) and j < len(b) and a[i] == b[j]:
            scores.append(10 - _closing(gap, i, j) + best(i + 1, j + 1, ""))
        if i < len(a) and gap != "b":
            scores.append((0 if gap == "a" else -begin[i]) + best(i + 1, j, "a"))
        if j < len(b):
            scores.append((0 if gap == "b" else -_closing(gap, i, j) - begin[j]) + best(i, j + 1, "b"))
        return max(scores, default=FORBIDDEN)

    def _closing(gap: str, i: int, j: int) -> int:
        return end[i - 1] if gap == "a" else end[j - 1] if gap == "b" else 0

    return best(0, 0, "")


def test_alignment_is_the_best_of_all() -> None:
    random = np.random.default_rng(0)
    for _ in range(200):
        a, b = ("".join(random.choice(list("xyz"), random.integers(0, 7))) for _ in range(2))
        begin, end = (random.integers(0, 6, 7).tolist() for _ in range(2))
        sides = [
            Sequence(np.array(begin[: len(s)], dtype=np.int64), np.array(end[: len(s)], dtype=np.int64)) for s in (a, b)
        ]
        letters = np.array(list(b))
        pairs = align(sides[0], sides[1], lambda i, a=a, letters=letters: np.where(letters == a[i], 10, FORBIDDEN))
        assert [i for i, _ in pairs if i is not None] == list(range(len(a)))
        assert [j for _, j in pairs if j is not None] == list(range(len(b)))
        assert _score(pairs, a, b, begin, end) == _best(a, b, begin, end)


def _score(pairs: list[tuple[int | None, int | None]], a: str, b: str, begin: list[int], end: list[int]) -> int:
    score, gap, last = 0, "", 0
    for i, j in [*pairs, (-1, -1)]:
        now = "a" if j is None else "b" if i is None else ""
        if gap and gap != now:
            score -= end[last]
        if now and gap != now:
            score -= begin[i if now == "a" else j]  # type: ignore[index]
        if not now and i is not None and j is not None and i >= 0:
            assert a[i] == b[j]
            score += 10
        gap, last = now, i if now == "a" else j  # type: ignore[assignment]
    return score


def test_auxiliary_heads_that_did_not_run_are_matched_with_each_other(anatomy_of: Callable[[str], Anatomy]) -> None:
    anatomy = anatomy_of("googlenet")
    assert any(not layer.executed for layer in anatomy.layers)
    assert counts(diff(anatomy, anatomy)) == (len(anatomy.layers), 0, 0, 0)
