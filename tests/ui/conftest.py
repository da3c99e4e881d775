"""What GUI tests share: settings, runs and a screen of their own, and a look at what a test leaves behind."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import QSettings, QThread
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from explorer.ui.garbage import GarbageCollection

if TYPE_CHECKING:
    from explorer.ui.train.page import TrainPage


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.gui)


@pytest.fixture
def settings(tmp_path: Path) -> QSettings:
    """Settings that no other test and no user shares."""
    return QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)


@pytest.fixture(autouse=True)
def own_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs go to a folder of the test's own."""
    folder = tmp_path / "runs"
    monkeypatch.setenv("EXPLORER_RUNS", str(folder))
    monkeypatch.setenv("EXPLORER_DATASETS", str(tmp_path / "datasets"))
    return folder


@pytest.fixture(autouse=True)
def garbage_collected_as_in_the_app(qapp: QApplication) -> Iterator[None]:
    """Keeps other threads from destroying widgets that earlier tests have left to the collector."""
    collection = GarbageCollection()
    yield
    collection.deleteLater()
    gc.enable()


@pytest.fixture(autouse=True)
def no_thread_left(qapp: QApplication) -> Iterator[None]:
    """Fails a test that leaves a QThread running under a widget."""
    yield
    left = [
        thread for widget in qapp.topLevelWidgets() for thread in widget.findChildren(QThread) if thread.isRunning()
    ]
    assert not left, f"threads left running: {left}"


@pytest.fixture
def page(qtbot: QtBot, settings: QSettings) -> Iterator[TrainPage]:
    """The Train page, shown; tests of other pages have a `page` of their own."""
    from explorer.ui.train.page import TrainPage

    page = TrainPage(settings)
    qtbot.addWidget(page)
    page.resize(1200, 760)
    page.show()
    yield page
    while not page.stop():  # no event is handled meanwhile: the page has been asked to go
        pass


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An X screen of 1920×1080 with a window manager; gives the environment for programs on it."""
    missing = [tool for tool in ("Xvfb", "openbox", "xdotool") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1920x1080x24", "-nolisten", "tcp"],
        pass_fds=(write,),
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    with os.fdopen(read) as pipe:
        display = f":{pipe.readline().strip()}"
    environment = {key: value for key, value in os.environ.items() if key != "QT_QPA_PLATFORM"}
    environment |= {
        "DISPLAY": display,
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_DATA_HOME": str(tmp_path / "share"),
        "EXPLORER_RUNS": str(tmp_path / "runs"),
    }
    manager = subprocess.Popen(["openbox"], env=environment, stderr=subprocess.DEVNULL)
    try:
        yield environment
    finally:
        manager.terminate()
        manager.wait()
        server.terminate()
        server.wait()
