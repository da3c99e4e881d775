"""The picture of a network as SVG in light colours, for documents and programs that know nothing of this one."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Iterator
from html import escape

from explorer.inspection.graph.drawing import BORDER_LIGHTNESS, CORNER, FILL_LIGHTNESS, HUES, SHEET, arrow_head, bend
from explorer.inspection.graph.layout import TEXT_MARGIN, Box, Font, Label, Lettering, Picture, Wire
from explorer.inspection.graph.outline import Node, Outline
from explorer.inspection.notation import Kind

FAMILY = "Helvetica, Arial, 'Liberation Sans', 'Nimbus Sans', 'DejaVu Sans', 'Noto Sans', sans-serif"
"""The first four have equal widths; the next two are what Linux has where it has none of those."""
TITLE, TEXT, LABEL = 13.0, 12.0, 10.5
"""Font sizes in pixels."""
MARGIN = 12.0
"""Around the picture."""

_REGULAR = {
    191: "'", 222: "ijl", 260: "|", 278: " !,./:;I[\\]ft·", 333: "()-`r", 334: "{}", 355: '"', 389: "*", 469: "^",
    500: "Jcksvxyz", 556: "#$0123456789?L_abdeghnopqu–", 584: "+<=>~×−", 611: "FTZ", 667: "&ABEKPSVXY",
    722: "CDHNRUw", 778: "GOQ", 833: "Mm", 889: "%", 944: "W", 1000: "→…", 1015: "@",
}  # fmt: skip
"""Advance widths of Helvetica in thousandths of the font size, as Adobe's font metrics give them."""
_BOLD = {
    238: "'", 278: " ,./I\\ijl·", 280: "|", 333: "!()-:;[]`ft", 389: "*r{}", 474: '"', 500: "z",
    556: "#$0123456789J_aceksvxy–", 584: "+<=>^~×−", 611: "?FLTZbdghnopqu", 667: "EPSVXY", 722: "&ABCDHKNRU",
    778: "GOQw", 833: "M", 889: "%m", 944: "W", 975: "@", 1000: "→…",
}  # fmt: skip
"""Those of Helvetica Bold."""


def _font(widths: dict[int, str], size: float) -> Font:
    table = {character: width * size / 1000 for width, characters in widths.items() for character in characters}
    return Font(round(1.25 * size), size, table)


LETTERING = Lettering(_font(_BOLD, TITLE), _font(_REGULAR, TEXT), _font(_REGULAR, LABEL))
"""The measures of the picture's fonts, for `arrange`."""

_INK, _PAPER = (26, 26, 26), (255, 255, 255)


def _mixed(share: float) -> str:
    """Ink with a share of paper, as `#rrggbb`."""
    return "#" + "".join(f"{round(ink + (paper - ink) * share):02x}" for ink, paper in zip(_INK, _PAPER, strict=True))


_TEXT, _LABEL, _FAINT, _WIRE = _mixed(0.0), _mixed(0.2), _mixed(0.32), _mixed(0.42)


def _ground(depth: int) -> str:
    """Of an open group at a depth, from 1."""
    return _mixed(1.0 - min(0.03 * depth, 0.15))


def fill_colour(kind: Kind) -> str:
    """Returns the colour of a kind's nodes on paper, `#rrggbb`."""
    hue, saturation = HUES[kind]
    return _hsl(hue, saturation, FILL_LIGHTNESS)


def border_colour(kind: Kind) -> str:
    """Returns the colour of their borders."""
    hue, saturation = HUES[kind]
    return _hsl(hue, saturation * 3 // 4, BORDER_LIGHTNESS)


def _hsl(hue: int, saturation: int, lightness: int) -> str:
    channels = colorsys.hls_to_rgb(hue / 360, lightness / 255, saturation / 255)
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in channels)


def to_svg(outline: Outline, picture: Picture, title: str) -> str:
    """Returns the picture as an SVG document.

    Args:
        outline: what is on view.
        picture: its layout, made with `LETTERING`.
        title: what programs tell of the document, seen nowhere in it.
    """
    width, height = picture.width + 2 * MARGIN, picture.height + 2 * MARGIN
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_number(width)}" height="{_number(height)}" '
        f'viewBox="{_number(-MARGIN)} {_number(-MARGIN)} {_number(width)} {_number(height)}" '
        f'font-family="{FAMILY}" font-size="{TEXT:g}" fill="{_TEXT}">',
        f"<title>{_escaped(title)}</title>",
        f'<rect x="{_number(-MARGIN)}" y="{_number(-MARGIN)}" width="{_number(width)}" height="{_number(height)}" '
        f'fill="{_mixed(1.0)}"/>',
        *_elements(outline, picture),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _elements(outline: Outline, picture: Picture) -> Iterator[str]:
    """Open groups, then lines, nodes and titles, shapes: what comes later lies above."""
    depths = {"": 0}
    for node in outline.nodes:
        if node.open:
            depths[node.key] = depths[node.parent] + 1
    pairs = list(zip(outline.nodes, picture.boxes, strict=True))
    for node, box in pairs:
        if node.open:
            yield _rect(box, _ground(depths[node.key]), node)
    for wire in picture.wires:
        yield from _wire(wire, picture)
    for node, box in pairs:
        yield f"<g><title>{_escaped(node.tooltip)}</title>"
        yield from _open_title(node, box, _ground(depths[node.key])) if node.open else _closed(node, box)
        yield "</g>"
    for label in picture.labels:
        yield from _label(label, _ground(depths[label.parent]))


def _rect(box: Box, fill: str, node: Node, shift: float = 0.0) -> str:
    border = border_colour(Kind.FAILURE if node.failed else node.kind)
    width = ' stroke-width="2"' if node.failed else ""
    return (
        f'<rect x="{_number(box.x + shift)}" y="{_number(box.y + shift)}" width="{_number(box.width)}" '
        f'height="{_number(box.height)}" rx="{CORNER:g}" fill="{fill}" stroke="{border}"{width}/>'
    )


def _wire(wire: Wire, picture: Picture) -> Iterator[str]:
    path = []
    for curve in wire.curves:
        x1, y1, x2, y2 = map(_number, curve)
        control = bend(curve, picture.flow)
        way = "L" if control is None else f"C{' '.join(map(_number, control))} "
        path.append(f"M{x1} {y1}{way}{x2} {y2}")
    yield f'<path d="{"".join(path)}" fill="none" stroke="{_WIRE}" stroke-width="1.3" stroke-linecap="round"/>'
    heads = (" ".join(f"{_number(x)},{_number(y)}" for x, y in arrow_head(tip, picture.flow)) for tip in wire.arrows)
    for head in heads:
        yield f'<polygon points="{head}" fill="{_WIRE}"/>'


def _closed(node: Node, box: Box) -> Iterator[str]:
    """A layer, or a folded group, which has a sheet behind it."""
    fill = fill_colour(node.kind)
    if node.group is not None:
        yield _rect(box, fill, node, SHEET)
    yield _rect(box, fill, node)
    lettering = LETTERING
    left = box.x + (box.width - _title_width(node)) / 2
    yield from _title(node, left, box.y + 5.0)
    if node.detail:
        width = lettering.text.width(node.detail)
        baseline = _baseline(box.y + 5.0 + lettering.title.height, lettering.text, TEXT)
        yield _text(node.detail, box.x + (box.width - width) / 2, baseline, width)


def _open_title(node: Node, box: Box, ground: str) -> Iterator[str]:
    """On a strip of the group's ground: lines that enter there pass below it."""
    strip = min(box.width - 4.0, _title_width(node) + TEXT_MARGIN)
    height = LETTERING.title.height + 4.0
    yield (
        f'<rect x="{_number(box.x + 2.0)}" y="{_number(box.y + 3.0)}" width="{_number(strip)}" '
        f'height="{_number(height)}" fill="{ground}"/>'
    )
    yield from _title(node, box.x + TEXT_MARGIN, box.y + 5.0)


def _title_width(node: Node) -> float:
    return LETTERING.title.width(node.title) + (LETTERING.text.width(f"  {node.type}") if node.type else 0.0)


def _title(node: Node, left: float, top: float) -> Iterator[str]:
    width = LETTERING.title.width(node.title)
    baseline = _baseline(top, LETTERING.title, TITLE)
    yield _text(node.title, left, baseline, width, f' font-size="{TITLE:g}" font-weight="bold"')
    if node.type:
        gap = LETTERING.text.width("  ")
        yield _text(node.type, left + width + gap, baseline, LETTERING.text.width(node.type), f' fill="{_FAINT}"')


def _label(label: Label, ground: str) -> Iterator[str]:
    left, top = label.x - label.width / 2, label.y - label.height / 2
    yield (
        f'<rect x="{_number(left)}" y="{_number(top)}" width="{_number(label.width)}" '
        f'height="{_number(label.height)}" fill="{ground}" fill-opacity="0.85"/>'
    )
    width = LETTERING.label.width(label.text)
    baseline = _baseline(top + 1.0, LETTERING.label, LABEL)
    yield _text(label.text, label.x - width / 2, baseline, width, f' font-size="{LABEL:g}" fill="{_LABEL}"')


def _text(text: str, x: float, baseline: float, width: float, style: str = "") -> str:
    """A line of text that keeps its width in whatever font it is drawn."""
    return (
        f'<text x="{_number(x)}" y="{_number(baseline)}"{style} textLength="{_number(width)}" '
        f'lengthAdjust="spacingAndGlyphs">{_escaped(text)}</text>'
    )


def _baseline(top: float, font: Font, size: float) -> float:
    """Where capitals, 0.72 of the font's size, stand in the middle of the line."""
    return top + (font.height + 0.72 * size) / 2


def _number(value: float) -> str:
    """A length to a hundredth of a pixel, as short as it can be."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _escaped(text: str) -> str:
    """Text as XML takes it, which has no control characters."""
    return escape(re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text))
