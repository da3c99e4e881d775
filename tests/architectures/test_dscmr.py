"""DSCMR: its counts, and what the two modalities share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from explorer.architectures.registry import build, entry
from explorer.errors import InputError
from explorer.inspection.network_export import write_network
from explorer.inspection.portrait import portray
from explorer.training.network import build_network
from explorer.training.recipe import Recipe


@pytest.mark.parametrize(
    ("given", "params", "text", "classes"),
    [({}, 11_125_780, 300, 20), ({"text_features": 1024, "num_classes": 10}, 12_598_282, 1024, 10)],
)
def test_counts_are_those_of_the_authors_code(given: dict[str, Any], params: int, text: int, classes: int) -> None:
    anatomy = portray("dscmr", given=given).anatomy
    assert anatomy.failure is None
    assert anatomy.params == params
    assert anatomy.inputs == ((1, 4096, 1, 1), (1, text))
    assert anatomy.outputs == ((1, 1024), (1, 1024), (1, classes), (1, classes))


def test_the_shared_layers_run_twice_and_count_once() -> None:
    layers = portray("dscmr").anatomy.layers
    common = [layer for layer in layers if layer.name.startswith("common")]
    assert [layer.macs for layer in common] == [2048 * 1024] * 2
    assert [layer.params for layer in common] == [2048 * 1024 + 1024, 0]


def test_both_modalities_go_through_the_same_last_layers() -> None:
    network: Any = build(entry("dscmr"), (6, 1, 1), text_features=6, hidden=8, common=4, num_classes=3)
    network.text.load_state_dict(network.image.state_dict())
    x = torch.randn(5, 6)
    images, texts, image_scores, text_scores = network(x[:, :, None, None], x)
    assert torch.equal(images, texts)
    assert torch.equal(image_scores, text_scores)
    assert torch.equal(network(x, x)[0], images), "plain features are taken as they are"
    assert (images < 0).any(), "no activation follows the common layer"


@pytest.mark.parametrize("form", ["onnx", "pt2"])
def test_a_file_of_it_takes_both_inputs(form: str, tmp_path: Path) -> None:
    network = build(entry("dscmr"), (6, 1, 1), text_features=5, hidden=8, common=4, num_classes=3).eval()
    path = tmp_path / f"dscmr.{form}"
    written = write_network(network, [(1, 6, 1, 1), (1, 5)], path, {}, "dscmr")
    assert written.any_batch
    x, y = torch.randn(3, 6, 1, 1), torch.randn(3, 5)
    expected = [part.numpy() for part in network(x, y)]
    if form == "pt2":
        found = [part.detach().numpy() for part in torch.export.load(path).module()(x, y)]
    else:
        onnxruntime = pytest.importorskip("onnxruntime")
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        names = [node.name for node in session.get_inputs()]
        found = session.run(None, dict(zip(names, (x.numpy(), y.numpy()), strict=True)))
    for ours, theirs in zip(expected, found, strict=True):
        assert ours == pytest.approx(theirs, abs=1e-5)


def test_training_on_images_alone_is_refused_in_one_line() -> None:
    with pytest.raises(InputError, match=r"^dscmr takes pairs, for retrieval"):
        build_network(Recipe(architecture="dscmr", dataset="digits"), 10)
