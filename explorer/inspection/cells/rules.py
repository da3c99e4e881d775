"""Which rule holds for which kind of layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from explorer.inspection.cells import mixing, places, windows
from explorer.inspection.cells.axes import has_places, plain_axis
from explorer.inspection.cells.elementwise import elementwise
from explorer.inspection.cells.state import State, Step, unknown
from explorer.inspection.field_arithmetic import GLOBAL

CONSTANTS = frozenset(
    f"{prefix}{name}{suffix}"
    for name in ("zeros", "ones", "full", "empty", "rand", "randn")
    for prefix, suffix in (("new_", ""), ("", "_like"))
)
"""Operations that take a shape alone from their argument."""

_SAMPLE_NORMS = ("groupnorm", "instancenorm", "globalresponsenorm", "evonorm2ds", "filterresponsenorm")
"""Words in types that divide by a statistic over all cells of a channel."""
_CHANNEL_NORMS = ("layernorm", "rmsnorm", "simplenorm")
_VIEWS = ("view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "reshapeas", "viewas", "ravel")
_SPLITS = ("chunk", "split", "tensorsplit", "splitwithsizes", "narrow", "unbind", "select")
_REDUCTIONS = ("mean", "sum", "amax", "amin", "max", "min", "norm", "std", "var", "prod", "logsumexp", "median")
_SOFTMAX = ("softmax", "logsoftmax", "softmin", "normalize")
_PRODUCTS = ("matmul", "bmm", "mm", "addmm", "baddbmm")


def passed_on(step: Step) -> State:
    """Returns what is known of a layer's output: what sees everything and has no places left goes on so."""
    states = [state for state, _ in step.sources]
    if all(state.field == GLOBAL and state.axes is not None and not has_places(state.axes) for state in states):
        return State(tuple(map(plain_axis, step.after)), GLOBAL)
    known = all(state.axes is not None for state in states)
    return _rule(step.kind, step.settings)(step) if known else unknown(step)


def _rule(kind: str, settings: Mapping[str, object]) -> Callable[[Step], State]:
    if "kernel_size" in settings:
        return windows.windowed
    if "adaptive" in kind or "globalpool" in kind:
        return windows.pooled_to_size
    for rule, words in _BY_WORD:
        if any(word in kind for word in words):
            return rule
    return _BY_NAME.get(kind, elementwise)


_BY_WORD: tuple[tuple[Callable[[Step], State], tuple[str, ...]], ...] = (
    (windows.interpolated, ("interpolate", "upsample", "resize")),
    (mixing.sample_norm, _SAMPLE_NORMS),
    (mixing.channel_norm, _CHANNEL_NORMS),
    (windows.folded_to_channels, ("pixelunshuffle",)),
    (windows.resized, ("pixelshuffle",)),
    (mixing.attention, ("scaleddotproductattention", "multiheadattentionforward")),
)
_BY_NAME: dict[str, Callable[[Step], State]] = {
    **dict.fromkeys(_VIEWS, places.view),
    **dict.fromkeys(("permute", "transpose", "t", "swapaxes", "swapdims"), places.permuted),
    **dict.fromkeys(("expand", "expandas", "broadcastto"), places.expanded),
    **dict.fromkeys(_SPLITS, places.split),
    **dict.fromkeys(_REDUCTIONS, mixing.reduction),
    **dict.fromkeys(_SOFTMAX, mixing.softmax),
    **dict.fromkeys(_PRODUCTS, mixing.product),
    **dict.fromkeys(("repeat", "repeatinterleave", "tile", "einsum", "movedim", "unfold", "fold"), unknown),
    "linear": mixing.linear,
    "nondynamicallyquantizablelinear": mixing.linear,
    "slice": places.sliced,
    "cat": places.joined,
    "stack": places.stacked,
    "pad": places.padded,
    **{
        f"{name}pad{n}d": places.padded
        for name in ("zero", "constant", "reflection", "replication", "circular")
        for n in "123"
    },
}
