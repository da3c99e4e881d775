"""What a fresh checkout and an installation promise."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from explorer.resources import resource

ROOT = Path(__file__).resolve().parent.parent

needs_make = pytest.mark.skipif(shutil.which("make") is None or sys.platform != "linux", reason="needs make on Linux")


def make_elsewhere(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the Makefile in a folder that holds nothing else, without a display."""
    shutil.copy(ROOT / "Makefile", folder)
    hidden = {"DISPLAY", "WAYLAND_DISPLAY", "MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@needs_make
def test_make_run_without_a_display_says_how_to_go_on_and_installs_nothing(tmp_path: Path) -> None:
    finished = make_elsewhere(tmp_path, "run")

    assert finished.returncode == 2
    assert finished.stdout == ""
    assert "neither DISPLAY nor WAYLAND_DISPLAY is set" in finished.stderr
    for way in ("ssh -X", "xvfb-run make run", "main.py show resnet50"):
        assert way in finished.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["Makefile"]


@needs_make
def test_make_names_the_python_it_needs_where_none_is_new_enough(tmp_path: Path) -> None:
    too_old = tmp_path / "python-too-old"
    too_old.write_text("#!/bin/sh\nexit 1\n")  # what any Python below 3.11 answers to the version check
    too_old.chmod(0o755)

    finished = make_elsewhere(tmp_path, ".venv/bin/pip", f"PYTHON={too_old}")

    assert finished.returncode == 2
    assert "Python 3.11 or newer is needed" in finished.stderr
    assert str(too_old) in finished.stderr
    assert not (tmp_path / ".venv").exists()


@needs_make
def test_make_alone_lists_the_targets_and_does_nothing(tmp_path: Path) -> None:
    finished = make_elsewhere(tmp_path)

    assert finished.returncode == 0
    assert {"make run", "make test"} <= {" ".join(line.split()[:2]) for line in finished.stdout.splitlines()}
    assert [path.name for path in tmp_path.iterdir()] == ["Makefile"]


def test_resources_of_a_checkout_are_its_own_folder() -> None:
    assert resource("cards") == ROOT / "resources" / "cards"
    assert resource("cards").is_dir()


def test_resources_of_an_installation_lie_inside_the_package(tmp_path: Path) -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        wheel = tomllib.load(file)["tool"]["hatch"]["build"]["targets"]["wheel"]
    installed = tmp_path / "explorer"
    shutil.copytree(ROOT / "resources", tmp_path / wheel["force-include"]["resources"])
    shutil.copy(ROOT / "explorer" / "resources.py", installed)

    module: dict[str, Any] = runpy.run_path(str(installed / "resources.py"))

    assert module["resource"]("cards").is_relative_to(installed)


def test_a_missing_resource_is_named() -> None:
    with pytest.raises(FileNotFoundError, match=r"no-such-file\.svg is missing"):
        resource("icons", "no-such-file.svg")
