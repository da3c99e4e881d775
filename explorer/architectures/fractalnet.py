"""FractalNet: blocks of parallel columns of doubling depth, joined by their mean, without any shortcut.

Larsson, Maire and Shakhnarovich, "FractalNet: Ultra-Deep Neural Networks without Residuals", ICLR 2017: section 2
for the expansion rule, 3 for drop-path and 4 for the widths.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Annotated

import torch
from torch import Tensor, nn

from explorer.architectures.options import Classes, Range

FILTERS = (64, 128, 256, 512, 512)
"""Maps of the paper's five blocks."""


class FractalBlock(nn.Module):
    """The expansion rule, f(c+1) = (f(c) after f(c)) joined with one convolution, applied `columns` - 1 times.

    Unrolled: column c has 2^c units, and after each row the columns that end there are joined and go on together.
    """

    def __init__(self, channels: int, filters: int, columns: int, dropout: float, drop_path: float) -> None:
        super().__init__()
        self.rows = 2 ** (columns - 1)
        self.columns = nn.ModuleList(
            nn.ModuleList(_unit(filters if row else channels, filters, dropout) for row in range(2**column))
            for column in range(columns)
        )
        self.drop_path = drop_path

    def _ending(self, row: int) -> range:
        """Returns the columns of which a unit ends in that row, counted from 1; the deepest one always does."""
        first = next(column for column in range(len(self.columns)) if row % (self.rows >> column) == 0)
        return range(first, len(self.columns))

    def forward(self, x: Tensor, column: int | None = None) -> Tensor:
        """Runs the columns, or leaves at every join `column` alone, where it is given."""
        values = [x] * len(self.columns)
        for row in range(1, self.rows + 1):
            ending = self._ending(row)
            for index in ending:
                unit = self.columns[index][row // (self.rows >> index) - 1]  # type: ignore[index]
                values[index] = unit(values[index])
            if len(ending) > 1:
                meeting = values[ending[0] :]
                # Where the column that is left alone does not meet the others, what they give is not used later.
                joined = self._mean(meeting) if column is None else values[max(column, ending[0])]
                values[ending[0] :] = [joined] * len(meeting)
        return values[-1]

    def _mean(self, inputs: list[Tensor]) -> Tensor:
        """Returns the mean of the inputs of a join, or of those that local drop-path leaves."""
        if self.training and self.drop_path:
            # Drawn on the CPU, so that the device need not be waited for.
            draws = torch.rand(len(inputs), device="cpu").tolist()
            kept = [value for value, draw in zip(inputs, draws, strict=True) if draw >= self.drop_path]
            inputs = kept or [inputs[draws.index(max(draws))]]  # one at least survives
        return sum(inputs[1:], inputs[0]) / len(inputs)


def _unit(channels: int, filters: int, dropout: float) -> nn.Sequential:
    """Convolution, dropout, normalisation and ReLU, in the order of the authors' code."""
    layers = OrderedDict[str, nn.Module](conv=nn.Conv2d(channels, filters, 3, padding=1, bias=False))
    if dropout:
        layers["dropout"] = nn.Dropout(dropout)
    layers |= OrderedDict(bn=nn.BatchNorm2d(filters), relu=nn.ReLU(inplace=True))
    return nn.Sequential(layers)


class FractalNet(nn.Module):
    """Fractal blocks, each followed by pooling that halves the maps, and a linear classifier."""

    def __init__(self, columns: int, blocks: int, drop_path: float, dropout: float, num_classes: int) -> None:
        super().__init__()
        self.drop_path = drop_path
        self.blocks = nn.ModuleList()
        self.pools = nn.ModuleList()
        channels = 3
        for block, filters in enumerate(FILTERS[:blocks]):
            rate = dropout * block / (len(FILTERS) - 1)
            self.blocks.append(FractalBlock(channels, filters, columns, rate, drop_path))
            self.pools.append(nn.MaxPool2d(2))
            channels = filters
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, num_classes)
        self.columns = columns
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.xavier_uniform_(module.weight)  # section 4

    def forward(self, x: Tensor) -> Tensor:
        column = self._column()
        for block, pool in zip(self.blocks, self.pools, strict=True):
            x = pool(block(x, column))
        return self.fc(torch.flatten(self.avgpool(x), 1))  # type: ignore[no-any-return]

    def _column(self) -> int | None:
        """Draws the column that is left alone in this batch: one in half of the batches that drop paths."""
        if not self.training or not self.drop_path or torch.rand(1, device="cpu").item() < 0.5:
            return None
        return int(torch.randint(self.columns, (1,), device="cpu").item())


def fractalnet_cifar(
    num_classes: Classes = 10,
    columns: Annotated[int, Range(1, 6), "columns of a block (C); the deepest has 2^(C - 1) convolutions"] = 3,
    blocks: Annotated[int, Range(1, 5), "fractal blocks, each of which halves the maps (B)"] = 5,
    drop_path: Annotated[
        float,
        Range(0, 0.99),
        "probability that a join drops an input while training, in every second batch; the others train one column "
        "alone (the paper has 0.15, 0 is off)",
    ] = 0.0,
    dropout: Annotated[
        float, Range(0, 0.99), "dropout of the fifth block, from nothing in the first on (the paper has 0.4)"
    ] = 0.0,
) -> nn.Module:
    """Builds FractalNet for CIFAR: five blocks of three columns, 20 convolutions deep, by default."""
    return FractalNet(columns, blocks, drop_path, dropout, num_classes)
