"""What `train` shows on a terminal and in a file."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from explorer.cli.training_display import TrainingDisplay, clock
from explorer.training.events import Epoch, Finished, Started, Steps

STARTED = Started("/runs/a", "lenet5", "digits", "cpu", "a processor", "32-true", 61_706, 1438, 359, 0, 45, 3, 0)
STEPS = Steps(2, 55, (0.9, 0.5), 0.01, 1234.5, 3725.0)
EPOCH = Epoch(2, 90, 0.75, 0.8, 0.25, 0.9, True, 1234.5, 65.0)


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> TrainingDisplay:
    """Returns a display on a terminal 60 columns wide."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr("explorer.cli.training_display.REDRAW_EVERY", 0.0)
    monkeypatch.setenv("COLUMNS", "60")
    return TrainingDisplay()


def test_bar_tells_place_loss_speed_and_time_left(
    shown: TrainingDisplay, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    shown.show(STARTED)
    shown.show(STEPS)
    line = capsys.readouterr().err.rpartition("\r\x1b[K")[2]
    assert re.fullmatch(r"epoch 2/3 .{20}  22% 10/45  loss 0\.8920  1,234 images/s  1:02:05 left", line), line


def test_bar_never_fills_the_last_column(shown: TrainingDisplay, capsys: pytest.CaptureFixture[str]) -> None:
    shown.show(STARTED)
    shown.show(STEPS)
    assert len(capsys.readouterr().err.rpartition("\x1b[K")[2]) == 59


def test_bar_is_gone_before_a_line(shown: TrainingDisplay, capsys: pytest.CaptureFixture[str]) -> None:
    shown.show(STARTED)
    shown.show(STEPS)
    capsys.readouterr()
    shown.show(EPOCH)
    out, err = capsys.readouterr()
    assert err == "\r\x1b[K"
    assert out.split() == ["2/3", "0.7500", "80.00%", "0.2500", "90.00%", "1,234", "1:05", "best"]


def test_file_gets_lines_alone(capsys: pytest.CaptureFixture[str]) -> None:
    display = TrainingDisplay()
    for event in (STARTED, STEPS, EPOCH, Finished("/runs/a", 3, 2, 0.9, 0.875, 195.0)):
        display.show(event)
    display.clear()
    out, err = capsys.readouterr()
    assert err == ""
    assert "\r" not in out
    assert (
        out.splitlines()[-1]
        == "best epoch 2: 90.00% of the validation images, 87.50% of the test images, 3:15 of training"
    )


def test_columns_stand_below_their_names(capsys: pytest.CaptureFixture[str]) -> None:
    display = TrainingDisplay()
    display.show(replace(STARTED, epochs=100, step=45))
    display.show(EPOCH)
    *_, resumed, names, values = capsys.readouterr().out.splitlines()
    assert resumed == "goes on after step 45 of 4,500"
    ends = [match.end() for match in re.finditer(r"\S+", names)]
    assert [match.end() for match in re.finditer(r"\S+", values)][: len(ends)] == ends


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00"), (59.6, "1:00"), (3599, "59:59"), (36_061, "10:01:01")])
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
