"""What one does before a run: check it, look at its data, find its rate; and what is offered when memory is full."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QPointF, Qt
from pytestqt.qtbot import QtBot

from explorer.training.recipe import Recipe, default_recipe
from explorer.training.run_folder import RunFolder
from explorer.ui.train.dataset_browser import DatasetBrowser
from explorer.ui.train.page import TrainPage
from explorer.ui.train.preflight_line import is_small
from explorer.ui.train.rate_finder import RateFinder

WAIT = 120_000


def test_small_recipe_is_checked_by_itself_and_a_run_ends_the_check(page: TrainPage, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: page.preflight.result is not None, timeout=WAIT)
    measured = page.preflight.result
    assert measured is not None
    assert measured.params == 61_706
    assert page.preflight.label.message.startswith("61,706 parameters\u00a0\u00a0· ")
    assert "45 steps" in page.preflight.label.message
    page.form.set_value("batch_size", 64)
    assert "61,706" not in page.preflight.label.message, "what was measured belongs to another recipe"
    page.form.set_value("epochs", 1)
    page.preflight.begin()
    qtbot.mouseClick(page.start, Qt.MouseButton.LeftButton)
    assert not page.preflight.isVisible()
    qtbot.waitUntil(lambda: not page.training, timeout=WAIT)
    assert page.figures["state"].text() == "finished"


def test_large_recipes_wait_to_be_asked() -> None:
    assert is_small(default_recipe("lenet5", "digits"))
    assert not is_small(default_recipe("resnet50", "digits"))
    assert not is_small(default_recipe("lenet5", "cifar10")), "it may have to be downloaded"
    assert not is_small(Recipe("timm:resnet18", "digits"))


def test_check_that_fails_says_why(page: TrainPage, qtbot: QtBot, tmp_path: Path) -> None:
    page.form.data.open_folder(tmp_path / "nowhere")
    page.preflight.check.click()
    qtbot.waitUntil(lambda: "nowhere" in page.preflight.label.message, timeout=WAIT)


def test_found_rate_goes_into_the_form(page: TrainPage, qtbot: QtBot) -> None:
    page.form.set_value("optimiser", "adam")
    page.form.find_rate.click()
    (finder,) = page.findChildren(RateFinder)
    qtbot.waitUntil(finder.use.isEnabled, timeout=WAIT)
    assert len(finder.trials) > 20
    assert 1e-4 < finder.rate < 0.1
    suggested = f"Suggested learning rate: {finder.rate:g}"
    assert finder.note.message == suggested
    box = finder.plot.getViewBox()
    at = finder.plot.mapFromScene(box.mapViewToScene(QPointF(-2.5, sum(box.viewRange()[1]) / 2)))
    qtbot.mouseClick(finder.plot.viewport(), Qt.MouseButton.LeftButton, pos=at)
    rate = finder.rate
    assert rate == pytest.approx(10**-2.5, rel=0.2), "a click chooses another rate"
    assert finder.note.message == f"{suggested}   ·   chosen: {rate:g}"
    finder.use.click()
    assert page.form.recipe().learning_rate == pytest.approx(rate)


def test_finder_can_be_closed_in_the_middle(page: TrainPage, qtbot: QtBot) -> None:
    page.form.find_rate.click()
    (finder,) = page.findChildren(RateFinder)
    finder.close()
    qtbot.waitUntil(lambda: not page.findChildren(RateFinder), timeout=WAIT)


def folder_of_images(path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name, count, level in (("dark", 6, 0), ("light", 3, 200)):
        (path / name).mkdir(parents=True)
        for number in range(count):
            pixels = (rng.integers(0, 40, (20, 24, 3)) + level).astype(np.uint8)
            Image.fromarray(pixels).save(path / name / f"{number}.png")
    (path / "dark" / "broken.png").write_bytes(b"not an image")
    return path


def test_any_folder_can_be_looked_through(page: TrainPage, qtbot: QtBot, tmp_path: Path) -> None:
    page.form.data.open_folder(folder_of_images(tmp_path / "pictures"))
    page.form.data.browse.click()
    (browser,) = page.findChildren(DatasetBrowser)
    qtbot.waitUntil(lambda: browser.told is not None, timeout=WAIT)
    model = browser.table.classes
    assert [model.data(model.index(row, 0)) for row in range(model.rowCount())] == ["dark", "light"]
    assert [model.data(model.index(row, 1)) for row in range(2)] == ["6", "3"]
    assert "largest class has 2 ×" in browser.note.message
    assert "broken.png" in browser.files.toPlainText()
    images = model.data(model.index(1, 2), Qt.ItemDataRole.UserRole + 1)
    assert isinstance(images, list)
    assert len(images) == 3
    assert images[0].pixelColor(5, 5).lightness() > 180
    browser.table.grab()
    browser.close()
    qtbot.waitUntil(lambda: not page.findChildren(DatasetBrowser), timeout=WAIT)


def test_run_whose_memory_is_full_goes_on_in_parts(page: TrainPage, qtbot: QtBot, tmp_path: Path) -> None:
    """A network that has no room for more than sixteen images at a step stands for a small device."""
    path = tmp_path / "net.py"
    path.write_text(
        "import torch\nfrom torch import nn\n"
        "class Net(nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n        self.last = nn.Linear(64, 10)\n"
        "    def forward(self, x):\n"
        "        if self.training and len(x) > 16:\n            raise MemoryError\n"
        "        return self.last(x.flatten(1))\n"
    )
    recipe = Recipe(f"{path}:Net", "digits", input=(1, 8, 8), epochs=1, batch_size=64)
    page.form.set_recipe(recipe)
    qtbot.mouseClick(page.start, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not page.training, timeout=WAIT)
    assert "16 fit" in page.banner.text
    assert page.banner.offer.text() == "Go on in 4 parts"
    qtbot.mouseClick(page.banner.offer, Qt.MouseButton.LeftButton)
    assert page.training
    qtbot.waitUntil(lambda: not page.training, timeout=WAIT)
    assert page.figures["state"].text() == "finished"
    (path,) = (run for _, run in page.usable_runs()) if page.usable_runs() else (Path(page.runs.model.runs[0].path),)
    assert RunFolder(path).recipe.accumulate == 4
