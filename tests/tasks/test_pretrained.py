from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from explorer.architectures.registry import build, entry
from explorer.errors import InputError
from explorer.tasks.pretrained import imagenet_classes, load_checkpoint, load_pretrained, rename_by_order


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


def test_a_checkpoint_of_another_program_scores_as_published(shared_data: Callable[..., Path]) -> None:
    """ResNet-20 of akamaster/pytorch_resnet_cifar10, 91.7 % on CIFAR-10; JPEG compression costs ten points."""
    folder = shared_data("weights")
    path = next(folder.glob("resnet20-*.th"), None)
    if path is None:
        pytest.skip("needs the test data weights/resnet20-*.th")
    network = build(entry("resnet20_cifar"))
    weights = load_checkpoint(path, network.state_dict())
    stored = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    named = [tensor for name, tensor in weights.items() if not name.endswith("num_batches_tracked")]
    assert all(torch.equal(old, new) for old, new in zip(stored.values(), named, strict=True))
    network.load_state_dict(weights)
    images, labels = jpeg_test_images(shared_data("cifar10_jpeg_part.zip"))
    assert len(images) == 2000
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.inference_mode():
        batches = ((images / 255 - mean) / std).split(250)
        answers = torch.cat([network.eval()(batch).argmax(1) for batch in batches])
    accuracy = (answers == labels).double().mean().item()
    assert 0.79 <= accuracy <= 0.84


def jpeg_test_images(path: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """The test images of the archive, (N, 3, 32, 32) from 0 to 255, and their classes in the order of CIFAR-10."""
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    images, labels = [], []
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            if "/test/" in member and member.endswith(".jpg"):
                with archive.open(member) as file, Image.open(file) as image:
                    images.append(torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1))
                labels.append(names.index(member.split("/")[-2]))
    return torch.stack(images).float(), torch.tensor(labels)


def test_a_checkpoint_fits_a_network_of_the_same_layers_alone(tmp_path: Path) -> None:
    network = build(entry("resnet20_cifar"), num_classes=4)
    path = tmp_path / "weights.pth"
    torch.save({f"module.{name}": tensor for name, tensor in network.state_dict().items()}, path)
    loaded = load_checkpoint(path, network.state_dict())
    assert all(torch.equal(tensor, loaded[name]) for name, tensor in network.state_dict().items())
    with pytest.raises(ValueError, match="does not fit"):
        load_checkpoint(path, build(entry("resnet20_cifar"), device="meta").state_dict())
    with pytest.raises(ValueError, match="stored tensors do not fit"):
        load_checkpoint(path, build(entry("resnet32_cifar"), device="meta").state_dict())


@pytest.mark.parametrize("content", [b"", b"text", None])
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "weights.pth"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match="not a readable file of weights"):
        load_checkpoint(path, {})
