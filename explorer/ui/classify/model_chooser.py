"""Which network classifies: those with installed weights, finished runs, and any run folder."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QComboBox, QFileDialog

INSTALLED = {"efficientnet_lite0": "EfficientNet-Lite0 · ImageNet"}
"""Registry name and title of the networks that come with trained weights."""
DEFAULT = "efficientnet_lite0"


class ModelChooser(QComboBox):
    """Lists networks by title; `chosen` gives what `load_classifier` takes."""

    chosen = Signal(str)
    """The user has picked another network than the one on show."""

    def __init__(self) -> None:
        super().__init__()
        self._runs: tuple[tuple[str, Path], ...] = ()
        self._opened: dict[str, str] = {}
        self._titles: dict[str, str] = {}
        self._shown = DEFAULT
        self.setAccessibleName("Network")
        self.setToolTip("The network that classifies the images")
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(28)
        self.activated.connect(self._choose)
        self._fill()

    def set_runs(self, runs: list[tuple[str, Path]]) -> None:
        """Lists these runs, given by title and folder."""
        self._runs = tuple(runs)
        self._fill()

    def show_model(self, model: str) -> None:
        """Selects a network, which joins the list if it is not there yet."""
        self._shown = model
        self._fill()

    def drop(self, model: str) -> None:
        """Takes a network that turned out to be unusable off the list again; `show_model` must follow."""
        self._opened.pop(model, None)

    def title(self, model: str) -> str:
        """Returns the network's name for people."""
        return self._titles.get(model) or Path(model).name

    def _fill(self) -> None:
        runs = {str(path): title for title, path in self._runs}
        if self._shown not in INSTALLED and self._shown not in runs:
            self._opened[self._shown] = self.title(self._shown)
        self._titles = {**self._opened, **runs, **INSTALLED}
        self.clear()
        for model in (*INSTALLED, *(model for model in self._titles if model not in INSTALLED)):
            self.addItem(self._titles[model], model)
            self.setItemData(self.count() - 1, model, Qt.ItemDataRole.ToolTipRole)
        self.insertSeparator(self.count())
        self.addItem("Open run folder…")
        self.setCurrentIndex(self.findData(self._shown))

    @Slot(int)
    def _choose(self, row: int) -> None:
        model = self.itemData(row)
        if model is None:
            self.setCurrentIndex(self.findData(self._shown))
            model = QFileDialog.getExistingDirectory(self, "Open the folder of a training run")
        if model and model != self._shown:
            self.chosen.emit(model)
