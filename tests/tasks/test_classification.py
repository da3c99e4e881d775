from __future__ import annotations

import math

import pytest
import torch

from explorer.architectures.registry import build, entry
from explorer.tasks.classification import AUXILIARY_WEIGHT, count_correct, loss, split_outputs

LOGITS = torch.tensor([[2.0, 0.0, 1.0], [0.0, 3.0, -1.0]])
LABELS = torch.tensor([0, 2])


def cross_entropy(row: list[float], target: list[float]) -> float:
    total = sum(math.exp(value) for value in row)
    return -sum(share * math.log(math.exp(value) / total) for value, share in zip(row, target, strict=True))


def test_loss_is_the_mean_cross_entropy_in_nats() -> None:
    expected = (cross_entropy([2, 0, 1], [1, 0, 0]) + cross_entropy([0, 3, -1], [0, 0, 1])) / 2
    assert float(loss(LOGITS, LABELS)) == pytest.approx(expected, rel=1e-6)
    assert float(loss(torch.zeros(5, 10), torch.arange(5))) == pytest.approx(math.log(10), rel=1e-6)


def test_smoothed_labels_share_with_all_classes() -> None:
    expected = (cross_entropy([2, 0, 1], [0.8, 0.1, 0.1]) + cross_entropy([0, 3, -1], [0.1, 0.1, 0.8])) / 2
    assert float(loss(LOGITS, LABELS, label_smoothing=0.3)) == pytest.approx(expected, rel=1e-6)


def test_auxiliary_classifiers_count_with_their_weight() -> None:
    other = LOGITS.flip(1)
    expected = loss(LOGITS, LABELS) + AUXILIARY_WEIGHT * (loss(other, LABELS) + loss(-LOGITS, LABELS))
    assert float(loss((LOGITS, other, -LOGITS), LABELS)) == pytest.approx(float(expected), rel=1e-6)
    smooth = loss(LOGITS, LABELS, 0.2) + AUXILIARY_WEIGHT * loss(other, LABELS, 0.2)
    assert float(loss([LOGITS, other], LABELS, 0.2)) == pytest.approx(float(smooth), rel=1e-6)


def test_main_logits_alone_decide() -> None:
    assert int(count_correct(LOGITS, LABELS)) == 1
    assert int(count_correct((LOGITS, LABELS.new_zeros(2, 3).float()), torch.tensor([0, 1]))) == 2
    assert count_correct(LOGITS, LABELS).dtype == torch.int64


def test_heads_that_a_network_leaves_out_do_not_count() -> None:
    main, auxiliary = split_outputs((LOGITS, None))
    assert main is LOGITS
    assert auxiliary == ()


@pytest.mark.parametrize("outputs", [{"out": LOGITS}, None, [], ({"out": LOGITS},), "logits"])
def test_outputs_of_another_kind_are_refused(outputs: object) -> None:
    with pytest.raises(TypeError, match=f"a tensor of logits, this network gives a {type(outputs).__name__}"):
        loss(outputs, LABELS)


def test_both_heads_of_googlenet_get_a_gradient() -> None:
    network = build(entry("googlenet"), (3, 96, 96), num_classes=3, aux=True).train()
    outputs = network(torch.zeros(2, 3, 96, 96))
    main, auxiliary = split_outputs(outputs)
    assert [tuple(logits.shape) for logits in (main, *auxiliary)] == [(2, 3)] * 3
    loss(outputs, torch.tensor([0, 2])).backward()
    assert all(head.fc2.weight.grad.abs().sum() > 0 for head in (network.aux1, network.aux2))
    assert split_outputs(network.eval()(torch.zeros(1, 3, 96, 96)))[1] == ()
