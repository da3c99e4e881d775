"""Images of a dataset as thumbnails, each with its class and what it was taken for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QSize, Qt
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import QListView, QWidget

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from explorer.training.analysis import Sample

Index = QModelIndex | QPersistentModelIndex
SIDE = 72
"""Pixels of a thumbnail."""


def to_image(pixels: NDArray[np.uint8]) -> QImage:
    """Returns an image of (H, W) grey or (H, W, 3) RGB values."""
    height, width = pixels.shape[:2]
    if pixels.ndim == 2:
        return QImage(pixels.tobytes(), width, height, width, QImage.Format.Format_Grayscale8).copy()
    return QImage(pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888).copy()


class SampleModel(QAbstractListModel):
    """Samples with their pictures; `UserRole` is the sample."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.samples: Sequence[Sample] = ()
        self._classes: Sequence[str] = ()
        self._pictures: list[QPixmap] = []

    def show_samples(self, samples: Sequence[Sample], classes: Sequence[str], images: Sequence[QImage]) -> None:
        """Shows other samples; there may be fewer pictures than samples while those are read."""
        self.beginResetModel()
        self.samples, self._classes = samples, classes
        smooth, plain = Qt.TransformationMode.SmoothTransformation, Qt.TransformationMode.FastTransformation
        self._pictures = [
            # The pixels of the smallest images are shown as what they are.
            QPixmap.fromImage(
                image.scaled(SIDE, SIDE, Qt.AspectRatioMode.KeepAspectRatio, smooth if image.width() > SIDE else plain)
            )
            for image in images
        ]
        self.endResetModel()

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.samples)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        sample = self.samples[index.row()]
        label, prediction = self._classes[sample.label], self._classes[sample.prediction]
        if role == Qt.ItemDataRole.DisplayRole:
            verdict = label if sample.label == sample.prediction else f"{label} → {prediction}"
            return f"{verdict}\n{100 * sample.probability:.1f} %"
        if role == Qt.ItemDataRole.DecorationRole and index.row() < len(self._pictures):
            return self._pictures[index.row()]
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            return (
                f"Image {sample.index:,}: {label}, taken for {prediction} with {100 * sample.probability:.2f} %; "
                f"loss {sample.loss:.4f}"
            )
        if role == Qt.ItemDataRole.UserRole:
            return sample
        return None


class SampleList(QListView):
    """Thumbnails from left to right, as many to a line as fit."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.samples = SampleModel(self)
        self.setModel(self.samples)
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMovement(QListView.Movement.Static)
        self.setSelectionMode(QListView.SelectionMode.ExtendedSelection)
        self.setUniformItemSizes(True)
        self.setWordWrap(True)
        self.setIconSize(QSize(SIDE, SIDE))
        self.setGridSize(QSize(SIDE + 44, SIDE + 2 * self.fontMetrics().height() + 14))
        self.setAccessibleName("Images")
