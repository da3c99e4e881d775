"""Runs on image files that are decoded as they are needed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from explorer.training.events import Epoch, Event, Started, Steps
from explorer.training.fit import fit
from explorer.training.recipe import Recipe
from explorer.training.run_folder import RunFolder

Train = Callable[..., tuple[RunFolder, list[Event]]]


@pytest.fixture
def streamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """Returns a recipe for two classes of 24 images, which come in four batches of 10 and 8."""
    rng = np.random.default_rng(0)
    for number in range(48):
        path = tmp_path / "images" / f"class {number % 2}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 128, (12, 10, 3), np.uint8) + np.uint8(120 * (number % 2))).save(path)
    monkeypatch.setattr("explorer.data.decode.RESIDENT_BYTES", 0)
    monkeypatch.setattr("explorer.data.streaming.usual_workers", lambda: 0)  # processes have tests of their own
    return Recipe(
        dataset=f"folder:{tmp_path / 'images'}", batch_size=10, epochs=2, augmentation="flip and crop", threads=1
    )


def test_a_run_goes_on_in_the_middle_of_an_epoch_bit_for_bit(every_step: None, streamed: Recipe, train: Train) -> None:
    whole, events = train(streamed)
    assert [event.steps_per_epoch for event in events if isinstance(event, Started)] == [4]
    folder = RunFolder.create(streamed)
    begun = fit(streamed, folder, "cpu")
    for event in begun:
        if isinstance(event, Steps) and event.step == 6:
            break
    begun.close()
    list(fit(streamed, folder, "cpu", resume=True))
    ours, theirs = folder.load_checkpoint(), whole.load_checkpoint()
    assert ours is not None
    assert theirs is not None
    assert all(torch.equal(value, theirs["model"][name]) for name, value in ours["model"].items())
    losses = [
        [loss for line in run.metrics() if line["event"] == "steps" for loss in line["losses"]]
        for run in (folder, whole)
    ]
    assert losses[0] == losses[1]
    assert len(losses[0]) == 8


def test_files_that_vanish_or_break_meanwhile_are_left_out_and_counted(every_step: None, streamed: Recipe) -> None:
    files = sorted(Path(streamed.dataset.removeprefix("folder:")).rglob("*.png"))
    epochs = []
    for event in fit(streamed, RunFolder.create(streamed), "cpu"):
        if isinstance(event, Epoch):
            epochs.append(event.left_out)
            files[0].unlink(missing_ok=True)
            files[1].write_bytes(files[1].read_bytes()[:60])
            files[-1].write_bytes(b"")
    assert epochs[0] == 0
    assert 1 <= epochs[1] <= 3  # of the three, some may be held out


def test_a_folder_that_vanishes_meanwhile_ends_the_run_with_a_message(every_step: None, streamed: Recipe) -> None:
    folder = Path(streamed.dataset.removeprefix("folder:"))
    with pytest.raises(Exception, match="see that the dataset is still there") as failure:  # noqa: PT012
        for event in fit(streamed, RunFolder.create(streamed), "cpu"):
            if isinstance(event, Steps) and event.step == 2:
                folder.rename(folder.with_name("elsewhere"))
    assert "\n" not in str(failure.value)
