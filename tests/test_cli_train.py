"""What `train` takes on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from explorer import cli
from explorer.training.recipe import default_recipe
from explorer.training.run_folder import RunFolder


def test_network_is_that_of_the_recipe_the_preset_or_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "recipe.toml").write_text(default_recipe("lenet5_1998", "digits").to_toml(), encoding="utf-8")
    run = str(tmp_path / "run")
    assert cli.run(["train", "--recipe", str(tmp_path / "recipe.toml"), "--epochs", "1", "--run-dir", run]) == 0
    assert RunFolder(Path(run)).recipe.architecture == "lenet5_1998"
    capsys.readouterr()
    assert cli.run(["train", "--resume", "--run-dir", run, "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["architecture"] for event in events if event["event"] == "started"] == ["lenet5_1998"]
    assert events[-1]["event"] == "finished"
    small = ["--dataset", "digits", "--epochs", "1", "--run-dir", str(tmp_path / "other")]
    assert cli.run(["train", "--preset", "lenet-keras", *small]) == 0
    assert RunFolder(tmp_path / "other").recipe.architecture == "lenet5"


def test_network_must_be_told_somewhere(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["train", "--epochs", "1"]) == 2
    assert "train needs the NAME of a network" in capsys.readouterr().err


def test_run_of_another_network_is_not_resumed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    RunFolder.create(default_recipe("lenet5_1998", "digits"), tmp_path / "run")
    assert cli.run(["train", "lenet5", "--resume", "--run-dir", str(tmp_path / "run")]) == 2
    assert "is a run of lenet5_1998, not of lenet5" in capsys.readouterr().err
