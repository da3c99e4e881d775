"""How the picture of a network is drawn, whoever draws it: hues of the kinds, corners, arrows and bends."""

from __future__ import annotations

from explorer.inspection.graph.layered_layout import Curve
from explorer.inspection.graph.layout import Flow
from explorer.inspection.notation import Kind

CORNER = 5.0
"""Radius of a node's corners, in pixels like all lengths here."""
ARROW = 6.0
"""Length of an arrow head, and its width."""
SHEET = 3.0
"""How far the sheet behind a folded group shows."""
_REACH = 0.7
"""How far a bend goes on in its first direction, as a share of its length along the flow."""

HUES: dict[Kind, tuple[int, int]] = {
    Kind.INPUT: (0, 0),
    Kind.CONVOLUTION: (212, 170),
    Kind.LINEAR: (262, 120),
    Kind.NORMALISATION: (165, 95),
    Kind.ACTIVATION: (8, 150),
    Kind.POOLING: (128, 95),
    Kind.MERGE: (38, 190),
    Kind.ATTENTION: (312, 105),
    Kind.REGULARISATION: (60, 30),
    Kind.RESHAPE: (200, 30),
    Kind.OTHER: (0, 0),
    Kind.GROUP: (222, 45),
    Kind.FAILURE: (355, 235),
}
"""Hue and saturation (HSL, 0–359 and 0–255); the lightness is that of a theme or of paper."""

FILL_LIGHTNESS, BORDER_LIGHTNESS = 226, 128
"""On a light ground, 0–255; borders take three quarters of the saturation."""


def bend(curve: Curve, flow: Flow) -> tuple[float, float, float, float] | None:
    """Returns the control points (x1, y1, x2, y2) of a curve's cubic Bézier; None for a straight line."""
    x1, y1, x2, y2 = curve
    if x1 == x2 or y1 == y2:
        return None
    if flow is Flow.DOWN:
        reach = _REACH * (y2 - y1)
        return x1, y1 + reach, x2, y2 - reach
    reach = _REACH * (x2 - x1)
    return x1 + reach, y1, x2 - reach, y2


def arrow_head(tip: tuple[float, float], flow: Flow) -> tuple[tuple[float, float], ...]:
    """Returns the corners of an arrow head that points along the flow, its tip first."""
    x, y = tip
    half = ARROW / 2
    if flow is Flow.DOWN:
        return (x, y), (x + half, y - ARROW), (x - half, y - ARROW)
    return (x, y), (x - ARROW, y + half), (x - ARROW, y - half)
