"""The recipe of the next run: presets and files, the form, and what a run by it will take."""

from __future__ import annotations

from contextlib import suppress

from PySide6.QtCore import QSettings, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from explorer.errors import InputError
from explorer.training.recipe import Recipe
from explorer.training.recipe_text import read_text
from explorer.ui.train.dataset_browser import DatasetBrowser
from explorer.ui.train.preflight_line import PreflightLine
from explorer.ui.train.rate_finder import RateFinder
from explorer.ui.train.recipe_bar import RecipeBar
from explorer.ui.train.recipe_form import RecipeForm

KEY = "train/recipe"


class RecipePanel(QWidget):
    """Opens the windows that belong to a recipe, and remembers it."""

    failed = Signal(str)

    def __init__(self, settings: QSettings, parent: QWidget) -> None:
        super().__init__(parent)
        self._settings = settings
        self._training = False
        self.form = RecipeForm(self)
        self.bar = RecipeBar(self.form, settings, self)
        self.preflight = PreflightLine(self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.bar)
        column.addWidget(self.form, 1)
        column.addWidget(self.preflight)
        self.bar.failed.connect(self.failed)
        self.form.changed.connect(self._recipe_changed)
        self.form.find_rate.clicked.connect(self.find_rate)
        self.form.browse_wanted.connect(self.browse)
        self.preflight.batch_wanted.connect(self._use_batch)
        self._remember()

    def _remember(self) -> None:
        """Takes up the recipe of the last time."""
        text = self._settings.value(KEY)
        kept = read_text(str(text)) if text else None
        if isinstance(kept, Recipe):
            with suppress(InputError):
                self.form.set_recipe(kept)
        self._recipe_changed()

    def keep(self) -> None:
        """Has the settings keep the recipe, if it is one."""
        with suppress(InputError):
            self._settings.setValue(KEY, self.form.recipe().to_toml())

    def recipe(self) -> Recipe | None:
        """Returns what the form holds; None where that is no recipe, which is said."""
        try:
            return self.form.recipe()
        except InputError as error:
            self.failed.emit(str(error))
            return None

    def set_training(self, training: bool) -> None:
        """Tries nothing out while a run trains."""
        self._training = training
        self.form.find_rate.setEnabled(not training)
        self.preflight.hold(training)

    def find_rate(self) -> None:
        """Opens the learning-rate finder on the recipe in the form."""
        recipe = self.recipe()
        if recipe is None:
            return
        finder = RateFinder(recipe, self)
        self.preflight.hold(True)
        finder.chosen.connect(self._use_rate)
        finder.finished.connect(self._finder_closed)
        finder.open()

    def browse(self) -> None:
        """Shows what is in the dataset of the form."""
        own = None if self.form.own_input.isChecked() else self.form.input.value()
        DatasetBrowser(self.form.data.name, self.form.folder.text().strip(), own, self).show()

    def _finder_closed(self) -> None:
        self.set_training(self._training)

    def _use_rate(self, rate: float) -> None:
        self.form.set_value("learning_rate", rate)

    def _use_batch(self, size: int) -> None:
        self.form.set_value("batch_size", size)

    def _recipe_changed(self) -> None:
        try:
            self.preflight.set_recipe(self.form.recipe())
        except InputError:
            self.preflight.set_recipe(None)
