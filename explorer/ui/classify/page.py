"""The Classify page: drop images, see what a trained network says."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QModelIndex, Qt, Signal, Slot
from PySide6.QtGui import QGuiApplication, QImage, QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QListView,
    QProgressBar,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from explorer.ui.background import Answer, Background
from explorer.ui.classify.detail import Detail
from explorer.ui.classify.image_list import ImageDelegate, ImageListModel, Item
from explorer.ui.classify.model_chooser import DEFAULT, ModelChooser
from explorer.ui.classify.reading import Examined, Found, Source, examine, find, load_model, read_preview
from explorer.ui.classify.report import as_table
from explorer.ui.widgets.banner import Banner
from explorer.ui.widgets.labels import ElidedLabel

if TYPE_CHECKING:
    from explorer.inference.classifier import Classifier


class ClassifyPage(QWidget):
    """Lists images and shows for each what the chosen network sees in it."""

    status_changed = Signal(str)
    """One line on what goes on; empty when nothing does."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        # Three threads: while a thousand images wait for the network, the selected one is still shown at once.
        self._finding = Background(self)
        self._classifying = Background(self)
        self._previewing = Background(self)
        self._finding.answered.connect(self._add_found)
        self._classifying.answered.connect(self._take_answer)
        self._previewing.answered.connect(self._take_preview)

        self._classifier: Classifier | None = None
        self._model = DEFAULT
        """What the classifier was loaded from, or will be."""
        self._loading: tuple[int, str] | None = None
        """Number of the question that loads a network, and which network."""
        self._asked: dict[int, int] = {}
        """Item's key by the number of the question that classifies it; answers to other numbers are dropped."""
        self._preview = 0
        self._pasted = 0
        self._status = ""

        self._images = ImageListModel(self)
        self._list = QListView()
        self._detail = Detail()
        self._models = ModelChooser()
        self._banner = Banner()
        self._stack = QStackedWidget()
        self._summary = ElidedLabel()
        self._progress = QProgressBar()
        keys = QKeySequence.StandardKey
        self._remove = self._button(
            "&Remove", self.remove_selected, "Take the selected images off the list", keys.Delete
        )
        self._clear = self._button("C&lear", self.clear, "Take all images away")
        self._copy = self._button("&Copy results", self.copy_results, "Copy all results as a table", keys.Copy)
        self._halt = self._button("Cancel", self._cancel_or_continue, "")
        self._build()
        self._show_progress()

    # What the window calls

    def add_paths(self, paths: list[Path]) -> None:
        """Adds image files, and the images inside of folders; returns at once."""
        if paths:
            self._finding.ask(find, tuple(paths))

    def add_image(self, image: QImage) -> None:
        """Adds a picture that has no file."""
        if image.isNull():
            self._banner.say("The pasted picture is empty: copy it anew")
            return
        self._pasted += 1
        row = self._add([(f"Pasted picture {self._pasted}", image)])
        self._list.setCurrentIndex(self._images.index(row))

    def set_runs(self, runs: list[tuple[str, Path]]) -> None:
        """Offers finished runs, given by title and folder, beside the installed networks."""
        self._models.set_runs(runs)

    @Slot(str)
    def choose_model(self, model: str) -> None:
        """Loads a network and classifies every image anew; if it cannot be loaded, the former one stays.

        Args:
            model: registry name of an installed network, a run folder or a file of weights.
        """
        self._banner.hide()
        self._forget_questions()
        if self._classifier is not None and model == self._model:
            self._models.show_model(model)
            self._classify_rest()
        else:
            self._load(model)
        self._show_progress()

    def stop(self) -> bool:
        """Ends the page's threads for good; returns whether they have ended in time."""
        threads = (self._finding, self._classifying, self._previewing)
        for thread in threads:
            thread.stop(0)
        return all(thread.stop() for thread in threads)

    # What the user does

    @Slot()
    def open_files(self) -> None:
        """Asks for image files and adds them."""
        from explorer.data.images import SUFFIXES

        endings = " ".join(f"*{suffix}" for suffix in SUFFIXES)
        names, _ = QFileDialog.getOpenFileNames(self, "Open images", "", f"Images ({endings});;All files (*)")
        self.add_paths([Path(name) for name in names])

    @Slot()
    def paste(self) -> None:
        """Adds the picture or the files that the clipboard holds."""
        clipboard = QGuiApplication.clipboard()
        content = clipboard.mimeData()
        files = [Path(url.toLocalFile()) for url in content.urls() if url.isLocalFile()]
        if files:
            self.add_paths(files)
        elif content.hasImage():
            self.add_image(clipboard.image())
        else:
            self._banner.say("The clipboard holds no picture: copy a picture or image files first")

    @Slot()
    def remove_selected(self) -> None:
        """Takes the selected images off the list."""
        rows = [index.row() for index in self._list.selectionModel().selectedIndexes()]
        if len(rows) == len(self._images.items):
            self.clear()
            return
        self._images.remove(rows)
        if self._asked:  # asks anew, without those that are gone
            self._forget_questions()
            self._ask([item for item in self._images.items if item.waiting])
        self._show_progress()

    @Slot()
    def clear(self) -> None:
        """Takes all images off the list."""
        self._asked.clear()
        if self._loading is None:
            self._classifying.forget()
        self._images.clear()
        self._show_current()
        self._show_progress()

    @Slot()
    def copy_results(self) -> None:
        """Puts all results on the clipboard as text, one line an image, tabs between columns."""
        QGuiApplication.clipboard().setText(as_table(self._images.items))

    @Slot()
    def _cancel_or_continue(self) -> None:
        if self._busy():
            self._forget_questions()
            for item in self._images.items:
                if item.waiting:
                    self._images.change(item.key, waiting=False)
            self._models.show_model(self._model)
        else:
            self._classify_rest()
        self._show_current()
        self._show_progress()

    # Questions and answers

    @Slot(object)
    def _add_found(self, answer: Answer) -> None:
        found = answer.result
        if not isinstance(found, Found):
            self._banner.say(f"The folder cannot be searched: {answer.error}")
        elif not found.paths:
            self._banner.say("There are no images in what was dropped: choose image files or a folder that holds some")
        else:
            row = self._add((path.name, path) for path in found.paths)
            if not self._list.currentIndex().isValid():
                self._list.setCurrentIndex(self._images.index(row))
            if not found.complete:
                self._banner.say(f"Only the first {len(found.paths):,} images were added: drop the rest later")

    def _add(self, sources: Iterable[tuple[str, Source]]) -> int:
        row = self._images.add(sources)
        if self._classifier is not None and self._loading is None:
            self._ask(self._images.items[row:])
        elif self._loading is None:
            self._load(self._model)
        self._show_progress()
        return row

    def _load(self, model: str) -> None:
        self._loading = (self._classifying.ask(load_model, model), model)
        self._models.show_model(model)

    def _ask(self, items: Iterable[Item]) -> None:
        for item in items:
            self._asked[self._classifying.ask(examine, item.source, self._classifier)] = item.key

    def _classify_rest(self) -> None:
        """Asks about every image that has no answer yet."""
        rest = [item for item in self._images.items if not item.classified]
        for item in rest:
            self._images.change(item.key, waiting=True)
        if self._classifier is None:
            self._load(self._model)
        else:
            self._ask(rest)

    def _forget_questions(self) -> None:
        self._classifying.forget()
        self._asked.clear()
        self._loading = None

    @Slot(object)
    def _take_answer(self, answer: Answer) -> None:
        if self._loading is not None and answer.id == self._loading[0]:
            self._take_classifier(answer, self._loading[1])
        elif answer.id in self._asked:
            key = self._asked.pop(answer.id)
            if isinstance(answer.result, Examined):
                seen = answer.result
                self._images.change(
                    key, thumbnail=seen.thumbnail, predictions=seen.predictions, error=seen.error, waiting=False
                )
            else:
                self._images.change(key, error=" ".join(str(answer.error).split()), waiting=False)
            current = self._current()
            if current is not None and current.key == key:
                self._detail.show_item(current, self._models.title(self._model))
        self._show_progress()

    def _take_classifier(self, answer: Answer, model: str) -> None:
        self._loading = None
        if answer.error is None:
            self._classifier, self._model = answer.result, model  # type: ignore[assignment]
            self._images.change_all(predictions=(), error=None, waiting=True)
            self._ask(self._images.items)
        else:
            self._banner.say(str(answer.error))
            self._models.drop(model)
            if self._classifier is not None:
                self._classify_rest()
            else:
                self._images.change_all(waiting=False)
        self._models.show_model(self._model)
        self._show_current()

    @Slot(QModelIndex)
    def _show_current(self) -> None:
        item = self._current()
        self._detail.show_item(item, self._models.title(self._model))
        if item is not None:
            self._preview = self._previewing.ask(read_preview, item.source, newest_only=True)

    @Slot(object)
    def _take_preview(self, answer: Answer) -> None:
        if answer.id == self._preview and self._current() is not None:
            self._detail.show_preview(answer.result if isinstance(answer.result, QImage) else None)

    # What is on show

    def _build(self) -> None:
        open_files = self._button("&Open…", self.open_files, "Add image files", QKeySequence.StandardKey.Open)
        paste = self._button("&Paste", self.paste, "Add the copied picture or files", QKeySequence.StandardKey.Paste)
        self._models.chosen.connect(self.choose_model)
        models_label = QLabel("&Network:")
        models_label.setBuddy(self._models)
        bar = QHBoxLayout()
        for button in (open_files, paste, self._remove, self._clear, self._copy):
            bar.addWidget(button)
        bar.addStretch(1)
        bar.addWidget(models_label)
        bar.addWidget(self._models)

        self._list.setObjectName("images")
        self._list.setModel(self._images)
        self._list.setItemDelegate(ImageDelegate(self._list))
        self._list.setUniformItemSizes(True)
        self._list.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self._list.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self._list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._list.setAccessibleName("Images")
        self._list.selectionModel().currentChanged.connect(self._show_current)
        splitter = QSplitter(Qt.Orientation.Horizontal)
        splitter.addWidget(self._list)
        splitter.addWidget(self._detail)
        splitter.setChildrenCollapsible(False)
        splitter.setStretchFactor(1, 1)
        splitter.setSizes([340, 900])
        self._stack.addWidget(self._drop_area())
        self._stack.addWidget(splitter)

        self._summary.setObjectName("muted")
        self._progress.setAccessibleName("Images classified")
        self._progress.setMaximumWidth(240)
        self._progress.setTextVisible(False)
        foot = QHBoxLayout()
        foot.addWidget(self._summary, 1)
        foot.addWidget(self._progress)
        foot.addWidget(self._halt)

        column = QVBoxLayout(self)
        column.addLayout(bar)
        column.addWidget(self._banner)
        column.addWidget(self._stack, 1)
        column.addLayout(foot)

    def _drop_area(self) -> QFrame:
        area = QFrame()
        area.setObjectName("dropArea")
        area.setFrameShape(QFrame.Shape.StyledPanel)
        invitation = QLabel("Drop images anywhere on this window,\nor press Ctrl+O or Ctrl+V")
        invitation.setObjectName("title")
        invitation.setAlignment(Qt.AlignmentFlag.AlignCenter)
        button = self._button("Open images…", self.open_files, "Add image files")
        column = QVBoxLayout(area)
        column.setSpacing(16)
        column.addStretch(1)
        column.addWidget(invitation)
        column.addWidget(button, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(1)
        return area

    def _button(
        self, text: str, slot: Callable[[], None], tip: str, key: QKeySequence.StandardKey | None = None
    ) -> QPushButton:
        button = QPushButton(text)
        button.clicked.connect(slot)
        if key is not None:
            button.setShortcut(key)
            tip += f" ({button.shortcut().toString(QKeySequence.SequenceFormat.NativeText)})"
        button.setToolTip(tip)
        return button

    def _current(self) -> Item | None:
        index = self._list.currentIndex()
        item: Item | None = index.data(Qt.ItemDataRole.UserRole) if index.isValid() else None
        return item

    def _busy(self) -> bool:
        return self._loading is not None or bool(self._asked)

    def _show_progress(self) -> None:
        total, left = len(self._images.items), len(self._asked)
        self._stack.setCurrentIndex(1 if total else 0)
        for button in (self._remove, self._clear, self._copy):
            button.setEnabled(total > 0)
        rest = 0
        if self._loading is not None:
            status = f"Loading {self._models.title(self._loading[1])}…"
            self._progress.setRange(0, 0)
        elif left:
            status = f"Classifying: {total - left:,} of {total:,} images done"
            self._progress.setRange(0, total)
            self._progress.setValue(total - left)
        else:
            status = ""
            rest = sum(not item.classified for item in self._images.items)
        self._progress.setVisible(self._busy())
        self._halt.setVisible(self._busy() or rest > 0)
        self._halt.setText("Cancel" if self._busy() else "Continue")
        self._halt.setToolTip("Leave the rest unclassified" if self._busy() else "Classify the rest")
        self._summary.setText(status or self._count(rest))
        if status != self._status:
            self._status = status
            self.status_changed.emit(status)

    def _count(self, rest: int) -> str:
        items = self._images.items
        if not items:
            return ""
        failed = sum(item.error is not None for item in items)
        parts = [f"{len(items):,} image{'s' if len(items) > 1 else ''}"]
        parts += [f"{failed:,} without a result"] if failed else []
        parts += [f"{rest:,} not classified"] if rest else []
        return " · ".join(parts)
