"""What was measured on a network beside what its paper, or whoever else counted, has printed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from explorer.architectures.entry import Figure, Published, Text
from explorer.inspection.anatomy import Anatomy, Shape
from explorer.inspection.portrait import Portrait

Verdict = Literal["exact", "agrees", "explained", "differs"]
"""From the best to the worst: the same to the unit; the same to the digits that are printed; different, and the card
says why; different without a reason."""

VERDICTS: tuple[Verdict, ...] = ("exact", "agrees", "explained", "differs")


@dataclass(frozen=True, slots=True)
class Check:
    """One printed number or shape beside the measured one."""

    what: str
    """`params`, `macs`, or the source's name of a stage."""
    printed: str
    measured: str
    verdict: Verdict
    source: str
    why: Text
    """Why they differ; empty where they do not."""


def checks(portrait: Portrait) -> tuple[Check, ...]:
    """Returns everything that others have printed for this input and these options, beside what was measured.

    Stages are those of the network's own input and options.
    """
    counts = (check for row in portrait.published for check in count_checks(row, portrait.anatomy))
    return (*counts, *stage_checks(portrait))


def stage_checks(portrait: Portrait) -> list[Check]:
    """Returns the printed shapes of the stages beside the measured ones, where the network is as it is drawn."""
    found = []
    for stage in portrait.entry.stages if portrait.canonical else ():
        measured = output_shape(portrait.anatomy, stage.path)
        same = measured is not None and measured[1:] == stage.shape
        text = "not there" if measured is None else _shape(measured[1:])
        verdict: Verdict = "exact" if same else "explained" if stage.why.en else "differs"
        why = Text() if same else stage.why
        found.append(Check(stage.name, _shape(stage.shape), text, verdict, portrait.entry.stages_from, why))
    return found


def count_checks(row: Published, anatomy: Anatomy) -> list[Check]:
    """Returns the printed counts of a row that holds for this network beside the measured ones."""
    pairs: list[tuple[str, Figure | None, int]] = [("params", row.params, anatomy.params)]
    if anatomy.failure is None:
        pairs.append(("macs", row.macs, anatomy.macs))
    result = []
    for what, figure, measured in pairs:
        if figure is not None:
            verdict = _verdict(figure, measured, row.why)
            why = row.why if verdict in ("explained", "differs") else Text()
            result.append(Check(what, figure.printed, f"{measured:,}", verdict, row.source, why))
    return result


def _verdict(figure: Figure, measured: int, why: Text) -> Verdict:
    if measured == figure.value:
        return "exact"
    if figure.agrees(measured):
        return "agrees"
    return "explained" if why.en else "differs"


def worst(checks: Iterable[Check]) -> Verdict | None:
    """Returns the worst verdict; None where nothing has been printed."""
    return max((check.verdict for check in checks), key=VERDICTS.index, default=None)


def output_shape(anatomy: Anatomy, path: str) -> Shape | None:
    """Returns the shape `(B, …)` of what a module or operation gives, None where nothing is called so."""
    within = f"{path}."
    shapes = [
        layer.output_shapes[0]
        for layer in anatomy.layers
        if layer.executed and layer.output_shapes and (layer.name == path or layer.name.startswith(within))
    ]
    return shapes[-1] if shapes else None


def check_text(check: Check) -> str:
    """Returns a check on one line: `macs: 3.8 G printed, 4,089,184,256 measured (source): why`."""
    sign = {"exact": "✔", "agrees": "✔", "explained": "≠", "differs": "✘"}[check.verdict]
    what = {"params": "parameters", "macs": "MACs"}.get(check.what, check.what)
    text = f"{sign} {what}: {check.printed} printed, {check.measured} measured ({check.source})"
    return f"{text}: {check.why.en}" if check.why.en else text


def _shape(sizes: tuple[int, ...]) -> str:
    return "×".join(map(str, sizes))
