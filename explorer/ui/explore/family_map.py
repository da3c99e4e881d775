"""The timeline of the families: which network grew out of which, and when."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from html import escape

from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPixmap, QShowEvent
from PySide6.QtWidgets import QGraphicsScene, QHBoxLayout, QLabel, QMenu, QPushButton, QVBoxLayout, QWidget

from explorer.architectures.cards import catalogue, descendants, families, ideas
from explorer.architectures.entry import Entry, Language
from explorer.ui.explore.family_items import KINDS, OTHER, DescentItem, FamilyItem, Shades, YearItem, kind_of_idea
from explorer.ui.explore.family_layout import COLUMN, HEIGHT, WIDTH, Timeline, lay_out
from explorer.ui.widgets.flow_layout import FlowLayout
from explorer.ui.widgets.named import named
from explorer.ui.widgets.picture_view import PictureView

_HEAD = 34.0
"""Height of the years above the families."""


class MapView(PictureView):
    """The view on the families: says which one the pointer is on."""

    hovered = Signal(str)
    """File of the family, empty beside all."""
    clicked = Signal(str)
    escaped = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setMouseTracking(True)
        self.most_fitted = 1.6
        self._under = ""

    def item_at(self, at: QPoint) -> FamilyItem | None:
        """The family there."""
        return next((item for item in self.items(at) if isinstance(item, FamilyItem)), None)

    def click_at(self, at: QPoint) -> None:
        item = self.item_at(at)
        if item is not None:
            self.clicked.emit(item.file)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        if not event.buttons():
            item = self.item_at(event.position().toPoint())
            self._hover(item.file if item is not None else "")

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._hover("")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.escaped.emit()
        else:
            super().keyPressEvent(event)

    def _hover(self, file: str) -> None:
        if file != self._under:
            self._under = file
            self.viewport().setCursor(Qt.CursorShape.PointingHandCursor if file else Qt.CursorShape.ArrowCursor)
            self.hovered.emit(file)


class FamilyMap(QWidget):
    """The map of all families with its legend."""

    opened = Signal(str)
    """Name of the network that the user wants to see."""
    closed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._families = families()
        self._members: dict[str, list[Entry]] = {}
        for entry in catalogue():
            self._members.setdefault(entry.file, []).append(entry)
        self._timeline = Timeline((), {}, ())
        self._current = next(iter(self._families), "")
        self._hovered = ""
        self._passing: set[str] | None = None
        self._language: Language = "en"
        self._items: dict[str, FamilyItem] = {}
        self._lines: list[DescentItem] = []
        self.view = MapView(self)
        self.view.setAccessibleName("Timeline of the families")
        self.view.hovered.connect(self._hover)
        self.view.clicked.connect(self.open_family)
        self.view.typed.connect(self._type)
        self.view.escaped.connect(self.closed)
        self.setFocusProxy(self.view)
        self.title = named(QLabel("Timeline of the families", self), "title")
        self.note = named(QLabel(self), "muted")
        self.note.setText(
            f"{len(self._families)} families, {len(catalogue())} networks. "
            "A line leads from a family to what grew out of it, dashed where that has a nearer ancestor."
        )
        self.note.setWordWrap(True)
        self.back = QPushButton("Back to the network", self)
        self.back.setToolTip("Back to the network (Esc)")
        self.back.clicked.connect(self.closed)
        fit = QPushButton("Fit", self)
        fit.setToolTip("Show everything (F)")
        fit.clicked.connect(self.view.fit)
        head = QHBoxLayout()
        names = QVBoxLayout()
        names.setSpacing(0)
        names.addWidget(self.title)
        names.addWidget(self.note)
        head.addLayout(names, 1)
        head.addWidget(fit, 0, Qt.AlignmentFlag.AlignTop)
        head.addWidget(self.back, 0, Qt.AlignmentFlag.AlignTop)
        self._legend = QWidget(self)
        self._legend_flow = FlowLayout(self._legend)
        self._legend_signs: list[tuple[QLabel, str]] = []
        self._make_legend()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(head)
        layout.addWidget(self.view, 1)
        layout.addWidget(self._legend)
        # Laid out and drawn in turns of their own: together they would hold up the event loop.
        QTimer.singleShot(0, self, self._lay_out)

    # -- what is shown ---------------------------------------------------------------------------------------------

    def show_network(self, entry: Entry | None) -> None:
        """Puts the keyboard on the family of the network."""
        if entry is not None and entry.file in self._families:
            self._current = entry.file
            self._mark()

    def set_language(self, language: Language) -> None:
        """Chooses the language of what is told of a family."""
        if language != self._language:
            self._language = language
            for file, item in self._items.items():
                item.setToolTip(self._told(file))

    def keep(self, passing: set[str] | None) -> None:
        """Dims families of whose networks none is among these names; None for all."""
        self._passing = passing
        self._mark()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.view.fit()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "view"):
            self._draw()

    def _lay_out(self) -> None:
        self._timeline = lay_out(self._families)
        QTimer.singleShot(0, self, self._draw)

    def _draw(self) -> None:
        shades, font = Shades(self.palette()), self.font()
        self.view.setBackgroundBrush(shades.canvas)
        scene = QGraphicsScene()
        timeline = self._timeline
        bottom = max((y for _, y in timeline.places.values()), default=0.0) + HEIGHT / 2 + 10
        for number, year in enumerate(timeline.years):
            band = QRectF(year.x - COLUMN / 2, -_HEAD, COLUMN, bottom + _HEAD)
            scene.addItem(YearItem(year.year, year.skipped, band, not number % 2, shades, font))
        self._lines = [DescentItem(descent, shades) for descent in timeline.descents]
        for line in self._lines:
            scene.addItem(line)
        self._items = {}
        for file, entry in self._families.items():
            kind = kind_of_idea(next(iter(entry.ideas), ""))
            item = FamilyItem(file, entry.family, len(self._members[file]), kind, shades, font)
            item.setPos(QPointF(*timeline.places[file]))
            item.setToolTip(self._told(file))
            scene.addItem(item)
            self._items[file] = item
        right = timeline.years[-1].x + COLUMN / 2 if timeline.years else 0.0
        left = timeline.years[0].x - COLUMN / 2 if timeline.years else 0.0
        self.view.show_scene(scene, QRectF(left, -_HEAD, right - left, bottom + _HEAD))
        for sign, kind in self._legend_signs:
            sign.setPixmap(_sign(shades.fill(kind), shades.border(kind)))
        self._mark()
        self.view.fit()

    def _make_legend(self) -> None:
        shown = {kind_of_idea(next(iter(entry.ideas), "")) for entry in self._families.values()}
        for kind in (*KINDS, OTHER):
            if kind in shown:
                pair = QWidget(self._legend)
                row = QHBoxLayout(pair)
                row.setContentsMargins(0, 0, 10, 0)
                sign = QLabel(pair)
                keys = KINDS[kind][1] if kind in KINDS else ()
                pair.setToolTip(", ".join(ideas()[key].en for key in keys if key in ideas()))
                row.addWidget(sign)
                row.addWidget(QLabel(kind, pair))
                self._legend_flow.addWidget(pair)
                self._legend_signs.append((sign, kind))

    def _told(self, file: str) -> str:
        """What a family is about, for its tooltip."""
        entry = self._families[file]
        head = "  ·  ".join(part for part in (str(entry.year), escape(entry.venue)) if part)
        parts = [f"<b>{escape(entry.family)}</b>  ·  {head}"]
        main = [ideas()[key].to(self._language) for key in entry.ideas if key in ideas()]
        if main:
            parts.append(f"<i>{escape(', '.join(main))}</i>")
        parts.append(escape(entry.idea.to(self._language)))
        return "<br>".join(part for part in parts if part)

    # -- what is marked --------------------------------------------------------------------------------------------

    def _hover(self, file: str) -> None:
        self._hovered = file
        self._mark()

    def _mark(self) -> None:
        kin = self._kin(self._hovered) if self._hovered else set(self._families)
        dimmed = {
            file
            for file, members in self._members.items()
            if self._passing is not None and not any(entry.name in self._passing for entry in members)
        }
        for file, item in self._items.items():
            item.lit = file in kin
            item.dimmed = file in dimmed
            item.current = file == self._current
            item.update()
        for line in self._lines:
            ends = {line.descent.ancestor, line.descent.family}
            marked = bool(self._hovered) and ends <= kin and self._on_one_line(line)
            line.set_state(marked, faded=not marked and (bool(self._hovered) or bool(ends & dimmed)))

    def _kin(self, file: str) -> set[str]:
        """The family with all that it grew out of and all that grew out of it."""
        return {file} | self._reached(file, self._ancestors) | self._reached(file, descendants)

    def _on_one_line(self, line: DescentItem) -> bool:
        """Whether a line leads towards the family under the pointer or away from it, not from kin to kin past it."""
        before = self._reached(self._hovered, self._ancestors) | {self._hovered}
        after = self._reached(self._hovered, descendants) | {self._hovered}
        ends = {line.descent.ancestor, line.descent.family}
        return ends <= before or ends <= after

    def _ancestors(self, file: str) -> tuple[str, ...]:
        return tuple(name for name in self._families[file].ancestors if name in self._families)

    def _reached(self, file: str, step: Callable[[str], Iterable[str]]) -> set[str]:
        found: set[str] = set()
        ahead = list(step(file))
        while ahead:
            near = ahead.pop()
            if near not in found:
                found.add(near)
                ahead += step(near)
        return found

    # -- mouse and keyboard ----------------------------------------------------------------------------------------

    def open_family(self, file: str) -> None:
        """Shows the network of a family; where it has several, asks which."""
        self._current = file
        self._mark()
        members = [
            entry for entry in self._members[file] if self._passing is None or entry.name in self._passing
        ] or self._members[file]
        if len(members) == 1:
            self.opened.emit(members[0].name)
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for entry in members:
            action = menu.addAction(entry.title.replace("&", "&&"))
            action.setData(entry.name)
        menu.triggered.connect(self._variant_chosen)
        menu.setActiveAction(menu.actions()[0])
        below = self._items[file].mapToScene(QPointF(-WIDTH / 2, HEIGHT / 2))
        menu.popup(self.view.viewport().mapToGlobal(self.view.mapFromScene(below)))

    def _variant_chosen(self, action: object) -> None:
        self.opened.emit(str(action.data()))  # type: ignore[attr-defined]

    def _type(self, key: int) -> None:
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            if self._current:
                self.open_family(self._current)
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.view.zoom_in()
        elif key == Qt.Key.Key_Minus:
            self.view.zoom_out()
        else:
            target = self._neighbour(key)
            if target:
                self._current = target
                self._mark()
                self.view.bring_into_view(self._items[target])

    def _neighbour(self, key: int) -> str:
        """The family next to the current one: in the nearest year on that side, or above or below in its own."""
        if not self._current:
            return ""
        x, y = self._timeline.places[self._current]
        sideways = key in (Qt.Key.Key_Left, Qt.Key.Key_Right)
        sign = 1 if key in (Qt.Key.Key_Right, Qt.Key.Key_Down) else -1
        ahead = [
            ((sign * (px - x), abs(py - y)) if sideways else (sign * (py - y), 0.0), file)
            for file, (px, py) in self._timeline.places.items()
            if (sign * (px - x) > 0 if sideways else px == x and sign * (py - y) > 0)
        ]
        return min(ahead)[1] if ahead else ""


def _sign(fill: QColor, border: QColor) -> QPixmap:
    pixmap = QPixmap(14, 14)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(border)
    painter.setBrush(fill)
    painter.drawRoundedRect(1, 1, 12, 12, 3, 3)
    painter.end()
    return pixmap
