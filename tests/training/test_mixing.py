from __future__ import annotations

import pytest
import torch
from torch import Tensor

from explorer.training.mixing import mix


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def plain_images(count: int = 64, side: int = 16) -> tuple[Tensor, Tensor]:
    """Images of one value each, their own number, which is their label as well."""
    labels = torch.arange(count)
    return labels.float().view(count, 1, 1, 1).expand(count, 3, side, side).clone(), labels


def test_nothing_is_mixed_where_nothing_is_wanted() -> None:
    images, labels = plain_images()
    mixed, targets = mix(images, labels, 0, 0, chance())
    assert mixed is images
    assert (targets.labels is labels, targets.others, targets.share) == (True, None, 1.0)


@pytest.mark.parametrize("seed", range(5))
def test_mixup_blends_images_as_it_blends_labels(seed: int) -> None:
    images, labels = plain_images()
    mixed, targets = mix(images, labels, 0.4, 0, chance(seed))
    assert targets.others is not None
    assert 0.5 <= targets.share < 1
    assert sorted(targets.others.tolist()) == labels.tolist()
    wanted = targets.share * labels + (1 - targets.share) * targets.others
    assert torch.allclose(mixed, wanted.view(-1, 1, 1, 1).expand_as(mixed), atol=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_cutmix_pastes_a_rectangle_of_the_other_image(seed: int) -> None:
    images, labels = plain_images()
    mixed, targets = mix(images, labels, 0, 1.0, chance(seed))
    assert targets.others is not None
    own = mixed == labels.view(-1, 1, 1, 1)
    pasted = mixed == targets.others.view(-1, 1, 1, 1)
    assert (own | pasted).all()
    different = targets.labels != targets.others
    assert torch.allclose(own[different].double().mean((1, 2, 3)), torch.tensor(targets.share).double())
    rows, columns = (~own[different][0, 0]).nonzero(as_tuple=True)
    if len(rows):
        assert len(rows) == (rows.max() - rows.min() + 1) * (columns.max() - columns.min() + 1)


def test_shares_follow_the_beta_distribution() -> None:
    images, labels = plain_images(4, 2)
    shares = [mix(images, labels, 1.0, 0, chance(seed))[1].share for seed in range(400)]
    # Beta(1, 1) is uniform; its larger part is uniform between a half and one.
    assert sum(shares) / len(shares) == pytest.approx(0.75, abs=0.03)


def test_each_batch_has_the_one_or_the_other_where_both_are_wanted() -> None:
    images, labels = plain_images(8, 8)
    kinds = []
    for seed in range(60):
        mixed, _ = mix(images, labels, 1.0, 1.0, chance(seed))
        kinds.append(bool((mixed == mixed.round()).all()))
    assert 15 < sum(kinds) < 45


def test_chance_is_the_generators() -> None:
    images, labels = plain_images()
    before = torch.get_rng_state()
    first, again, other = (mix(images, labels, 0.2, 1.0, chance(seed))[0] for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_single_image_stays_as_it_is() -> None:
    images, labels = plain_images(1)
    assert mix(images, labels, 1.0, 1.0, chance())[0] is images
