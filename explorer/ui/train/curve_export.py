"""Curves as files: a picture of the plots, or their numbers as a table."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtSvg import QSvgGenerator
from PySide6.QtWidgets import QWidget

from explorer.ui.train.run_curves import METRICS, RunCurves
from explorer.whole_file import write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping

PIXELS = 2
"""Of a saved picture, for each on screen along a side: for print and for screens of high density."""
HEADERS = ("run", "metric", "step", "epoch", "seconds", "value")


def write_picture(path: Path, plots: Mapping[str, Any], legend: QWidget, background: QColor) -> None:
    """Writes what the plots show, the legend above them: PNG, or SVG where the file's ending says so.

    Raises:
        OSError: the file cannot be written.
    """
    shown = [plot for plot in plots.values() if not plot.isHidden()]
    area = legend.geometry()
    for plot in shown:
        area = area.united(plot.geometry())

    def paint(painter: QPainter) -> None:
        painter.fillRect(QRectF(0, 0, area.width(), area.height()), background)
        legend.render(painter, legend.geometry().topLeft() - area.topLeft(), renderFlags=QWidget.RenderFlag(0))
        for plot in shown:
            place = QRectF(plot.geometry().translated(-area.topLeft()))
            plot.render(painter, place)

    def write(target: Path) -> None:
        if path.suffix.lower() == ".svg":
            generator = QSvgGenerator()
            generator.setFileName(str(target))
            generator.setSize(QSize(area.width(), area.height()))
            generator.setViewBox(QRectF(0, 0, area.width(), area.height()))
            generator.setTitle("Training curves")
            painter = QPainter()
            if not painter.begin(generator):
                raise OSError(5, "it cannot be written")
            paint(painter)
            painter.end()
            return
        image = QImage(area.size() * PIXELS, QImage.Format.Format_RGB32)
        painter = QPainter(image)
        painter.scale(PIXELS, PIXELS)
        paint(painter)
        painter.end()
        if not image.save(str(target), "PNG"):  # type: ignore[call-overload]
            raise OSError(5, "it cannot be written")

    write_whole(path, path.with_name(f"{path.name}.part"), write)


def write_table(path: Path, runs: Sequence[RunCurves]) -> None:
    """Writes every point of the runs as CSV, one a line: run, metric, step, epoch, seconds of training, value.

    Raises:
        OSError: the file cannot be written.
    """

    def write(target: Path) -> None:
        with target.open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(HEADERS)
            for run in runs:
                for metric in METRICS:
                    series = run.series[metric.name]
                    steps = series.steps.copy()
                    columns = (steps, steps / run.steps_per_epoch, run.seconds(steps), series.y.copy())
                    rows = zip(*(column.tolist() for column in columns), strict=True)
                    name = run.name or run.path
                    table.writerows((name, metric.name, int(step), *rest) for step, *rest in rows)

    write_whole(path, path.with_name(f"{path.name}.part"), write)
