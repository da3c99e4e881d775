"""The headless commands `graph` and `export`, and `show --latex`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from explorer import cli

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Returns a function that runs one command in this process: status, stdout, stderr."""

    def call(*arguments: object) -> tuple[int, str, str]:
        status = cli.run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


def assert_refused(result: tuple[int, str, str], *words: str) -> None:
    status, out, err = result
    assert (status, out) == (2, "")
    assert err.startswith("architecture-explorer: ")
    assert err.count("\n") == 1
    for word in words:
        assert word in err


# -- graph ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["svg", "png", "dot", "json"])
def test_graph_writes_the_format_that_the_ending_names(run: Run, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"net.{suffix}"
    assert run("graph", "lenet5", "--output", path) == (0, "", f"{path} written\n")
    start = {"svg": b"<?xml", "png": b"\x89PNG", "dot": b'digraph "LeNet-5', "json": b"{"}[suffix]
    assert path.read_bytes().startswith(start)


def test_graph_takes_depth_direction_input_and_options(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "net.json"

    def opened(*arguments: str) -> list[str]:
        assert run("graph", "resnet18", "--output", path, *arguments)[0] == 0
        return [group["path"] for group in json.loads(path.read_text())["groups"]]

    assert opened() == []
    assert opened("--depth", "1") == ["layer1", "layer2", "layer3", "layer4"]
    assert "layer2.0.downsample" in opened("--full")
    opened("--input", "3,64,64", "--set", "num_classes=7")
    assert json.loads(path.read_text())["outputs"] == [[1, 7]]
    dot = tmp_path / "net.dot"
    run("graph", "resnet18", "--output", dot, "--flow", "right")
    assert "rankdir=LR;" in dot.read_text(encoding="utf-8")


def test_graph_of_an_input_that_does_not_fit_is_drawn_until_there(run: Run, tmp_path: Path) -> None:
    status, out, err = run("graph", "alexnet", "--input", "3,60,60", "--output", tmp_path / "a.svg")
    assert (status, out) == (2, "")
    assert "features.pool5" in err.splitlines()[-1]
    assert "pool5" in (tmp_path / "a.svg").read_text(encoding="utf-8")


def test_graph_refuses_what_it_cannot_do_in_one_line(run: Run, tmp_path: Path) -> None:
    assert_refused(run("graph", "lenet5", "--output", tmp_path / "n.pdf"), ".svg, .png, .dot or .json")
    assert_refused(run("graph", "lenet5", "--output", tmp_path / "no" / "n.svg"), "there is no folder")
    assert_refused(run("graph", "lenet5", "--output", tmp_path / "n.svg", "--depth", "-1"), "--depth")
    assert_refused(run("graph", "lenet5", "--output", tmp_path / "n.svg", "--depth", "1", "--full"), "--full")
    assert_refused(run("graph", "lenet6", "--output", tmp_path / "n.svg"), "lenet5")
    assert_refused(run("graph", "lenet5"), "--output")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the administrator may write everywhere")
def test_a_folder_without_permission_is_named(run: Run, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert_refused(run("graph", "lenet5", "--output", tmp_path / "n.svg"), "cannot be written", "Permission")


# -- export --------------------------------------------------------------------------------------------------------


def test_export_of_a_name_has_fresh_weights_the_same_each_time(run: Run, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    for path in (first, second):
        status, out, err = run("export", "lenet5", "--output", path, "--set", "num_classes=3")
        assert (status, out) == (0, "")
        assert err == f"{path} written: fresh random weights, seed 0 (the folder of a run has trained ones)\n"
    weights, again = load_file(first), load_file(second)  # the order of keys in the header is the library's own
    assert weights.keys() == again.keys()
    assert all(weights[name].equal(again[name]) for name in weights)
    (tmp_path / "plain").touch()
    assert first.stat().st_mode == (tmp_path / "plain").stat().st_mode, "others may read it as any other file"
    assert load_file(first)["output.weight"].shape == (3, 84)


def test_export_takes_installed_weights_where_there_are_some(run: Run, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    from explorer.tasks.pretrained import load_pretrained

    path = tmp_path / "e.safetensors"
    status, _, err = run("export", "efficientnet_lite0", "--output", path)
    assert status == 0
    assert "trained weights, EfficientNet-Lite0 · ImageNet" in err
    wanted = load_pretrained("efficientnet_lite0")[1]
    found = load_file(path)
    assert found.keys() == wanted.keys()
    assert all(found[name].equal(wanted[name]) for name in wanted)
    assert "fresh random" in run("export", "efficientnet_lite0", "--set", "num_classes=2", "--output", path)[2]


def test_export_of_a_run_gives_its_best_weights_classes_and_preprocessing(run: Run, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    import torch

    from explorer.inference.classifier import load_classifier

    folder = tmp_path / "run"
    assert run("train", "lenet5", "--dataset", "digits", "--epochs", "1", "--seed", "1", "--run-dir", folder)[0] == 0
    path = tmp_path / "net.onnx"
    status, out, err = run("export", folder, "--output", path)
    assert (status, out) == (0, "")
    assert err == f"{path} written: trained weights, LeNet-5 (dense) · run\n"
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    stored = json.loads(session.get_modelmeta().custom_metadata_map["explorer"])
    assert stored["classes"] == [str(digit) for digit in range(10)]
    assert stored["preprocessing"]["input"] == [1, 32, 32]
    batch = torch.randn(7, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        wanted = load_classifier(str(folder)).network(batch)
    (found,) = session.run(None, {"input": batch.numpy()})
    assert (torch.from_numpy(found) - wanted).abs().max() < 1e-4
    weights = tmp_path / "net.safetensors"
    assert run("export", folder, "--output", weights)[0] == 0
    with torch.no_grad():
        assert load_classifier(str(weights)).network(batch).equal(wanted), "what was exported can be used here again"
    assert_refused(run("export", folder, "--output", path, "--input", "1,28,28"), "leave out --input, --set")


def test_export_refuses_what_it_cannot_do_in_one_line(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "n.onnx"
    assert_refused(run("export", "lenet5", "--output", tmp_path / "n.pth"), ".onnx, .pt2 or .safetensors")
    assert_refused(run("export", "lenet5", "--output", tmp_path / "no" / "n.onnx"), "there is no folder")
    assert_refused(run("export", "lenet6", "--output", path), "lenet5")
    assert_refused(run("export", "runs/none", "--output", path), "there is nothing at runs/none")
    assert_refused(run("export", tmp_path, "--output", path), "best.safetensors")
    assert_refused(run("export", "alexnet", "--input", "3,60,60", "--output", path), "features.pool5")
    assert list(tmp_path.iterdir()) == []


def test_export_of_a_file_whose_network_cannot_be_exported_says_why(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "choose.py"
    file.write_text(
        "from torch import nn\n\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.fc = nn.Conv2d(3, 2, 1)\n    def forward(self, x):\n        y = self.fc(x)\n"
        "        print('hello')\n"
        "        return y if self.training or float(y.sum()) > 1e9 else -y\n"
    )
    status, out, err = run("export", f"{file}:Net", "--output", tmp_path / "n.onnx")
    assert (status, out) == (2, "")
    assert err.splitlines()[-1].startswith("architecture-explorer: ")
    assert not (tmp_path / "n.onnx").exists()


# -- show ----------------------------------------------------------------------------------------------------------


def test_show_writes_latex(run: Run) -> None:
    status, out, err = run("show", "lenet5", "--latex")
    assert (status, err) == (0, "")
    assert out.count(r"\begin{longtable}") == out.count(r"\end{longtable}") == 1
    assert out.endswith("\\end{longtable}\n")
    assert_refused(run("show", "lenet5", "--latex", "--csv"), "--latex")
