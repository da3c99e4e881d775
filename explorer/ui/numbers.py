"""Bytes and times as people read them."""

from __future__ import annotations


def short_bytes(value: float) -> str:
    """Returns `3.21 MB` for 3,211,264; units of 1,000."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if abs(value) >= size * 0.9995:
            return f"{value / size:#.3g}".rstrip(".") + f" {unit}"
    return f"{value:.0f} B"


def short_time(seconds: float) -> str:
    """Returns `1 h 02 min`, `3 min 20 s` or `8 s`."""
    whole = max(round(seconds), 0)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
