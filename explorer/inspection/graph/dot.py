"""The graph of a network in the language of Graphviz, whose layout and looks one can then change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from explorer.inspection.graph.layout import Flow
from explorer.inspection.graph.outline import Node, Outline
from explorer.inspection.graph.svg import border_colour, fill_colour
from explorer.inspection.notation import Kind


def to_dot(outline: Outline, title: str, flow: Flow = Flow.DOWN) -> str:
    """Returns the graph as DOT text: open groups are clusters, each edge is labelled with its tensor's shape.

    Node names are the keys of the outline, `layer 3` or `group layer1.0`.
    """
    children: dict[str, list[Node]] = defaultdict(list)
    for node in outline.nodes:
        children[node.parent].append(node)
    lines = [
        f"digraph {_quoted(title)} {{",
        f"  rankdir={'TB' if flow is Flow.DOWN else 'LR'};",
        '  graph [fontname="Helvetica", fontsize=11];',
        '  node [shape=box, style="rounded,filled", fontname="Helvetica", fontsize=10];',
        '  edge [fontname="Helvetica", fontsize=8, color="#7a7a7a"];',
        *_statements("", children, "  "),
        *(
            f"  {_quoted(edge.source)} -> {_quoted(edge.target)} [label={_quoted(edge.shape)}];"
            for edge in outline.edges
        ),
        "}",
    ]
    return "\n".join(lines) + "\n"


def _statements(parent: str, children: dict[str, list[Node]], indent: str) -> Iterator[str]:
    for node in children[parent]:
        border = border_colour(Kind.FAILURE if node.failed else node.kind)
        title = f"{node.title}  {node.type}" if node.type else node.title
        if node.open:  # Graphviz draws a subgraph as a box where its name begins with "cluster"
            yield f"{indent}subgraph {_quoted(f'cluster {node.key}')} {{"
            yield f'{indent}  label={_quoted(title)}; style="rounded"; labeljust="l"; color="{border}";'
            yield from _statements(node.key, children, f"{indent}  ")
            yield f"{indent}}}"
        else:
            label = f"{title}\n{node.detail}" if node.detail else title
            tooltip = _quoted(node.tooltip)
            colours = f'fillcolor="{fill_colour(node.kind)}", color="{border}"'
            yield f"{indent}{_quoted(node.key)} [label={_quoted(label)}, tooltip={tooltip}, {colours}];"


def _quoted(text: str) -> str:
    """A DOT string. Graphviz unescapes it twice: as a string, then as a label in which a backslash begins a code."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\0", "\ufffd")
    return f'"{escaped}"'
