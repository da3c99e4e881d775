"""What GUI tests share: settings and runs of their own, and a look at what a test leaves behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QSettings, QThread
from PySide6.QtWidgets import QApplication


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
def no_thread_left(qapp: QApplication) -> Iterator[None]:
    """Fails a test that leaves a QThread running under a widget."""
    yield
    left = [
        thread for widget in qapp.topLevelWidgets() for thread in widget.findChildren(QThread) if thread.isRunning()
    ]
    assert not left, f"threads left running: {left}"
