"""The shape flow, used as a user does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
import torch
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt, QThread
from PySide6.QtGui import (
    QAction,
    QColor,
    QContextMenuEvent,
    QFontMetricsF,
    QGuiApplication,
    QHelpEvent,
    QPalette,
    QWheelEvent,
)
from PySide6.QtWidgets import QApplication, QGraphicsScene, QLabel, QMenu, QToolButton, QToolTip
from pytestqt.qtbot import QtBot
from torch import Tensor, nn

from explorer.inspection.anatomy import Anatomy
from explorer.inspection.capture import capture
from explorer.inspection.graph.outline import FAILURE_KEY, INPUT_KEY, group_key, layer_key
from explorer.inspection.notation import Kind
from explorer.ui.explore import shape_flow
from explorer.ui.explore.flow_items import FlowItem, GroupItem, NodeItem, TitleItem, Tones
from explorer.ui.explore.shape_flow import ShapeFlow

pytestmark = pytest.mark.gui

WAIT = 20_000


class Block(nn.Module):
    """Two branches that are added."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, 3, padding=1)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return x + self.relu(self.conv(x))


class Network(nn.Module):
    """Layers: 0 stem; body: 1–3 and 4–6 (conv, relu, add); 7 flatten; 8 head."""

    def __init__(self, out: int = 8) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.body = nn.Sequential(Block(8, 8), Block(8, out))
        self.head = nn.Linear(8 * 16 * 16, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(self.stem(x)).flatten(1))


def inspect(network: Callable[[], nn.Module]) -> Anatomy:
    with torch.device("meta"):
        return capture(network(), [(1, 3, 32, 32)])


@pytest.fixture(scope="module")
def anatomy() -> Anatomy:
    anatomy = inspect(Network)
    assert [layer.type for layer in anatomy.layers] == [
        *("Conv2d", "Conv2d", "ReLU", "add", "Conv2d", "ReLU", "add", "flatten", "Linear")
    ]
    return anatomy


@pytest.fixture
def flow(qtbot: QtBot) -> Iterator[ShapeFlow]:
    flow = ShapeFlow()
    qtbot.addWidget(flow)
    flow.resize(700, 500)
    with qtbot.waitActive(flow):
        flow.show()
        flow.activateWindow()
    yield flow
    assert flow.stop()
    assert not any(thread.isRunning() for thread in flow.findChildren(QThread))


@pytest.fixture
def shown(qtbot: QtBot, flow: ShapeFlow, anatomy: Anatomy) -> ShapeFlow:
    """The network, all groups closed."""
    with qtbot.waitSignal(flow.drawn, timeout=WAIT):
        flow.set_anatomy(anatomy)
    return flow


def items(flow: ShapeFlow) -> dict[str, FlowItem]:
    """What stands for each node."""
    found = (item for item in flow.view.scene().items() if isinstance(item, NodeItem | GroupItem))
    return {item.node.key: item for item in found}


def place(flow: ShapeFlow, key: str) -> QPoint:
    """Where in the viewport the middle of a node is."""
    return flow.view.mapFromScene(items(flow)[key].sceneBoundingRect().center())


def button(flow: ShapeFlow, key: str) -> QPoint:
    """Where in the viewport the + or − of a group is."""
    item = items(flow)[key]
    return flow.view.mapFromScene(item.mapToScene(item.button.center()))


def click(qtbot: QtBot, flow: ShapeFlow, at: QPoint) -> None:
    qtbot.mouseClick(flow.view.viewport(), Qt.MouseButton.LeftButton, pos=at)


def current(flow: ShapeFlow) -> list[str]:
    return [key for key, item in items(flow).items() if item.marked]


def visible(flow: ShapeFlow, key: str) -> bool:
    area = flow.view.mapToScene(flow.view.viewport().rect()).boundingRect()
    return area.contains(items(flow)[key].mapRectToScene(items(flow)[key].rect))


def test_a_new_network_is_shown_with_its_groups_closed(shown: ShapeFlow) -> None:
    assert set(items(shown)) == {INPUT_KEY, group_key("body"), "output 0", *map(layer_key, (0, 7, 8))}
    assert all(visible(shown, key) for key in items(shown))


def test_clicking_a_node_selects_its_layer(qtbot: QtBot, shown: ShapeFlow) -> None:
    with qtbot.waitSignal(shown.selected) as signal:
        click(qtbot, shown, place(shown, layer_key(8)))
    assert signal.args == [8]
    assert current(shown) == [layer_key(8)]


def test_clicking_a_group_marks_it_and_selects_no_layer(qtbot: QtBot, shown: ShapeFlow) -> None:
    with qtbot.assertNotEmitted(shown.selected):
        click(qtbot, shown, place(shown, group_key("body")) + QPoint(20, 0))
    assert current(shown) == [group_key("body")]


def test_clicking_beside_everything_unmarks(qtbot: QtBot, shown: ShapeFlow) -> None:
    click(qtbot, shown, place(shown, layer_key(8)))
    click(qtbot, shown, QPoint(3, shown.view.viewport().height() - 3))
    assert current(shown) == []


def test_the_button_opens_and_closes_a_group_and_stays_under_the_mouse(qtbot: QtBot, flow: ShapeFlow) -> None:
    class Bottom(nn.Module):
        """A node that is wider than the closed group above it, so that opening the group moves all corners."""

        def __init__(self) -> None:
            super().__init__()
            self.body = Block(3, 3)
            self.a_pooling_layer_with_a_very_long_name = nn.AdaptiveAvgPool2d(1)

        def forward(self, x: Tensor) -> Tensor:
            return self.a_pooling_layer_with_a_very_long_name(self.body(x))

    with qtbot.waitSignal(flow.drawn, timeout=WAIT):
        flow.set_anatomy(inspect(Bottom))
    at, corner = button(flow, group_key("body")), items(flow)[group_key("body")].pos()
    with qtbot.waitSignal(flow.drawn, timeout=WAIT):
        click(qtbot, flow, at)
    assert layer_key(0) in items(flow)
    assert items(flow)[group_key("body")].pos() != corner
    assert (button(flow, group_key("body")) - at).manhattanLength() <= 2
    with qtbot.waitSignal(flow.drawn, timeout=WAIT):
        click(qtbot, flow, at)
    assert layer_key(0) not in items(flow)
    assert (button(flow, group_key("body")) - at).manhattanLength() <= 2


def test_a_double_click_opens_a_group(qtbot: QtBot, shown: ShapeFlow) -> None:
    at = place(shown, group_key("body")) + QPoint(20, 0)
    with qtbot.waitSignal(shown.drawn, timeout=WAIT):
        click(qtbot, shown, at)
        qtbot.mouseDClick(shown.view.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert group_key("body.0") in items(shown)


def test_two_groups_opened_in_a_row_are_both_open(qtbot: QtBot, shown: ShapeFlow) -> None:
    with qtbot.waitSignal(shown.drawn, timeout=WAIT):
        shown.toggle(group_key("body"))
    with qtbot.waitSignal(shown.drawn, timeout=WAIT):
        shown.toggle(group_key("body.0"))
        shown.toggle(group_key("body.1"))
    assert set(map(layer_key, range(9))) <= set(items(shown))


def test_selecting_a_layer_from_outside_opens_what_holds_it_and_says_nothing(qtbot: QtBot, shown: ShapeFlow) -> None:
    with qtbot.assertNotEmitted(shown.selected), qtbot.waitSignal(shown.drawn, timeout=WAIT):
        shown.select(5)
    assert current(shown) == [layer_key(5)]
    assert visible(shown, layer_key(5))
    middle = QPointF(shown.view.viewport().rect().center())
    assert (QPointF(place(shown, layer_key(5))) - middle).manhattanLength() < 6


def test_selecting_a_visible_layer_lays_nothing_out(qtbot: QtBot, shown: ShapeFlow) -> None:
    with qtbot.assertNotEmitted(shown.drawn, wait=100):
        shown.select(8)
    assert current(shown) == [layer_key(8)]


def test_a_selection_made_while_the_network_is_laid_out_holds(qtbot: QtBot, flow: ShapeFlow, anatomy: Anatomy) -> None:
    with qtbot.waitSignal(flow.drawn, timeout=WAIT):
        flow.set_anatomy(anatomy)
        flow.select(2)
    assert current(flow) == [layer_key(2)]


@pytest.mark.parametrize("index", [-1, 99])
def test_selecting_what_is_no_layer_changes_nothing(shown: ShapeFlow, index: int) -> None:
    shown.select(8)
    shown.select(index)
    assert current(shown) == [layer_key(8)]


def test_the_newest_network_wins(qtbot: QtBot, flow: ShapeFlow, anatomy: Anatomy) -> None:
    other = inspect(lambda: nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU()))
    with qtbot.waitSignal(flow.drawn, timeout=WAIT):
        flow.set_anatomy(anatomy)
        flow.set_anatomy(other)
    qtbot.wait(100)
    assert set(items(flow)) == {INPUT_KEY, layer_key(0), layer_key(1), "output 0"}


def test_a_view_without_a_network_is_empty_and_takes_everything(qtbot: QtBot, shown: ShapeFlow) -> None:
    shown.set_anatomy(None)
    assert items(shown) == {}
    shown.select(3)
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Plus, Qt.Key.Key_Minus, Qt.Key.Key_Return, Qt.Key.Key_F):
        qtbot.keyClick(shown.view, key)
    shown.expand()
    shown.collapse()
    shown.turn()
    shown.copy()
    assert not shown.grab().isNull()


def test_a_network_that_is_still_laid_out_does_not_answer_for_the_one_before(
    qtbot: QtBot, shown: ShapeFlow, anatomy: Anatomy
) -> None:
    at = place(shown, layer_key(8))
    with qtbot.waitSignal(shown.drawn, timeout=WAIT), qtbot.assertNotEmitted(shown.selected):
        shown.set_anatomy(anatomy)
        click(qtbot, shown, at)


def test_pictures_that_are_no_longer_shown_are_gone(qtbot: QtBot, shown: ShapeFlow) -> None:
    for _ in range(4):
        with qtbot.waitSignal(shown.drawn, timeout=WAIT):
            shown.toggle(group_key("body"))
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert shown.view.findChildren(QGraphicsScene) == [shown.view.scene()]


def test_fit_shows_everything(qtbot: QtBot, shown: ShapeFlow) -> None:
    with qtbot.waitSignal(shown.drawn, timeout=WAIT):
        shown.expand()
    with qtbot.waitSignal(shown.drawn, timeout=WAIT):
        shown.expand()
    shown.view.zoom(3.0)
    assert not all(visible(shown, key) for key in items(shown))
    qtbot.keyClick(shown.view, Qt.Key.Key_F)
    assert all(visible(shown, key) for key in items(shown))


def test_a_fitted_picture_fits_the_resized_window_too(qtbot: QtBot, shown: ShapeFlow) -> None:
    shown.view.fit()
    shown.resize(320, 260)
    qtbot.waitUntil(lambda: all(visible(shown, key) for key in items(shown)))


def test_a_picture_too_large_to_read_begins_with_the_input(qtbot: QtBot, flow: ShapeFlow) -> None:
    long = inspect(lambda: nn.Sequential(*(nn.Conv2d(3, 3, 1) for _ in range(350))))
    with qtbot.waitSignal(flow.drawn, timeout=WAIT):
        flow.set_anatomy(long)
    assert visible(flow, INPUT_KEY)
    assert visible(flow, layer_key(0))
    assert not visible(flow, layer_key(349))


def test_expand_opens_one_level_and_collapse_closes_all(qtbot: QtBot, shown: ShapeFlow) -> None:
    with qtbot.waitSignal(shown.drawn, timeout=WAIT):
        shown.expand()
    assert group_key("body.1") in items(shown)
    assert layer_key(4) not in items(shown)
    with qtbot.waitSignal(shown.drawn, timeout=WAIT):
        shown.expand()
    assert layer_key(4) in items(shown)
    with qtbot.waitSignal(shown.drawn, timeout=WAIT):
        shown.collapse()
    assert group_key("body.1") not in items(shown)


def test_closing_a_group_marks_it_if_the_current_node_was_inside(qtbot: QtBot, shown: ShapeFlow) -> None:
    with qtbot.waitSignal(shown.drawn, timeout=WAIT):
        shown.select(5)
    with qtbot.waitSignal(shown.drawn, timeout=WAIT):
        shown.collapse()
    assert current(shown) == [group_key("body")]


def test_the_arrow_keys_walk_along_the_lines(qtbot: QtBot, shown: ShapeFlow) -> None:
    selected: list[int] = []
    shown.selected.connect(selected.append)
    for _ in range(5):
        qtbot.keyClick(shown.view, Qt.Key.Key_Down)
    assert selected == [0, 7, 8]  # the input and the group are passed without a layer
    qtbot.keyClick(shown.view, Qt.Key.Key_Up)
    assert selected == [0, 7, 8, 7]


def test_the_arrow_keys_lead_to_nodes_side_by_side(qtbot: QtBot, flow: ShapeFlow) -> None:
    class Fork(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.left, self.right = (nn.Conv2d(3, 3, 1) for _ in range(3))

        def forward(self, x: Tensor) -> Tensor:
            x = self.stem(x)
            return self.left(x) + self.right(x)

    with qtbot.waitSignal(flow.drawn, timeout=WAIT):
        flow.set_anatomy(inspect(Fork))
    left, right = sorted(map(layer_key, (1, 2)), key=lambda key: items(flow)[key].x())
    flow.select(int(left.split()[1]))
    qtbot.keyClick(flow.view, Qt.Key.Key_Right)
    assert current(flow) == [right]
    qtbot.keyClick(flow.view, Qt.Key.Key_Right)
    assert current(flow) == [right]
    qtbot.keyClick(flow.view, Qt.Key.Key_Left)
    assert current(flow) == [left]


def test_plus_minus_and_enter_open_and_close(qtbot: QtBot, shown: ShapeFlow) -> None:
    def press(key: Qt.Key) -> None:
        with qtbot.waitSignal(shown.drawn, timeout=WAIT):
            qtbot.keyClick(shown.view, key)

    click(qtbot, shown, place(shown, group_key("body")) + QPoint(20, 0))
    press(Qt.Key.Key_Plus)
    assert group_key("body.0") in items(shown)
    press(Qt.Key.Key_Minus)
    assert group_key("body.0") not in items(shown)
    press(Qt.Key.Key_Return)
    qtbot.keyClick(shown.view, Qt.Key.Key_Down)  # into the group
    assert current(shown) == [group_key("body.0")]
    press(Qt.Key.Key_Minus)  # closes what is around
    assert current(shown) == [group_key("body")]


def test_the_direction_can_be_changed(qtbot: QtBot, shown: ShapeFlow) -> None:
    assert place(shown, INPUT_KEY).y() < place(shown, "output 0").y()
    with qtbot.waitSignal(shown.drawn, timeout=WAIT):
        shown.turn()
    assert place(shown, INPUT_KEY).x() < place(shown, "output 0").x()
    assert place(shown, INPUT_KEY).y() == place(shown, "output 0").y()


def test_the_wheel_zooms_at_the_mouse(shown: ShapeFlow) -> None:
    at = place(shown, layer_key(8))
    before = shown.view.scale_factor
    viewport = shown.view.viewport()
    event = QWheelEvent(
        QPointF(at),
        QPointF(viewport.mapToGlobal(at)),
        QPoint(),
        QPoint(0, 240),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(viewport, event)
    assert shown.view.scale_factor > before
    assert (place(shown, layer_key(8)) - at).manhattanLength() <= 3


def test_dragging_pans_and_selects_nothing(qtbot: QtBot, shown: ShapeFlow) -> None:
    at, viewport = place(shown, layer_key(0)), shown.view.viewport()
    with qtbot.assertNotEmitted(shown.selected):
        qtbot.mousePress(viewport, Qt.MouseButton.LeftButton, pos=at)
        qtbot.mouseMove(viewport, at + QPoint(30, 20))
        qtbot.mouseMove(viewport, at + QPoint(60, 40))
        qtbot.mouseRelease(viewport, Qt.MouseButton.LeftButton, pos=at + QPoint(60, 40))
    assert (place(shown, layer_key(0)) - at - QPoint(60, 40)).manhattanLength() <= 2


def test_a_failing_network_shows_what_works_and_where_it_stops(qtbot: QtBot, flow: ShapeFlow) -> None:
    anatomy = inspect(lambda: Network(out=16))
    assert anatomy.failure is not None
    with qtbot.waitSignal(flow.drawn, timeout=WAIT):
        flow.set_anatomy(anatomy)
    failure = items(flow)[FAILURE_KEY]
    assert failure.node.parent == group_key("body.1")
    assert anatomy.failure.message in failure.toolTip()
    assert visible(flow, FAILURE_KEY)
    assert not any(key.startswith("output") for key in items(flow))
    readers = {target for wire in _wires(flow) for target in wire[1] if wire[0] == layer_key(5)}
    assert readers == {FAILURE_KEY}


def _wires(flow: ShapeFlow) -> list[tuple[str, tuple[str, ...]]]:
    return [(item.wire.source, item.wire.targets) for item in flow.view.scene().items() if hasattr(item, "wire")]


def test_resting_on_a_line_tells_its_tensor(qtbot: QtBot, shown: ShapeFlow) -> None:
    wire = next(item for item in shown.view.scene().items() if getattr(item, "wire", None) and item.wire.arrows)
    x, y = wire.wire.arrows[0]
    at = shown.view.mapFromScene(QPointF(x, y - 2.0))
    viewport = shown.view.viewport()
    QApplication.sendEvent(viewport, QHelpEvent(QEvent.Type.ToolTip, at, viewport.mapToGlobal(at)))
    qtbot.waitUntil(lambda: QToolTip.text().startswith(wire.wire.shape))
    QToolTip.hideText()


def test_the_picture_goes_to_the_clipboard(qtbot: QtBot, shown: ShapeFlow) -> None:
    QGuiApplication.clipboard().clear()
    qtbot.keyClick(shown.view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    image = QGuiApplication.clipboard().image()
    assert image.height() > image.width() > 50
    colours = {image.pixel(x, y) for x in range(0, image.width(), 3) for y in range(0, image.height(), 3)}
    assert len(colours) > 5


def test_the_context_menu_offers_to_copy_and_to_save(qtbot: QtBot, shown: ShapeFlow) -> None:
    viewport, at = shown.view.viewport(), QPoint(20, 20)
    event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, at, viewport.mapToGlobal(at))
    QApplication.sendEvent(viewport, event)
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    assert [action.text() for action in menu.actions()] == ["Copy picture", "Save picture…"]
    with qtbot.waitSignal(shown.save_wanted):
        menu.actions()[1].trigger()
    menu.close()


def test_every_button_can_be_reached_by_the_keyboard(shown: ShapeFlow) -> None:
    buttons = [button for button in shown.findChildren(QToolButton) if button.text()]
    assert len(buttons) == 8
    assert all(button.focusPolicy() & Qt.FocusPolicy.TabFocus and button.accessibleName() for button in buttons)


def test_a_layout_that_takes_long_can_be_given_up(
    qtbot: QtBot, shown: ShapeFlow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The layout is slowed down, since no network at hand takes long enough."""
    quick = shape_flow._lay_out

    def slow(*args: object) -> object:
        while not args[-1].is_set():  # type: ignore[attr-defined]
            time.sleep(0.01)
        return quick(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(shape_flow, "_lay_out", slow)
    shown.toggle(group_key("body"))
    qtbot.waitUntil(shown.note.isVisible, timeout=WAIT)
    with qtbot.assertNotEmitted(shown.drawn, wait=200):
        qtbot.mouseClick(shown.note.button, Qt.MouseButton.LeftButton)
    assert not shown.note.isVisible()
    assert group_key("body.0") not in items(shown)
    monkeypatch.undo()
    with qtbot.waitSignal(shown.drawn, timeout=WAIT):
        shown.toggle(group_key("body"))
    assert group_key("body.0") in items(shown)


def test_what_goes_wrong_in_a_layout_is_told(
    qtbot: QtBot, flow: ShapeFlow, anatomy: Anatomy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> object:
        raise ValueError("no way through")

    monkeypatch.setattr(shape_flow, "_lay_out", broken)
    flow.set_anatomy(anatomy)
    qtbot.waitUntil(flow.note.isVisible, timeout=WAIT)
    assert "no way through" in flow.note.text


def test_the_colours_follow_the_palette(qtbot: QtBot, shown: ShapeFlow) -> None:
    dark = QPalette(QColor(45, 45, 48), QColor(30, 30, 32))
    with qtbot.waitSignal(shown.drawn, timeout=WAIT):
        shown.setPalette(dark)
    image = shown.view.image()
    assert image.pixelColor(1, 1).lightness() < 80
    assert set(items(shown)) == {INPUT_KEY, group_key("body"), "output 0", *map(layer_key, (0, 7, 8))}


@pytest.mark.parametrize("ground", [QColor(250, 250, 250), QColor(28, 28, 30)])
def test_text_stands_out_from_every_kinds_colour(ground: QColor) -> None:
    text = QColor(20, 20, 20) if ground.lightness() > 128 else QColor(235, 235, 235)
    palette = QPalette()
    palette.setColor(QPalette.ColorRole.Base, ground)
    palette.setColor(QPalette.ColorRole.Text, text)
    tones = Tones(palette)
    for kind in Kind:
        assert _contrast(tones.fill(kind), text) >= 4.5, kind


def _contrast(first: QColor, second: QColor) -> float:
    """As defined by WCAG 2."""

    def luminance(colour: QColor) -> float:
        parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour.getRgbF()[:3]]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    dark, light = sorted((luminance(first), luminance(second)))
    return (light + 0.05) / (dark + 0.05)


def test_text_fits_into_its_node(qtbot: QtBot, shown: ShapeFlow) -> None:
    with qtbot.waitSignal(shown.drawn, timeout=WAIT):
        shown.expand()
    for item in shown.view.scene().items():
        if isinstance(item, NodeItem | TitleItem):
            title = QFontMetricsF(item._fonts.title).horizontalAdvance(item.node.title)
            kind = QFontMetricsF(item._fonts.text).horizontalAdvance(f"  {item.node.type}" if item.node.type else "")
            assert title + kind <= item.box.width, item.node.title


def test_the_legend_names_the_colours_on_view(qtbot: QtBot, shown: ShapeFlow) -> None:
    action = next(action for action in shown.findChildren(QAction) if action.text() == "Legend")
    action.trigger()
    texts = {label.text() for label in shown.findChildren(QLabel) if label.isVisible()}
    assert {"convolution", "linear", "group"} <= texts
    assert "pooling, resampling" not in texts
