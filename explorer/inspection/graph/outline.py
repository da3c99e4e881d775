"""Folds the layers of a network into the graph of nodes that is on view while some groups are open."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from explorer.inspection.anatomy import INPUT, Anatomy, Layer, shape_text
from explorer.inspection.notation import Kind, count_text, hyperparameter_text, kind_of

INPUT_KEY = "input"
FAILURE_KEY = "failure"

OPEN_LAYERS = 30
"""A network of at most so many layers is shown with all its groups open."""


def layer_key(index: int) -> str:
    """Returns the key of the node that stands for a layer."""
    return f"layer {index}"


def group_key(path: str) -> str:
    """Returns the key of the node that stands for a group."""
    return f"group {path}"


@dataclass(frozen=True, slots=True)
class Node:
    """A layer, a group, the input, an output or the failure, as the graph draws it."""

    key: str
    """Unique in its outline, and the same for the same thing in every outline of a network."""
    kind: Kind
    title: str
    """Name within the group that shows it: `conv1`."""
    type: str
    """Class name of a layer or a group, `3 × Bottleneck` for three of a kind; empty where the title says it."""
    detail: str
    """The second line: hyperparameters, or what a group holds; empty for none."""
    tooltip: str
    parent: str
    """Key of the open group in which it is drawn; empty at the top level."""
    layer: int | None = None
    """Index of the layer that it stands for."""
    group: str | None = None
    """Dotted path of the group that it stands for."""
    open: bool = False
    """Whether it is a group drawn as a box around its children."""
    failed: bool = False
    """Whether the network failed here or, for a group, inside."""


@dataclass(frozen=True, slots=True)
class Edge:
    """A tensor on its way between two nodes that are no open groups."""

    source: str
    target: str
    layer: int
    """Index of the layer that made the tensor; -1 is the network's input."""
    shape: str
    """`64×112×112`."""


@dataclass(frozen=True, slots=True)
class Outline:
    """What of a network is on view. Its edges form no cycle, at no level."""

    nodes: tuple[Node, ...]
    """In execution order, open groups before their children."""
    edges: tuple[Edge, ...]
    opened: frozenset[str]
    """Dotted paths of the groups that are open, or will be once the group around them is."""


def fold(anatomy: Anatomy, opened: Iterable[str] = (), reveal: int | None = None) -> Outline:
    """Returns the graph with the groups `opened` unfolded and all others as one node each.

    An edge between layers becomes an edge between the nodes that show them. Layers that did not run are left out.
    A group that would feed itself, since other layers run between its own (a list of normalisations that take
    turns with a list of convolutions), is no unit of the flow: its children appear in its place.

    Args:
        anatomy: the network.
        opened: dotted paths of groups.
        reveal: index of a layer whose groups are opened in addition, so that it gets its own node. A failure is
            revealed by `len(anatomy.layers)`.
    """
    tree = _Tree(anatomy)
    open_paths = frozenset(opened)
    if reveal is not None and reveal in tree.chains:
        open_paths |= set(tree.chains[reveal])
    return _Folding(anatomy, tree, open_paths).outline()


class _Tree:
    """Which groups contain which leaf; a leaf is a layer's index, or `len(layers)` for the failure."""

    def __init__(self, anatomy: Anatomy) -> None:
        self.types = {group.path: group.type for group in anatomy.groups}
        homes = {layer.index: layer.group for layer in anatomy.layers if layer.executed}
        self.inputs = {layer.index: layer.inputs for layer in anatomy.layers if layer.executed}
        if anatomy.failure is not None:
            place = anatomy.failure.layer  # of a layer that failed, or of the group in whose own code it happened
            homes[len(anatomy.layers)] = place if place in self.types else place.rpartition(".")[0]
            self.inputs[len(anatomy.layers)] = anatomy.failure.inputs
        paths = set(self.types)
        while True:
            self.chains = _chains(homes, paths)
            tangled = self._tangled()
            if not tangled:
                break
            paths -= tangled
        self.members: dict[str, list[int]] = defaultdict(list)
        for leaf, chain in self.chains.items():
            for path in chain:
                self.members[path].append(leaf)

    def _tangled(self) -> set[str]:
        """Groups that lie on a cycle of their level, where every group is one node."""
        from igraph import Graph

        levels: dict[tuple[str, ...], dict[tuple[int | str, int | str], None]] = defaultdict(dict)
        for leaf, sources in self.inputs.items():
            chain = self.chains[leaf]
            for source in sources:
                if source == INPUT or source not in self.chains:
                    continue
                other = self.chains[source]
                depth = _common(chain, other)
                ends = (other[depth] if depth < len(other) else source, chain[depth] if depth < len(chain) else leaf)
                levels[chain[:depth]][ends] = None
        tangled: set[str] = set()
        for pairs in levels.values():
            numbers = {end: number for number, end in enumerate(dict.fromkeys(end for pair in pairs for end in pair))}
            graph = Graph([(numbers[a], numbers[b]) for a, b in pairs], directed=True)
            ends_by_number = list(numbers)
            for component in graph.connected_components(mode="strong"):
                if len(component) > 1:
                    tangled.update(end for end in map(ends_by_number.__getitem__, component) if isinstance(end, str))
        return tangled

    def child_groups(self, path: str) -> Iterator[str | int]:
        """The children of a group in order of first use: paths of groups, indices of leaves."""
        depth = self.chains[self.members[path][0]].index(path) + 1
        seen: dict[str | int, None] = {}
        for leaf in self.members[path]:
            chain = self.chains[leaf]
            seen[chain[depth] if depth < len(chain) else leaf] = None
        return iter(seen)


def _chains(homes: dict[int, str], paths: set[str]) -> dict[int, tuple[str, ...]]:
    """The groups around each leaf, outermost first; a home that is no group counts as the group around it."""
    known: dict[str, tuple[str, ...]] = {"": ()}

    def chain(path: str) -> tuple[str, ...]:
        if path not in known:
            outer = chain(path.rpartition(".")[0])
            known[path] = (*outer, path) if path in paths else outer
        return known[path]

    return {leaf: chain(home) for leaf, home in homes.items()}


def _common(first: tuple[str, ...], second: tuple[str, ...]) -> int:
    """How many groups two leaves share."""
    depth = 0
    for a, b in zip(first, second, strict=False):
        if a != b:
            break
        depth += 1
    return depth


class _Folding:
    """One call of `fold`."""

    def __init__(self, anatomy: Anatomy, tree: _Tree, opened: frozenset[str]) -> None:
        self.anatomy, self.tree, self.opened = anatomy, tree, opened
        self.nodes: dict[str, Node] = {}
        self.edges: dict[Edge, None] = {}
        self.shown: dict[int, str] = {}
        """Leaf -> key of the node that shows it."""

    def outline(self) -> Outline:
        anatomy = self.anatomy
        shapes = ", ".join(shape_text(shape) for shape in anatomy.inputs)
        self._add(Node(INPUT_KEY, Kind.INPUT, "Input", "", shapes, f"The network's input: {shapes}", ""))
        self.shown[INPUT] = INPUT_KEY
        for layer in anatomy.layers:
            if layer.executed:
                self._show(layer.index)
        if anatomy.failure is not None:
            self._show(len(anatomy.layers))
        for layer in anatomy.layers:
            if layer.executed:
                self._connect(layer.inputs, layer.input_shapes, self.shown[layer.index])
        if anatomy.failure is not None:
            failure = anatomy.failure
            self._connect(failure.inputs, failure.input_shapes, self.shown[len(anatomy.layers)])
        self._show_outputs()
        return Outline(tuple(self.nodes.values()), tuple(self.edges), self.opened)

    def _add(self, node: Node) -> str:
        self.nodes.setdefault(node.key, node)
        return node.key

    def _show(self, leaf: int) -> None:
        """Adds the node that shows a leaf, and the open groups around it, unless they are there."""
        parent = path_of_parent = ""
        for path in self.tree.chains[leaf]:
            opened = path in self.opened
            key = group_key(path)
            if key not in self.nodes:
                self._add(self._group_node(path, parent, path_of_parent, opened))
            if not opened:
                self.shown[leaf] = key
                return
            parent, path_of_parent = key, path
        if leaf == len(self.anatomy.layers):
            self.shown[leaf] = self._add(self._failure_node(parent))
        else:
            self.shown[leaf] = self._add(self._layer_node(self.anatomy.layers[leaf], parent, path_of_parent))

    def _layer_node(self, layer: Layer, parent: str, path: str) -> Node:
        title = _local_name(layer.name, path)
        lines = [f"{layer.name} ({layer.type})", f"{layer.inputs_label} → {layer.output_label}"]
        if layer.params:
            lines.append(f"{layer.params:,} parameters")
        if layer.macs:
            lines.append(f"{layer.macs:,} MACs")
        lines += [f"{name}: {value}" for name, value in layer.hyperparameters]
        return Node(
            key=layer_key(layer.index),
            kind=kind_of(layer.type),
            title=title if title.partition("#")[0] != layer.type else layer.type,
            type=layer.type if title.partition("#")[0] != layer.type else "",
            detail=hyperparameter_text(layer),
            tooltip="\n".join(lines),
            parent=parent,
            layer=layer.index,
        )

    def _group_node(self, path: str, parent: str, path_of_parent: str, opened: bool) -> Node:
        layers = [self.anatomy.layers[leaf] for leaf in self.tree.members[path] if leaf < len(self.anatomy.layers)]
        params = sum(layer.params for layer in layers)
        failed = len(layers) < len(self.tree.members[path])
        children = list(self.tree.child_groups(path))
        types = {self.tree.types[child] if isinstance(child, str) else "" for child in children}
        of_a_kind = len(children) > 1 and len(types) == 1 and "" not in types
        detail = f"{len(layers)} layer{'s' if len(layers) != 1 else ''}"
        if params:
            detail += f" · {count_text(params)} params"
        tooltip = f"{path} ({self.tree.types[path]})\n{len(layers):,} layers\n{params:,} parameters"
        macs = sum(layer.macs for layer in layers)
        if macs:
            tooltip += f"\n{macs:,} MACs"
        if failed and self.anatomy.failure is not None:
            tooltip += f"\nFails: {self.anatomy.failure.message}"
        return Node(
            key=group_key(path),
            kind=Kind.GROUP,
            title=_local_name(path, path_of_parent),
            type=f"{len(children)} × {types.pop()}" if of_a_kind else self.tree.types[path],
            detail=detail,
            tooltip=tooltip,
            parent=parent,
            group=path,
            open=opened,
            failed=failed,
        )

    def _failure_node(self, parent: str) -> Node:
        failure = self.anatomy.failure
        assert failure is not None
        place = failure.layer or "the network itself"
        name = failure.layer.rpartition(".")[2] or failure.type
        shapes = ", ".join(shape_text(shape) for shape in failure.input_shapes)
        return Node(
            key=FAILURE_KEY,
            kind=Kind.FAILURE,
            title=name,
            type=failure.type if failure.type != name else "",
            detail=failure.message if len(failure.message) <= 60 else failure.message[:59].rstrip() + "…",
            tooltip=f"Fails in {place} ({failure.type})\ngiven {shapes or 'nothing'}\n{failure.message}",
            parent=parent,
            failed=True,
        )

    def _show_outputs(self) -> None:
        anatomy = self.anatomy
        if not anatomy.output_layers:
            return
        one_each = len(anatomy.outputs) == len(anatomy.output_layers)
        for place, source in enumerate(anatomy.output_layers):
            shapes = anatomy.outputs[place : place + 1] if one_each else anatomy.outputs
            key = f"output {place if one_each else 0}"
            text = ", ".join(shape_text(shape) for shape in shapes)
            self._add(Node(key, Kind.INPUT, "Output", "", text, f"The network's output: {text}", ""))
            self._connect((source,), shapes[:1] if one_each else (), key)

    def _connect(self, sources: tuple[int, ...], shapes: tuple[tuple[int, ...], ...], target: str) -> None:
        for place, source in enumerate(sources):
            if source not in self.shown or self.shown[source] == target:
                continue
            if len(shapes) == len(sources):
                shape = shape_text(shapes[place])
            else:  # an operation may take more tensors than it names layers for, constants for instance
                made = self.anatomy.inputs if source == INPUT else self.anatomy.layers[source].output_shapes
                shape = ", ".join(dict.fromkeys(shape_text(one) for one in made))
            self.edges[Edge(self.shown[source], target, source, shape)] = None


def _local_name(name: str, path: str) -> str:
    return name.removeprefix(f"{path}.") if path else name
