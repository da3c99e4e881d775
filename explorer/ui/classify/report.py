"""The results of the Classify page as text for spreadsheets."""

from __future__ import annotations

from collections.abc import Sequence

from explorer.ui.classify.image_list import Item


def as_table(items: Sequence[Item]) -> str:
    """Returns one line an image after a line of headings, tabs between columns; probabilities are 0–1."""
    guesses = max((len(item.predictions) for item in items), default=0)
    headings = ["image", "error"]
    for number in range(1, guesses + 1):
        headings += [f"label {number}", f"probability {number}"]
    lines = [headings]
    for item in items:
        cells = [item.place, item.error or ""]
        for guess in item.predictions:
            cells += [guess.label, f"{guess.probability:.6f}"]
        lines.append(cells + [""] * (len(headings) - len(cells)))
    # Tabs and line breaks in file names would break the table.
    return "\n".join("\t".join(" ".join(cell.split()) for cell in cells) for cells in lines) + "\n"
