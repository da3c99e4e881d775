from __future__ import annotations

import pytest
import torch

from explorer.architectures.registry import build, entry
from explorer.errors import InputError
from explorer.inference.pretrained import imagenet_classes, load_pretrained, rename_by_order


def test_thousand_classes_have_distinct_names() -> None:
    classes = imagenet_classes()
    assert len({name.lower() for name in classes}) == 1000
    assert (classes[0], classes[134], classes[517], classes[999]) == (
        *("tench", "crane (bird)", "crane (machine)"),
        "toilet tissue",
    )


def test_weights_fill_every_tensor_of_the_network() -> None:
    spec, weights = load_pretrained("efficientnet_lite0")
    network = build(entry(spec.architecture), device="meta")
    missing, unexpected = network.load_state_dict(weights, strict=False, assign=True)
    assert (missing, unexpected) == ([], [])
    assert not any(tensor.is_meta for tensor in (*network.parameters(), *network.buffers()))


def test_weights_of_another_shape_or_kind_are_refused() -> None:
    weight, bias = torch.zeros(2, 3), torch.zeros(2)
    assert list(rename_by_order({"a.weight": weight, "a.bias": bias}, {"b.weight": weight, "b.bias": bias})) == [
        "b.weight",
        "b.bias",
    ]
    with pytest.raises(ValueError, match=r"a.weight \(2, 3\) does not fit b.weight \(3, 2\)"):
        rename_by_order({"a.weight": weight}, {"b.weight": weight.T})
    with pytest.raises(ValueError, match=r"does not fit b.running_mean"):
        rename_by_order({"a.bias": bias}, {"b.running_mean": bias})
    with pytest.raises(ValueError, match="1 stored tensors"):
        rename_by_order({"a.bias": bias}, {})


def test_networks_without_installed_weights_are_named() -> None:
    with pytest.raises(InputError, match="resnet50 are installed: use efficientnet_lite0"):
        load_pretrained("resnet50")
