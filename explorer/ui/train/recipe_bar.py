"""The buttons above the form: presets, and recipes as files and as text."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSettings, Signal
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QMenu, QToolButton, QWidget

from explorer.errors import InputError
from explorer.training.recipe import Recipe, load_recipe
from explorer.ui.train.recipe_form import RecipeForm
from explorer.ui.train.recipe_text import RecipeTextDialog
from explorer.whole_file import write_whole

FOLDER = "train/recipe_folder"
"""Where the settings keep the folder of the last recipe that was opened or saved."""
FILTER = "Recipe (*.toml)"


class RecipeBar(QWidget):
    """Fills the form from a preset, a file or a text, and saves what it holds."""

    failed = Signal(str)

    def __init__(self, form: RecipeForm, settings: QSettings, parent: QWidget) -> None:
        super().__init__(parent)
        self._form = form
        self._settings = settings
        self.presets = QMenu(self)
        self.presets.setToolTipsVisible(True)
        self.presets.aboutToShow.connect(self._fill_presets)
        self.presets.triggered.connect(self._preset_chosen)
        self.keep = QAction("For the network and dataset on show", self, checkable=True)
        self.keep.setToolTip("Take over the method of training alone")
        self.recipe = QMenu(self)
        self._action("&Open recipe…", self.ask_open, "Ctrl+O")
        self._action("&Save recipe…", self.ask_save, "Ctrl+S")
        self._action("&Edit as text…", self.edit_as_text, "Ctrl+Shift+E")
        self.recipe.addSeparator()
        self._action("&Recommended values", form.recommend, "Ctrl+R").setToolTip(
            "Back to settings that are good and quick for this dataset"
        )
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for text, menu, tip in (
            ("&Presets", self.presets, "Recipes of papers, and of the app"),
            ("&Recipe", self.recipe, "Open, save and edit the recipe"),
        ):
            button = QToolButton(self)
            button.setText(text)
            button.setToolTip(tip)
            button.setMenu(menu)
            button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
            row.addWidget(button)
        row.addStretch(1)

    def _action(self, text: str, act: object, keys: str) -> QAction:
        action = QAction(text, self)
        action.setShortcut(QKeySequence(keys))
        action.triggered.connect(act)
        self.recipe.addAction(action)
        self.addAction(action)
        return action

    # -- presets ---------------------------------------------------------------------------------------------------

    def _fill_presets(self) -> None:
        from explorer.training.presets import GOOD_AND_QUICK, presets

        self.presets.clear()
        usual = self.presets.addAction("Good and quick")
        usual.setToolTip("The app's own, for this network and dataset")
        usual.setData(GOOD_AND_QUICK)
        self.presets.addSeparator()
        for name, preset in presets().items():
            action = self.presets.addAction(preset.title)
            action.setToolTip("\n\n".join(filter(None, (preset.source, preset.departures))))
            action.setData(name)
        self.presets.addSeparator()
        self.presets.addAction(self.keep)

    def _preset_chosen(self, action: QAction) -> None:
        from explorer.training.presets import GOOD_AND_QUICK, preset_recipe

        if not action.data():
            return
        name = str(action.data())
        kept = (self._form.network.name, self._form.data.name)
        try:
            self._form.set_recipe(
                preset_recipe(name, *(kept if self.keep.isChecked() or name == GOOD_AND_QUICK else ("", "")))
            )
        except InputError as error:
            self.failed.emit(str(error))

    # -- files -----------------------------------------------------------------------------------------------------

    def ask_open(self) -> None:
        """Asks for a file and shows the recipe in it."""
        path, _ = QFileDialog.getOpenFileName(self, "Open recipe", str(self._settings.value(FOLDER, "")), FILTER)
        if path:
            self.open(Path(path))

    def open(self, path: Path) -> None:
        """Shows the recipe in a file."""
        try:
            self._form.set_recipe(load_recipe(path))
        except InputError as error:
            self.failed.emit(str(error))
            return
        self._settings.setValue(FOLDER, str(path.parent))

    def ask_save(self) -> None:
        """Asks for a file and writes the recipe to it."""
        recipe = self._recipe()
        if recipe is None:
            return
        folder = Path(str(self._settings.value(FOLDER, "")))
        name = f"{recipe.architecture.rpartition('/')[2].replace(':', '_')}_{Path(recipe.dataset).name}.toml"
        path, _ = QFileDialog.getSaveFileName(self, "Save recipe", str(folder / name), FILTER)
        if path:
            self.save(Path(path if Path(path).suffix else f"{path}.toml"), recipe)

    def save(self, path: Path, recipe: Recipe) -> None:
        """Writes a recipe to a file."""
        try:
            write_whole(
                path, path.with_name(f"{path.name}.part"), lambda part: part.write_text(recipe.to_toml(), "utf-8")
            )
        except OSError as error:
            self.failed.emit(f"{path} cannot be written ({error.strerror}): choose another place")
            return
        self._settings.setValue(FOLDER, str(path.parent))

    # -- text ------------------------------------------------------------------------------------------------------

    def edit_as_text(self) -> None:
        """Lets the user edit the recipe in TOML."""
        recipe = self._recipe()
        if recipe is None:
            return
        dialog = RecipeTextDialog(recipe, self)
        if dialog.exec():
            self._form.set_recipe(dialog.recipe)
        dialog.deleteLater()

    def _recipe(self) -> Recipe | None:
        try:
            return self._form.recipe()
        except InputError as error:
            self.failed.emit(str(error))
            return None
