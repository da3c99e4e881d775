"""The records that one inspection of a network gives: plain, frozen, safe to hand across threads."""

from __future__ import annotations

from dataclasses import dataclass

Shape = tuple[int, ...]
"""Sizes of one tensor, batch first: `(B, C, H, W)`."""

INPUT = -1
"""Stands for the network's input where layers name the layers that feed them."""


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """Which part of the input one cell of an output sees, per spatial dimension.

    The closed form of Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks", 2019,
    carried through branches as the smallest interval that covers all of them. All four are empty where no window of
    convolutions and pooling is left: after global pooling, say.
    """

    size: tuple[int, ...]
    """Extent in input pixels."""
    stride: tuple[int, ...]
    """Input pixels between neighbouring cells."""
    start: tuple[int, ...]
    """First input pixel that cell 0 sees; negative where padding reaches beyond the image."""
    cells: tuple[int, ...]
    """How many cells the feature map has."""
    is_global: bool = False
    """Whether a cell sees the whole input all the same, through a gate or a statistic over all cells."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A leaf module at work, or a functional operation between modules."""

    index: int
    """Place in execution order, from 0."""
    name: str
    """Dotted path in the network; a module's second call is `relu#2`, an operation of a block `layer1.0.add`."""
    type: str
    """Class name of the module or name of the operation: `Conv2d`, `add`."""
    group: str
    """Dotted path of the innermost module that contains it; empty for the network itself."""
    inputs: tuple[int, ...]
    """Indices of the layers that feed this one, in argument order; -1 is the network's input."""
    input_shapes: tuple[Shape, ...]
    output_shapes: tuple[Shape, ...]
    dtype: str
    """Of the first output, without the `torch.`: `float32`."""
    params: int
    """Parameters owned by this layer; those of a shared module are counted at its first call."""
    trainable_params: int
    buffers: int
    """Elements of persistent and other buffers, running statistics for instance."""
    macs: int
    """Multiply–accumulate operations for one pass at batch size 1."""
    activation_bytes: int
    """Bytes of newly allocated output; 0 for in-place operations and views."""
    blocks: tuple[int, ...]
    """Numbers of the blocks of memory in which its outputs lie, one for each output, as in `Anatomy.blocks`."""
    receptive_field: ReceptiveField | None
    """None where the layer sees no input, or none that one window describes: cells of a resized map, say."""
    hyperparameters: tuple[tuple[str, object], ...]
    """Name and value as plain scalars or tuples, in the module's own order."""
    executed: bool = True
    """False for modules that the pass did not run (auxiliary heads, say): they only hold parameters."""

    @property
    def inputs_label(self) -> str:
        """The shapes of the inputs as text."""
        return ", ".join(shape_text(shape) for shape in self.input_shapes)

    @property
    def output_label(self) -> str:
        """The shapes of the outputs as text."""
        return ", ".join(shape_text(shape) for shape in self.output_shapes)


@dataclass(frozen=True, slots=True)
class Group:
    """A module that contains layers: what the graph folds into one node."""

    path: str
    """Dotted path, never empty."""
    type: str
    """Class name, `Bottleneck`."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Where and why a network stopped in the middle of the pass."""

    layer: str
    """Dotted path of the layer or operation that failed; empty when the network failed outside of any layer."""
    type: str
    input_shapes: tuple[Shape, ...]
    message: str
    """One line, in words."""
    inputs: tuple[int, ...] = ()
    """Indices of the layers that fed it."""


@dataclass(frozen=True, slots=True)
class Anatomy:
    """Everything one pass over the meta device tells about a network."""

    layers: tuple[Layer, ...]
    groups: tuple[Group, ...]
    """In order of first use; parents before children."""
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]
    output_layers: tuple[int, ...]
    """Indices of the layers whose results the network returns."""
    params: int
    """Sum over `parameters()`: a parameter used twice is counted once."""
    trainable_params: int
    param_bytes: int
    buffer_bytes: int
    macs: int
    activation_bytes: int
    blocks: tuple[int, ...]
    """Bytes of each block of memory that inputs and activations took, the inputs' first; views share a block."""
    failure: Failure | None = None


def shape_text(shape: Shape) -> str:
    """Returns a tensor's shape without its batch size, as papers write it: `64×112×112`."""
    return "×".join(str(size) for size in shape[1:]) if len(shape) > 1 else "scalar" if not shape else str(shape[0])
