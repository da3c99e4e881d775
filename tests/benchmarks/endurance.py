"""What remains of training in the window for half an hour: memory, threads, processes and widgets.

    python tests/benchmarks/endurance.py [--minutes 30] [--warm-up 5]

Needs an X display (`xvfb-run -a python …` gives one). Has LeNet-5 learn the digits over and over, by turns to the end,
with a pause and another learning rate, and resumed after a stop, and looks at the results of the run. Prints, a line a
turn, what the process holds, and at last by how much that has grown since the warm-up. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))


def resident() -> float:
    """Returns the memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 1e6


def children() -> int:
    """Returns how many processes this one has."""
    return sum(
        len((task / "children").read_text(encoding="ascii").split()) for task in Path("/proc/self/task").iterdir()
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--warm-up", type=float, default=5, help="minutes")
    arguments = parser.parse_args()

    from PySide6.QtCore import QSettings
    from PySide6.QtWidgets import QApplication

    from explorer.ui.garbage import GarbageCollection
    from explorer.ui.main_window import MainWindow
    from explorer.ui.theme import apply_theme

    with tempfile.TemporaryDirectory() as place:
        os.environ["EXPLORER_RUNS"] = str(Path(place) / "runs")
        application = QApplication([])
        GarbageCollection(application)
        apply_theme(application)
        window = MainWindow(QSettings(str(Path(place) / "settings.ini"), QSettings.Format.IniFormat))
        window.show()
        window.begin()

        def wait(until: Callable[[], bool]) -> None:
            while not until():
                application.processEvents()
                time.sleep(0.005)

        def wait_for(seconds: float) -> None:
            end = time.monotonic() + seconds
            wait(lambda: time.monotonic() > end)

        wait(lambda: window.explore.portrait is not None)
        window.show_page("train")
        page = window.train
        page.form.choose_network("lenet5", {})
        page.form.set_value("epochs", 8)

        def rest() -> None:
            wait(lambda: page.trainer is None)
            wait_for(0.5)

        def to_the_end() -> None:
            page.begin()
            rest()

        def with_a_pause() -> None:
            page.begin()
            wait_for(2)
            page.pause.click()
            wait_for(0.5)
            page.pause.click()
            if page.trainer is not None:
                page.trainer.change_rate(0.02)
            rest()

        def stopped_and_resumed() -> None:
            page.begin()
            wait_for(1.5)
            page.halt.click()
            rest()
            page.runs.resumed.emit(str(newest()))
            rest()

        def looked_at() -> None:
            page.results.show_run(str(newest()), newest().name)
            wait_for(2)
            for widget in application.topLevelWidgets():
                if widget is not window and widget.isVisible():
                    widget.close()
            wait_for(0.5)

        def newest() -> Path:
            return max((Path(place) / "runs").iterdir())

        def rounds() -> Iterator[Callable[[], None]]:
            while True:
                yield from (to_the_end, with_a_pause, stopped_and_resumed, looked_at)

        begun, first = time.monotonic(), None
        print("minute  what                    MB  threads  Python's  processes  widgets  objects", flush=True)
        for act in rounds():
            act()
            gc.collect()
            wait_for(0.5)
            minute = (time.monotonic() - begun) / 60
            held = (
                resident(),
                len(list(Path("/proc/self/task").iterdir())),
                threading.active_count(),
                children(),
                len(application.allWidgets()),
                len(gc.get_objects()),
            )
            megabytes, *counts = held
            print(
                f"{minute:6.1f}  {act.__name__:20} {megabytes:6.0f}  {'  '.join(f'{n:7}' for n in counts)}", flush=True
            )
            if minute >= arguments.warm_up and first is None and act is looked_at:
                first = held
            if minute >= arguments.minutes and first is not None and act is looked_at:
                grown = [now - then for now, then in zip(held, first, strict=True)]
                names = ("MB", "threads", "of Python's", "processes", "widgets", "objects")
                print(", ".join(f"{change:+.0f} {name}" for change, name in zip(grown, names, strict=True)))
                break
        window.close()
        wait(lambda: not window._closing.isActive())


if __name__ == "__main__":
    main()
