"""A run of a million steps: how long its folder takes to open, and its curves to follow, to pan and to smooth.

    python tests/benchmarks/million_steps.py [--steps 1000000] [--report 1]

Writes a run folder in which each report tells of `--report` steps, reads it without and with the index beside the
metrics, and shows it in the curves of the Train page (offscreen, or on the X display that `QT_QPA_PLATFORM=xcb`
chooses). Prints medians and longest times in milliseconds. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


def write_run(path: Path, steps: int, report: int) -> None:
    """Writes the folder of a run that has ended."""
    import numpy as np

    from explorer.training.events import Epoch, Finished, LayerRatios, Started, Steps, to_document
    from explorer.training.layer_statistics import KEPT_EVERY
    from explorer.training.recipe import Recipe
    from explorer.training.run_folder import RunFolder

    per_epoch = 10_000
    epochs = steps // per_epoch
    folder = RunFolder.create(Recipe(epochs=max(epochs, 1)), path)
    noise = np.random.default_rng(0).gamma(2.0, 0.2, steps)
    losses = (noise + 2.3 / (1 + np.arange(steps) / 20_000)).tolist()
    started = Started(
        str(path), "lenet5", "digits", "cpu", "CPU", "32-true", 61_706, 320_000, 359, 0, per_epoch, epochs + 5, 0
    )
    looked = 0
    with (folder.path / "metrics.jsonl").open("w") as file:
        file.write(json.dumps(to_document(started)) + "\n")
        for end in range(report, steps + 1, report):
            epoch = (end - 1) // per_epoch + 1
            event = Steps(epoch, end, tuple(losses[end - report : end]), 0.05, 4000.0 + end % 97, 12.5, losses[end - 1])
            file.write(json.dumps(to_document(event)) + "\n")
            if end > (1 + KEPT_EVERY) * looked:  # of as many layers as ResNet-18 has
                looked = end
                ratios = LayerRatios(end, tuple((f"layer{place}.0.conv1", losses[end - 1]) for place in range(41)))
                file.write(json.dumps(to_document(ratios)) + "\n")
            if end % per_epoch == 0:
                share = 1 - 1 / (epoch + 1)
                told = Epoch(epoch, end, losses[end - 1], share, losses[end - 1], share, True, 4000.0, 80.0)
                file.write(json.dumps(to_document(told)) + "\n")
        finished = Finished(str(path), epochs, epochs, 0.9, None, 1.0)
        file.write(json.dumps(to_document(finished)) + "\n")


def measure(name: str, action: Callable[[], object], rounds: int = 5) -> None:
    """Prints how long an action takes, and how much of that this thread worked."""
    times, worked = [], []
    for _ in range(rounds):
        begun, before = time.perf_counter(), time.thread_time()
        action()
        worked.append(1000 * (time.thread_time() - before))
        times.append(1000 * (time.perf_counter() - begun))
    median, longest, work = statistics.median(times), max(times), statistics.median(worked)
    print(f"{name:48} median {median:9.2f} ms, longest {longest:9.2f} ms, at work {work:9.2f} ms", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--report", type=int, default=1, help="steps that one line of the metrics tells of")
    arguments = parser.parse_args()

    from PySide6.QtWidgets import QApplication

    from explorer.training.events import Steps
    from explorer.training.run_folder import RunFolder
    from explorer.ui.train.curves import Curves
    from explorer.ui.train.run_curves import read_run

    with tempfile.TemporaryDirectory() as root:
        path = Path(root) / "run"
        write_run(path, arguments.steps, arguments.report)
        folder = RunFolder(path)
        size = (path / "metrics.jsonl").stat().st_size / 1e6
        print(f"{arguments.steps:,} steps, {size:,.0f} MB of metrics")
        measure("open without an index (line by line, writes it)", lambda: read_run(str(path)), 1)
        print(f"{(path / 'metrics.index').stat().st_size / 1e6:,.0f} MB of index")
        measure("open with it", lambda: read_run(str(path)))
        measure("summary for the list of runs", folder.summary)
        application = QApplication([])
        curves = Curves()
        curves.resize(1180, 760)
        curves.show()
        application.processEvents()
        run = read_run(str(path))[2]

        def painted() -> None:
            application.processEvents()

        measure("show the run (GUI thread)", lambda: (curves.show_run(run), painted()))
        box = curves.loss.getViewBox()
        width = box.viewRange()[0][1]

        def pan() -> None:
            box.translateBy(x=width / 997)
            painted()

        measure("pan the loss over everything", pan, 40)
        for share in (0.5, 0.1, 0.02):
            box.setXRange(0, width * share, padding=0)
            painted()
            measure(f"pan the loss over {share:.0%} of it", pan, 40)
        step = arguments.steps  # of a run that has five epochs to go

        def follow() -> None:
            nonlocal step
            step += 20
            curves.add([Steps(1, step, (1.0,) * 20, 0.05, 4000.0, 1.0, 1.0)])
            curves.draw()
            painted()

        box.setXRange(0, width, padding=0)
        painted()
        measure("follow the run: 20 more steps", follow, 40)
        measure("smooth everything (GUI thread)", lambda: (curves.bar.slider.setValue(900), painted()), 1)
        measure("follow the run, smoothed", follow, 40)
        measure("pan the loss, smoothed", pan, 40)
        turns: list[float] = []

        def changed() -> None:
            """Has the plots changed one after the other, and notes how long the window could not answer."""
            turns.clear()
            while curves._changes or not turns:
                before = time.thread_time()
                painted()
                turns.append(1000 * (time.thread_time() - before))

        measure("count steps instead of epochs", lambda: (curves.bar.axis.setCurrentIndex(1), changed()), 1)
        print(f"{'  its longest turn':48} at work {max(turns):.2f} ms")
        measure("count time", lambda: (curves.bar.axis.setCurrentIndex(2), changed()), 1)
        print(f"{'  its longest turn':48} at work {max(turns):.2f} ms")
        measure("logarithmic loss", lambda: (curves.bar.log_y.setChecked(True), changed()), 1)
        print(f"{'  its longest turn':48} at work {max(turns):.2f} ms")
        curves.stop(5000)
        measure("rewind by 1,000 steps, as a resumed run does", lambda: folder.rewind(10**6, arguments.steps - 1000), 1)


if __name__ == "__main__":
    main()
