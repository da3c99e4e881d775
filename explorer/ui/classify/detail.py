"""One image in full: the picture, its file and its five most probable classes."""

from __future__ import annotations

from PySide6.QtGui import QImage
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from explorer.ui.classify.image_list import Item
from explorer.ui.classify.picture import Picture
from explorer.ui.classify.prediction_bars import PredictionBars
from explorer.ui.widgets.labels import ElidedLabel, WrappedLabel

UNREADABLE = "This file cannot be shown"


class Detail(QWidget):
    """Shows one item of the list; the page hands it what it shows."""

    def __init__(self) -> None:
        super().__init__()
        self.picture = Picture()
        self._key: int | None = None
        self._title = ElidedLabel()
        self._title.setObjectName("title")
        self._file = ElidedLabel()
        self._file.setObjectName("muted")
        self._model = ElidedLabel()
        self._model.setObjectName("muted")
        self._error = WrappedLabel()
        self._bars = PredictionBars()

        beside = QVBoxLayout()
        beside.addWidget(self._title)
        beside.addWidget(self._file)
        beside.addWidget(self._model)
        beside.addSpacing(12)
        beside.addWidget(self._bars)
        beside.addWidget(self._error)
        beside.addStretch(1)
        row = QHBoxLayout(self)
        row.setSpacing(20)
        row.addWidget(self.picture, 3)
        row.addLayout(beside, 2)

    def show_item(self, item: Item | None, model: str) -> None:
        """Shows what is known of the item; its picture at once as a thumbnail, until `show_preview` brings more."""
        if item is None:
            self._key = None
            self.picture.show_image(None, "Select an image in the list")
            for label in (self._title, self._file, self._model, self._error):
                label.clear()
            self._bars.show_predictions(())
            return
        unreadable = item.error is not None and item.thumbnail is None
        if item.key != self._key or unreadable:
            self.picture.show_image(item.thumbnail, UNREADABLE if unreadable else "")
        self._key = item.key
        self._title.say(item.headline, item.headline)
        self._file.say(item.name, item.place)
        self._model.say(model, model)
        self._bars.setVisible(item.error is None)
        self._bars.show_predictions(item.predictions)
        self._error.setVisible(item.error is not None)
        self._error.say(item.error or "")

    def show_preview(self, image: QImage | None) -> None:
        """Puts the full picture in place of the thumbnail; None when there is none to be had."""
        self.picture.show_image(image, UNREADABLE if image is None else "")
