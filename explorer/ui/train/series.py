"""Growing series of numbers for curves: appending is cheap, reading gives an array without a copy."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

BLOCK = 64
"""Points whose range is kept, so that a million of them can be painted without looking at each."""

MOST_RESERVED = 2_000_000
"""Points; systems give memory only when it is written to, but not all of them promise more than they have."""


class Series:
    """Points (x, y) in the order of their steps; x never falls. Each remembers its step, whatever x stands for."""

    def __init__(self) -> None:
        import numpy as np

        self._points: NDArray[np.float64] = np.empty((3, 1024))
        self._ranges: NDArray[np.float64] = np.empty((2, 1024 // BLOCK))
        """Least and greatest y of each whole block."""
        self._blocks = 0
        self._count = 0
        self.highest = 0.0
        """The greatest y so far, no less than 0."""
        self.lowest = float("inf")
        """The least y above 0 so far."""
        self.fresh = 0
        """Index of the first point that has not been shown; whoever shows them sets it."""

    def __len__(self) -> int:
        return self._count

    def clear(self) -> None:
        """Forgets all points."""
        self._count = self.fresh = self._blocks = 0
        self.highest, self.lowest = 0.0, float("inf")

    def extend(self, xs: ArrayLike, ys: ArrayLike, steps: ArrayLike | None = None) -> None:
        """Adds points in ascending order, in place of those at and after the first: a resumed run repeats steps.

        The room doubles when it is full, so each point is copied twice at most on average.

        Args:
            xs: where the points lie.
            ys: their values.
            steps: to which they belong; None where that is x itself.
        """
        import numpy as np

        x, y = np.asarray(xs, dtype=np.float64), np.asarray(ys, dtype=np.float64)
        step = x if steps is None else np.asarray(steps, dtype=np.float64)
        if not len(x):
            return
        if self._count and step[0] <= self._points[0, self._count - 1]:
            self._cut(int(np.searchsorted(self.steps, step[0])))
        needed = self._count + len(x)
        self._points = _with_room(self._points, self._count, needed)
        for row, values in enumerate((step, x, y)):
            self._points[row, self._count : needed] = values
        self._count = needed
        self._sum_up()
        self.highest = max(self.highest, float(y.max()))
        positive = y[y > 0]
        if len(positive):
            self.lowest = min(self.lowest, float(positive.min()))

    def reserve(self, count: int) -> None:
        """Takes room for so many points, so that none need be copied when they come; `MOST_RESERVED` at most."""
        count = min(count, MOST_RESERVED)
        self._points = _with_room(self._points, self._count, count)
        self._ranges = _with_room(self._ranges, self._blocks, count // BLOCK)

    def move(self, xs: ArrayLike) -> None:
        """Gives the points other places, in ascending order: x stands for something else now."""
        self._points[1, : self._count] = xs
        self.fresh = 0

    def _cut(self, count: int) -> None:
        self._count = count
        self.fresh = min(self.fresh, count)
        self._blocks = count // BLOCK

    def _sum_up(self) -> None:
        """Takes the range of the blocks that have become whole."""
        whole = self._count // BLOCK
        if whole == self._blocks:
            return
        self._ranges = _with_room(self._ranges, self._blocks, whole)
        values = self._points[2, self._blocks * BLOCK : whole * BLOCK].reshape(-1, BLOCK)
        self._ranges[0, self._blocks : whole] = values.min(1)
        self._ranges[1, self._blocks : whole] = values.max(1)
        self._blocks = whole

    @property
    def steps(self) -> NDArray[np.float64]:
        """The points' steps so far, as a view."""
        return self._points[0, : self._count]

    @property
    def x(self) -> NDArray[np.float64]:
        """The x values so far, as a view."""
        return self._points[1, : self._count]

    @property
    def y(self) -> NDArray[np.float64]:
        """The y values so far, as a view."""
        return self._points[2, : self._count]

    def blocks(self, begin: int, end: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Returns x and least and greatest y of the blocks that cover the points from `begin` to `end`, as views.

        What comes after the last whole block is left out.
        """
        first, last = begin // BLOCK, min(-(-end // BLOCK), self._blocks)
        return (
            self._points[1, first * BLOCK : last * BLOCK : BLOCK],
            self._ranges[0, first:last],
            self._ranges[1, first:last],
        )


def _with_room(rows: NDArray[np.float64], used: int, needed: int) -> NDArray[np.float64]:
    import numpy as np

    if needed <= rows.shape[1]:
        return rows
    room = np.empty((len(rows), max(needed, 2 * rows.shape[1])))
    room[:, :used] = rows[:, :used]
    return room
