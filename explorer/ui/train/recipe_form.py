"""The recipe as a form: what to train, and how."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from explorer.architectures.cards import catalogue
from explorer.architectures.options import Scalar
from explorer.data.datasets import DATASETS
from explorer.training.recipe import Augmentation, Auxiliary, Optimiser, Precision, Recipe, Schedule, default_recipe
from explorer.ui.numbers import short_bytes
from explorer.ui.widgets.input_size import InputSize
from explorer.ui.widgets.named import named


class RecipeForm(QWidget):
    """Edits a recipe; `recipe()` gives it."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._options: dict[str, Scalar] = {}
        self.network = QComboBox(self)
        for entry in catalogue():
            if entry.task == "classification":
                self.network.addItem(f"{entry.title}", entry.name)
        self.network.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.dataset = QComboBox(self)
        for info in DATASETS.values():
            self.dataset.addItem(info.title, info.name)
        self.dataset.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.dataset_note = named(QLabel(self), "muted")
        self.dataset_note.setWordWrap(True)
        self.folder = QLineEdit(self)
        self.folder.setPlaceholderText("the app's own; downloaded once")
        self.folder.setToolTip("A folder that holds the dataset's files; empty: they are downloaded once")
        browse = QToolButton(self)
        browse.setText("…")
        browse.setToolTip("Choose a folder")
        browse.clicked.connect(self._browse)
        self.own_input = QCheckBox("own", self)
        self.own_input.setToolTip("Scale images to the network's canonical input")
        self.input = InputSize(self)
        self.input.boxes[0].setRange(1, 3)
        self.epochs = _whole(self, 1, 100_000, "Passes over the training images")
        self.batch_size = _whole(self, 1, 65_536, "Images a step")
        self.optimiser = _choice(self, get_args(Optimiser), "sgd is with Nesterov momentum")
        self.learning_rate = _number(self, 1e-6, 100, 6, "The highest learning rate of the run")
        self.momentum = _number(self, 0, 0.9999, 4, "Momentum; β₁ of Adam and AdamW")
        self.weight_decay = _number(self, 0, 10, 6, "Weight decay; normalisation and biases are spared")
        self.schedule = _choice(self, get_args(Schedule), "How the learning rate changes over the run")
        self.label_smoothing = _number(self, 0, 0.99, 3, "Share of each label spread over all classes")
        self.augmentation = _choice(self, get_args(Augmentation), "Random changes to the training images")
        self.auxiliary = _choice(self, get_args(Auxiliary), "Loss of all heads at once, or one head after the other")
        self.validation = _number(self, 0.01, 0.9, 3, "Share of the training images held out to judge the epochs")
        self.precision = _choice(self, get_args(Precision), "auto: mixed on a GPU, 32 bits elsewhere")
        self.seed = _whole(self, 0, 2**31 - 1, "The same seed gives the same run")
        self.recommended = QPushButton("Recommended values", self)
        self.recommended.setToolTip("Back to settings that are good and quick for this dataset")

        folder = QHBoxLayout()
        folder.addWidget(self.folder, 1)
        folder.addWidget(browse)
        size = QHBoxLayout()
        size.addWidget(self.own_input)
        size.addWidget(self.input)
        size.addStretch(1)
        what = QGroupBox("What", self)
        rows = QFormLayout(what)
        rows.addRow("&Network", self.network)
        rows.addRow("&Dataset", self.dataset)
        rows.addRow("", self.dataset_note)
        rows.addRow("Folder", folder)
        rows.addRow("Input", size)
        how = QGroupBox("How", self)
        rows_how = QFormLayout(how)
        for text, editor in (
            ("&Epochs", self.epochs),
            ("&Batch size", self.batch_size),
            ("&Optimiser", self.optimiser),
            ("&Learning rate", self.learning_rate),
            ("&Schedule", self.schedule),
            ("&Momentum", self.momentum),
            ("&Weight decay", self.weight_decay),
            ("&Augmentation", self.augmentation),
            ("Auxiliary heads", self.auxiliary),
            ("Label s&moothing", self.label_smoothing),
            ("&Held out", self.validation),
            ("&Precision", self.precision),
            ("See&d", self.seed),
        ):
            rows_how.addRow(text, editor)
        rows_how.addRow("", self.recommended)
        self._rows_how = rows_how
        for form in (rows, rows_how):
            form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
            form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        inside = QWidget(self)
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 4, 0)
        column.addWidget(what)
        column.addWidget(how)
        column.addStretch(1)
        area = QScrollArea(self)
        area.setWidget(inside)
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setMinimumWidth(inside.minimumSizeHint().width() + area.verticalScrollBar().sizeHint().width() + 8)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(area)

        self.network.currentIndexChanged.connect(self._network_changed)
        self.dataset.currentIndexChanged.connect(self._dataset_changed)
        self.own_input.toggled.connect(self._own_input_changed)
        self.recommended.clicked.connect(self._dataset_changed)
        self.set_recipe(default_recipe("lenet5", "digits"))

    def recipe(self) -> Recipe:
        """Returns what the form holds.

        Raises:
            InputError: a value that a recipe refuses.
        """
        return Recipe(
            architecture=str(self.network.currentData()),
            dataset=str(self.dataset.currentData()),
            data_dir=self.folder.text().strip(),
            options=dict(self._options),
            input=None if self.own_input.isChecked() else self.input.value(),
            validation=round(self.validation.value(), 6),
            epochs=self.epochs.value(),
            batch_size=self.batch_size.value(),
            optimiser=self.optimiser.currentText(),  # type: ignore[arg-type]
            learning_rate=round(self.learning_rate.value(), 9),
            momentum=round(self.momentum.value(), 6),
            weight_decay=round(self.weight_decay.value(), 9),
            schedule=self.schedule.currentText(),  # type: ignore[arg-type]
            label_smoothing=round(self.label_smoothing.value(), 6),
            augmentation=self.augmentation.currentText(),  # type: ignore[arg-type]
            auxiliary=self.auxiliary.currentText(),  # type: ignore[arg-type]
            precision=self.precision.currentText(),  # type: ignore[arg-type]
            seed=self.seed.value(),
        )

    def set_recipe(self, recipe: Recipe) -> None:
        """Shows a recipe."""
        self.choose_network(recipe.architecture, recipe.options)
        self.dataset.blockSignals(True)
        self.dataset.setCurrentIndex(self.dataset.findData(recipe.dataset))
        self.dataset.blockSignals(False)
        self.folder.setText(recipe.data_dir)
        self.own_input.setChecked(recipe.input is None)
        if recipe.input is not None:
            self.input.set_value(recipe.input)
        self._show_method(recipe)
        self._show_notes()

    def choose_network(self, name: str, options: dict[str, Scalar]) -> None:
        """Chooses the network, with builder options other than its number of classes, which is the dataset's."""
        self._options = {key: value for key, value in options.items() if key != "num_classes"}
        self.auxiliary.setCurrentText("summed")
        if self.network.findData(name) < 0:
            self.network.addItem(name.rpartition("/")[2], name)
        self.network.blockSignals(True)
        self.network.setCurrentIndex(self.network.findData(name))
        self.network.blockSignals(False)
        self._show_notes()

    def _show_method(self, recipe: Recipe) -> None:
        self.epochs.setValue(recipe.epochs)
        self.batch_size.setValue(recipe.batch_size)
        self.optimiser.setCurrentText(recipe.optimiser)
        self.learning_rate.setValue(recipe.learning_rate)
        self.momentum.setValue(recipe.momentum)
        self.weight_decay.setValue(recipe.weight_decay)
        self.schedule.setCurrentText(recipe.schedule)
        self.label_smoothing.setValue(recipe.label_smoothing)
        self.augmentation.setCurrentText(recipe.augmentation)
        self.auxiliary.setCurrentText(recipe.auxiliary)
        self.validation.setValue(recipe.validation)
        self.precision.setCurrentText(recipe.precision)
        self.seed.setValue(recipe.seed)

    def _network_changed(self) -> None:
        self._options = {}
        self.auxiliary.setCurrentText("summed")
        self._show_notes()
        self.changed.emit()

    def _dataset_changed(self) -> None:
        """Another dataset wants other settings: those that are recommended for it."""
        recommended = default_recipe(str(self.network.currentData()), str(self.dataset.currentData()))
        self._show_method(replace(recommended, seed=self.seed.value()))
        self._show_notes()
        self.changed.emit()

    def _own_input_changed(self, own: bool) -> None:
        self.input.setEnabled(not own)
        self._show_notes()

    def _show_notes(self) -> None:
        info = DATASETS[str(self.dataset.currentData() or "digits")]
        size = "×".join(map(str, info.shape))
        images = f"{info.images:,} images of {size}, {len(info.classes)} classes"
        source = "comes with the app" if info.offline else f"{short_bytes(info.download_bytes)} to download once"
        self.dataset_note.setText(f"{images}; {source}")
        self.folder.setEnabled(not info.offline)
        if self.own_input.isChecked():
            own = {entry.name: entry.input for entry in catalogue()}.get(str(self.network.currentData()), (3, 224, 224))
            self.input.set_value(own)
        self.input.setEnabled(not self.own_input.isChecked())
        # A user's own network may have heads that no option tells of; its recipe then does.
        heads = bool(self._options.get("aux")) or self.auxiliary.currentText() != "summed"
        self._rows_how.setRowVisible(self.auxiliary, heads)

    def _browse(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Folder that holds the dataset", self.folder.text())
        if path:
            self.folder.setText(path)


def _whole(parent: QWidget, low: int, high: int, tip: str) -> QSpinBox:
    box = QSpinBox(parent)
    box.setRange(low, high)
    box.setGroupSeparatorShown(True)
    box.setToolTip(tip)
    return box


def _number(parent: QWidget, low: float, high: float, decimals: int, tip: str) -> QDoubleSpinBox:
    box = QDoubleSpinBox(parent)
    box.setDecimals(decimals)
    box.setRange(low, high)
    box.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
    box.setToolTip(tip)
    return box


def _choice(parent: QWidget, choices: tuple[str, ...], tip: str) -> QComboBox:
    box = QComboBox(parent)
    box.addItems(choices)
    box.setToolTip(tip)
    box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return box
