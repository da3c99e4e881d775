from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from explorer.data.image_set import ImageSet
from explorer.data.preprocessing import Preprocessing, fit_to_input, normalise
from explorer.training.evaluation import Score, enlarged, evaluate
from explorer.training.supply import Supply

PREPROCESSING = Preprocessing((1, 14, 14), (0.5,), (0.25,), resize=16)
CPU = torch.device("cpu")


def value_of(generator: Generator[object, None, Any]) -> Any:
    while True:
        try:
            next(generator)
        except StopIteration as stop:
            return stop.value


def images(count: int = 50, classes: int = 10) -> ImageSet:
    chance = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, 1, 16, 16), generator=chance, dtype=torch.uint8)
    return ImageSet(pixels, torch.arange(count) % classes)


def network(classes: int = 10) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(14 * 14, classes), nn.Dropout(0.5))


def score(module: nn.Module, held_out: ImageSet, kind: Any, size: int = 7) -> Score:
    source = enlarged(PREPROCESSING) if kind == "ten-crop" else PREPROCESSING
    return value_of(evaluate(module, Supply(held_out, source, size, CPU), PREPROCESSING, kind, 60.0))


def by_hand(module: nn.Module, held_out: ImageSet, views: list[Tensor]) -> Score:
    module.eval()
    with torch.no_grad():
        shares = torch.stack([module(normalise(view, PREPROCESSING)).softmax(1) for view in views]).mean(0)
    labels = held_out.labels
    own = shares[torch.arange(len(labels)), labels]
    top5 = (shares.argsort(1, descending=True)[:, :5] == labels[:, None]).any(1).double().mean()
    return Score(float(-own.log().mean()), float((shares.argmax(1) == labels).double().mean()), float(top5))


def test_enlarged_is_256_to_224() -> None:
    larger = enlarged(Preprocessing((3, 224, 224), (0.5,) * 3, (0.5,) * 3, resize=224))
    assert (larger.input, larger.resize) == ((3, 256, 256), 256)


def test_each_kind_judges_the_views_it_says() -> None:
    module, held_out = network(), images()
    centre = fit_to_input(held_out.images, PREPROCESSING)
    whole = held_out.images  # 16 pixels, of which 14 are cut out
    corners = [whole[..., y : y + 14, x : x + 14] for y, x in ((0, 0), (0, 2), (2, 0), (2, 2), (1, 1))]
    for kind, views in (
        ("plain", [centre]),
        ("mirror", [centre, centre.flip(3)]),
        ("ten-crop", [image for view in corners for image in (view, view.flip(3))]),
    ):
        got, wanted = score(module, held_out, kind), by_hand(module, held_out, views)
        assert (got.accuracy, got.top5) == (wanted.accuracy, wanted.top5), kind
        assert got.loss == pytest.approx(wanted.loss, rel=1e-5)


def test_batches_make_no_difference() -> None:
    module, held_out = network(), images()
    one, all_at_once = score(module, held_out, "plain", 1), score(module, held_out, "plain", 50)
    assert one.accuracy == all_at_once.accuracy
    assert one.loss == pytest.approx(all_at_once.loss, rel=1e-6)


def test_five_classes_have_no_top_five() -> None:
    assert score(network(5), images(classes=5), "plain").top5 is None
    assert score(network(6), images(classes=6), "plain").top5 is not None
