"""Runs the window on a real screen and lives through a user's first minutes: `python story_driver.py FILE`.

Keys and mouse come from the X server (xdotool), the drag from another program's window. The story is a generator that
yields what it waits for; the event loop runs meanwhile. Prints one line a chapter; exits with 1 where one fails.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from PySide6.QtCore import QPoint, QSettings, QTimer
from PySide6.QtWidgets import QApplication, QWidget

from explorer.ui.main_window import MainWindow
from explorer.ui.theme import apply_theme

PATIENCE = 100
Condition = Callable[[], object]


def xdotool(*arguments: object) -> None:
    """Lets the X server make an event."""
    subprocess.run(["xdotool", *map(str, arguments)], check=True, timeout=30)


def tell(chapter: str) -> None:
    """Says which chapter is over."""
    sys.stdout.write(chapter + "\n")
    sys.stdout.flush()


def pause(seconds: float) -> Condition:
    """A person's pause."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


def click(widget: QWidget) -> None:
    """Clicks the middle of a widget."""
    point = widget.mapToGlobal(QPoint(widget.width() // 2, widget.height() // 2))
    xdotool("mousemove", point.x(), point.y(), "click", 1)


def story(window: MainWindow, picture: Path) -> Iterator[Condition]:
    """Open, look, train, drop, close."""
    yield lambda: window.isVisible() and window.isActiveWindow()
    explore = window.explore
    yield lambda: explore.portrait is not None and not explore._parts and explore.flow._items
    assert explore.portrait is not None
    assert explore.portrait.anatomy.params == 25_557_032
    assert explore.table.model.rowCount() == 175
    tell("looked at ResNet-50")

    click(window._buttons.button(1))
    yield lambda: window.pages.currentWidget() is window.train
    yield pause(0.5)
    click(window.train.start)
    yield lambda: len(window.train.curves.series("step_loss")) > 100
    tell("curves are moving")
    yield lambda: not window.train.training
    accuracies = window.train.curves.series("validation_accuracy").y
    assert max(accuracies) >= 97, accuracies
    tell(f"trained LeNet-5 to {max(accuracies):.2f} %")

    source = subprocess.Popen([sys.executable, str(Path(__file__).with_name("drag_source.py")), str(picture)])
    try:
        yield pause(2.5)
        xdotool("mousemove", 1600, 360, "mousedown", 1)
        for x in range(1580, 700, -20):
            xdotool("mousemove", x, 420)
            yield pause(0.01)
        yield pause(0.3)
        xdotool("mouseup", 1)
        yield lambda: window.pages.currentWidget() is window.classify
        images = window.classify._images
        yield lambda: len(images.items) == 1 and not images.items[0].waiting
        items = images.items
        assert items[0].error is None, items[0].error
        assert len(items[0].predictions) == 5
        best = items[0].predictions[0]
        tell(f"dropped a picture: {best.label} {best.probability:.3f}")
    finally:
        source.kill()
        source.wait()
    window.activateWindow()
    yield pause(0.5)
    xdotool("key", "ctrl+q")
    yield lambda: not window.isVisible()
    tell("closed")


def main() -> int:
    application = QApplication([])
    sys.setswitchinterval(0.0005)
    apply_theme(application)
    window = MainWindow(QSettings("explorer-story", "explorer-story"))
    window.show()
    window.begin()
    chapters = story(window, Path(sys.argv[1]))
    state: dict[str, object] = {"condition": lambda: True, "since": time.monotonic()}

    def go_on() -> None:
        condition = state["condition"]
        assert callable(condition)
        try:
            if condition():
                state["condition"], state["since"] = next(chapters), time.monotonic()
            elif time.monotonic() - float(str(state["since"])) > PATIENCE:
                raise TimeoutError("waited too long")
        except StopIteration:
            timer.stop()
            application.exit(0)
        except Exception as error:
            timer.stop()
            chapters.close()
            window.grab().save("story_failed.png")
            tell(f"failed: {type(error).__name__}: {error}")
            application.exit(1)

    timer = QTimer()
    timer.timeout.connect(go_on)
    timer.start(20)
    application.setQuitOnLastWindowClosed(False)
    status = application.exec()
    while not all(page.stop() for page in (window.explore, *window._made.values())):
        application.processEvents()
    return status


if __name__ == "__main__":
    sys.exit(main())
