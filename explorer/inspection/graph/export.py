"""The graph of a network as a file: a picture, Graphviz text, or plain data for other programs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from explorer.errors import InputError
from explorer.inspection.anatomy import INPUT, Anatomy, Layer, Shape, shape_text
from explorer.inspection.graph.dot import to_dot
from explorer.inspection.graph.layout import Flow, arrange
from explorer.inspection.graph.outline import OPEN_LAYERS, Edge, Node, Outline, fold
from explorer.inspection.graph.svg import FAMILY, LETTERING, MARGIN, to_svg
from explorer.inspection.portrait import Portrait
from explorer.inspection.saving import check_place, ending, save

FORMATS = ("svg", "png", "dot", "json")
"""Endings of the files that `write_graph` makes."""
PNG_SCALE = 2.0
PNG_SIDE = 16_000
"""Pixels a side at most; what is larger is drawn smaller. Viewers and printers refuse pictures from 2¹⁴ or 2¹⁵ on."""


def groups_to_depth(anatomy: Anatomy, depth: int | None = None) -> frozenset[str]:
    """Returns the dotted paths of the groups that are open down to a depth.

    Args:
        anatomy: the network.
        depth: 0 for none, 1 for those at the top level, and so on; None for what the window opens at first, which is
            all of a small network and none of a larger one.
    """
    if depth is None:
        depth = len(anatomy.groups) if len(anatomy.layers) <= OPEN_LAYERS else 0
    depths: dict[str, int] = {}
    for group in anatomy.groups:  # parents come before children, but not every part of a path is a group
        outer = group.path.rpartition(".")[0]
        while outer and outer not in depths:
            outer = outer.rpartition(".")[0]
        depths[group.path] = depths.get(outer, 0) + 1
    return frozenset(path for path, own in depths.items() if own <= depth)


def write_graph(
    portrait: Portrait,
    path: Path,
    opened: Iterable[str],
    flow: Flow = Flow.DOWN,
    cancelled: Callable[[], bool] = lambda: False,
) -> str:
    """Writes the graph of a network in the format that the file's ending names.

    Args:
        portrait: the network.
        path: ends in one of `FORMATS`; replaced if it is there, and whole or not there at all.
        opened: dotted paths of the groups whose content is shown.
        flow: which way the tensors go.
        cancelled: asked now and then, from the same thread.

    Returns:
        A line for the user, where a PNG had to be drawn smaller than it should be; else empty.

    Raises:
        InputError: the ending is none of those, or the file cannot be written.
        Cancelled: `cancelled` said so.
    """
    form = ending(path, FORMATS)
    check_place(path)
    anatomy = portrait.anatomy
    outline = fold(anatomy, opened, len(anatomy.layers) if anatomy.failure is not None else None)
    title = f"{portrait.entry.title}, input {'×'.join(map(str, portrait.input))}"
    note = ""
    if form == "json":
        data = (json.dumps(graph_document(portrait, outline), ensure_ascii=False, indent=1) + "\n").encode()
    elif form == "dot":
        data = to_dot(outline, title, flow).encode()
    else:
        picture = arrange(outline, LETTERING, flow, cancelled)
        svg = to_svg(outline, picture, title)
        data = svg.encode()
        if form == "png":
            zoom = min(PNG_SCALE, (PNG_SIDE - 1) / (max(picture.width, picture.height) + 2 * MARGIN))
            data = to_png(svg, zoom)
            if zoom < 1:
                note = f"drawn at {zoom:.0%} to stay within {PNG_SIDE:,} pixels: open fewer groups, or write an .svg"
    save(path, lambda target: target.write_bytes(data))
    return note


def to_png(svg: str, zoom: float) -> bytes:
    """Draws an SVG document at `zoom` pixels per pixel.

    Raises:
        InputError: the machine has no font to draw text with.
    """
    size = 'xmlns="http://www.w3.org/2000/svg" width="20" height="20"'
    letter = f'<svg {size}><text y="15" font-family="{FAMILY}">M</text></svg>'
    if _draw(letter, 1.0) == _draw(f"<svg {size}/>", 1.0):
        raise InputError("no font is installed to draw the text with: install one (DejaVu Sans), or write an .svg")
    return _draw(svg, zoom)


def _draw(svg: str, zoom: float) -> bytes:
    """Runs resvg in a process of its own: in this one no other thread, a window's say, could go on meanwhile."""
    code = (
        "import sys; from resvg_py import svg_to_bytes; svg = sys.stdin.buffer.read().decode();"
        "sys.stdout.buffer.write(svg_to_bytes(svg, zoom=float(sys.argv[1])))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(zoom)], input=svg.encode(), capture_output=True)
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise RuntimeError(f"the picture could not be drawn: {lines[-1] if lines else done.returncode}")
    return done.stdout


def graph_document(portrait: Portrait, outline: Outline) -> dict[str, Any]:
    """Returns the graph as plain values for JSON.

    `groups` are the open ones, `nodes` everything else on view; a `parent` is the id of a group or null. Shapes are
    whole, with the batch: `[1, 64, 112, 112]`. `layer` is the index in the layer table, `path` the dotted name in the
    network. An edge's `from_layer` made its tensor (-1 is the input), also where the edge starts at a folded group.
    """
    anatomy = portrait.anatomy
    shapes = {shape_text(shape): shape for layer in anatomy.layers for shape in layer.input_shapes}
    return {
        "format": "architecture-explorer graph",
        "version": 1,
        "architecture": portrait.entry.name,
        "title": portrait.entry.title,
        "inputs": [list(shape) for shape in anatomy.inputs],
        "outputs": [list(shape) for shape in anatomy.outputs],
        "groups": [_node(node, anatomy) for node in outline.nodes if node.open],
        "nodes": [_node(node, anatomy) for node in outline.nodes if not node.open],
        "edges": [
            {
                "source": edge.source,
                "target": edge.target,
                "from_layer": edge.layer,
                "shapes": [list(shape) for shape in _shapes(edge, anatomy, shapes)],
            }
            for edge in outline.edges
        ],
    }


def _node(node: Node, anatomy: Anatomy) -> dict[str, Any]:
    layers = _layers_of(node, anatomy)
    return {
        "id": node.key,
        "parent": node.parent or None,
        "kind": node.kind.name.lower(),
        "title": node.title,
        "type": node.type or node.title,
        "detail": node.detail,
        "path": node.group if node.layer is None else anatomy.layers[node.layer].name,
        "layer": node.layer,
        "params": sum(layer.params for layer in layers),
        "macs": sum(layer.macs for layer in layers),
        "failed": node.failed,
    }


def _layers_of(node: Node, anatomy: Anatomy) -> list[Layer]:
    if node.layer is not None:
        return [anatomy.layers[node.layer]]
    if node.group is None:
        return []
    inside = f"{node.group}."
    return [layer for layer in anatomy.layers if layer.executed and f"{layer.group}.".startswith(inside)]


def _shapes(edge: Edge, anatomy: Anatomy, known: Mapping[str, Shape]) -> list[Shape]:
    """The shapes that an edge's text stands for: of what its layer made, else `known` from what any layer took in."""
    tensors = anatomy.inputs if edge.layer == INPUT else anatomy.layers[edge.layer].output_shapes
    made = {shape_text(shape): shape for shape in tensors}
    return [made.get(text) or known[text] for text in edge.shape.split(", ")]
