"""Growing series of numbers for curves: appending is cheap, reading gives an array without a copy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Series:
    """Points (x, y) whose x never falls."""

    def __init__(self) -> None:
        import numpy as np

        self._points: NDArray[np.float64] = np.empty((2, 1024))
        self._count = 0
        self.highest = 0.0
        """The greatest y so far, no less than 0."""
        self.fresh = 0
        """Index of the first point that has not been shown; whoever shows them sets it."""

    def __len__(self) -> int:
        return self._count

    def clear(self) -> None:
        """Forgets all points."""
        self._count = self.fresh = 0
        self.highest = 0.0

    def extend(self, xs: Sequence[float], ys: Sequence[float]) -> None:
        """Adds points in ascending x, in place of those at and after the first of them: a resumed run repeats steps.

        The room doubles when it is full, so each point is copied twice at most on average.
        """
        import numpy as np

        if self._count and xs[0] <= self._points[0, self._count - 1]:
            self._count = int(np.searchsorted(self.x, xs[0]))
            self.fresh = min(self.fresh, self._count)
        needed = self._count + len(xs)
        if needed > self._points.shape[1]:
            room = np.empty((2, max(needed, 2 * self._points.shape[1])))
            room[:, : self._count] = self._points[:, : self._count]
            self._points = room
        self._points[0, self._count : needed] = xs
        self._points[1, self._count : needed] = ys
        self._count = needed
        self.highest = max(self.highest, *ys)

    @property
    def x(self) -> NDArray[np.float64]:
        """The x values so far, as a view."""
        return self._points[0, : self._count]

    @property
    def y(self) -> NDArray[np.float64]:
        """The y values so far, as a view."""
        return self._points[1, : self._count]
