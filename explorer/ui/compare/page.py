"""The Compare page: choose two networks, see what they have in common and where they differ."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QByteArray, QSettings, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QKeySequence, QStandardItemModel
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from explorer.errors import InputError
from explorer.inspection.comparison.diff import Diff, diff
from explorer.inspection.comparison.report import Row, failures_text, heading, row
from explorer.inspection.portrait import Portrait, portray
from explorer.ui.background import Answer, Background, CancelledError
from explorer.ui.compare.diff_table import DiffTable
from explorer.ui.compare.network_box import NetworkBox, NetworkNames
from explorer.ui.compare.summary import StageTable, Totals
from explorer.ui.torch_loading import load_the_rest
from explorer.ui.widgets.banner import Banner
from explorer.ui.widgets.named import named
from explorer.ui.widgets.waiting import Waiting

EXAMPLES = (
    ("resnet50", "resnet101", "what makes it deeper"),
    ("vgg16", "torchvision:vgg16_bn", "where batch normalisation goes"),
    ("resnet50", "timm:seresnet50", "squeeze and excitation"),
    ("resnet50", "torchvision:wide_resnet50_2", "twice the width"),
    ("lenet5", "lenet5_1998", "as it is taught, and as it was"),
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two networks, their difference, and its rows as they are shown."""

    a: Portrait
    b: Portrait
    diff: Diff
    rows: tuple[Row, ...]

    @property
    def titles(self) -> tuple[str, str]:
        """What the two are called."""
        return heading(self.a), heading(self.b)


def _compare(a: str, b: str) -> Comparison:
    first = portray(a)
    return _side_by_side(first, first if a == b else portray(b))


def _side_by_side(a: Portrait, b: Portrait) -> Comparison:
    difference = diff(a.anatomy, b.anatomy)
    return Comparison(a, b, difference, tuple(map(row, difference.layers)))


class ComparePage(QWidget):
    """Two boxes on top; below them the totals, the parts and the layers."""

    status_changed = Signal(str)

    def __init__(self, settings: QSettings, networks: QStandardItemModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._settings = settings
        self._background = Background(self)
        self._background.answered.connect(self._answered)
        self._question = 0
        self.comparison: Comparison | None = None

        names = NetworkNames(networks, self)
        self.first = NetworkBox(names, "First network", self)
        self.second = NetworkBox(names, "Second network", self)
        self.swap = QPushButton("⇄  &Swap", self)
        self.swap.setToolTip("Exchange the two networks")
        self.progress = QProgressBar(self)
        self.progress.setRange(0, 0)
        self.progress.setFixedHeight(4)
        self.progress.setTextVisible(False)
        self.progress.setAccessibleName("Comparing")
        policy = self.progress.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.progress.setSizePolicy(policy)
        self.progress.hide()
        self.banner = Banner()
        self.waiting = Waiting()
        self.waiting.cancelled.connect(self._cancel)
        self.totals = Totals(self)
        self.stages = StageTable(self)
        self.table = DiffTable(self)

        choosers = QHBoxLayout()
        for text, box in (("&Compare", self.first), ("&with", self.second)):
            label = QLabel(text, self)
            label.setBuddy(box)
            choosers.addWidget(label)
            choosers.addWidget(box, 1)
        choosers.addWidget(self.swap)
        self.parts_and_layers = QSplitter(Qt.Orientation.Vertical, self)
        self.parts_and_layers.addWidget(self.stages)
        self.parts_and_layers.addWidget(self.table)
        self.parts_and_layers.setStretchFactor(1, 1)
        self.parts_and_layers.setSizes([130, 400])
        result = QWidget(self)
        below = QVBoxLayout(result)
        below.setContentsMargins(0, 0, 0, 0)
        below.addWidget(self.totals)
        below.addWidget(self.parts_and_layers, 1)
        self.stack = QStackedWidget(self)
        self.empty = self._make_empty()
        self.stack.addWidget(self.empty)
        self.stack.addWidget(result)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 10, 12, 6)
        layout.addLayout(choosers)
        layout.addWidget(self.progress)
        layout.addWidget(self.banner)
        layout.addWidget(self.waiting)
        layout.addWidget(self.stack, 1)

        self.first.chosen.connect(self._chosen)
        self.second.chosen.connect(self._chosen)
        self.swap.clicked.connect(self._swap)
        self.stages.wanted.connect(self.table.show_stage)
        search = QAction("Filter layers", self)
        search.setShortcut(QKeySequence.StandardKey.Find)
        search.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        search.triggered.connect(self.table.search.setFocus)
        self.addAction(search)
        state = settings.value("compare/parts_and_layers")
        if isinstance(state, QByteArray):
            self.parts_and_layers.restoreState(state)
        remembered = [str(settings.value(f"compare/{side}", "")) for side in ("first", "second")]
        if all(remembered):
            self.compare(*remembered)

    def _make_empty(self) -> QWidget:
        page = QWidget(self)
        column = QVBoxLayout(page)
        column.addStretch(1)
        column.addWidget(named(QLabel("Choose two networks above", page), "title"), 0, Qt.AlignmentFlag.AlignHCenter)
        text = (
            "You see which layers they share, which are changed, added or removed, and what that costs. For instance:"
        )
        note = named(QLabel(text, page), "muted")
        column.addWidget(note, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addSpacing(8)
        self.examples: list[QPushButton] = []
        for a, b, why in EXAMPLES:
            button = QPushButton(f"{a}  and  {b}:  {why}", page)
            button.setProperty("pair", (a, b))
            button.clicked.connect(self._example_clicked)
            button.setMinimumWidth(440)
            column.addWidget(button, 0, Qt.AlignmentFlag.AlignHCenter)
            self.examples.append(button)
        column.addStretch(2)
        return page

    def compare(self, a: str, b: str) -> None:
        """Compares two networks of the registry, each at its own input and with its options at their defaults."""
        self.first.choose(a)
        self.second.choose(b)
        self._chosen()

    def stop(self) -> bool:
        """Ends the thread; returns whether it has ended in time."""
        self._settings.setValue("compare/parts_and_layers", self.parts_and_layers.saveState())
        return self._background.stop(200)

    # -- questions and answers -------------------------------------------------------------------------------------

    def _chosen(self) -> None:
        a, b = self.first.name, self.second.name
        if a and b:
            self._background.cancel(self._question)
            self._background.ask(load_the_rest, newest_only=True)  # which must not be interrupted
            self._wait_for(self._background.ask(_compare, a, b, interruptible=True), f"Comparing {a} with {b}")

    def _swap(self) -> None:
        a, b = self.first.name, self.second.name
        self.first.choose(b)
        self.second.choose(a)
        known = self.comparison
        if known is not None and (known.a.entry.name, known.b.entry.name) == (a, b):
            self._wait_for(self._background.ask(_side_by_side, known.b, known.a, newest_only=True), "Swapping")
        else:
            self._chosen()

    def _example_clicked(self) -> None:
        button = self.sender()
        if isinstance(button, QPushButton):
            a, b = button.property("pair")
            self.compare(a, b)

    def _wait_for(self, question: int, status: str) -> None:
        self._question = question
        self.progress.show()
        self.waiting.begin(status)
        self.status_changed.emit(f"{status}…")

    def _cancel(self) -> None:
        if not self._background.cancel(self._question):  # it had not even begun
            self._show_error(CancelledError())

    def _answered(self, answer: Answer) -> None:
        if answer.id != self._question:
            return  # the user has chosen anew
        self.waiting.end()
        if isinstance(answer.result, Comparison):
            self._show(answer.result)
        elif answer.error is not None:
            self._show_error(answer.error)

    def _show(self, comparison: Comparison) -> None:
        """Shows the sums, and the layers one turn of the event loop later: together they would be felt."""
        failures = failures_text(comparison.a, comparison.b)
        if failures:
            self.banner.say(f"{failures}.")
        else:
            self.banner.hide()
        self.totals.show_diff(comparison.diff, comparison.titles)
        self.stages.show_diff(comparison.diff)
        self.table.set_matches((), (), ("", ""))
        self.stack.setCurrentIndex(1)
        QTimer.singleShot(0, self, lambda: self._show_layers(comparison))

    def _show_layers(self, comparison: Comparison) -> None:
        self.comparison = comparison
        self.progress.hide()
        self.status_changed.emit("")
        self.table.set_matches(comparison.diff.layers, comparison.rows, comparison.titles)
        if not any(portrait.entry.source == "file" for portrait in (comparison.a, comparison.b)):
            self._settings.setValue("compare/first", comparison.a.entry.name)
            self._settings.setValue("compare/second", comparison.b.entry.name)

    def _show_error(self, error: Exception) -> None:
        """Says why there is nothing to compare; what was chosen stays editable."""
        self.comparison = None
        self.progress.hide()
        self.status_changed.emit("")
        self.stack.setCurrentWidget(self.empty)
        if isinstance(error, CancelledError):
            self.banner.say("The comparison was cancelled")
        else:
            self.banner.say(str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}")
