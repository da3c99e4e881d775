"""The curves of one run as numbers: what its events tell, by step, epoch or time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from explorer.training.events import (
    Epoch,
    Event,
    Finished,
    LayerRatios,
    LayerStatistics,
    RateChanged,
    Started,
    Steps,
)
from explorer.training.metrics_index import Place
from explorer.training.recipe import Recipe
from explorer.training.run_folder import RunFolder
from explorer.ui.train.layer_history import LayerHistory
from explorer.ui.train.series import Series

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

Axis = Literal["epochs", "steps", "time"]
AXES: dict[Axis, str] = {"epochs": "epoch", "steps": "step", "time": "training time (s)"}
"""What x may stand for, and how a plot names it."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One curve of a run."""

    name: str
    title: str
    plot: str
    """The plot that it belongs to."""
    per_epoch: bool = False


METRICS = (
    Metric("step_loss", "each step", "loss"),
    Metric("train_loss", "training", "loss", True),
    Metric("validation_loss", "validation", "loss", True),
    Metric("train_accuracy", "training", "accuracy", True),
    Metric("validation_accuracy", "validation", "accuracy", True),
    Metric("validation_top5", "top-5", "accuracy", True),
    Metric("rate", "learning rate", "rate"),
    Metric("speed", "images/s", "speed"),
    Metric("norm", "gradient norm", "norm"),
)


class RunCurves:
    """Takes the events of one run in and keeps a series for each metric."""

    def __init__(self, path: str = "", name: str = "", axis: Axis = "epochs") -> None:
        self.path, self.name, self.axis = path, name, axis
        self.series: dict[str, Series] = {metric.name: Series() for metric in METRICS}
        self._clock = Series()
        """Seconds of training by step."""
        self.best: Epoch | None = None
        self.rate_changes: list[RateChanged] = []
        """Where the learning rate was changed by hand."""
        self._start()

    def _start(self) -> None:
        self.layers = LayerHistory()
        self.steps_per_epoch, self.epochs = 1, 0
        self._images_per_step = 0.0
        self.finished = False
        self.read_to: Place | None = None
        """Up to where its metrics have been read; None where that is not known."""

    def clear(self) -> None:
        """Forgets the run, but not the axis."""
        for series in (*self.series.values(), self._clock):
            series.clear()
        self.best = None
        self.rate_changes = []
        self._start()

    def add(self, events: Iterable[Event]) -> None:
        """Takes in events; those of successive steps at once."""
        for of_steps, group in groupby(events, lambda event: isinstance(event, Steps)):
            if of_steps:
                self._add_reports([event for event in group if isinstance(event, Steps)])
            else:
                for event in group:
                    self._add(event)

    def _add_reports(self, reports: Sequence[Steps]) -> None:
        import numpy as np

        steps = [report.step for report in reports]
        speeds = [report.images_per_second for report in reports]
        losses = np.concatenate([report.losses for report in reports])
        counts = np.array([len(report.losses) for report in reports])
        self._tick(steps, counts, speeds)
        # The steps of a report are those up to its own.
        places = np.arange(len(losses)) + np.repeat(steps - np.cumsum(counts) + 1, counts)
        self.extend("step_loss", places, losses)
        self.extend("rate", steps, [report.learning_rate for report in reports])
        self.extend("speed", steps, speeds)
        norms = [(report.step, report.grad_norm) for report in reports if report.grad_norm is not None]
        if norms:
            self.extend("norm", *zip(*norms, strict=True))

    def _add(self, event: Event) -> None:
        if isinstance(event, Started):
            self.steps_per_epoch, self.epochs = max(event.steps_per_epoch, 1), event.epochs
            self._images_per_step = event.train_images / self.steps_per_epoch
            for series in (*self.series.values(), self._clock):
                series.reserve(self.steps_per_epoch * self.epochs)
            self.finished = False
        elif isinstance(event, Finished):
            self.finished = True
        elif isinstance(event, LayerRatios | LayerStatistics):
            self.layers.add(event)
        elif isinstance(event, RateChanged):
            before = [change for change in self.rate_changes if change.step < event.step]
            self.rate_changes = [*before, event]
        elif isinstance(event, Epoch):
            self.extend("train_loss", [event.step], [event.train_loss])
            self.extend("validation_loss", [event.step], [event.validation_loss])
            self.extend("train_accuracy", [event.step], [100 * event.train_accuracy])
            self.extend("validation_accuracy", [event.step], [100 * event.validation_accuracy])
            if event.validation_top5 is not None:
                self.extend("validation_top5", [event.step], [100 * event.validation_top5])
            if event.best:
                self.best = event

    def add_steps(self, table: NDArray[Any]) -> None:
        """Takes in what a run's metrics tell of its steps, all at once."""
        import numpy as np

        if not len(table):
            return
        # Where steps are repeated, the later line counts.
        later = np.minimum.accumulate(table["step"][::-1])[::-1]
        table = table[np.append(table["step"][:-1] < later[1:], True)]
        places = np.flatnonzero(~np.isnan(table["learning_rate"]))
        reports = table[places]
        if len(reports):
            self._tick(reports["step"], np.diff(places, prepend=-1), reports["images_per_second"])
        self.extend("step_loss", table["step"], table["loss"])
        self.extend("rate", reports["step"], reports["learning_rate"])
        self.extend("speed", reports["step"], reports["images_per_second"])
        told = reports[~np.isnan(reports["grad_norm"])]
        self.extend("norm", told["step"], told["grad_norm"])

    def _tick(self, steps: ArrayLike, taken: ArrayLike, speeds: ArrayLike) -> None:
        """Adds the time that steps took, from how many they were and their images per second."""
        import numpy as np

        at = np.asarray(steps, dtype=np.float64)
        place = int(np.searchsorted(self._clock.steps, at[0]))  # a resumed run repeats steps
        before = float(self._clock.y[place - 1]) if place else 0.0
        seconds = np.asarray(taken) * self._images_per_step / np.maximum(np.asarray(speeds, dtype=np.float64), 1e-9)
        self._clock.extend(at, before + np.cumsum(seconds))

    def extend(self, name: str, steps: ArrayLike, values: ArrayLike) -> None:
        """Adds points of one metric, in the order of their steps."""
        self.series[name].extend(self.place(steps), values, steps)

    def set_times(self, times: Mapping[int, float]) -> None:
        """Takes over when steps were done, in ascending order, in seconds since any moment."""
        import numpy as np

        passed = np.maximum.accumulate(np.array([*times.values()], dtype=np.float64))
        self._clock.clear()
        self._clock.extend([*times], passed - passed[:1])

    def place(self, steps: ArrayLike) -> NDArray[np.float64]:
        """Returns where steps lie on the axis: the step, its epoch as a fraction, or seconds of training."""
        import numpy as np

        at = np.asarray(steps, dtype=np.float64)
        if self.axis == "epochs":
            return at / self.steps_per_epoch
        return at if self.axis == "steps" else self.seconds(at)

    def seconds(self, steps: ArrayLike) -> NDArray[np.float64]:
        """Returns the training time until each of some steps; the first report tells of steps since 0."""
        import numpy as np

        knots, times = (np.concatenate(([0.0], values)) for values in (self._clock.steps, self._clock.y))
        passed: NDArray[np.float64] = np.interp(np.asarray(steps, dtype=np.float64), knots, times)
        return passed

    def set_axis(self, axis: Axis) -> None:
        """Moves all points to where they lie on another axis."""
        self.axis = axis
        for name in self.series:
            self.move(name)

    def move(self, name: str) -> None:
        """Moves the points of one metric to where they lie on the axis."""
        series = self.series[name]
        series.move(self.place(series.steps))

    @property
    def end(self) -> float:
        """Where the run ends, or will end, on the axis; 0 where nothing is known."""
        total = self.epochs * self.steps_per_epoch
        if self.axis == "time":
            if not len(self._clock):
                return 0.0
            done = float(self._clock.steps[-1])
            return float(self._clock.y[-1]) * max(total / done, 1.0) if done else 0.0
        last = max((float(series.steps[-1]) for series in self.series.values() if len(series)), default=0.0)
        return max(total, last) / (self.steps_per_epoch if self.axis == "epochs" else 1)

    @property
    def last(self) -> float:
        """Where on the axis the run's newest point lies; 0 where there is none."""
        return max((float(series.x[-1]) for series in self.series.values() if len(series)), default=0.0)

    def value(self, name: str, x: float) -> tuple[float, float] | None:
        """Returns (step, value) of the last point of a curve at or before x, the first one where x is before all."""
        import numpy as np

        series = self.series[name]
        if not len(series):
            return None
        place = max(int(np.searchsorted(series.x, x, "right")) - 1, 0)
        return float(series.steps[place]), float(series.y[place])


def read_run(path: str) -> tuple[Recipe, list[Event], RunCurves]:
    """Reads a run from its folder.

    Returns:
        (recipe, events but for those of single steps, curves).

    Raises:
        InputError: the folder holds no readable recipe, or its metrics cannot be read.
    """
    folder = RunFolder(Path(path))
    recipe, metrics, curves = folder.recipe, folder.read_metrics(), RunCurves(path)
    curves.add(event for event in metrics.events if isinstance(event, Started))
    curves.add_steps(metrics.steps)
    curves.add(event for event in metrics.events if not isinstance(event, Started))
    curves.read_to = metrics.place
    return recipe, list(metrics.events), curves


def read_curves(path: str) -> RunCurves:
    """Reads the curves of a run from its folder; raises InputError as `read_run` does."""
    return read_run(path)[2]
