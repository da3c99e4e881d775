"""The layer table for papers and theses: LaTeX with the rules of the booktabs package."""

from __future__ import annotations

import re
from collections.abc import Iterable

from explorer.inspection.anatomy import Anatomy, Layer
from explorer.inspection.notation import hyperparameter_text
from explorer.inspection.report import field_text

HEADER = ("#", "Layer", "Type", "Settings", "Output", "Parameters", "MACs", "Receptive field")
_COLUMNS = "rllllrrr"

_SIGNS = {
    **{sign: f"\\{sign}" for sign in "{}$&#_%"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "×": r"$\times$",
    "→": r"$\to$",
    "·": r"$\cdot$",
    "−": "$-$",
    "…": r"\ldots{}",
}
"""What LaTeX reads as a command, or sets in a way that depends on packages and engine."""


def to_latex(anatomy: Anatomy) -> str:
    r"""Returns the layer table as a `longtable`, which may run over several pages, totals in the last row.

    The document needs `\usepackage{booktabs,longtable}`. Settings are written as papers write them (`3×3 /2, 64`), so
    that the table is narrow enough for a page.
    """
    total = ("", "Total", "", "", "", f"{anatomy.params:,}", f"{anatomy.macs:,}", "")
    lines = [
        r"% \usepackage{booktabs,longtable}",
        rf"\begin{{longtable}}{{{_COLUMNS}}}",
        r"\toprule",
        _row(HEADER),
        r"\midrule",
        r"\endhead",
        r"\bottomrule",
        r"\endfoot",
        *(_row(_cells(layer)) for layer in anatomy.layers),
        r"\midrule",
        _row(total),
        r"\end{longtable}",
    ]
    return "\n".join(lines) + "\n"


def _cells(layer: Layer) -> tuple[str, ...]:
    return (
        str(layer.index),
        layer.name,
        layer.type,
        hyperparameter_text(layer),
        layer.output_label if layer.executed else "not run",
        f"{layer.params:,}" if layer.params else "",
        f"{layer.macs:,}" if layer.macs else "",
        field_text(layer.receptive_field),
    )


def _row(cells: Iterable[str]) -> str:
    return " & ".join(map(escaped, cells)) + r" \\"


def escaped(text: str) -> str:
    """Returns text that LaTeX sets as it stands, on one line."""
    return "".join(_SIGNS.get(sign, sign) for sign in re.sub(r"[\s\x00-\x1f\x7f]+", " ", text))
