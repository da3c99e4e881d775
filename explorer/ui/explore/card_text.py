"""A network's card as rich text: what it is about, and what was measured beside what has been printed."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from explorer.architectures.cards import descendants, families, ideas, words
from explorer.architectures.entry import Entry, Language, Published
from explorer.inspection.conformance import Check, count_checks, stage_checks
from explorer.inspection.portrait import Portrait
from explorer.inspection.report import value_text

SIGNS = {
    "exact": ("✔", "#1a9850"),
    "agrees": ("✔", "#1a9850"),
    "explained": ("≠", "#d9822b"),
    "differs": ("✘", "#d73027"),
}
"""Sign and colour of a verdict, readable on light and dark."""
CHECKS = "checks"
"""Anchor of the table of checks."""
FAMILY = "family"
"""Scheme of the links to other families."""
SETTING = "setting"
"""Scheme of the links to the input and options that a row of published numbers holds for."""


def card_html(entry: Entry, portrait: Portrait | None, language: Language) -> str:
    """Returns the card of a network, with what was measured where it has been inspected."""
    parts = [f"<h3>{escape(entry.title)}</h3>", _paper(entry, language)]
    for key, text in (
        ("idea", entry.idea),
        ("changed", entry.changed),
        ("look", entry.look),
        ("note", entry.note),
    ):
        if text.en:
            head = f"<b>{_word(key, language)}</b><br>" if key != "idea" else ""
            parts.append(f"<p>{head}{escape(text.to(language))}</p>")
    parts.append(_published(entry, portrait, language))
    for key, files in (("ancestors", entry.ancestors), ("descendants", descendants(entry.file) if entry.file else ())):
        links = [_family_link(file, families()[file]) for file in files if file in families()]
        if links:
            parts.append(f"<p style='margin-top:10px'><b>{_word(key, language)}</b><br>{'<br>'.join(links)}</p>")
    rows = [
        (_word("name", language), entry.name),
        (_word("task", language), words()[entry.task].to(language)),
        (_word("ideas", language), ", ".join(ideas()[key].to(language) for key in entry.ideas if key in ideas())),
        (_word("input", language), value_text(entry.input)),
        (_word("mean", language), channels_text(entry.mean, language)),
        (_word("std", language), channels_text(entry.std, language)),
        (_word("built_by", language), words()[entry.implementation].to(language)),
    ]
    return "".join(parts) + _table([row for row in rows if row[1]])


def channels_text(values: Sequence[float], language: Language) -> str:
    """Returns one number a channel, or `0.5 for all 30 channels`."""
    if len(values) > 1 and len(set(values)) == 1:
        return f"{values[0]:g} {words()['all_channels'].to(language).format(len(values))}"
    return ", ".join(f"{value:.3f}" for value in values)


def _paper(entry: Entry, language: Language) -> str:
    line = "  ·  ".join(escape(part) for part in (str(entry.year or ""), entry.venue, entry.authors) if part)
    paper = f'<a href="{escape(entry.link)}">{escape(entry.paper)}</a>' if entry.link else escape(entry.paper)
    text = "<br>".join(part for part in (line, paper) if part)
    return f"<p>{text}</p>" if text else ""


def _family_link(file: str, first: Entry) -> str:
    return f'<a href="{FAMILY}:{escape(file)}">{escape(first.family)}</a> · {first.year}'


def _published(entry: Entry, portrait: Portrait | None, language: Language) -> str:
    """What each source has printed, beside what was measured where it holds for the network on show."""
    holding = portrait.published if portrait else ()
    lines = []
    for number, row in enumerate(entry.published):
        holds = row in holding
        lines.append(_head(row.source, "" if holds or portrait is None else _setting_link(number, row, language)))
        if portrait is not None and holds:
            lines += [_check(check, language) for check in count_checks(row, portrait.anatomy)]
        else:
            counts = (("params", row.params), ("macs", row.macs))
            lines += [_row("", words()[key].to(language), each.printed, "") for key, each in counts if each]
        lines += [_row("", name, value, "") for name, value in row.others]
    stages = stage_checks(portrait) if portrait else []
    if stages:
        lines += [_head(entry.stages_from, ""), *(_check(check, language) for check in stages)]
    if not lines:
        return ""
    heads = "".join(f"<td><small>{_word(key, language)}</small></td>" for key in ("printed", "measured"))
    title = f'<p style="margin-bottom:0"><a name="{CHECKS}"></a><b>{_word("published", language)}</b></p>'
    table = f"<tr><td width=16></td><td></td>{heads}</tr>{''.join(lines)}"
    return f'{title}<table width="99%" cellspacing=2>{table}</table>'


def _head(source: str, link: str) -> str:
    return f'<tr><td colspan=4 style="padding-top:5px"><i>{escape(source)}</i>{link}</td></tr>'


def _setting_link(number: int, row: Published, language: Language) -> str:
    """A link that says what a row holds for, and sets it."""
    parts = [f"{key} = {value_text(value)}" for key, value in row.options]
    parts += [f"{words()['input'].to(language)} {value_text(row.input)}"] if row.input else []
    text = ", ".join(parts) or words()["defaults"].to(language)
    return f'<br><a href="{SETTING}:{number}">{escape(text)}</a>'


def _check(check: Check, language: Language) -> str:
    sign, colour = SIGNS[check.verdict]
    what = words()[check.what].to(language) if check.what in ("params", "macs") else check.what
    mark = f'<span style="color:{colour}">{sign}</span>'
    text = _row(mark, what, check.printed, check.measured)
    if check.why.en:
        text += f"<tr><td></td><td colspan=3>{escape(check.why.to(language))}</td></tr>"
    return text


def _row(mark: str, what: str, *values: str) -> str:
    """A line of the table; numbers stay whole."""
    numbers = "".join(f'<td style="white-space:pre"><small>{escape(value)}</small></td>' for value in values)
    whole = ' style="white-space:pre"' if len(what) < 14 and what.isascii() else ""
    return f"<tr><td>{mark}</td><td{whole}><small>{escape(what)}</small></td>{numbers}</tr>"


def _word(key: str, language: Language) -> str:
    return escape(words()[key].to(language))


def _table(rows: list[tuple[str, str]]) -> str:
    cells = (f'<tr><td style="padding-right:10px">{k}</td><td><b>{escape(v)}</b></td></tr>' for k, v in rows)
    return f"<table cellspacing=2>{''.join(cells)}</table>"
