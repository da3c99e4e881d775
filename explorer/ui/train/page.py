"""The Train page: a recipe, one button, live curves, and the runs so far."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from PySide6.QtCore import QByteArray, QSettings, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QSplitter, QVBoxLayout, QWidget

from explorer.architectures.options import Scalar
from explorer.data.download import Progress
from explorer.errors import InputError
from explorer.training.errors import TrainingError, UnwritableError
from explorer.training.events import Epoch, Evaluating, Event, Finished, Started, Steps
from explorer.training.recipe import Recipe, default_recipe
from explorer.training.recipe_text import read_text
from explorer.training.run_folder import RunFolder, RunSummary
from explorer.ui.background import Answer, Background
from explorer.ui.numbers import short_bytes, short_time
from explorer.ui.train.comparison import Comparison
from explorer.ui.train.controls import Controls
from explorer.ui.train.curves import Curves
from explorer.ui.train.dataset_browser import DatasetBrowser
from explorer.ui.train.end_notice import EndNotice
from explorer.ui.train.following import Following
from explorer.ui.train.forking import Forking
from explorer.ui.train.frames import Frames
from explorer.ui.train.heading import Heading
from explorer.ui.train.iteration import end_iterations
from explorer.ui.train.layers_window import LayersWindow
from explorer.ui.train.preflight_line import PreflightLine
from explorer.ui.train.rate_finder import RateFinder
from explorer.ui.train.recipe_bar import RecipeBar
from explorer.ui.train.recipe_form import RecipeForm
from explorer.ui.train.results import Results
from explorer.ui.train.run_curves import RunCurves, read_run
from explorer.ui.train.run_list import RunList
from explorer.ui.train.run_listing import RunListing
from explorer.ui.train.run_queue import RunQueue, run_text
from explorer.ui.train.trainer import Trainer
from explorer.ui.widgets.banner import Banner


class TrainPage(QWidget):
    """Trains one run at a time."""

    status_changed = Signal(str)
    progress_changed = Signal(float)
    """Share of the run that is done, from 0 to 1; negative when nothing trains."""
    runs_changed = Signal()
    classify_wanted = Signal(str)
    """Folder of the run to classify with."""

    def __init__(self, settings: QSettings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._settings = settings
        self.trainer: Trainer | None = None
        self._background = Background(self)
        self._background.answered.connect(self._answered)
        self._read_question = 0
        self._failed: tuple[RunFolder, int] | None = None
        """The run that has failed and may go on, and the parts that its batch fits in; 0 where it may stay whole."""
        self._closing = False
        self._notice = EndNotice(self)
        self._started: Started | None = None

        self.form = RecipeForm(self)
        self.bar = RecipeBar(self.form, settings, self)
        self.preflight = PreflightLine(self)
        self.controls = Controls(self)
        self.start, self.pause, self.halt = self.controls.start, self.controls.pause, self.controls.halt
        self.queue = RunQueue(settings, self)
        self.runs = RunList(self)
        self.banner = Banner()
        self.curves = Curves(self)
        self.curves.bar.remember(settings)
        self.comparison = Comparison(self.runs, self.curves, self._background, settings)
        self.listing = RunListing(self.runs, self.curves, self.comparison, settings, self)
        self.results = Results(self)
        self.layers: LayersWindow | None = None
        """Made when it is first opened."""
        self.heading = Heading(self)
        self.figures = self.heading.figures
        self.following = Following(self.curves, self.figures, lambda: self.trainer is not None)
        self._build()
        parts = (self._take_events, *self.curves.parts)
        self._frames = Frames(parts, lambda: self.trainer is not None and self.trainer.isRunning(), self)

        self.bar.failed.connect(self.banner.say)
        self.banner.accepted.connect(self._go_on)
        self.form.changed.connect(self._recipe_changed)
        self.form.find_rate.clicked.connect(self.find_rate)
        self.form.browse_wanted.connect(self.browse)
        self.preflight.batch_wanted.connect(self._use_batch)
        self.forking = Forking(self.runs.view)
        self.forking.forked.connect(self.form.set_recipe)
        self.forking.failed.connect(self.banner.say)
        self.controls.started.connect(self.begin)
        self.controls.queued.connect(self.enqueue)
        self.controls.paused.connect(self._pause_or_go_on)
        self.controls.halted.connect(self._halt)
        self.controls.ended_after_epoch.connect(self._end_after_epoch)
        self.controls.rate_wanted.connect(self._change_rate)
        self.queue.start_wanted.connect(self._start_next)
        self.queue.failed.connect(self.banner.say)
        self.queue.changed.connect(self._queue_changed)
        self.runs.shown.connect(self._show_run)
        self.runs.resumed.connect(self._resume)
        self.runs.classified.connect(self.classify_wanted)
        self.runs.results_wanted.connect(self.results.show_run)
        self.listing.changed.connect(self.runs_changed)
        self.listing.deleted.connect(self.queue.drop)
        self.listing.failed.connect(self.banner.say)
        self.listing.opened.opened.connect(self._open_run)
        self.following.outdated.connect(self._read_anew)
        self.curves.bar.layers_wanted.connect(self.show_layers)
        self.comparison.failed.connect(self.banner.say)
        self.curves.failed.connect(self.banner.say)
        self._remember()
        self._show_state()
        self.listing.refresh()

    def _build(self) -> None:
        above = QWidget(self)
        column = QVBoxLayout(above)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.bar)
        column.addWidget(self.form, 1)
        column.addWidget(self.preflight)
        column.addWidget(self.controls)
        column.addWidget(self.queue)
        self.left = QSplitter(Qt.Orientation.Vertical, self)
        self.left.addWidget(above)
        self.left.addWidget(self.runs)
        self.left.setSizes([560, 200])
        right = QWidget(self)
        rows = QVBoxLayout(right)
        rows.setContentsMargins(4, 0, 0, 0)
        rows.addWidget(self.banner)
        rows.addWidget(self.heading)
        rows.addWidget(self.curves, 1)
        self.sides = QSplitter(Qt.Orientation.Horizontal, self)
        self.sides.addWidget(self.left)
        self.sides.addWidget(right)
        self.sides.setStretchFactor(1, 1)
        self.sides.setSizes([340, 860])
        self.sides.setChildrenCollapsible(False)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 4)
        layout.addWidget(self.sides)

    # -- what the window calls -------------------------------------------------------------------------------------

    @property
    def training(self) -> bool:
        """Whether a run is in progress, paused or not."""
        return self.trainer is not None

    def choose_network(self, name: str, options: dict[str, Scalar], task: str = "classification") -> None:
        """Puts a network into the recipe; one that does not classify is not taken, and the form says so."""
        self.form.choose_network(name, options, task)

    def usable_runs(self) -> list[tuple[str, Path]]:
        """Returns title and folder of every run that has trained weights."""
        return [(_run_title(run), Path(run.path)) for run in self.listing.runs if run.has_weights]

    def open_recipe(self, path: Path) -> None:
        """Puts the recipe of a file into the form."""
        self.banner.hide()
        self.bar.open(path)

    def open_run(self, path: Path) -> None:
        """Shows the curves of a run, from wherever its folder is; beside those of the run that trains here."""
        self._open_run(str(path.absolute()))

    def _open_run(self, path: str) -> None:
        self.listing.opened.add(path)
        if self.trainer is not None and path != self.listing.active:
            others = [other for other in self.runs.model.checked if other != path]
            self.runs.model.check([*others, path])
        self._show_run(path)
        self.listing.refresh()

    def stop(self) -> bool:
        """Saves and ends a run in progress; returns whether all threads have ended."""
        self._closing = True
        self._notice.hide()
        self.preflight.hold(True)
        for name in ("left", "sides"):
            self._settings.setValue(f"train/{name}", getattr(self, name).saveState())
        with suppress(InputError):
            self._settings.setValue("train/recipe", self.form.recipe().to_toml())
        ended = self.following.stop()
        ended = self.listing.stop() and ended
        if self.trainer is not None:
            self.trainer.stop()
            ended = self.trainer.wait(100) and ended
        ended = end_iterations(self, 100) and ended
        return self.queue.stop() and self.results.stop() and self.curves.stop() and self._background.stop(100) and ended

    # -- training --------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Starts a run by the recipe in the form."""
        if self.trainer is not None:
            return
        try:
            recipe = self.form.recipe()
        except InputError as error:
            self.banner.say(str(error))
            return
        self.banner.hide()
        self._train(Trainer(recipe, None, False, self))

    def enqueue(self) -> None:
        """Makes a run by the recipe in the form that begins when those before it have ended."""
        try:
            self.queue.enqueue(self.form.recipe())
        except InputError as error:
            self.banner.say(str(error))

    def find_rate(self) -> None:
        """Opens the learning-rate finder on the recipe in the form."""
        try:
            finder = RateFinder(self.form.recipe(), self)
        except InputError as error:
            self.banner.say(str(error))
            return
        self.preflight.hold(True)
        finder.chosen.connect(self._use_rate)
        finder.finished.connect(self._show_state)
        finder.open()

    def browse(self) -> None:
        """Shows what is in the dataset of the form."""
        own = None if self.form.own_input.isChecked() else self.form.input.value()
        DatasetBrowser(self.form.data.name, self.form.folder.text().strip(), own, self).show()

    def show_layers(self) -> None:
        """Opens the window on the layers of the run on show."""
        if self.layers is None:
            self.layers = LayersWindow(self.curves, lambda: self.trainer, self)
        self.layers.open()

    def _use_rate(self, rate: float) -> None:
        self.form.set_value("learning_rate", rate)

    def _use_batch(self, size: int) -> None:
        self.form.set_value("batch_size", size)

    def _recipe_changed(self) -> None:
        try:
            self.preflight.set_recipe(self.form.recipe())
        except InputError:
            self.preflight.set_recipe(None)

    def _start_next(self) -> bool:
        """Starts the next run of the queue; returns whether there was one."""
        run = self.queue.take() if self.trainer is None and not self._closing else None
        if run is None:
            return False
        self.curves.clear()
        # As a resumed run: should it have been begun in another window, what is there stays.
        self._train(Trainer(run.recipe, RunFolder(Path(run.path)), True, self))
        return True

    def _queue_changed(self) -> None:
        self.runs.model.waiting = {*self.queue.paths()}
        self.listing.refresh()

    def _resume(self, path: str) -> None:
        if self.trainer is not None:
            return
        folder = RunFolder(Path(path))
        try:
            recipe = folder.recipe
        except InputError as error:
            self.banner.say(str(error))
            return
        self.banner.hide()
        self.queue.drop(path)
        self.form.set_recipe(recipe)
        self._show_run(path)  # the curves so far; what is trained now is added to them
        self._train(Trainer(recipe, folder, True, self))

    def _train(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self._started = None
        if not trainer.resume:
            self.curves.clear()
        self.heading.show_recipe(trainer.recipe)
        self.figures["state"].setText("preparing…")
        trainer.finished.connect(self._ended)
        trainer.start()
        self._frames.start()
        self._show_state()
        self.progress_changed.emit(0.0)

    def _pause_or_go_on(self) -> None:
        if self.trainer is None:
            return
        if self.trainer.paused:
            self.trainer.go_on()
        else:
            self.trainer.pause()
        self._show_state()

    def _halt(self) -> None:
        if self.trainer is not None:
            self.trainer.stop()
            self._show_state()

    def _end_after_epoch(self, wanted: bool) -> None:
        if self.trainer is not None:
            self.trainer.stop_after_epoch(wanted)
            self._show_state()

    def _change_rate(self, rate: float) -> None:
        if self.trainer is not None:
            self.trainer.change_rate(rate)

    def _ended(self) -> None:
        trainer = self.trainer
        if trainer is None:
            return
        trainer.wait()
        self._take_events()
        self._frames.finish()
        self.trainer = None
        outcome = "failed" if trainer.error is not None else "finished" if trainer.completed else "stopped"
        if trainer.error is not None:
            reason = str(trainer.error) or type(trainer.error).__name__
            self._say_failure(trainer, f"{run_text(trainer.recipe)}: {reason}" if self.queue.paths() else reason)
        self.figures["state"].setText(outcome)
        self.figures["left"].setText("–")
        trainer.deleteLater()
        self.status_changed.emit("")
        self.progress_changed.emit(-1.0)
        self._show_state()
        self.listing.refresh("")
        followed = outcome != "stopped" and self._start_next()
        if outcome == "failed" or (outcome == "finished" and not followed):
            self._notice.tell(f"Training has {outcome}", run_text(trainer.recipe))

    def _say_failure(self, trainer: Trainer, text: str) -> None:
        """Shows why a run ended; where that was for want of memory or of room on the disk, it may go on."""
        folder, parts = trainer.folder, trainer.error.accumulate if isinstance(trainer.error, TrainingError) else 0
        again = isinstance(trainer.error, UnwritableError) and folder is not None and folder.path.is_dir()
        self._failed = (folder, parts) if folder is not None and (parts or again) else None
        self.banner.say(text, f"Go on in {parts} parts" if parts else "Try again" if again else "")

    def _go_on(self) -> None:
        if self._failed is None or self.trainer is not None:
            return
        folder, parts = self._failed
        try:
            if parts:
                folder.take_in_parts(parts)
        except (InputError, TrainingError) as error:
            self.banner.say(str(error))
            return
        self._resume(str(folder.path))

    def _take_events(self) -> None:
        """Takes in what has happened since the last frame, and shows it but for the curves."""
        trainer = self.trainer
        if trainer is None or self._read_question:  # the curves so far come first
            return
        events = [trainer.events.popleft() for _ in range(len(trainer.events))]
        self.curves.add(events)
        for event in events:
            if isinstance(event, Started):
                self._started = event
                self._show_started(event)
            elif isinstance(event, Epoch):
                self.figures.show_epoch(event)
                self.runs.model.note_epoch(self.listing.active, event.epoch, event.validation_accuracy)
        self._show_latest({type(event): event for event in events})

    # -- what is on show -------------------------------------------------------------------------------------------

    def _show_latest(self, latest: dict[type, Event]) -> None:
        progress, steps, evaluating = latest.get(Progress), latest.get(Steps), latest.get(Evaluating)
        if isinstance(progress, Progress) and self._started is None:
            amount = f" {short_bytes(progress.done)} of {short_bytes(progress.total)}" if progress.total else ""
            self.status_changed.emit(f"{progress.message}{amount}")
            self.progress_changed.emit(progress.done / progress.total if progress.total else 0.0)
        if isinstance(steps, Steps) and self._started is not None:
            total = self._started.steps_per_epoch * self._started.epochs
            self.figures.show_steps(steps, self._started.epochs)
            self.controls.rate = steps.learning_rate
            self.progress_changed.emit(steps.step / total)
            place = f"step {steps.step:,} of {total:,}"
            self.status_changed.emit(
                f"Training {self._started.architecture}: {place}, {short_time(steps.seconds_left)} left"
            )
        if isinstance(evaluating, Evaluating):
            self.status_changed.emit(f"Evaluating: {evaluating.done:,} of {evaluating.total:,} images")
        finished = latest.get(Finished)
        if isinstance(finished, Finished):
            self.heading.show_finished(finished)

    def _show_started(self, started: Started) -> None:
        self.figures["state"].setText("training")
        self.curves.name_run(started.run, f"{started.architecture.rpartition('/')[2]} · {started.dataset}")
        self.comparison.forget(started.run)
        self.heading.show_started(started)
        self.listing.refresh(started.run)

    def _show_state(self) -> None:
        trainer = self.trainer
        self.controls.show_state(trainer)
        self.queue.set_training(trainer is not None)
        self.form.find_rate.setEnabled(trainer is None)
        self.preflight.hold(trainer is not None)
        if trainer is not None and trainer.stopping:
            self.figures["state"].setText("stopping…")
        elif trainer is not None and trainer.paused:
            self.figures["state"].setText("paused")
        elif trainer is not None and trainer.stopping_after_epoch:
            self.figures["state"].setText("last epoch")
        elif trainer is not None and self._started is not None:
            self.figures["state"].setText("training")

    # -- runs ------------------------------------------------------------------------------------------------------

    def _read_anew(self, path: str) -> None:
        """Reads a run on show again: other lines are in its metrics than those that were read."""
        if path == self.curves.runs[0].path:
            self._show_run(path)
        else:
            self.comparison.forget(path)
            self.comparison.refresh()

    def _show_run(self, path: str) -> None:
        """Asks for a run's curves, unless it is the one that trains now."""
        if self.trainer is not None:
            return
        self._read_question = self._background.ask(read_run, path)

    def _answered(self, answer: Answer) -> None:
        if answer.id == self._read_question:
            self._read_question = 0
            if isinstance(answer.result, tuple):
                self._show_read(*answer.result)
            elif answer.error is not None:
                self.banner.say(str(answer.error))

    def _show_read(self, recipe: Recipe, events: list[Event], curves: RunCurves) -> None:
        again = curves.path == self.curves.runs[0].path
        if again:  # which no file of the run holds
            curves.layers.statistics = self.curves.runs[0].layers.statistics
        if self.trainer is not None:  # it is resumed here, and tells what it does itself
            curves.read_to = None
        self.curves.show_run(curves)
        self.comparison.refresh()
        self.heading.show_recipe(recipe)
        if self.trainer is None and not again:  # what the user has changed in the form stays
            self.form.set_recipe(recipe)
        for started in [event for event in events if isinstance(event, Started)][-1:]:
            self.heading.show_started(started)
        for event in events:
            if isinstance(event, Epoch):
                self.figures.show_last_epoch(event, recipe.epochs)
        if self.trainer is None:
            finished = any(isinstance(event, Finished) for event in events)
            self.figures["state"].setText("finished" if finished else "stopped")
            self._show_latest({type(event): event for event in events if isinstance(event, Finished)})
            self.following.poll()

    def _remember(self) -> None:
        """Takes up the recipe and the sizes of the last time."""
        for name in ("left", "sides"):
            state = self._settings.value(f"train/{name}")
            if isinstance(state, QByteArray):
                getattr(self, name).restoreState(state)
        text = self._settings.value("train/recipe")
        kept = read_text(str(text)) if text else None
        try:
            self.form.set_recipe(kept if isinstance(kept, Recipe) else default_recipe("lenet5", "digits"))
        except InputError:
            self.form.set_recipe(default_recipe("lenet5", "digits"))


def _run_title(run: RunSummary) -> str:
    best = f" · {100 * run.best_accuracy:.1f} %" if run.best_accuracy is not None else ""
    return f"{run.architecture.rpartition('/')[2]} · {run.dataset}{best} · {run.name[:16].replace('_', ' ')}"
