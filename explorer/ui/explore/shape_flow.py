"""The shape flow: a network as a graph whose groups open in place, with a tensor's shape on every line."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from time import perf_counter

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QAction, QContextMenuEvent, QGuiApplication
from PySide6.QtWidgets import QGraphicsScene, QMenu, QToolBar, QVBoxLayout, QWidget

from explorer.inspection.anatomy import Anatomy
from explorer.inspection.graph.layout import Flow, Lettering, Picture, arrange
from explorer.inspection.graph.outline import FAILURE_KEY, INPUT_KEY, Node, Outline, fold, layer_key
from explorer.ui.background import Answer, Background
from explorer.ui.explore.flow_items import FlowItem, Fonts, GroupItem, LabelsItem, NodeItem, TitleItem, Tones, WireItem
from explorer.ui.explore.flow_overlays import FlowLegend, FlowNote
from explorer.ui.explore.flow_view import FlowView
from explorer.ui.explore.flow_walk import Towards, nearest, step

_SLICE = 0.008
"""Seconds that building items may hold the GUI thread at a time."""
_ARROWS = {
    Qt.Key.Key_Up: Towards.UP,
    Qt.Key.Key_Down: Towards.DOWN,
    Qt.Key.Key_Left: Towards.LEFT,
    Qt.Key.Key_Right: Towards.RIGHT,
}
_MARGIN = 4.0
"""Around the picture, for the frame of the current node."""
_NOTHING = Outline((), (), frozenset())


@dataclass(frozen=True, slots=True)
class _Wish:
    """What the view does once the picture that was asked for is there."""

    fit: bool = False
    keep: str = ""
    """Key of the node whose corner stays where it is on screen."""
    keep_at: QPointF | None = None
    reveal: int | None = None
    """Index of the layer that becomes the current one, in the middle of the view."""


class ShapeFlow(QWidget):
    """The graph view of a network. Whoever owns it calls `stop` before dropping it."""

    selected = Signal(int)
    """Index of the layer that the user chose; not emitted for what `select` chose."""
    save_wanted = Signal()
    """The user asks for the picture as a file."""
    drawn = Signal()
    """The picture is now what was asked for."""

    _picture: Picture | None = None  # here, since Qt sends change events before __init__ has run

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tones, self._fonts = Tones(self.palette()), Fonts(self.font())
        self._anatomy: Anatomy | None = None
        self._outline = _NOTHING
        self._nodes: dict[str, Node] = {}
        self._opened: frozenset[str] = frozenset()
        self._flow = Flow.DOWN
        self._current = ""
        self._items: dict[str, FlowItem] = {}
        self._wires: list[WireItem] = []

        self._background = Background(self)
        self._background.answered.connect(self._take)
        self._question: int | None = None
        self._cancelled = threading.Event()
        self._wish = _Wish()
        self._arranged: tuple[Outline, Picture] | None = None
        """The answer whose items are being built."""
        self._building: Iterator[None] | None = None
        self._build_timer = QTimer(self, interval=0)
        self._build_timer.timeout.connect(self._build_on)
        self._patience = QTimer(self, interval=1000, singleShot=True)

        self.view = FlowView(self)
        self.view.setAccessibleName("Shape flow")
        self.view.setBackgroundBrush(self._tones.canvas)
        self.view.clicked.connect(self._click)
        self.view.double_clicked.connect(self.toggle)
        self.view.typed.connect(self._type)
        self.view.copied.connect(self.copy)
        self.setFocusProxy(self.view)
        self.note = FlowNote(self.view)
        self.note.button.clicked.connect(self.cancel)
        self._patience.timeout.connect(self.note.show_busy)
        self._legend = FlowLegend(self.view)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._tool_bar())
        column.addWidget(self.view, 1)

    def _tool_bar(self) -> QToolBar:
        bar = QToolBar(self)
        bar.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)

        def add(sign: str, text: str, tip: str, act: Callable[[], None] | None = None) -> QAction:
            action = QAction(text, bar)
            action.setIconText(sign)
            action.setToolTip(tip)
            if act is not None:
                action.triggered.connect(act)
            bar.addAction(action)
            button = bar.widgetForAction(action)
            button.setAccessibleName(text)
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            return action

        add("−", "Zoom out", "Zoom out (Ctrl+−, wheel)", self.view.zoom_out)
        add("+", "Zoom in", "Zoom in (Ctrl++, wheel)", self.view.zoom_in)
        add("Fit", "Fit", "Show everything (F)", self.view.fit)
        add("1:1", "Actual size", "Actual size", self.view.show_actual_size)
        bar.addSeparator()
        add("Expand", "Expand", "Open every closed group on view (+ opens the current one)", self.expand)
        add("Collapse", "Collapse", "Close all groups (− closes the current one)", self.collapse)
        bar.addSeparator()
        self._turn_action = add("→", "Change direction", "Let the tensors flow from left to right", self.turn)
        legend = add("Legend", "Legend", "What the colours mean")
        legend.setCheckable(True)
        legend.toggled.connect(self._legend.setVisible)
        return bar

    # -- what the page asks for ------------------------------------------------------------------------------------

    def set_anatomy(self, anatomy: Anatomy | None, opened: bool = False) -> None:
        """Shows another network; None clears the view.

        Args:
            anatomy: what to show.
            opened: whether all groups are open at first, or only those in which the network failed.
        """
        self._give_up()
        groups = anatomy.groups if anatomy is not None and opened else ()
        self._anatomy, self._opened = anatomy, frozenset(group.path for group in groups)
        self._outline, self._picture, self._current = _NOTHING, None, ""
        self._nodes, self._items, self._wires = {}, {}, []
        self.view.show_scene(QGraphicsScene(), QRectF())
        if anatomy is not None:
            self._ask(_Wish(fit=True, reveal=len(anatomy.layers) if anatomy.failure is not None else None))

    @property
    def opened(self) -> frozenset[str]:
        """Dotted paths of the groups that are open."""
        return self._opened

    @property
    def direction(self) -> Flow:
        """Which way the tensors go."""
        return self._flow

    def select(self, index: int) -> None:
        """Brings a layer to the middle and marks it, opening the groups around it. Emits nothing."""
        key = layer_key(index)
        if self._anatomy is None or not 0 <= index < len(self._anatomy.layers):
            return
        if not self._anatomy.layers[index].executed:
            self._make_current("")
        elif self._question is not None or key not in self._items:
            self._ask(_Wish(reveal=index))
        elif key != self._current:
            self._reveal(key)

    def stop(self) -> bool:
        """Ends the thread; returns whether it has ended in time."""
        self._give_up()
        return self._background.stop()

    # -- what the user asks for ------------------------------------------------------------------------------------

    @Slot(str)
    def toggle(self, key: str) -> None:
        """Opens or closes a group in place."""
        node = self._nodes.get(key)
        if node is None or node.group is None or key not in self._items:
            return
        self._opened = self._opened ^ {node.group}
        self._ask(self._staying(key))

    @Slot()
    def expand(self) -> None:
        """Opens every closed group on view."""
        closed = {node.group for node in self._outline.nodes if node.group is not None and not node.open}
        if closed:
            self._opened |= closed
            self._ask(self._staying(self._central()))

    @Slot()
    def collapse(self) -> None:
        """Closes all groups."""
        if self._anatomy is not None and self._opened:
            self._opened = frozenset()
            self._ask(_Wish(fit=True))

    @Slot()
    def turn(self) -> None:
        """Changes the direction of the flow."""
        self._flow = Flow.RIGHT if self._flow is Flow.DOWN else Flow.DOWN
        self._name_turn()
        if self._anatomy is not None:
            self._ask(_Wish(fit=True))

    def _name_turn(self) -> None:
        down = self._flow is Flow.DOWN
        self._turn_action.setIconText("→" if down else "↓")
        self._turn_action.setToolTip(f"Let the tensors flow from {'left to right' if down else 'top to bottom'}")

    @Slot()
    def cancel(self) -> None:
        """Gives up the layout that is under way; what is on view stays."""
        self._give_up()
        self._opened = self._outline.opened
        if self._picture is not None:
            self._flow = self._picture.flow
            self._name_turn()

    @Slot()
    def copy(self) -> None:
        """Copies the picture to the clipboard."""
        if self._items:
            QGuiApplication.clipboard().setImage(self.view.image())

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if not self._items:
            return
        menu = QMenu(self)
        menu.addAction("Copy picture", self.copy)
        menu.addAction("Save picture…").triggered.connect(self.save_wanted)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(event.globalPos())

    # -- laying out ------------------------------------------------------------------------------------------------

    def _ask(self, wish: _Wish) -> None:
        if self._question is not None:  # what the unanswered question promised still holds
            wish = replace(wish, fit=wish.fit or self._wish.fit)
        self._give_up()
        self._wish, self._cancelled = wish, threading.Event()
        self._patience.start()
        self._question = self._background.ask(
            _lay_out,
            self._anatomy,
            self._opened,
            wish.reveal,
            self._fonts.lettering,
            self._flow,
            self._cancelled,
            newest_only=True,
        )

    def _give_up(self) -> None:
        self._cancelled.set()
        self._background.forget()
        self._question = self._building = self._arranged = None
        self._wish = _Wish()
        self._build_timer.stop()
        self._patience.stop()
        self.note.hide()

    @Slot(object)
    def _take(self, answer: Answer) -> None:
        if answer.id != self._question:
            return
        if answer.error is not None:
            self._give_up()
            self.note.show_problem(f"The graph could not be laid out: {answer.error}")
            return
        assert isinstance(answer.result, tuple)
        self._start_building(*answer.result)

    def _start_building(self, outline: Outline, picture: Picture) -> None:
        self._arranged = outline, picture
        self._building = self._build(outline, picture)
        self._build_timer.start()
        self._build_on()

    @Slot()
    def _build_on(self) -> None:
        """Builds items for a moment; the timer goes on with it."""
        until = perf_counter() + _SLICE
        while self._building is not None and perf_counter() < until:
            next(self._building, None)

    def _build(self, outline: Outline, picture: Picture) -> Iterator[None]:
        """Builds the picture beside the one on view, one item a step, then takes it into view."""
        tones, fonts = self._tones, self._fonts
        scene = QGraphicsScene()
        items: dict[str, FlowItem] = {}
        wires: list[WireItem] = []
        titles = {node.key: node.title for node in outline.nodes}
        depths = {"": 0}
        for node, box in zip(outline.nodes, picture.boxes, strict=True):
            depth = depths[node.parent]
            if node.open:
                depths[node.key] = depth + 1
                items[node.key] = GroupItem(node, box, depth + 1, tones, fonts)
                scene.addItem(TitleItem(node, box, depth + 1, tones, fonts))
            else:
                items[node.key] = NodeItem(node, box, tones, fonts)
            scene.addItem(items[node.key])
            yield
        for wire in picture.wires:
            wires.append(WireItem(wire, f"{wire.shape} from {titles[wire.source]}", picture.flow, tones))
            scene.addItem(wires[-1])
            yield
        grounds = [tones.ground(depths[label.parent]) for label in picture.labels]
        scene.addItem(LabelsItem(picture.labels, grounds, tones, fonts))
        yield
        self._outline, self._picture, self._opened = outline, picture, outline.opened
        self._show(scene, items, wires)

    def _show(self, scene: QGraphicsScene, items: dict[str, FlowItem], wires: list[WireItem]) -> None:
        """Takes a finished scene into view and does what was wished for."""
        assert self._picture is not None
        content = QRectF(-_MARGIN, -_MARGIN, self._picture.width + 2 * _MARGIN, self._picture.height + 2 * _MARGIN)
        current = self._current
        while current and current not in items:  # what was current may be in a closed group now
            current = self._nodes[current].parent if current in self._nodes else ""
        wish, self._wish = self._wish, _Wish()
        self._give_up()
        self._nodes = {node.key: node for node in self._outline.nodes}
        self._items, self._wires, self._current = items, wires, ""
        self.view.show_scene(scene, content)
        self._legend.show_kinds((node.kind for node in self._outline.nodes), self._tones)
        self._make_current(current)
        if wish.fit:
            self.view.fit_readable()
        elif wish.keep in items and wish.keep_at is not None:
            self.view.keep(items[wish.keep].pos(), wish.keep_at)
            if isinstance(items[wish.keep], NodeItem):
                self.view.bring_into_view(items[wish.keep])
        if wish.reveal is not None and layer_key(wish.reveal) in items:
            self._reveal(layer_key(wish.reveal))
        elif wish.reveal is not None and FAILURE_KEY in items:
            self.view.bring_into_view(items[FAILURE_KEY])
        self.drawn.emit()

    def _staying(self, key: str) -> _Wish:
        """The wish that a node's corner, where its + or − is, stays where it is on screen."""
        if key not in self._items:
            return _Wish()
        return _Wish(keep=key, keep_at=self.view.viewportTransform().map(self._items[key].pos()))

    def _central(self) -> str:
        """The node nearest to the middle of the view; empty when there is none."""
        middle = self.view.mapToScene(self.view.viewport().rect().center())
        return nearest((item.box for item in self._items.values()), middle.x(), middle.y()) or ""

    # -- the current node ------------------------------------------------------------------------------------------

    def _make_current(self, key: str) -> None:
        if key == self._current:
            return
        for marked in (self._current, key):
            if marked in self._items:
                self._items[marked].mark(marked == key)
        self._current = key
        for wire in self._wires:
            wire.mark(bool(key) and (wire.wire.source == key or key in wire.wire.targets))

    def _reveal(self, key: str) -> None:
        self._make_current(key)
        self.view.look_at(self._items[key])

    def _choose(self, key: str) -> None:
        """Makes a node the current one because the user wants it so."""
        self._make_current(key)
        node = self._nodes.get(key)
        if node is not None and node.layer is not None:
            self.selected.emit(node.layer)

    @Slot(str, bool)
    def _click(self, key: str, on_button: bool) -> None:
        if on_button:
            self._make_current(key)
            self.toggle(key)
        else:
            self._choose(key)

    @Slot(int)
    def _type(self, key: int) -> None:
        node = self._nodes.get(self._current)
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.toggle(self._current)
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            if node is not None and not node.open:
                self.toggle(self._current)
        elif key == Qt.Key.Key_Minus:
            if node is not None:
                inner = node.key if node.open else node.parent
                self._make_current(inner)
                self.toggle(inner)
        elif self._picture is not None:
            target = INPUT_KEY
            if node is not None:
                target = step(self._outline, self._picture, node.key, _ARROWS[Qt.Key(key)]) or ""
            if target in self._items:
                self._choose(target)
                self.view.bring_into_view(self._items[target])

    # -- surroundings ----------------------------------------------------------------------------------------------

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if self._picture is None or event.type() not in (QEvent.Type.PaletteChange, QEvent.Type.FontChange):
            return
        self._tones, self._fonts = Tones(self.palette()), Fonts(self.font())
        self.view.setBackgroundBrush(self._tones.canvas)
        if event.type() == QEvent.Type.FontChange:
            self._ask(self._staying(self._central()))
        elif self._arranged is not None:
            self._start_building(*self._arranged)
        elif self._question is None:
            self._start_building(self._outline, self._picture)


def _lay_out(
    anatomy: Anatomy,
    opened: frozenset[str],
    reveal: int | None,
    lettering: Lettering,
    flow: Flow,
    cancelled: threading.Event,
) -> tuple[Outline, Picture]:
    """What the background thread does."""
    outline = fold(anatomy, opened, reveal)
    return outline, arrange(outline, lettering, flow, cancelled.is_set)
