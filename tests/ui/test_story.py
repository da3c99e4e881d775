"""A user's first minutes on a real screen, with another program's window to drag from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.screen


def test_open_train_drop_a_picture_from_another_program_and_close(screen: dict[str, str], tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    image = Image.new("RGB", (320, 240), "white")
    ImageDraw.Draw(image).ellipse((60, 20, 260, 220), fill="orange")
    image.save(picture)
    driver = Path(__file__).with_name("story_driver.py")
    answer = subprocess.run(
        [sys.executable, str(driver), str(picture)],
        cwd=tmp_path,
        env=screen,
        capture_output=True,
        text=True,
        timeout=170,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert [line.split(":")[0].split(" to ")[0] for line in answer.stdout.splitlines()] == [
        "looked at ResNet-50",
        "curves are moving",
        "trained LeNet-5",
        "dropped a picture",
        "closed",
    ]


def test_the_program_opens_its_window_and_leaves_when_it_is_closed(screen: dict[str, str]) -> None:
    program = subprocess.Popen(
        [sys.executable, "main.py"], cwd=ROOT, env=screen, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        search = ["xdotool", "search", "--sync", "--onlyvisible", "--name", "^Architecture Explorer$"]
        found = subprocess.run(search, env=screen, capture_output=True, text=True, check=True, timeout=60)
        quit_key = ["xdotool", "windowactivate", "--sync", found.stdout.split()[0], "key", "ctrl+q"]
        # While torch still loads. A window manager that has just started may not yet hand the keys on: then once more.
        for _ in range(30):
            subprocess.run(quit_key, env=screen, check=False, stderr=subprocess.DEVNULL, timeout=30)
            try:
                program.wait(timeout=3)
                break
            except subprocess.TimeoutExpired:
                continue
        output, _ = program.communicate(timeout=90)
    finally:
        program.kill()
        program.wait()
    assert program.returncode == 0
    assert "Traceback" not in output
    assert "QThread: Destroyed" not in output


def test_without_a_display_the_program_says_so(screen: dict[str, str]) -> None:
    environment = {key: value for key, value in screen.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
    answer = subprocess.run([sys.executable, "main.py"], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert answer.returncode == 2
    assert "no display" in answer.stderr
    assert len(answer.stderr.splitlines()) == 1
