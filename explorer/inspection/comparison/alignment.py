"""Global alignment of two sequences, with gaps that prefer to begin and end where blocks do.

Needleman and Wunsch, "A general method applicable to the search for similarities in the amino acid sequence of two
proteins", 1970, with the affine gaps of Gotoh, "An improved algorithm for matching biological sequences", 1982. A gap
costs once, when it opens and closes, and nothing for its length; how much depends on where it begins and ends.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.int64]

FORBIDDEN = -(10**12)
"""A likeness that no sum of others makes up for."""

_MATCH, _ONLY_A, _ONLY_B = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Sequence:
    """What alignment knows of one side: what a gap costs that begins, or ends, with each of its items."""

    begin: Scores
    """Cost of leaving out a run that begins with item i, shape (N,)."""
    end: Scores
    """Cost of leaving out a run that ends with item i, shape (N,)."""

    def __len__(self) -> int:
        return len(self.begin)


def align(a: Sequence, b: Sequence, likeness: Callable[[int], Scores]) -> list[tuple[int | None, int | None]]:
    """Returns the pairing of the highest score, both sequences in order and each item once.

    Work grows with `len(a) * len(b)`, one vector operation a row; memory is a byte for each of the pairs.

    Args:
        a: left sequence.
        b: right sequence.
        likeness: gives the score of pairing item i of `a` with each item of `b`, shape (M,); `FORBIDDEN` for never.

    Returns:
        Pairs of indices; None stands for no counterpart. Between two matches come first the items of `a` alone. Where
        several pairings score the same, gaps lie as late as possible.
    """
    return _walk_back(_choices(a, b, likeness))


def _choices(a: Sequence, b: Sequence, likeness: Callable[[int], Scores]) -> npt.NDArray[np.uint8]:
    """Returns, for each pair of prefixes and each of three ways to end them, how the best pairing came there.

    The result has shape (N + 1, M + 1, 3). `match` is the best score of two prefixes whose last items are paired,
    `only_a` and `only_b` of those where the last item of `a`, or of `b`, is left out; a row of each at a time.
    """
    columns = len(b) + 1
    choices = np.zeros((len(a) + 1, columns, 3), dtype=np.uint8)
    match = np.full(columns, FORBIDDEN, dtype=np.int64)
    match[0] = 0
    only_a = np.full(columns, FORBIDDEN, dtype=np.int64)
    end_b = np.concatenate(([0], b.end))
    only_b = _fill_gaps_in_a(match, only_a, 0, b, choices[0])
    for i in range(1, len(a) + 1):
        left = int(a.end[i - 2]) if i > 1 else 0
        closed = np.stack((match, only_a - left, only_b - end_b))
        opened = match - a.begin[i - 1]
        best = _best(closed)
        choices[i, 1:, _MATCH] = best[:-1]
        choices[i, :, _ONLY_A] = np.where(only_a >= opened, _ONLY_A, _MATCH)
        next_match = np.full(columns, FORBIDDEN, dtype=np.int64)
        next_match[1:] = np.max(closed, axis=0)[:-1] + likeness(i - 1)
        only_a = np.maximum(only_a, opened)
        match = np.maximum(next_match, FORBIDDEN)
        only_b = _fill_gaps_in_a(match, only_a, int(a.end[i - 1]), b, choices[i])
    left = int(a.end[-1]) if len(a) else 0
    final = np.array([match[-1], only_a[-1] - left, only_b[-1] - end_b[-1]])
    choices[0, 0, _MATCH] = _best(final[:, None])[0]  # the one place that no way back passes
    return choices


def _fill_gaps_in_a(match: Scores, only_a: Scores, left: int, b: Sequence, choices: npt.NDArray[np.uint8]) -> Scores:
    """Returns the scores of prefixes that leave out the last items of `b`: a running maximum along the row."""
    before = np.maximum(match, only_a - left)
    opened = before[:-1] - b.begin
    only_b = np.concatenate(([FORBIDDEN], np.maximum.accumulate(opened))) if len(b) else np.array([FORBIDDEN])
    extended = only_b[:-1] >= opened
    from_a = only_a[:-1] - left >= match[:-1]
    choices[1:, _ONLY_B] = np.where(extended, _ONLY_B, np.where(from_a, _ONLY_A, _MATCH))
    return only_b


def _best(scores: Scores) -> npt.NDArray[np.uint8]:
    """Returns the row that holds each column's maximum, the last of several: gaps come late."""
    best: npt.NDArray[np.uint8] = (len(scores) - 1 - np.argmax(scores[::-1], axis=0)).astype(np.uint8)
    return best


def _walk_back(choices: npt.NDArray[np.uint8]) -> list[tuple[int | None, int | None]]:
    i, j = choices.shape[0] - 1, choices.shape[1] - 1
    state = int(choices[0, 0, _MATCH])
    pairs: list[tuple[int | None, int | None]] = []
    while i or j:
        came_from = int(choices[i, j, state])
        if state == _MATCH:
            i, j = i - 1, j - 1
            pairs.append((i, j))
        elif state == _ONLY_A:
            i -= 1
            pairs.append((i, None))
        else:
            j -= 1
            pairs.append((None, j))
        state = came_from
    return pairs[::-1]
