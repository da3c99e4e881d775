"""The window: a rail of pages, one page at a time, and a status bar that says what runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QElapsedTimer, QEvent, QMimeData, QSettings, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QAction,
    QActionGroup,
    QCloseEvent,
    QDragEnterEvent,
    QDragMoveEvent,
    QDropEvent,
    QGuiApplication,
    QImage,
    QKeySequence,
)
from PySide6.QtWidgets import (
    QApplication,
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QMenu,
    QMessageBox,
    QProgressBar,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from explorer.ui.background import Answer, Background
from explorer.ui.explore.page import ExplorePage
from explorer.ui.numbers import short_bytes
from explorer.ui.theme import app_icon, apply_theme, icon
from explorer.ui.torch_loading import Engine
from explorer.ui.widgets.labels import ElidedLabel
from explorer.ui.widgets.named import named

if TYPE_CHECKING:
    from explorer.ui.classify.page import ClassifyPage
    from explorer.ui.compare.page import ComparePage
    from explorer.ui.train.page import TrainPage

PAGES = (("explore", "Explore"), ("train", "Train"), ("classify", "Classify"), ("compare", "Compare"))
GIVE_UP_MS = 10_000
"""How long a closed window waits for threads that hold nothing to be saved."""
ABOUT = """<h3>Architecture Explorer</h3><p>Look up, inspect, train and try convolutional networks.</p>
<p>Apache License 2.0. Built on Qt, PyTorch, torchvision, timm and pyqtgraph.</p>
<p>The weights of EfficientNet-Lite0 are licensed under Apache 2.0.</p>"""


class MainWindow(QMainWindow):
    """Everything the user sees. Pages other than the first are made when they are first needed."""

    closed = Signal()
    """The last thread has ended; Qt itself takes no notice when a window closes that was hidden before."""

    def __init__(self, settings: QSettings) -> None:
        super().__init__()
        self.setWindowTitle("Architecture Explorer")
        self.setWindowIcon(app_icon())
        self.setAcceptDrops(True)
        self.settings = settings
        self.pages = QStackedWidget(self)
        self.explore = ExplorePage(settings, self)
        self.pages.addWidget(self.explore)
        self._made: dict[str, TrainPage | ClassifyPage | ComparePage] = {}
        self._loading = QLabel("Loading…", self)
        self._loading.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.pages.addWidget(self._loading)
        self._importer = Background(self)
        self._importer.answered.connect(self._imported)
        centre = QWidget(self)
        layout = QHBoxLayout(centre)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._make_rail())
        layout.addWidget(self.pages, 1)
        self.setCentralWidget(centre)
        self._make_status_bar()
        self._make_menus()
        self.explore.status_changed.connect(self._set_explore_status)
        self.explore.engine_loaded.connect(self._engine_loaded)
        self.explore.list.compare_wanted.connect(self._compare_with_shown)
        self._closing = QTimer(self)
        self._closing.setInterval(50)
        self._closing.timeout.connect(self.close)
        self._closing_for = QElapsedTimer()
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._system_scheme_changed)
        self.resize(QSize(1280, 800))
        geometry = settings.value("window/geometry")
        if isinstance(geometry, QByteArray):
            self.restoreGeometry(geometry)
        else:
            self._fit_to_screen()

    def begin(self, name: str = "", paths: list[Path] | None = None) -> None:
        """Starts loading what the window needs; called once it is on screen.

        Args:
            name: network to show first; empty for the last one.
            paths: images, folders, runs or Python files to open.
        """
        QTimer.singleShot(0, self, lambda: self.explore.begin(name))
        if paths:
            QTimer.singleShot(0, self, lambda: self.open_paths(paths))

    # -- parts -----------------------------------------------------------------------------------------------------

    def _make_rail(self) -> QFrame:
        self.rail = named(QFrame(self), "rail")
        column = QVBoxLayout(self.rail)
        column.setContentsMargins(0, 8, 0, 8)
        self._buttons = QButtonGroup(self)
        for number, (name, title) in enumerate(PAGES):
            button = QToolButton(self.rail)
            button.setText(title)
            button.setCheckable(True)
            button.setIconSize(QSize(24, 24))
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
            button.setToolTip(f"{title} (Ctrl+{number + 1})")
            button.setShortcut(QKeySequence(f"Ctrl+{number + 1}"))
            button.setProperty("page", name)
            self._buttons.addButton(button, number)
            column.addWidget(button)
        column.addStretch(1)
        self._buttons.button(0).setChecked(True)
        self._buttons.idClicked.connect(self._rail_clicked)
        self._paint_icons()
        return self.rail

    def _make_status_bar(self) -> None:
        bar = self.statusBar()
        self.activity = ElidedLabel()
        self.progress = QProgressBar(bar)
        self.progress.setFixedWidth(220)
        self.progress.setAccessibleName("Training progress")
        self.progress.hide()
        self.device = QLabel("", bar)
        self.memory = QLabel("", bar)
        self.memory.setToolTip("Memory that this program holds")
        self.memory.setContentsMargins(0, 0, 8, 0)  # a maximised window has no size grip beside it
        bar.addWidget(self.activity, 1)
        bar.addPermanentWidget(self.progress)
        bar.addPermanentWidget(self.device)
        bar.addPermanentWidget(self.memory)
        self._memory_timer = QTimer(self)
        self._memory_timer.setInterval(2000)
        self._memory_timer.timeout.connect(self._show_memory)
        self._memory_timer.start()
        self._statuses: dict[str, str] = {}

    def _make_menus(self) -> None:
        keys = QKeySequence.StandardKey
        file = self.menuBar().addMenu("&File")
        self._action(file, "Open &images…", self._open_images)
        self._action(file, "Open &Python file…", self._open_python)
        self._action(file, "Open &run…", self._open_run, QKeySequence("Ctrl+Shift+O"))
        file.addSeparator()
        self._action(file, "&Quit", self.close, keys.Quit)
        network = self.menuBar().addMenu("&Network")
        self._action(network, "&Train this network", self._train_current, QKeySequence("Ctrl+T"))
        view = self.menuBar().addMenu("&View")
        for number, (name, title) in enumerate(PAGES):
            action = QAction(f"&{title}", view)
            action.setData(name)
            action.triggered.connect(self._buttons.button(number).click)
            view.addAction(action)
        view.addSeparator()
        self._themes = QActionGroup(self)
        chosen = str(self.settings.value("window/theme", "system"))
        for name, title in (("system", "Colours of the &system"), ("light", "&Light"), ("dark", "&Dark")):
            action = QAction(title, self._themes, checkable=True, checked=name == chosen)
            action.setData(name)
            view.addAction(action)
        self._themes.triggered.connect(self._theme_chosen)
        about = self.menuBar().addMenu("&Help")
        self._action(about, "&About Architecture Explorer", self._about)

    def _action(
        self,
        menu: QMenu,
        text: str,
        act: Callable[[], object],
        keys: QKeySequence | QKeySequence.StandardKey | None = None,
    ) -> None:
        action = QAction(text, menu)
        if keys is not None:
            action.setShortcut(keys)
        action.triggered.connect(act)
        menu.addAction(action)

    def _fit_to_screen(self) -> None:
        """A window with its frame that would hang over the edge fills the screen instead."""
        available = self.screen().availableSize()
        if available.width() < self.width() + 20 or available.height() < self.height() + 60:
            self.setWindowState(Qt.WindowState.WindowMaximized)

    # -- pages -----------------------------------------------------------------------------------------------------

    @property
    def train(self) -> TrainPage:
        """The Train page, made at its first use."""
        from explorer.ui.train.page import TrainPage

        page = self._made.get("train")
        if not isinstance(page, TrainPage):
            page = TrainPage(self.settings, self)
            self._made["train"] = page
            self.pages.addWidget(page)
            page.status_changed.connect(self._set_train_status)
            page.progress_changed.connect(self._set_progress)
            page.runs_changed.connect(self._runs_changed)
            page.classify_wanted.connect(self._classify_with)
        return page

    @property
    def classify(self) -> ClassifyPage:
        """The Classify page, made at its first use."""
        from explorer.ui.classify.page import ClassifyPage

        page = self._made.get("classify")
        if not isinstance(page, ClassifyPage):
            page = ClassifyPage(self)
            self._made["classify"] = page
            self.pages.addWidget(page)
            page.status_changed.connect(self._set_classify_status)
            page.set_runs(self.train.usable_runs())
        return page

    @property
    def compare(self) -> ComparePage:
        """The Compare page, made at its first use."""
        from explorer.ui.compare.page import ComparePage

        page = self._made.get("compare")
        if not isinstance(page, ComparePage):
            page = ComparePage(self.settings, self.explore.list.model, self)
            self._made["compare"] = page
            self.pages.addWidget(page)
            page.status_changed.connect(self._set_compare_status)
        return page

    def show_page(self, name: str) -> None:
        """Brings a page to the front."""
        page: QWidget = getattr(self, name)
        self.pages.setCurrentWidget(page)
        number = [known for known, _ in PAGES].index(name)
        self._buttons.button(number).setChecked(True)

    def _rail_clicked(self, number: int) -> None:
        """Shows a page; what it needs is imported behind the window first, unless that has been done."""
        name, _ = PAGES[number]
        module = f"explorer.ui.{name}.page"
        if hasattr(sys.modules.get(module), f"{name.title()}Page"):  # which comes last: the import is over
            self.show_page(name)
        else:
            self.pages.setCurrentWidget(self._loading)
            self._importer.ask(import_module, module)

    def _imported(self, answer: Answer) -> None:
        if answer.error is not None:
            raise answer.error
        if self.pages.currentWidget() is self._loading:  # and the user has not gone elsewhere meanwhile
            self._rail_clicked(self._buttons.checkedId())

    def _train_current(self) -> None:
        portrait = self.explore.portrait
        self.show_page("train")
        if portrait is not None:
            self.train.choose_network(portrait.entry.name, dict(portrait.chosen), portrait.entry.task)

    def _compare_with_shown(self, name: str) -> None:
        shown = self.explore.portrait
        self.show_page("compare")
        if shown is not None:
            self.compare.compare(shown.entry.name, name)

    def _classify_with(self, run: str) -> None:
        self.show_page("classify")
        self.classify.choose_model(run)

    def _runs_changed(self) -> None:
        classify = self._made.get("classify")
        if classify is not None:
            self.classify.set_runs(self.train.usable_runs())

    def _open_images(self) -> None:
        self.show_page("classify")
        self.classify.open_files()

    def _open_python(self) -> None:
        self.show_page("explore")
        self.explore.ask_for_file()

    def _open_run(self) -> None:
        self.show_page("train")
        self.train.listing.opened.ask()

    def open_paths(self, paths: list[Path]) -> None:
        """Opens what was dropped or named on the command line: images, folders of them, runs, recipes, Python files."""
        runs = [path for path in paths if (path / "recipe.toml").is_file()]
        scripts = [path for path in paths if path.suffix == ".py"]
        recipes = [path for path in paths if path.suffix == ".toml"]
        images = [path for path in paths if path not in (*runs, *scripts, *recipes)]
        for path in runs:
            self.show_page("train")
            self.train.open_run(path)
        if recipes:
            self.show_page("train")
            self.train.open_recipe(recipes[0])
        if scripts:
            self.show_page("explore")
            self.explore.open_file(scripts[0])
        if images:
            self.show_page("classify")
            self.classify.add_paths(images)

    # -- dropping --------------------------------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _usable(event.mimeData()):
            event.acceptProposedAction()

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        if _usable(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        data = event.mimeData()
        paths = [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            # After the drop has been answered: the other program waits for that.
            QTimer.singleShot(0, self, lambda: self.open_paths(paths))
        elif data.hasImage():
            image = data.imageData()
            if isinstance(image, QImage):
                event.acceptProposedAction()
                self.show_page("classify")
                self.classify.add_image(image)

    # -- status ----------------------------------------------------------------------------------------------------

    def _set_explore_status(self, text: str) -> None:
        self._set_status("explore", text)

    def _set_train_status(self, text: str) -> None:
        self._set_status("train", text)

    def _set_classify_status(self, text: str) -> None:
        self._set_status("classify", text)

    def _set_compare_status(self, text: str) -> None:
        self._set_status("compare", text)

    def _set_status(self, page: str, text: str) -> None:
        self._statuses[page] = text
        line = "   ·   ".join(text for text in self._statuses.values() if text)
        self.activity.say(line, line)

    def _set_progress(self, share: float) -> None:
        """Shows how far training is, from 0 to 1; a negative share hides the bar."""
        self.progress.setVisible(share >= 0)
        self.progress.setRange(0, 1000)
        self.progress.setValue(round(1000 * max(share, 0)))

    def _engine_loaded(self, engine: Engine) -> None:
        self.device.setText(engine.device)
        self.device.setToolTip(f"Trains on {engine.device}; PyTorch {engine.torch}")

    def _show_memory(self) -> None:
        import psutil

        self.memory.setText(short_bytes(psutil.Process().memory_info().rss))

    # -- look ------------------------------------------------------------------------------------------------------

    def _paint_icons(self) -> None:
        for button in self._buttons.buttons():
            button.setIcon(icon(str(button.property("page")), button))

    def _theme_chosen(self, action: QAction) -> None:
        self.settings.setValue("window/theme", action.data())
        application = QApplication.instance()
        if isinstance(application, QApplication):
            apply_theme(application, str(action.data()))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_buttons"):
            self._paint_icons()

    def _system_scheme_changed(self) -> None:
        application = QApplication.instance()
        if isinstance(application, QApplication) and self.settings.value("window/theme", "system") == "system":
            apply_theme(application)

    def _about(self) -> None:
        QMessageBox.about(self, "About Architecture Explorer", ABOUT)

    # -- end -------------------------------------------------------------------------------------------------------

    def closeEvent(self, event: QCloseEvent) -> None:
        """Ends what runs; the window is hidden and goes once the last thread has saved its work."""
        self.settings.setValue("window/geometry", self.saveGeometry())
        ended = [self._importer.stop(100), *(page.stop() for page in (self.explore, *self._made.values()))]
        if all(ended):
            self._closing.stop()
            event.accept()
            self.closed.emit()
            return
        event.ignore()
        self.hide()
        if not self._closing.isActive():
            self._closing_for.start()
            self._closing.start()
        if self._closing_for.elapsed() > GIVE_UP_MS and not ("train" in self._made and self.train.training):
            self.settings.sync()
            os._exit(0)  # a user's code that never returns: nothing of ours is left to save


def _usable(data: QMimeData) -> bool:
    return data.hasImage() or any(url.isLocalFile() for url in data.urls())
