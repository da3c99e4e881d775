"""Chooses the images of a recipe: a dataset that the app knows, or any folder."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from explorer.data.catalogue import DATASETS
from explorer.data.folder import PREFIX, folder_name, folder_path
from explorer.ui.numbers import short_bytes
from explorer.ui.widgets.labels import WrappedLabel
from explorer.ui.widgets.named import named

ANY_FOLDER = "any folder"
"""The entry that asks for one; no dataset's name."""


class DatasetField(QWidget):
    """A list of datasets, what is known of the one that is chosen, and where its files are."""

    chosen = Signal()
    """Another dataset."""
    changed = Signal()
    """Its files are elsewhere."""
    browse_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.dataset = QComboBox(self)
        self.dataset.setAccessibleName("Dataset")
        for info in DATASETS.values():
            self.dataset.addItem(info.title, info.name)
        self.dataset.insertSeparator(self.dataset.count())
        self.dataset.addItem("Folder of images…", ANY_FOLDER)
        self.dataset.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.dataset.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.browse = QPushButton("Browse…", self)
        self.browse.setToolTip("See images of each class, how many there are, and files that cannot be read")
        self.note = named(WrappedLabel(), "muted")
        self.folder = QLineEdit(self)
        self.folder.setPlaceholderText("the app's own; downloaded once")
        self.folder.setToolTip("A folder that holds the dataset's files; empty: they are downloaded once")
        self.choose_folder = QToolButton(self)
        self.choose_folder.setText("…")
        self.choose_folder.setToolTip("Choose a folder")
        self._place = QWidget(self)
        row = QHBoxLayout(self._place)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(QLabel("Files", self._place))
        row.addWidget(self.folder, 1)
        row.addWidget(self.choose_folder)
        head = QHBoxLayout()
        head.addWidget(self.dataset, 1)
        head.addWidget(self.browse)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(head)
        column.addWidget(self.note)
        column.addWidget(self._place)
        self._name = "digits"
        self.dataset.currentIndexChanged.connect(self._index_changed)
        self.dataset.activated.connect(self._activated)
        self.folder.editingFinished.connect(self.changed)
        self.choose_folder.clicked.connect(self._choose_folder)
        self.browse.clicked.connect(self.browse_wanted)
        self._show()

    @property
    def name(self) -> str:
        """The dataset's name, as a recipe has it."""
        return self._name

    def set_value(self, name: str, folder: str) -> None:
        """Shows a dataset and the folder of its files without announcing it."""
        self._name = name
        self.folder.setText(folder)
        self._show()

    def _index_changed(self) -> None:
        name = self.dataset.currentData()
        if name and name not in (ANY_FOLDER, self._name):
            self._name = str(name)
            self._show()
            self.chosen.emit()

    def _activated(self) -> None:
        if self.dataset.currentData() != ANY_FOLDER:
            return
        path = QFileDialog.getExistingDirectory(self, "Folder with a sub-folder of images for each class")
        if path:
            self.open_folder(Path(path))
        else:
            self._show()

    def open_folder(self, path: Path) -> None:
        """Chooses any folder of images."""
        self._name = folder_name(path)
        self._show()
        self.chosen.emit()

    def _show(self) -> None:
        blocked = self.dataset.blockSignals(True)
        if self.dataset.findData(self._name) < 0:
            path = folder_path(self._name)
            self.dataset.insertItem(len(DATASETS), path.name if path else self._name, self._name)
        self.dataset.setCurrentIndex(self.dataset.findData(self._name))
        self.dataset.blockSignals(blocked)
        info = DATASETS.get(self._name)
        self._place.setVisible(info is not None and not info.offline)
        if info is None:
            self.note.say(self._name.removeprefix(PREFIX))
            return
        size = "×".join(map(str, info.shape))
        images = f"{info.images:,} images of {size}, {len(info.classes)} classes"
        source = "comes with the app" if info.offline else f"{short_bytes(info.download_bytes)} to download once"
        self.note.say(f"{images}; {source}")

    def _choose_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Folder that holds the dataset", self.folder.text())
        if path:
            self.folder.setText(path)
            self.changed.emit()
