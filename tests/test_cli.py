"""The headless commands `list`, `show` and `datasets`: their documents, their errors, their exit status."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from explorer import cli

ROOT = Path(__file__).resolve().parent.parent

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Returns a function that runs one command in this process: status, stdout, stderr."""

    def call(*arguments: str) -> tuple[int, str, str]:
        status = cli.run(list(arguments))
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


def start(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the program as a user does."""
    return subprocess.run(
        [sys.executable, str(ROOT / "main.py"), *arguments], capture_output=True, text=True, timeout=120, check=False
    )


def document(run: Run, *arguments: str) -> Any:
    status, out, err = run(*arguments, "--json")
    assert (status, err) == (0, "")
    assert out.count("\n") == 1
    return json.loads(out)


def assert_refused(result: tuple[int, str, str], *words: str) -> None:
    status, out, err = result
    assert (status, out) == (2, "")
    assert err.startswith("architecture-explorer: ")
    assert err.count("\n") == 1
    assert err.endswith("\n")
    for word in words:
        assert word in err


# -- show ----------------------------------------------------------------------------------------------------------

CONTRACT: dict[str, type | tuple[type, ...]] = {
    "architecture": str, "source": str, "title": str, "inputs": list, "outputs": list, "params": int,
    "trainable_params": int, "macs": int, "activation_bytes": int, "published": (dict, type(None)), "layers": list,
}  # fmt: skip
LAYER_CONTRACT: dict[str, type | tuple[type, ...]] = {
    "index": int, "name": str, "type": str, "inputs": list, "input_shapes": list, "output_shapes": list, "params": int,
    "trainable_params": int, "macs": int, "receptive_field": (list, str, type(None)), "hyperparameters": dict,
}  # fmt: skip


@pytest.mark.parametrize(
    "name", ["lenet5", "resnet50", "torchvision:shufflenet_v2_x1_0", "timm:vit_tiny_patch16_224", "timm:resnet18"]
)
def test_show_gives_the_fields_that_scripts_rely_on(run: Run, name: str) -> None:
    shown = document(run, "show", name)
    assert {key: type(shown[key]) for key in CONTRACT if not isinstance(shown[key], CONTRACT[key])} == {}
    for layer in shown["layers"]:
        wrong = {key: layer[key] for key in LAYER_CONTRACT if not isinstance(layer[key], LAYER_CONTRACT[key])}
        assert wrong == {}
    assert shown["architecture"] == name
    for column in ("params", "trainable_params", "macs", "activation_bytes"):
        assert sum(layer[column] for layer in shown["layers"]) == shown[column]
    assert [layer["index"] for layer in shown["layers"]] == list(range(len(shown["layers"])))


def test_show_works_out_a_step_of_training_when_asked(run: Run) -> None:
    options = ("--train-step", "--batch-size", "8", "--optimiser", "adam", "--precision", "bf16")
    step = document(run, "show", "lenet5", *options)["memory"]["training"]
    assert (step["batch_size"], step["optimiser"], step["precision"]) == (8, "adam", "bf16")
    assert step["bytes"]["parameters"] == 4 * 61_706
    assert step["bytes"]["optimiser"] >= 2 * 4 * 61_706


def test_show_resnet50_is_the_document_of_the_contract(run: Run) -> None:
    shown = document(run, "show", "resnet50")
    layers = shown.pop("layers")
    assert shown["published"].pop("source")
    assert shown.pop("note")
    assert shown.pop("original") is None
    conformance = shown.pop("conformance")
    assert conformance[0].keys() == {"what", "printed", "measured", "verdict", "source", "why"}
    assert (conformance[0]["what"], conformance[0]["measured"]) == ("params", "25,557,032")
    assert "differs" not in {check["verdict"] for check in conformance}
    memory = shown.pop("memory")
    assert memory["inference"]["peak_bytes"] == 4 * 3 * 256 * 56 * 56  # one branch, and in and out of the other
    assert memory["training"] is None
    assert shown == {
        "architecture": "resnet50",
        "source": "torchvision",
        "title": "ResNet-50",
        "inputs": [[1, 3, 224, 224]],
        "outputs": [[1, 1000]],
        "params": 25_557_032,
        "trainable_params": 25_557_032,
        "macs": 4_089_184_256,
        "activation_bytes": shown["activation_bytes"],
        "published": {"params": 25_557_032, "macs": 4_089_000_000},
    }
    assert layers[0] == {
        "index": 0,
        "name": "conv1",
        "type": "Conv2d",
        "inputs": [-1],
        "input_shapes": [[1, 3, 224, 224]],
        "output_shapes": [[1, 64, 112, 112]],
        "dtype": "float32",
        "params": 9408,
        "trainable_params": 9408,
        "macs": 118_013_952,
        "activation_bytes": 4 * 64 * 112 * 112,
        "receptive_field": [7, 7],
        "hyperparameters": {"kernel_size": [7, 7], "stride": [2, 2], "padding": [3, 3]},
        "executed": True,
    }


def test_show_tells_what_surgery_changes(run: Run) -> None:
    shown = document(run, "show", "resnet50+se", "--set", "se.ratio=8", "--set", "num_classes=10")
    assert shown["architecture"] == "resnet50+se"
    assert shown["original"] == {"architecture": "resnet50", "params": 23_528_522, "macs": 4_089_184_256 - 990 * 2048}
    assert shown["params"] - shown["original"]["params"] == 30_603_912 - 25_557_032
    assert shown["published"] is None
    status, out, _ = run("show", "resnet20_cifar+plain")
    assert status == 0
    assert "Changed from resnet20_cifar: +0 (+0.0 %) parameters, +0 (+0.0 %) MACs" in out


def test_show_takes_an_input_and_options(run: Run) -> None:
    shown = document(run, "show", "lenet5", "--input", "1,28,28", "--set", "num_classes=3", "--set", "pooling=max")
    assert shown["inputs"] == [[1, 1, 28, 28]]
    assert shown["outputs"] == [[1, 3]]
    assert shown["params"] == 44_426 - 7 * 85
    assert shown["published"] is None


def test_show_gives_a_table_for_people_by_default(run: Run) -> None:
    status, out, err = run("show", "lenet5")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("LeNet-5 (dense) · 1998")
    assert lines[-1].split()[:3] == ["Total", "61,706", "416,520"]


def test_show_gives_csv(run: Run) -> None:
    status, out, err = run("show", "resnet50", "--csv")
    assert (status, err) == (0, "")
    rows = list(csv.DictReader(out.splitlines()))
    assert len(rows) == 175
    assert rows[0]["Layer"] == "conv1"
    assert sum(int(row["Parameters"]) for row in rows) == 25_557_032
    assert sum(int(row["MACs"]) for row in rows) == 4_089_184_256


def test_show_gives_markdown(run: Run) -> None:
    status, out, err = run("show", "resnet50", "--markdown")
    assert (status, err) == (0, "")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in out.splitlines()]
    assert {len(row) for row in rows} == {10}
    assert rows[2][1:3] == ["conv1", "Conv2d"]
    assert rows[-1][1] == "Total"
    assert rows[-1][6:8] == ["25557032", "4089184256"]


def test_show_takes_a_users_file_and_keeps_what_it_prints_off_the_document(tmp_path: Path) -> None:
    (tmp_path / "my_net.py").write_text(
        "from torch import nn\nprint('loading')\n\n\ndef small(width: int = 2):\n"
        "    print('building')\n    return nn.Sequential(nn.Conv2d(3, width, 3), nn.AdaptiveAvgPool2d(1))\n"
    )
    done = start("show", f"{tmp_path}/my_net.py:small", "--input", "3,8,8", "--set", "width=5", "--json")
    assert done.returncode == 0
    shown = json.loads(done.stdout)
    assert shown["params"] == 5 * 27 + 5
    assert shown["source"] == "file"
    assert "building" in done.stderr


# -- an input that a network cannot take ---------------------------------------------------------------------------


def test_an_impossible_input_gives_the_part_that_ran_and_says_where_it_ended(run: Run) -> None:
    status, out, err = run("show", "alexnet", "--input", "3,8,8", "--json")
    assert status == 2
    assert err == (
        "architecture-explorer: alexnet cannot take an input of 3×8×8: at features.conv1 (Conv2d), "
        "its window of 11×11 does not fit into its input of 8×8; height and width must be at least 67\n"
    )
    shown = json.loads(out)
    assert shown["failure"]["layer"] == "features.conv1"
    assert shown["outputs"] == []


def test_wrong_channels_are_told(run: Run) -> None:
    status, _, err = run("show", "resnet50", "--input", "1,224,224")
    assert status == 2
    assert err == (
        "architecture-explorer: resnet50 cannot take an input of 1×224×224: at conv1 (Conv2d), "
        "it takes 3 channels and was given 1\n"
    )


def test_torchvisions_warnings_do_not_add_to_the_error() -> None:
    done = start("show", "torchvision:googlenet", "--input", "1,64,64", "--json")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert json.loads(done.stdout)["failure"]["layer"] == "conv1.conv"


# -- refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("lenet6", ("'lenet6'", "lenet5")),
        ("torchvision:resnet5", ("'resnet5'", "torchvision:resnet50")),
        ("timm:convnext_tinny", ("'convnext_tinny'", "timm:convnext_tiny")),
        ("timm:resnet50.none", ("'resnet50.none'", "resnet50.a1_in1k")),
        ("nothing.py:Net", ("nothing.py is not a file",)),
        ("nothing.py", ("nothing.py:NAME",)),
        ("", ("''",)),
    ],
)
def test_an_unknown_name_is_refused(run: Run, name: str, words: tuple[str, ...]) -> None:
    assert_refused(run("show", name, "--json"), *words)


@pytest.mark.parametrize(
    "size", ["big", "3,224", "3,224,224,1", "3,2.5,224", "", "0,32,32", "1,0,32", "-1,32,32", "1,-32,32", "1,99999,9"]
)
def test_a_bad_input_size_is_refused(run: Run, size: str) -> None:
    assert_refused(run("show", "lenet5", "--input", size), "--input", size)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("num_classes", ("KEY=VALUE", "'num_classes'")),
        ("=3", ("KEY=VALUE", "'=3'")),
        ("num_classes=many", ("num_classes", "whole number", "from 1 to 100000", "'many'")),
        ("num_classes=0", ("num_classes", "from 1 to 100000", "0")),
        ("pooling=median", ("pooling", "average, max", "'median'")),
        ("classes=3", ("lenet5", "'classes'", "num_classes")),
    ],
)
def test_a_bad_setting_is_refused(run: Run, setting: str, words: tuple[str, ...]) -> None:
    assert_refused(run("show", "lenet5", "--set", setting), *words)


@pytest.mark.parametrize(
    "arguments",
    [
        ["show"],
        ["show", "lenet5", "--bogus"],
        ["show", "lenet5", "surplus"],
        ["show", "lenet5", "--json", "--csv"],
        ["show", "lenet5", "--input"],
        ["show", "lenet5", "--set"],
        ["list", "--source", "keras"],
        ["datasets", "digits", "surplus"],
        ["unheard-of"],
        [],
    ],
    ids=" ".join,
)
def test_a_command_line_that_makes_no_sense_is_refused(run: Run, arguments: list[str]) -> None:
    assert_refused(run(*arguments), "--help")


def test_a_file_that_fails_is_refused(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "bad.py"
    path.write_text("raise ValueError('two\\nlines')")
    assert_refused(run("show", f"{path}:Net"), str(path), "ValueError: two lines")
    path.write_bytes(b"\x00\xff")
    assert_refused(run("show", f"{path}:Net"), str(path))


@pytest.mark.parametrize("arguments", [["show", "lenet6"], ["show", "lenet5", "--bogus"], ["shwo", "lenet5"]])
def test_the_program_itself_refuses_in_one_line(arguments: list[str]) -> None:
    done = start(*arguments)
    assert_refused((done.returncode, done.stdout, done.stderr))


# -- compare -------------------------------------------------------------------------------------------------------


def test_compare_gives_the_document_that_scripts_rely_on(run: Run) -> None:
    compared = document(run, "compare", "vgg16", "torchvision:vgg16_bn")
    assert (compared["a"]["architecture"], compared["a"]["params"]) == ("vgg16", 138_357_544)
    assert (compared["b"]["architecture"], compared["b"]["params"]) == ("torchvision:vgg16_bn", 138_365_992)
    assert compared["delta"] == {
        name: compared["b"][name] - compared["a"][name] for name in ("params", "macs", "activation_bytes")
    }
    assert compared["counts"] == {"same": 40, "changed": 0, "added": 13, "removed": 0}
    assert compared["layers"][1] == {
        "change": "added",
        "a": None,
        "b": 1,
        "name_a": None,
        "name_b": "features.1",
        "type": "BatchNorm2d",
        "fields": {},
        "delta_params": 128,
        "delta_macs": 0,
        "delta_activation_bytes": 4 * 64 * 224 * 224,
    }
    for name, delta in compared["delta"].items():
        assert sum(layer[f"delta_{name}"] for layer in compared["layers"]) == delta
        assert sum(stage[f"delta_{name}"] for stage in compared["stages"]) == delta


def test_compare_takes_an_input_and_options_of_either(run: Run) -> None:
    options = ("--input", "3,96,96", "--set-a", "num_classes=10", "--set-b", "num_classes=20")
    compared = document(run, "compare", "resnet18", "resnet18", *options)
    assert [compared[side]["inputs"] for side in "ab"] == [[[1, 3, 96, 96]]] * 2
    changed = [layer for layer in compared["layers"] if layer["change"] != "same"]
    assert [(layer["name_a"], layer["change"]) for layer in changed] == [("fc", "changed")]
    assert changed[0]["fields"]["output_shapes"] == [[[1, 10]], [[1, 20]]]
    assert compared["delta"]["params"] == 10 * 513


def test_compare_as_text_lists_only_what_differs(run: Run) -> None:
    status, out, err = run("compare", "resnet50", "resnet101")
    assert (status, err) == (0, "")
    assert re.search(r"Parameters +25,557,032 +44,549,160 +\+18,992,128 +\+74\.3 %", out)
    assert "Layers: 175 same, 0 changed, 170 added, 0 removed" in out
    assert re.search(r"layer3 +\+18,992,128 +\+3,712,221,184 +\+17 Bottleneck\n", out)
    assert sum(line.startswith("+") for line in out.splitlines()) == 170
    assert "layer3.5.conv1" not in out
    assert not any(line.endswith(" ") for line in out.splitlines())


def test_compare_says_so_when_nothing_differs(run: Run) -> None:
    status, out, _ = run("compare", "lenet5", "lenet5")
    assert status == 0
    assert out.endswith("All 12 layers are the same\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("lenet5", "lenet6"), ("lenet6", "lenet5")),
        (("lenet6", "lenet5"), ("lenet6", "lenet5")),
        (("lenet5", "lenet5", "--set-b", "classes"), ("--set-b", "KEY=VALUE")),
        (("lenet5", "lenet5", "--set-a", "colour=red"), ("colour",)),
        (("lenet5",), ("--help",)),
    ],
)
def test_compare_refuses_what_it_cannot_use(run: Run, arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    assert_refused(run("compare", *arguments), *words)


def test_compare_shows_what_ran_of_a_network_that_fails(run: Run) -> None:
    status, out, err = run("compare", "vgg16", "resnet18", "--input", "3,16,16", "--json")
    assert status == 2
    assert "vgg16 cannot take an input of 3×16×16" in err
    assert "Only what ran is compared" in err
    compared = json.loads(out)
    assert compared["a"]["failure"]
    assert "failure" not in compared["b"]
    assert sum(layer["delta_params"] for layer in compared["layers"]) == compared["delta"]["params"]


# -- list ----------------------------------------------------------------------------------------------------------


def test_list_names_the_catalogue(run: Run) -> None:
    entries = document(run, "list")
    assert {entry["source"] for entry in entries} == {"explorer"}
    names = [entry["name"] for entry in entries]
    assert {"lenet5", "alexnet", "vgg16", "googlenet", "resnet50", "densenet121", "efficientnet_b0"} <= set(names)
    resnet = next(entry for entry in entries if entry["name"] == "resnet50")
    assert resnet["input"] == [3, 224, 224]
    assert resnet["year"] == 2015
    assert resnet["published"]["params"] == 25_557_032


def test_list_of_all_sources_names_everything_once(run: Run) -> None:
    entries = document(run, "list", "--source", "all")
    names = [entry["name"] for entry in entries]
    assert len(set(names)) == len(names)
    counts = {source: sum(entry["source"] == source for entry in entries) for source in ("torchvision", "timm")}
    assert counts["torchvision"] > 100
    assert counts["timm"] > 1000
    assert all(len(entry["input"]) == 3 and all(size >= 1 for size in entry["input"]) for entry in entries)
    assert all(len(entry["mean"]) == len(entry["std"]) for entry in entries)


@pytest.mark.parametrize("source", ["explorer", "torchvision", "timm"])
def test_list_of_one_source_is_a_part_of_all(run: Run, source: str) -> None:
    entries = document(run, "list", "--source", source)
    assert {entry["source"] for entry in entries} == {source}
    status, out, err = run("list", "--source", source)
    assert (status, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == [entry["name"] for entry in entries]


def test_list_builds_no_network(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from torch import nn

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a module was built")

    monkeypatch.setattr(nn.Module, "__init__", refuse)
    assert len(document(run, "list", "--source", "all")) > 1000


def test_the_catalogue_is_listed_without_torch() -> None:
    code = "import sys; from explorer import cli; cli.run(['list', '--json']); sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)


# -- datasets ------------------------------------------------------------------------------------------------------


def test_datasets_says_what_can_be_trained_on(run: Run) -> None:
    datasets = {dataset["name"]: dataset for dataset in document(run, "datasets")}
    digits = datasets["digits"]
    assert digits["offline"] is True
    assert digits["present"] is True
    assert digits["images"] + digits["test_images"] == 1797
    assert digits["shape"] == [1, 8, 8]
    assert digits["classes"] == [str(digit) for digit in range(10)]
    assert all(isinstance(dataset["download_bytes"], int) for dataset in datasets.values())


def test_datasets_gives_a_line_each_for_people(run: Run) -> None:
    status, out, err = run("datasets")
    assert (status, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == [row["name"] for row in document(run, "datasets")]


def test_datasets_tells_where_each_comes_from(run: Run) -> None:
    for dataset in document(run, "datasets"):
        assert dataset["homepage"].startswith("http")
        assert dataset["source"]
        assert isinstance(dataset["licence"], str)


def test_datasets_looks_into_one(run: Run) -> None:
    digits = document(run, "datasets", "digits")
    assert digits["parts"] == {"train": {"images": 1797, "counts": [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]}}
    assert digits["mean"] == pytest.approx([0.3053], abs=5e-5)
    assert digits["broken"] == digits["doubtful"] == []
    status, out, err = run("datasets", "digits")
    assert (status, err) == (0, "")
    assert "largest to smallest class 1.1 : 1" in out


def test_datasets_looks_into_a_folder(run: Run, shared_data: Callable[..., Path]) -> None:
    folder = f"folder:{shared_data('hymenoptera')}"
    assert document(run, "datasets", folder)["classes"] == ["ants", "bees"]
    _, out, _ = run("datasets", folder)
    assert "to look at:" in out
    assert "imageNotFound.gif" in out


@pytest.mark.parametrize("name", ["imagenet", "folder:/nowhere", "/nowhere/labels.csv"])
def test_datasets_that_there_are_not_are_refused(run: Run, name: str) -> None:
    assert_refused(run("datasets", name))
    assert_refused(run("datasets", name, "--json"))


# -- as a part of a shell's pipe -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command", ["show resnet50", "show resnet50 --json", "list --source all", "show alexnet --input 3,8,8"]
)
def test_a_reader_that_has_had_enough_is_no_error_to_tell(command: str) -> None:
    shell = f'"{sys.executable}" "{ROOT / "main.py"}" {command} | head -c 10'
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, timeout=120, check=True)
    assert len(done.stdout.encode()) >= 10
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_the_document_is_utf8_whatever_the_terminals_encoding() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "main.py"), "show", "lenet5"],
        capture_output=True, env={"PYTHONIOENCODING": "ascii", "PATH": ""}, timeout=120, check=True,
    )  # fmt: skip
    assert "1×32×32" in done.stdout.decode("utf-8")


@pytest.mark.parametrize("arguments", [["--help"], ["show", "--help"], ["--version"]])
def test_help_and_version_are_no_errors(arguments: list[str]) -> None:
    done = start(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout
