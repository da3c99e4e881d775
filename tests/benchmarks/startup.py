"""How soon the window is there, and how smooth it stays while torch loads behind it.

    python tests/benchmarks/startup.py [--runs 5]

Needs an X display (`xvfb-run -a python …` gives one) and xdotool. Prints medians; nothing is asserted.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TITLE = "^Architecture Explorer$"


def seconds_to_window(environment: dict[str, str]) -> float:
    """Returns the time from the command to a visible window."""
    start = time.perf_counter()
    program = subprocess.Popen([sys.executable, "main.py"], cwd=ROOT, env=environment)
    try:
        # xdotool's own waiting looks twice a second, which is all that one would measure.
        search = ["xdotool", "search", "--onlyvisible", "--pid", str(program.pid), "--name", TITLE]
        while subprocess.run(search, capture_output=True).returncode:
            if time.perf_counter() - start > 60:
                raise TimeoutError("no window after a minute")
            time.sleep(0.01)
        return time.perf_counter() - start
    finally:
        program.send_signal(signal.SIGKILL)
        program.wait()


def gaps_while_loading() -> tuple[list[float], float]:
    """Returns the gaps between 60 Hz ticks (ms) from the first paint to the first network drawn, and that time."""
    sys.path.insert(0, str(ROOT))
    from PySide6.QtCore import QSettings, Qt, QTimer
    from PySide6.QtWidgets import QApplication

    from explorer.ui.main_window import MainWindow
    from explorer.ui.theme import apply_theme

    sys.setswitchinterval(0.0005)  # as the app does
    application = QApplication([])
    settings = QSettings(str(Path(tempfile.mkdtemp()) / "settings.ini"), QSettings.Format.IniFormat)
    apply_theme(application)
    window = MainWindow(settings)
    window.show()
    application.processEvents()
    start = time.perf_counter()
    ticks = [start]
    timer = QTimer()
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.timeout.connect(lambda: ticks.append(time.perf_counter()))
    timer.start(16)
    window.explore.flow.drawn.connect(application.quit)
    window.begin()
    application.exec()
    total = time.perf_counter() - start
    timer.stop()
    window.close()
    while window._closing.isActive():
        application.processEvents()
    return [1000 * (after - before) for before, after in pairwise(ticks)], total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--gaps", action="store_true", help="only the second part, in this process")
    arguments = parser.parse_args()
    if arguments.gaps:
        gaps, total = gaps_while_loading()
        gaps.sort()
        print(f"{total:.2f} {gaps[round(0.99 * (len(gaps) - 1))]:.0f} {gaps[-1]:.0f}")
        return
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "XDG_CONFIG_HOME": home, "XDG_DATA_HOME": home}
        seconds_to_window(environment)  # warms the disk
        times = [seconds_to_window(environment) for _ in range(arguments.runs)]
        rows = []
        for _ in range(arguments.runs):
            answer = subprocess.run(
                [sys.executable, __file__, "--gaps"], env=environment, capture_output=True, text=True, check=True
            )
            rows.append([float(value) for value in answer.stdout.split()])
    listed = ", ".join(f"{value:.2f}" for value in times)
    print(f"window on screen: median {statistics.median(times):.2f} s of {arguments.runs} ({listed})")
    for name, unit, column in (
        ("first network drawn", "s", 0),
        ("60 Hz tick, p99", "ms", 1),
        ("60 Hz tick, longest", "ms", 2),
    ):
        values = [row[column] for row in rows]
        print(f"{name}: median {statistics.median(values):.4g} {unit} ({', '.join(f'{v:.4g}' for v in values)})")


if __name__ == "__main__":
    main()
