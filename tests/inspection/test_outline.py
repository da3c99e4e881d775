"""Folding a network into the graph that is on view."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from igraph import Graph

from explorer.inspection.anatomy import INPUT, Anatomy, Failure, Group, Layer
from explorer.inspection.graph.outline import (
    FAILURE_KEY,
    INPUT_KEY,
    Edge,
    Outline,
    fold,
    group_key,
    layer_key,
)
from explorer.inspection.notation import Kind

SHAPE = (1, 8, 4, 4)


def layer(index: int, name: str, inputs: tuple[int, ...], type_: str = "Conv2d", **changes: object) -> Layer:
    fields: dict[str, object] = {
        "index": index,
        "name": name,
        "type": type_,
        "group": name.rpartition(".")[0],
        "inputs": inputs,
        "input_shapes": (SHAPE,) * len(inputs),
        "output_shapes": (SHAPE,),
        "dtype": "float32",
        "params": 10,
        "trainable_params": 10,
        "buffers": 0,
        "macs": 0,
        "activation_bytes": 0,
        "blocks": (),
        "receptive_field": None,
        "hyperparameters": (),
    }
    return Layer(**(fields | changes))  # type: ignore[arg-type]


def network(
    layers: list[Layer],
    groups: dict[str, str] | None = None,
    output_layers: tuple[int, ...] = (),
    failure: Failure | None = None,
) -> Anatomy:
    return Anatomy(
        layers=tuple(layers),
        groups=tuple(Group(path, type_) for path, type_ in (groups or {}).items()),
        inputs=((1, 3, 4, 4),),
        outputs=(SHAPE,) * len(output_layers),
        output_layers=output_layers,
        params=0,
        trainable_params=0,
        param_bytes=0,
        buffer_bytes=0,
        macs=0,
        activation_bytes=0,
        blocks=(),
        failure=failure,
    )


def residual() -> Anatomy:
    """A stem, then a body of two blocks: conv, relu, add."""
    return network(
        [
            layer(0, "stem", (INPUT,), input_shapes=((1, 3, 4, 4),)),
            layer(1, "body.0.conv", (0,)),
            layer(2, "body.0.relu", (1,), "ReLU"),
            layer(3, "body.0.add", (2, 0), "add"),
            layer(4, "body.1.conv", (3,)),
            layer(5, "body.1.relu", (4,), "ReLU"),
            layer(6, "body.1.add", (5, 3), "add"),
            layer(7, "aux", (), executed=False, input_shapes=(), output_shapes=()),
        ],
        {"body": "Sequential", "body.0": "Block", "body.1": "Block"},
        (6,),
    )


def keys(outline: Outline) -> list[str]:
    return [node.key for node in outline.nodes]


def pairs(outline: Outline) -> set[tuple[str, str]]:
    return {(edge.source, edge.target) for edge in outline.edges}


def test_groups_are_closed_at_first() -> None:
    outline = fold(residual())
    assert keys(outline) == [INPUT_KEY, layer_key(0), group_key("body"), "output 0"]
    assert [edge.shape for edge in outline.edges] == ["3×4×4", "8×4×4", "8×4×4"]


def test_an_open_group_shows_its_children_and_its_edges_go_to_them() -> None:
    outline = fold(residual(), ["body", "body.1"])
    body, second = group_key("body"), group_key("body.1")
    assert {node.key: node.parent for node in outline.nodes if node.parent} == {
        group_key("body.0"): body,
        second: body,
        layer_key(4): second,
        layer_key(5): second,
        layer_key(6): second,
    }
    assert {node.key for node in outline.nodes if node.open} == {body, second}
    assert pairs(outline) == {
        (INPUT_KEY, layer_key(0)),
        (layer_key(0), group_key("body.0")),
        (group_key("body.0"), layer_key(4)),
        (layer_key(4), layer_key(5)),
        (layer_key(5), layer_key(6)),
        (group_key("body.0"), layer_key(6)),
        (layer_key(6), "output 0"),
    }


def test_a_tensor_read_twice_inside_a_closed_group_is_one_edge() -> None:
    outline = fold(residual(), ["body"])
    between = [edge for edge in outline.edges if edge.target == group_key("body.1")]
    assert between == [Edge(group_key("body.0"), group_key("body.1"), 3, "8×4×4")]


def test_a_group_in_a_closed_group_stays_hidden_but_is_remembered() -> None:
    outline = fold(residual(), ["body.1"])
    assert group_key("body.1") not in keys(outline)
    assert outline.opened == {"body.1"}


def test_revealing_a_layer_opens_the_groups_around_it() -> None:
    outline = fold(residual(), (), reveal=5)
    assert layer_key(5) in keys(outline)
    assert outline.opened == {"body", "body.1"}


def test_layers_that_did_not_run_are_left_out() -> None:
    assert layer_key(7) not in keys(fold(residual()))


def test_a_group_says_what_it_holds() -> None:
    body = next(node for node in fold(residual()).nodes if node.group == "body")
    assert (body.title, body.type, body.detail) == ("body", "2 × Block", "6 layers · 60 params")
    assert body.kind is Kind.GROUP


def test_a_name_is_shown_within_its_group_and_a_type_not_twice() -> None:
    nodes = {node.key: node for node in fold(residual(), ["body", "body.0"]).nodes}
    assert (nodes[layer_key(1)].title, nodes[layer_key(1)].type) == ("conv", "Conv2d")
    assert (nodes[layer_key(3)].title, nodes[layer_key(3)].type) == ("add", "")


def test_each_output_has_a_node_with_its_shape() -> None:
    layers = [layer(0, "a", (INPUT,)), layer(1, "b", (0,))]
    outline = fold(network(layers, output_layers=(0, 1)))
    assert [node.detail for node in outline.nodes if node.title == "Output"] == ["8×4×4", "8×4×4"]
    assert {(layer_key(0), "output 0"), (layer_key(1), "output 1")} <= pairs(outline)


def test_a_group_that_would_feed_itself_is_dissolved() -> None:
    """Convolutions and normalisations in two lists that take turns."""
    layers = [
        layer(0, "convs.0", (INPUT,)),
        layer(1, "norms.0", (0,), "BatchNorm2d"),
        layer(2, "convs.1", (1,)),
        layer(3, "norms.1", (2,), "BatchNorm2d"),
    ]
    outline = fold(network(layers, {"convs": "ModuleList", "norms": "ModuleList"}, (3,)))
    assert keys(outline) == [INPUT_KEY, *map(layer_key, range(4)), "output 0"]
    assert [node.title for node in outline.nodes[1:5]] == ["convs.0", "norms.0", "convs.1", "norms.1"]


def test_the_failure_is_a_node_where_it_happened_fed_by_what_ran() -> None:
    failure = Failure("body.1.conv", "Conv2d", (SHAPE,), "expects 16 channels, was given 8", (0,))
    anatomy = network(
        [layer(0, "stem", (INPUT,)), layer(1, "body.0.conv", (0,))],
        {"body": "Sequential", "body.0": "Block", "body.1": "Block"},
        failure=failure,
    )
    closed = fold(anatomy)
    assert [node.failed for node in closed.nodes if node.group == "body"] == [True]
    assert FAILURE_KEY not in keys(closed)
    outline = fold(anatomy, reveal=len(anatomy.layers))
    node = next(node for node in outline.nodes if node.key == FAILURE_KEY)
    assert node.kind is Kind.FAILURE
    assert node.parent == group_key("body.1")
    assert (node.title, node.type, node.detail) == ("conv", "Conv2d", "expects 16 channels, was given 8")
    assert "expects 16 channels" in node.tooltip
    assert (layer_key(0), FAILURE_KEY) in pairs(outline)


def test_a_failure_in_a_groups_own_code_lies_in_that_group() -> None:
    failure = Failure("body", "Block", (), "list index out of range", (1,))
    anatomy = network([layer(0, "stem", (INPUT,)), layer(1, "body.conv", (0,))], {"body": "Block"}, failure=failure)
    outline = fold(anatomy, reveal=len(anatomy.layers))
    assert next(node for node in outline.nodes if node.key == FAILURE_KEY).parent == group_key("body")


def test_a_shared_module_is_shown_once_a_call() -> None:
    layers = [layer(0, "relu", (INPUT,), "ReLU"), layer(1, "relu#2", (0,), "ReLU", group="")]
    assert [node.title for node in fold(network(layers)).nodes] == ["Input", "relu", "relu#2"]


def test_a_network_without_layers_is_its_input() -> None:
    assert keys(fold(network([]))) == [INPUT_KEY]


@pytest.mark.parametrize("name", ["resnet50", "densenet121", "googlenet", "mobilenet_v2", "vgg16"])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_every_layer_of_a_real_network_is_in_exactly_one_visible_node(
    anatomy_of: Callable[[str], Anatomy], name: str, share: float
) -> None:
    anatomy = anatomy_of(name)
    paths = [group.path for group in anatomy.groups]
    outline = fold(anatomy, paths[: round(len(paths) * share)])
    closed = {node.key for node in outline.nodes if not node.open}
    for one in anatomy.layers:
        places = {layer_key(one.index), *(group_key(path) for path in paths if one.name.startswith(f"{path}."))}
        assert len(places & closed) == (1 if one.executed else 0), one.name


@pytest.mark.parametrize("name", ["resnet50", "densenet121", "googlenet"])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_edges_of_a_real_network_join_visible_nodes_and_lead_from_input_to_output(
    anatomy_of: Callable[[str], Anatomy], name: str, share: float
) -> None:
    anatomy = anatomy_of(name)
    paths = [group.path for group in anatomy.groups]
    outline = fold(anatomy, paths[: round(len(paths) * share)])
    numbers = {node.key: number for number, node in enumerate(outline.nodes) if not node.open}
    graph = Graph(
        len(outline.nodes), [(numbers[edge.source], numbers[edge.target]) for edge in outline.edges], directed=True
    )
    assert graph.is_dag()
    assert numbers["output 0"] in graph.subcomponent(numbers[INPUT_KEY], mode="out")
    assert len(graph.subcomponent(numbers["output 0"], mode="in")) == len(numbers)
