"""What a run has told of its layers so far: how far steps have moved them, and the last look at them in full."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from explorer.training.events import LayerRatios, LayerRow, LayerStatistics

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST = 1000
"""Steps that are kept; of more, every second one is dropped, so that a run of days takes no more room."""


class LayerHistory:
    """The layers of one run, in the order of its network."""

    def __init__(self) -> None:
        self.names: tuple[str, ...] = ()
        """Of the layers with parameters."""
        self.statistics: LayerStatistics | None = None
        self.version = 0
        """Grows with everything that is added."""
        self._rows: tuple[LayerRow, ...] = ()
        """Of the names alone."""
        self._steps: list[int] = []
        self._ratios: NDArray[np.float32] | None = None
        """(steps, layers), with room for more steps; NaN where there is no number."""

    def __len__(self) -> int:
        return len(self._steps)

    def add(self, event: LayerRatios | LayerStatistics) -> None:
        """Takes in what a step did; what was told of it and of later ones before is void."""
        self.version += 1
        if isinstance(event, LayerStatistics):
            self.statistics = event
            return
        import numpy as np

        names = tuple(name for name, _ in event.ratios)
        if self._ratios is None or names != self.names:
            self.names, self._steps = names, []
            self._rows = tuple(LayerRow(name, "") for name in names)
            self._ratios = np.empty((MOST, len(names)), dtype=np.float32)
        while self._steps and self._steps[-1] >= event.step:
            self._steps.pop()
        if len(self._steps) == MOST:
            self._steps = self._steps[::2]
            self._ratios[: len(self._steps)] = self._ratios[::2].copy()
        self._ratios[len(self._steps)] = [np.nan if ratio is None else ratio for _, ratio in event.ratios]
        self._steps.append(event.step)

    @property
    def step(self) -> int:
        """The last step that was measured; 0 where none was."""
        return self._steps[-1] if self._steps else 0

    def course(self, name: str) -> tuple[Sequence[int], NDArray[np.float32]]:
        """Returns steps and the ratio at each of a layer of `names`, NaN where there is no number."""
        assert self._ratios is not None
        return self._steps, self._ratios[: len(self._steps), self.names.index(name)]

    def latest(self) -> dict[str, float | None]:
        """Returns the last ratio of each layer that has parameters."""
        if self._ratios is None or not self._steps:
            return {}
        values = self._ratios[len(self._steps) - 1].tolist()
        return {name: value if value == value else None for name, value in zip(self.names, values, strict=True)}

    def rows(self) -> tuple[LayerRow, ...]:
        """Returns all layers; until a step was looked at in full, those with parameters, and only their names."""
        return self.statistics.layers if self.statistics is not None else self._rows
