"""Where the nodes, lines and labels of the graph lie."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from itertools import combinations

import pytest

from explorer.inspection.anatomy import Anatomy
from explorer.inspection.graph.layout import Box, Cancelled, Flow, Font, Lettering, Picture, arrange
from explorer.inspection.graph.outline import INPUT_KEY, Edge, Node, Outline, fold, group_key
from explorer.inspection.notation import Kind

SHAPE = "64×56×56"


def node(key: str, parent: str = "", *, is_open: bool = False, detail: str = "3×3, 64") -> Node:
    return Node(
        key=key,
        kind=Kind.CONVOLUTION,
        title=key,
        type="Conv2d",
        detail=detail,
        tooltip="",
        parent=parent,
        group=key if is_open else None,
        open=is_open,
    )


def outline(nodes: str | list[Node], *edges: str) -> Outline:
    """Nodes named by one word each, edges written `a>b`."""
    if isinstance(nodes, str):
        nodes = [node(key) for key in nodes.split()]
    ends = [edge.split(">") for edge in edges]
    order = {one.key: number for number, one in enumerate(nodes)}
    return Outline(tuple(nodes), tuple(Edge(a, b, order[a], SHAPE) for a, b in ends), frozenset())


def boxes(picture: Picture) -> dict[str, Box]:
    return {box.key: box for box in picture.boxes}


def centre(box: Box) -> tuple[float, float]:
    return box.x + box.width / 2, box.y + box.height / 2


def overlap(a: Box, b: Box) -> bool:
    return a.x < b.x + b.width and b.x < a.x + a.width and a.y < b.y + b.height and b.y < a.y + a.height


@pytest.fixture(
    params=[
        ("resnet50", 0.0),
        ("resnet50", 0.5),
        ("densenet121", 0.2),
        ("densenet121", 1.0),
        ("googlenet", 0.6),
        ("mobilenet_v2", 1.0),
    ],
    ids=lambda param: f"{param[0]}-{param[1]:.0%}",
)
def real(request: pytest.FixtureRequest, anatomy_of: Callable[[str], Anatomy]) -> Outline:
    """A real network with a share of its groups open."""
    name, share = request.param
    anatomy = anatomy_of(name)
    paths = [group.path for group in anatomy.groups]
    return fold(anatomy, paths[: round(len(paths) * share)])


@pytest.fixture(params=Flow)
def flow(request: pytest.FixtureRequest) -> Flow:
    return Flow(request.param)


def test_every_node_has_a_box_and_no_two_of_one_level_overlap(real: Outline, flow: Flow) -> None:
    placed = boxes(arrange(real, flow=flow))
    assert set(placed) == {one.key for one in real.nodes}
    levels: dict[str, list[Box]] = defaultdict(list)
    for one in real.nodes:
        levels[one.parent].append(placed[one.key])
    for level in levels.values():
        for a, b in combinations(level, 2):
            assert not overlap(a, b), (a, b)


def test_children_lie_within_their_group(real: Outline, flow: Flow) -> None:
    picture = arrange(real, flow=flow)
    placed = boxes(picture) | {"": Box("", 0.0, 0.0, picture.width, picture.height, 0)}
    for one in real.nodes:
        child, parent = placed[one.key], placed[one.parent]
        assert parent.x <= child.x + 0.01
        assert parent.y <= child.y + 0.01
        assert child.x + child.width <= parent.x + parent.width + 0.01
        assert child.y + child.height <= parent.y + parent.height + 0.01


def test_no_line_crosses_a_node(real: Outline, flow: Flow) -> None:
    picture = arrange(real, flow=flow)
    placed = boxes(picture)
    solid = [placed[one.key] for one in real.nodes if not one.open]
    for wire in picture.wires:
        for x1, y1, x2, y2 in wire.curves:
            span = Box("", min(x1, x2), min(y1, y2), abs(x2 - x1), abs(y2 - y1), 0)
            for box in solid:
                inner = Box(box.key, box.x + 0.5, box.y + 0.5, box.width - 1.0, box.height - 1.0, 0)
                assert not overlap(span, inner), (wire.source, wire.targets, span, box)


def test_every_line_runs_unbroken_from_its_source_to_each_reader(real: Outline, flow: Flow) -> None:
    picture = arrange(real, flow=flow)
    placed = boxes(picture)
    for wire in picture.wires:
        source = placed[wire.source]
        if flow is Flow.DOWN:
            reached = {(x, y) for c in wire.curves for x, y in [c[:2]] if abs(y - source.y - source.height) < 0.01}
        else:
            reached = {(x, y) for c in wire.curves for x, y in [c[:2]] if abs(x - source.x - source.width) < 0.01}
        assert reached, wire
        curves = list(wire.curves)
        while following := [curve for curve in curves if any(_starts_on(curve, reached, wire.curves, flow))]:
            reached |= {(x2, y2) for _, _, x2, y2 in following}
            curves = [curve for curve in curves if curve not in following]
        assert not curves
        assert len(wire.arrows) == len(wire.targets)
        for tip in wire.arrows:
            assert any(abs(tip[0] - x) < 0.6 and abs(tip[1] - y) < 0.01 for x, y in reached)
        for target in map(placed.__getitem__, wire.targets):
            edge = target.y if flow is Flow.DOWN else target.x
            assert any(abs((tip[1] if flow is Flow.DOWN else tip[0]) - edge) < 0.01 for tip in wire.arrows)


def _starts_on(
    curve: tuple[float, float, float, float],
    reached: set[tuple[float, float]],
    curves: tuple[tuple[float, float, float, float], ...],
    flow: Flow,
) -> list[bool]:
    """Whether a curve starts where another ends, or branches off a straight one that has been reached."""
    x, y = curve[:2]
    on = [abs(x - a) < 0.6 and abs(y - b) < 0.01 for a, b in reached]
    for x1, y1, x2, y2 in curves:
        if (x2, y2) in reached and flow is Flow.DOWN and x1 == x2:
            on.append(abs(x - x1) < 0.6 and y1 <= y <= y2)
        if (x2, y2) in reached and flow is Flow.RIGHT and y1 == y2:
            on.append(abs(y - y1) < 0.6 and x1 <= x <= x2)
    return on


def test_a_reader_lies_further_along_the_flow(real: Outline, flow: Flow) -> None:
    placed = boxes(arrange(real, flow=flow))
    for edge in real.edges:
        source, target = placed[edge.source], placed[edge.target]
        if flow is Flow.DOWN:
            assert source.y + source.height < target.y
        else:
            assert source.x + source.width < target.x


def test_each_tensor_is_labelled_and_no_label_lies_on_a_node(real: Outline, flow: Flow) -> None:
    picture = arrange(real, flow=flow)
    placed = boxes(picture)
    written = [label.text for label in picture.labels]
    for wire in picture.wires:
        assert written.count(wire.shape) >= sum(other.shape == wire.shape for other in picture.wires)
    for label in picture.labels:
        area = Box("", label.x - label.width / 2, label.y - label.height / 2, label.width, label.height, 0)
        for one in real.nodes:
            assert one.open or not overlap(area, placed[one.key]), (label, placed[one.key])


def test_a_chain_is_one_straight_line() -> None:
    picture = arrange(outline("a b c d", "a>b", "b>c", "c>d"))
    assert len({round(centre(box)[0], 3) for box in picture.boxes}) == 1
    assert all(x1 == x2 for wire in picture.wires for x1, _, x2, _ in wire.curves)


def test_the_trunk_stays_straight_beside_a_skip() -> None:
    picture = arrange(outline("a b c add d", "a>b", "b>c", "c>add", "a>add", "add>d"))
    assert len({round(centre(box)[0], 3) for box in picture.boxes}) == 1


def test_the_trunk_of_a_dense_block_stays_straight_when_its_layers_are_open(
    anatomy_of: Callable[[str], Anatomy],
) -> None:
    anatomy = anatomy_of("densenet121")
    block = "features.denseblock2"
    opened = [group.path for group in anatomy.groups if group.path.startswith(block)]
    real = fold(anatomy, ["features", *opened])
    placed = boxes(arrange(real))
    trunk = [placed[one.key] for one in real.nodes if one.title == "conv2"]
    assert len(trunk) == 12
    assert max(centre(box)[0] for box in trunk) - min(centre(box)[0] for box in trunk) < 1.0


def test_a_skip_carries_its_shape_where_it_arrives_too() -> None:
    picture = arrange(outline("a b c d add", "a>b", "b>c", "c>d", "d>add", "a>add"))
    assert len(picture.labels) == len(picture.wires) + 1


def test_branches_spread_evenly_around_what_they_share() -> None:
    picture = arrange(outline("a l m r cat", "a>l", "a>m", "a>r", "l>cat", "m>cat", "r>cat"))
    x = {key: centre(box)[0] for key, box in boxes(picture).items()}
    assert x["a"] == pytest.approx(x["cat"], abs=0.5)
    assert x["a"] == pytest.approx((x["l"] + x["m"] + x["r"]) / 3, abs=0.5)


def test_overlapping_skips_do_not_drift_away_from_the_trunk() -> None:
    keys = [f"n{number}" for number in range(60)]
    skips = [f"{a}>{b}" for reach in (1, 2, 3) for a, b in zip(keys, keys[reach:], strict=False)]
    assert arrange(outline(" ".join(keys), *skips)).width < 400


def test_a_constant_lies_just_before_its_first_reader() -> None:
    placed = boxes(arrange(outline("a b c constant add", "a>b", "b>c", "c>add", "constant>add")))
    assert placed["constant"].rank == placed["c"].rank


def test_a_line_into_an_open_group_goes_to_the_node_inside() -> None:
    nodes = [node("a"), node("g", is_open=True), node("inner", "g"), node("z")]
    picture = arrange(outline(nodes, "a>inner", "inner>z"))
    wire = next(wire for wire in picture.wires if wire.source == "a")
    inner = boxes(picture)["inner"]
    assert wire.arrows == ((pytest.approx(centre(inner)[0]), pytest.approx(inner.y)),)


def test_several_tensors_of_one_node_are_told_apart() -> None:
    nodes = [node("a"), node("b"), node("c")]
    edges = (Edge("a", "b", 0, "8×1×1"), Edge("a", "c", 1, "9×1×1"))
    picture = arrange(Outline(tuple(nodes), edges, frozenset()))
    placed = boxes(picture)
    where = {label.text: label.x for label in picture.labels}
    assert where["8×1×1"] == pytest.approx(centre(placed["b"])[0], abs=1.0)
    assert where["9×1×1"] == pytest.approx(centre(placed["c"])[0], abs=1.0)


def test_a_node_is_as_wide_as_its_text() -> None:
    lettering = Lettering(title=Font(15.0, 10.0), text=Font(15.0, 10.0), label=Font(12.0, 5.0))
    short, long = arrange(outline([node("a", detail="3×3"), node("b", detail="3" * 40)]), lettering).boxes
    assert long.width > 400 > short.width


def test_the_flow_to_the_right_puts_the_input_left() -> None:
    picture = arrange(outline("a b c", "a>b", "b>c"), flow=Flow.RIGHT)
    assert picture.width > picture.height
    assert len({round(centre(box)[1], 3) for box in picture.boxes}) == 1


def test_the_input_is_connected_to_the_output_by_lines(real: Outline) -> None:
    targets: dict[str, set[str]] = defaultdict(set)
    for wire in arrange(real).wires:
        targets[wire.source].update(wire.targets)
    reached, fresh = {INPUT_KEY}, {INPUT_KEY}
    while fresh:
        fresh = set().union(*(targets[key] for key in fresh)) - reached
        reached |= fresh
    assert "output 0" in reached


def test_a_group_around_one_node_has_room_for_its_title() -> None:
    long = group_key("a_group_with_a_very_long_name_indeed")
    nodes = [node(long, is_open=True), node("x", long, detail="")]
    placed = boxes(arrange(outline(nodes)))
    assert placed[long].width > Lettering().title.width(long)


def test_giving_up_ends_the_work(anatomy_of: Callable[[str], Anatomy]) -> None:
    with pytest.raises(Cancelled):
        arrange(fold(anatomy_of("resnet50")), cancelled=lambda: True)


def test_an_empty_outline_is_an_empty_picture() -> None:
    picture = arrange(Outline((), (), frozenset()))
    assert (picture.width, picture.height, picture.boxes) == (0.0, 0.0, ())
