"""How much the layers of two networks are alike, in the units of `alignment`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from explorer.inspection.anatomy import Anatomy, Layer
from explorer.inspection.comparison.alignment import FORBIDDEN, Scores
from explorer.inspection.comparison.role import input_shapes, plain, role
from explorer.inspection.comparison.stages import enclosing, inner_groups, stage_of, stage_paths
from explorer.inspection.notation import Kind, kind_of

_EXCHANGEABLE = frozenset(Kind) - {Kind.RESHAPE, Kind.REGULARISATION, Kind.OTHER}
"""Kinds within which one type takes another's place: SiLU that of ReLU, LayerNorm that of BatchNorm."""

ROLE = 600
"""What the same role is worth. More than all else together: a layer that differs is a change, no loss and gain."""
STAND_IN = 250
"""What a type of the same kind, or a layer of the same name, is worth in place of the same role."""
_TRAITS = {"resolution": 100, "stage": 100, "setting": 100, "channels": 100, "rest": 100, "name": 1}
"""What agreement in each of these is worth. A name only decides between equals."""
OPEN = 150
"""Cost of a run of layers without counterpart."""
WITHIN = 300
"""Highest additional cost of such a run at either end, when it ends within a block."""


class Likeness:
    """How much each layer of one network is like each layer of another."""

    def __init__(self, a: Sequence[Layer], b: Sequence[Layer], networks: tuple[Anatomy, Anatomy]) -> None:
        kinds = [kind_of(layer.type) for layer in a]
        names = [_local_name(layer) for layer in a]
        self._role = _codes(map(role, a), map(role, b))
        self._kind = _codes(kinds, (kind_of(layer.type) for layer in b))
        self._name = _codes(names, map(_local_name, b))
        self._exchangeable = np.array([kind in _EXCHANGEABLE for kind in kinds], dtype=bool)
        self._named = np.array([not name.isdigit() for name in names], dtype=bool)
        traits_a, traits_b = (_traits(side, network) for side, network in zip((a, b), networks, strict=True))
        self._traits = [(worth, *_codes(traits_a[name], traits_b[name])) for name, worth in _TRAITS.items()]

    def __call__(self, i: int) -> Scores:
        """Returns the likeness of layer `i` of `a` to each layer of `b`, shape (M,)."""
        (role_a, role_b), (kind_a, kind_b), (name_a, name_b) = self._role, self._kind, self._name
        stand_in = (self._exchangeable[i] & (kind_b == kind_a[i])) | (self._named[i] & (name_b == name_a[i]))
        scores = np.where(role_b == role_a[i], ROLE, np.where(stand_in, STAND_IN, FORBIDDEN))
        for worth, codes_a, codes_b in self._traits:
            scores += worth * (codes_b == codes_a[i])
        return scores


def gap_costs(layers: Sequence[Layer], anatomy: Anatomy) -> tuple[Scores, Scores]:
    """Returns what it costs that a run of left out layers begins, and ends, with each layer.

    The less deeply nested the block is that begins or ends there, the cheaper; so blocks come and go as a whole.
    """
    known = {group.path for group in anatomy.groups}
    chains = [_chain(layer.group, known) for layer in layers]
    begin = [OPEN + _cost(chain, before) for chain, before in zip(chains, [(), *chains], strict=False)]
    end = [_cost(chain, after) for chain, after in zip(chains, [*chains[1:], ()], strict=False)]
    return np.array(begin, dtype=np.int64), np.array(end, dtype=np.int64)


def _chain(path: str, known: set[str]) -> tuple[str, ...]:
    """The groups around a layer, outermost first."""
    return tuple(around for around in (*enclosing(path), path) if around in known)


def _cost(chain: tuple[str, ...], neighbour: tuple[str, ...]) -> int:
    shared = sum(1 for ours, theirs in zip(chain, neighbour, strict=False) if ours == theirs)
    return min(20 * shared, WITHIN - 1) if shared < len(chain) else WITHIN


def _codes(a: Iterable[object], b: Iterable[object]) -> tuple[Scores, Scores]:
    """Returns a number for each value, equal for equal values."""
    numbers: dict[object, int] = {}
    codes_a, codes_b = ([numbers.setdefault(value, len(numbers)) for value in side] for side in (a, b))
    return np.array(codes_a, dtype=np.int64), np.array(codes_b, dtype=np.int64)


def _traits(layers: Sequence[Layer], network: Anatomy) -> dict[str, list[object]]:
    """Returns what there is to say of each layer beyond its role, by the names of `_TRAITS`."""
    inside = inner_groups(network)
    paths = [path for path in stage_paths(network) if inside[path]]
    # The third of four parts made of blocks is like the third of four others.
    stages = {path: (number, len(paths)) for number, path in enumerate(paths)}
    return {
        "resolution": [_resolution(layer, network) for layer in layers],
        "stage": [stages.get(stage_of(layer, paths)) for layer in layers],
        "setting": [_setting(layer) for layer in layers],
        "channels": [layer.output_shapes[0][1:2] if layer.output_shapes else () for layer in layers],
        "rest": [(input_shapes(layer), layer.output_shapes, layer.params) for layer in layers],
        "name": [layer.name for layer in layers],
    }


def _resolution(layer: Layer, network: Anatomy) -> object:
    """How often the image has been halved; None where no image is left."""
    shape = layer.output_shapes[0] if layer.output_shapes else ()
    image = network.inputs[0] if network.inputs else ()
    if len(shape) != len(image) or len(shape) < 3 or not min(shape[-1], image[-1]):
        return None
    return round(math.log2(image[-1] / shape[-1]))


def _setting(layer: Layer) -> object:
    """Kernel, stride, and whether a convolution is depthwise."""
    values = dict(layer.hyperparameters)
    groups = values.get("groups", 1)
    channels = layer.input_shapes[0][1:2] if layer.input_shapes else ()
    return plain(values.get("kernel_size")), plain(values.get("stride")), groups != 1 and (groups,) == channels


def _local_name(layer: Layer) -> str:
    return layer.name.rpartition(".")[2].partition("#")[0]
