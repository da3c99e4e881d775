"""The Train page: a recipe, one button, live curves, and the runs so far."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QByteArray, QSettings, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QSplitter, QVBoxLayout, QWidget

from explorer.architectures.options import Scalar
from explorer.errors import InputError
from explorer.training.errors import TrainingError
from explorer.training.events import Epoch, Event, Started, Steps
from explorer.training.recipe import Recipe
from explorer.training.run_folder import RunFolder
from explorer.ui.background import Answer, Background
from explorer.ui.train.comparison import Comparison
from explorer.ui.train.controls import Controls
from explorer.ui.train.curves import Curves
from explorer.ui.train.end_notice import EndNotice
from explorer.ui.train.following import Following
from explorer.ui.train.forking import Forking
from explorer.ui.train.frames import Frames
from explorer.ui.train.heading import Heading
from explorer.ui.train.iteration import end_iterations
from explorer.ui.train.layers_window import LayersWindow
from explorer.ui.train.recipe_panel import RecipePanel
from explorer.ui.train.remedy import Remedy
from explorer.ui.train.results import Results
from explorer.ui.train.run_curves import RunCurves, read_run
from explorer.ui.train.run_display import RunDisplay
from explorer.ui.train.run_list import RunList
from explorer.ui.train.run_listing import RunListing
from explorer.ui.train.run_model import run_title
from explorer.ui.train.run_queue import RunQueue, run_text
from explorer.ui.train.session import Session
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
        self.session = Session(self)
        self._background = Background(self)
        self._background.answered.connect(self._answered)
        self._read_question = 0
        self._remedy: Remedy | None = None
        """For the run that has failed last."""
        self._closing = False
        self._notice = EndNotice(self)
        self.panel = RecipePanel(settings, self)
        self.form, self.bar, self.preflight = self.panel.form, self.panel.bar, self.panel.preflight
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
        self.display = RunDisplay(self.heading, self)
        self.display.status_changed.connect(self.status_changed)
        self.display.progress_changed.connect(self.progress_changed)
        self.following = Following(self.curves, self.figures, lambda: self.trainer is not None)
        self._build()
        parts = (self._take_events, *self.curves.parts)
        self._frames = Frames(parts, lambda: self.trainer is not None and self.trainer.isRunning(), self)

        self.banner.accepted.connect(self._go_on)
        self.forking = Forking(self.runs.view)
        self.forking.forked.connect(self.form.set_recipe)
        self.controls.started.connect(self.begin)
        self.controls.queued.connect(self.enqueue)
        self.controls.paused.connect(self.session.pause_or_go_on)
        self.controls.halted.connect(self.session.halt)
        self.controls.ended_after_epoch.connect(self.session.end_after_epoch)
        self.controls.rate_wanted.connect(self.session.change_rate)
        self.session.began.connect(self._began)
        self.session.changed.connect(self._show_state)
        self.session.ended.connect(self._ended)
        self.queue.start_wanted.connect(self._start_next)
        self.queue.changed.connect(self._queue_changed)
        self.runs.shown.connect(self._show_run)
        self.runs.resumed.connect(self._resume)
        self.runs.classified.connect(self.classify_wanted)
        self.runs.results_wanted.connect(self.results.show_run)
        self.listing.changed.connect(self.runs_changed)
        self.listing.deleted.connect(self.queue.drop)
        self.listing.opened.opened.connect(self._open_run)
        self.following.outdated.connect(self._read_anew)
        self.curves.bar.layers_wanted.connect(self.show_layers)
        for part in (self.panel, self.forking, self.queue, self.listing, self.comparison, self.curves):
            part.failed.connect(self.banner.say)
        self._remember()
        self._show_state()
        self.listing.refresh()

    def _build(self) -> None:
        above = QWidget(self)
        column = QVBoxLayout(above)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.panel, 1)
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
    def trainer(self) -> Trainer | None:
        """The thread that trains a run, paused or not; None where none does."""
        return self.session.trainer

    @property
    def training(self) -> bool:
        """Whether a run is in progress, paused or not."""
        return self.trainer is not None

    def choose_network(self, name: str, options: dict[str, Scalar], task: str = "classification") -> None:
        """Puts a network into the recipe; one that does not classify is not taken, and the form says so."""
        self.form.choose_network(name, options, task)

    def usable_runs(self) -> list[tuple[str, Path]]:
        """Returns title and folder of every run that has trained weights."""
        return [(run_title(run), Path(run.path)) for run in self.listing.runs if run.has_weights]

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
        self.panel.keep()
        ended = self.following.stop()
        ended = self.listing.stop() and ended
        ended = self.session.stop() and ended
        ended = end_iterations(self, 100) and ended
        return self.queue.stop() and self.results.stop() and self.curves.stop() and self._background.stop(100) and ended

    # -- training --------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Starts a run by the recipe in the form."""
        recipe = self.panel.recipe() if self.trainer is None else None
        if recipe is not None:
            self.banner.hide()
            self.curves.clear()
            self.session.begin(recipe, self.listing.places.chosen)

    def enqueue(self) -> None:
        """Makes a run by the recipe in the form that begins when those before it have ended."""
        recipe = self.panel.recipe()
        if recipe is not None:
            self.queue.enqueue(recipe, self.listing.places.chosen)

    def show_layers(self) -> None:
        """Opens the window on the layers of the run on show."""
        if self.layers is None:
            self.layers = LayersWindow(self.curves, lambda: self.trainer, self)
        self.layers.open()

    def _start_next(self) -> bool:
        """Starts the next run of the queue; returns whether there was one."""
        run = self.queue.take() if self.trainer is None and not self._closing else None
        if run is None:
            return False
        self.curves.clear()
        # As a resumed run: should it have been begun in another window, what is there stays.
        self.session.go_on(run.recipe, Path(run.path))
        return True

    def _queue_changed(self) -> None:
        self.runs.model.waiting = {*self.queue.paths()}
        self.listing.refresh()

    def _resume(self, path: str) -> None:
        if self.trainer is not None:
            return
        try:
            recipe = RunFolder(Path(path)).recipe
        except InputError as error:
            self.banner.say(str(error))
            return
        self.banner.hide()
        self.queue.drop(path)
        self.form.set_recipe(recipe)
        self._show_run(path)  # the curves so far; what is trained now is added to them
        self.session.go_on(recipe, Path(path))

    def _began(self) -> None:
        if self.trainer is not None:
            self.display.prepare(self.trainer.recipe)
            self._frames.start()
            self._show_state()

    def _ended(self, trainer: Trainer) -> None:
        self._show_events(trainer.take_events())
        self._frames.finish()
        outcome = "failed" if trainer.error is not None else "finished" if trainer.completed else "stopped"
        if trainer.error is not None:
            self._say_failure(trainer)
        self.display.end(outcome)
        self._show_state()
        self.listing.refresh("")
        followed = outcome != "stopped" and self._start_next()
        if outcome == "failed" or (outcome == "finished" and not followed):
            self._notice.tell(f"Training has {outcome}", run_text(trainer.recipe))

    def _say_failure(self, trainer: Trainer) -> None:
        reason = str(trainer.error) or type(trainer.error).__name__
        self._remedy = Remedy(trainer)
        text = f"{run_text(trainer.recipe)}: {reason}" if self.queue.paths() else reason
        self.banner.say(text, self._remedy.offer)

    def _go_on(self) -> None:
        """Goes on with the run that has failed, as was offered."""
        if self._remedy is None or self.trainer is not None:
            return
        try:
            path = self._remedy.apply()
        except (InputError, TrainingError) as error:
            self.banner.say(str(error))
            return
        if path is not None:
            self._resume(str(path))

    def _take_events(self) -> None:
        """Takes in what has happened since the last frame, and shows it but for the curves."""
        if self.trainer is not None and not self._read_question:  # the curves so far come first
            self._show_events(self.trainer.take_events())

    def _show_events(self, events: list[Event]) -> None:
        self.curves.add(events)
        self.display.show_events(events)
        for event in events:
            if isinstance(event, Started):
                self.curves.name_run(event.run, f"{event.architecture.rpartition('/')[2]} · {event.dataset}")
                self.comparison.forget(event.run)
                self.listing.refresh(event.run)
            elif isinstance(event, Epoch):
                self.runs.model.note_epoch(self.listing.active, event.epoch, event.validation_accuracy)
            elif isinstance(event, Steps):
                self.controls.rate = event.learning_rate

    def _show_state(self) -> None:
        trainer = self.trainer
        self.controls.show_state(trainer)
        self.queue.set_training(trainer is not None)
        self.panel.set_training(trainer is not None)
        self.runs.model.set_paused(trainer is not None and trainer.paused)
        if trainer is not None:
            self.display.show_state(trainer)

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
        if self.trainer is None:
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
        self.display.show_read(recipe, events, self.training)
        if not self.training:
            if not again:  # what the user has changed in the form stays
                self.form.set_recipe(recipe)
            self.following.poll()

    def _remember(self) -> None:
        """Takes up the sizes of the last time."""
        for name in ("left", "sides"):
            state = self._settings.value(f"train/{name}")
            if isinstance(state, QByteArray):
                getattr(self, name).restoreState(state)
