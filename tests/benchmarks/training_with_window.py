"""What the window costs training, and training the window: LeNet-5 on the digits with and without live curves.

    python tests/benchmarks/training_with_window.py [--rounds 3] [--epochs 30] [--architecture lenet5] [--side 0]

Needs an X display (`xvfb-run -a python …` gives one). Runs both in turn, A B A B, each in a process of its own, and
prints images/s from the first step to the last epoch, their ratio pair by pair, and the ticks of a 60 Hz timer on the
GUI thread meanwhile and that thread's work, the timer's own included. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from explorer.ui.main_window import MainWindow

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))


def train_headless(arguments: argparse.Namespace, folder: str) -> float:
    """Returns the images/s of `main.py train`."""
    command = [sys.executable, "main.py", "train", arguments.architecture, "--json", "--device", "cpu"]
    command += ["--epochs", str(arguments.epochs), "--run-dir", folder, "--set", f"threads={arguments.threads}"]
    if arguments.side:
        command += ["--set", f"input=3,{arguments.side},{arguments.side}"]
    begun, images, since = None, 0, 0.0
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        for line in program.stdout:
            event = json.loads(line)
            if event["event"] == "started":
                images, since = event["train_images"] * event["epochs"], time.perf_counter()
            if event["event"] == "epoch" and event["epoch"] == arguments.epochs:
                begun = time.perf_counter() - since
    assert begun
    return images / begun


def open_window(arguments: argparse.Namespace) -> tuple[QApplication, MainWindow]:
    """Opens the app's window as `app.run` does, at its Train page with a recipe by the arguments."""
    from PySide6.QtCore import QSettings
    from PySide6.QtWidgets import QApplication

    from explorer.training.recipe import default_recipe
    from explorer.ui.garbage import GarbageCollection
    from explorer.ui.main_window import MainWindow
    from explorer.ui.theme import apply_theme

    application = QApplication([])
    sys.setswitchinterval(0.0005)  # as the app does, like the next
    GarbageCollection(application)
    apply_theme(application)
    settings = QSettings(str(Path(tempfile.mkdtemp()) / "settings.ini"), QSettings.Format.IniFormat)
    window = MainWindow(settings)
    window.show()
    window.begin()
    while window.explore.portrait is None or window.explore._library_questions:
        application.processEvents()
    window.show_page("train")
    recipe = default_recipe(arguments.architecture, "digits")
    input = (3, arguments.side, arguments.side) if arguments.side else None
    window.train.form.set_recipe(replace(recipe, epochs=arguments.epochs, threads=arguments.threads, input=input))
    return application, window


def train_in_window(arguments: argparse.Namespace) -> None:
    """Trains on the Train page and prints images/s and the gaps between ticks."""
    from PySide6.QtCore import Qt, QTimer

    from explorer.training.events import Epoch, Event, Started

    application, window = open_window(arguments)
    page = window.train
    times: dict[str, float] = {}
    images = 0
    ticks: list[float] = []
    timer = QTimer()
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.timeout.connect(lambda: ticks.append(time.perf_counter()))

    class Watched(deque[Event]):
        """The trainer's events, each noted when training hands it over and not when the page shows it."""

        def append(self, event: Event) -> None:
            nonlocal images
            if isinstance(event, Started):
                images, times["start"] = event.train_images * event.epochs, time.perf_counter()
            if isinstance(event, Epoch) and event.epoch == arguments.epochs:
                times["end"] = time.perf_counter()
            super().append(event)

    page.begin()
    assert page.trainer is not None
    page.trainer.events = Watched()
    while "start" not in times:
        application.processEvents()
    timer.start(16)
    worked = time.thread_time()
    page.trainer.finished.connect(application.quit)
    application.exec()
    gaps = sorted(1000 * (after - before) for before, after in pairwise(ticks))
    seconds = times["end"] - times["start"]
    p99 = gaps[round(0.99 * (len(gaps) - 1))]
    share = (time.thread_time() - worked) / seconds
    print(json.dumps({"speed": images / seconds, "p99": p99, "longest": gaps[-1], "share": share}))
    close(application, window)


def close(application: QApplication, window: MainWindow) -> None:
    """Closes the window and waits for its threads."""
    window.close()
    while window._closing.isActive():
        application.processEvents()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--architecture", default="lenet5")
    parser.add_argument("--threads", type=int, default=0, help="0: as many as the app takes by itself")
    parser.add_argument("--side", type=int, default=0, help="of colour images; 0: the network's own input")
    parser.add_argument("--window", action="store_true", help="only the run with the window, in this process")
    arguments = parser.parse_args()
    if arguments.window:
        train_in_window(arguments)
        return
    rows = []
    command = [sys.executable, __file__, "--window", "--epochs", str(arguments.epochs)]
    command += ["--architecture", arguments.architecture, "--threads", str(arguments.threads)]
    command += ["--side", str(arguments.side)]
    for number in range(arguments.rounds):
        with tempfile.TemporaryDirectory() as folder:
            alone = train_headless(arguments, folder + "/run")
            environment = {**os.environ, "EXPLORER_RUNS": folder + "/runs"}
            answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
            row = json.loads(answer.stdout.splitlines()[-1])
        rows.append((alone, row["speed"], row["speed"] / alone, row["p99"], row["longest"], row["share"]))
        print(
            f"round {number + 1}: {alone:,.0f} images/s alone, {row['speed']:,.0f} with the window, "
            f"ratio {rows[-1][2]:.3f}; tick p99 {row['p99']:.1f} ms, longest {row['longest']:.0f} ms, "
            f"GUI thread {row['share']:.1%} of a core",
            flush=True,
        )
    alone, window, ratio, p99, longest, share = (statistics.median(column) for column in zip(*rows, strict=True))
    print(
        f"median: {alone:,.0f} alone, {window:,.0f} with the window, ratio {ratio:.3f}; "
        f"tick p99 {p99:.1f} ms, longest {longest:.0f} ms, GUI thread {share:.1%} of a core"
    )


if __name__ == "__main__":
    main()
