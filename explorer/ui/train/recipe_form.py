"""The recipe as a form: what to train, and how. Its fields are those that the `Recipe` has."""

from __future__ import annotations

import re
from dataclasses import asdict, fields, replace

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtWidgets import QCheckBox, QFrame, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from explorer.architectures.cards import catalogue
from explorer.architectures.options import Scalar
from explorer.architectures.surgery.steps import base_of
from explorer.errors import InputError
from explorer.training.recipe import Recipe, default_recipe, from_mapping
from explorer.training.recipe_options import condition, recipe_options
from explorer.ui.train.dataset_field import DatasetField
from explorer.ui.train.form_section import Section, Setting, ignores_wheel, leave_wheel_to_form
from explorer.ui.train.network_chooser import NetworkChooser
from explorer.ui.widgets.input_size import InputSize
from explorer.ui.widgets.labels import WrappedLabel
from explorer.ui.widgets.named import named

SECTIONS = {
    "Network": "architecture",
    "Data": "dataset",
    "Training": "epochs",
    "Optimiser": "optimiser",
    "Schedule": "schedule",
    "Regularisation and augmentation": "label_smoothing",
    "Transfer": "weights",
    "Precision and speed": "channels_last",
}
"""Each section, and the setting of the recipe that it begins with; the settings after that one belong to it too."""
BASIC = {"epochs", "batch_size", "optimiser", "learning_rate", "schedule", "augmentation", "auxiliary"}
"""Settings that folded sections show."""
OWN_EDITOR = {"architecture", "dataset", "data_dir", "options", "input"}
"""Settings whose editors know more than their type."""


class RecipeForm(QWidget):
    """Edits a recipe; `recipe()` gives it."""

    changed = Signal()
    browse_wanted = Signal()
    """The user wants to see the images of the dataset."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._options: dict[str, Scalar] = {}
        self.network = NetworkChooser(self)
        self.network_note = named(WrappedLabel(), "fieldError")
        self.network_note.hide()
        self.data = DatasetField(self)
        self.dataset, self.folder = self.data.dataset, self.data.folder
        self.own_input = QCheckBox("own", self)
        self.own_input.setToolTip("Scale images to the network's canonical input")
        self.input = InputSize(self)
        self.input.boxes[0].setRange(1, 3)
        for box in self.input.boxes:
            leave_wheel_to_form(box, self)
        leave_wheel_to_form(self.dataset, self)
        self.error = named(WrappedLabel(), "fieldError")
        self.error.hide()
        self.sections = {title: Section(title, self) for title in SECTIONS}
        self.settings: dict[str, Setting] = {}
        self._fill()
        self._lay_out()
        self.network.chosen.connect(self._network_changed)
        self.data.chosen.connect(self._dataset_changed)
        self.data.changed.connect(self._value_changed)
        self.data.browse_wanted.connect(self.browse_wanted)
        self.own_input.toggled.connect(self._own_input_changed)
        self.input.changed.connect(self._value_changed)
        self.set_recipe(default_recipe("lenet5", "digits"))

    def _fill(self) -> None:
        """Makes an editor for every setting of the recipe, in the section where the recipe has it."""
        size = QHBoxLayout()
        size.setSpacing(8)
        size.addWidget(self.own_input)
        size.addWidget(self.input)
        size.addStretch(1)
        network = self.sections["Network"].rows
        network.addRow(self.network)
        network.addRow(self.network_note)
        network.addRow("Input", size)
        self.sections["Data"].rows.addRow(self.data)
        begins = {first: title for title, first in SECTIONS.items()}
        title = ""
        for name in (field.name for field in fields(Recipe)):
            title = begins.get(name, title)
            if name not in OWN_EDITOR:
                setting = Setting(recipe_options()[name], self)
                setting.changed.connect(self._value_changed)
                self.settings[name] = setting
                self.sections[title].add(setting, name in BASIC or condition(setting.option) is not None)
        self.find_rate = self.settings["learning_rate"].add_button(
            "Find…", "Try rising rates for a few steps and see where the loss falls fastest"
        )
        widest = max(setting.label.sizeHint().width() for setting in self.settings.values())
        for setting in self.settings.values():
            setting.label.setMinimumWidth(widest)

    def _lay_out(self) -> None:
        inside = QWidget(self)
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 4, 0)
        column.setSpacing(4)
        for section in self.sections.values():
            column.addWidget(section)
        column.addStretch(1)
        area = QScrollArea(self)
        area.setWidget(inside)
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setMinimumWidth(inside.minimumSizeHint().width() + area.verticalScrollBar().sizeHint().width() + 8)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(area, 1)
        layout.addWidget(self.error)

    # -- the recipe ------------------------------------------------------------------------------------------------

    def recipe(self) -> Recipe:
        """Returns what the form holds.

        Raises:
            InputError: a value that a recipe refuses.
        """
        values: dict[str, object] = {name: setting.value() for name, setting in self.settings.items()}
        values |= {
            "architecture": self.network.name,
            "dataset": self.data.name,
            "data_dir": self.folder.text().strip(),
            "options": dict(self._options),
            "input": None if self.own_input.isChecked() else self.input.value(),
        }
        return from_mapping(values)

    def set_recipe(self, recipe: Recipe) -> None:
        """Shows a recipe."""
        self._show_network(recipe.architecture, recipe.options)
        self.data.set_value(recipe.dataset, recipe.data_dir)
        blocked = self.own_input.blockSignals(True)
        self.own_input.setChecked(recipe.input is None)
        self.own_input.blockSignals(blocked)
        if recipe.input is not None:
            self.input.set_value(recipe.input)
        self._show_settings(recipe)
        self._value_changed()

    def choose_network(self, name: str, options: dict[str, Scalar], task: str = "classification") -> None:
        """Chooses the network, with builder options other than its number of classes, which is the dataset's.

        One for another task than classification is not taken; the form says so.
        """
        if task != "classification":
            kept = self.network.text().removesuffix("  ▾")
            self._say_of_network(f"{name} is for {task} and no classifier: {kept} is kept.")
            return
        self._show_network(name, options)
        self._value_changed()

    def recommend(self) -> None:
        """Goes back to the settings that are recommended for the dataset."""
        recommended = default_recipe(self.network.name, self.data.name)
        self._show_settings(replace(recommended, seed=int(self.settings["seed"].value())))
        self._value_changed()

    def set_value(self, name: str, value: Scalar) -> None:
        """Sets one setting."""
        self.settings[name].set_value(value)
        self._value_changed()

    def _show_network(self, name: str, options: dict[str, Scalar]) -> None:
        self._options = {key: value for key, value in options.items() if key != "num_classes"}
        self.settings["auxiliary"].set_value("summed")
        self.network.show_network(name)
        self._say_of_network("")

    def _say_of_network(self, text: str) -> None:
        self.network_note.say(text)
        self.network_note.setVisible(bool(text))

    def _show_settings(self, recipe: Recipe) -> None:
        usual = asdict(default_recipe(recipe.architecture, recipe.dataset))
        for name, value in asdict(recipe).items():
            if name in self.settings:
                self.settings[name].set_usual(_plain(usual[name]))
                self.settings[name].set_value(_plain(value))

    # -- changes ---------------------------------------------------------------------------------------------------

    def _network_changed(self) -> None:
        self._show_network(self.network.name, {})
        self._value_changed()

    def _dataset_changed(self) -> None:
        """Another dataset wants other settings: those that are recommended for it."""
        self.recommend()

    def _own_input_changed(self) -> None:
        self._value_changed()

    def _value_changed(self) -> None:
        """Shows what belongs to the values, and what is wrong with them."""
        self._show_input()
        wrong, message = "", ""
        try:
            self.recipe()
        except InputError as error:
            message = str(error)
            found = re.match(r"\w+", message)
            wrong = found[0] if found else ""
        for name, setting in self.settings.items():
            setting.say(message if name == wrong else "")
        self.error.say("" if wrong in self.settings else message)
        self.error.setVisible(bool(self.error.message))
        for section in self.sections.values():
            section.hide_rows({name for name in section.settings if not self._means_something(name)})
        self.changed.emit()

    def _means_something(self, name: str) -> bool:
        if name == "auxiliary":  # a user's own network may have heads that no option tells of; its recipe then does
            return bool(self._options.get("aux")) or self.settings[name].value() != "summed"
        belongs = condition(self.settings[name].option)
        return belongs is None or self.settings[belongs[0]].value() == belongs[1]

    def _show_input(self) -> None:
        own = self.own_input.isChecked()
        if own:
            original = base_of(self.network.name)
            inputs = {entry.name: entry.input for entry in catalogue()}
            self.input.set_value(inputs.get(original, (3, 224, 224)))
        self.input.setEnabled(not own)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        return ignores_wheel(watched, event) or super().eventFilter(watched, event)


def _plain(value: object) -> Scalar:
    """Returns a setting's value as its editor has it."""
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    assert isinstance(value, int | float | str)
    return value
