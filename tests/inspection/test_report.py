"""The layer table as JSON, CSV, Markdown and text: the same numbers four times."""

from __future__ import annotations

import csv
import json
from functools import cache

import pytest
from torch import nn

from explorer.inspection import report
from explorer.inspection.capture import capture
from explorer.inspection.portrait import Portrait, portray


@cache
def portrait(name: str) -> Portrait:
    return portray(name)


NETWORKS = ["lenet5_1998", "resnet50", "torchvision:inception_v3", "timm:swin_tiny_patch4_window7_224"]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_document_survives_json_unchanged(name: str) -> None:
    document = report.document(portrait(name))
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_a_document_says_where_the_network_failed() -> None:
    document = report.document(portray("alexnet", (3, 8, 8)))
    assert document["failure"] == {
        "layer": "features.conv1",
        "type": "Conv2d",
        "input_shapes": [[1, 3, 8, 8]],
        "message": "its window of 11×11 does not fit into its input of 8×8",
    }
    assert document["outputs"] == []
    assert document["published"] is None


def test_settings_that_json_cannot_hold_become_text() -> None:
    network = nn.Sequential(nn.Threshold(float("-inf"), float("nan")), nn.Hardtanh(0.0, float("inf")))
    lenet = portrait("lenet5")
    shown = Portrait(lenet.entry, (), (), (1, 2, 2), capture(network, [(1, 1, 2, 2)]))
    document = json.loads(json.dumps(report.document(shown), allow_nan=False))
    assert document["layers"][0]["hyperparameters"] == {"threshold": "-inf", "value": "nan"}
    assert document["layers"][1]["hyperparameters"] == {"min_val": 0.0, "max_val": "inf"}


@pytest.mark.parametrize("name", NETWORKS)
def test_csv_has_a_row_for_each_layer_and_its_columns_sum_to_the_totals(name: str) -> None:
    anatomy = portrait(name).anatomy
    header, *rows = csv.reader(report.to_csv(anatomy).splitlines())
    assert tuple(header) == report.HEADER
    assert [row[1] for row in rows] == [layer.name for layer in anatomy.layers]
    sums = [sum(int(row[column]) for row in rows) for column in (6, 7, 8)]
    assert sums == [anatomy.params, anatomy.macs, anatomy.activation_bytes]


@pytest.mark.parametrize("name", NETWORKS)
def test_markdown_is_one_table_with_totals_in_its_last_row(name: str) -> None:
    anatomy = portrait(name).anatomy
    lines = report.to_markdown(anatomy).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert {len(row) for row in cells} == {len(report.HEADER)}
    assert tuple(cells[0]) == report.HEADER
    assert all(set(cell) <= {"-", ":"} for cell in cells[1])
    assert len(cells) == 2 + len(anatomy.layers) + 1
    assert cells[-1][1] == "Total"
    assert cells[-1][6:9] == [str(anatomy.params), str(anatomy.macs), str(anatomy.activation_bytes)]


def test_text_shows_the_title_the_counts_and_an_aligned_table() -> None:
    lines = report.to_text(portrait("resnet50")).splitlines()
    assert lines[0].startswith("ResNet-50 · 2015 · He, Zhang, Ren, Sun")
    assert lines[1].startswith("25,557,032 parameters · 4,089,184,256 MACs")
    assert lines[2].startswith("✔ parameters: 25,557,032 printed, 25,557,032 measured (")
    assert lines[3].startswith("✔ MACs: 4.089 G printed, 4,089,184,256 measured (")
    header = next(line for line in lines if line.lstrip().startswith("#"))
    column = header.index("Type")
    assert all(line[column - 2 : column] == "  " for line in lines[lines.index(header) + 2 : -2])
    assert lines[-1].split()[:4] == ["Total", "25,557,032", "4,089,184,256", lines[-1].split()[3]]


def test_a_row_reads_as_the_field_writes_it() -> None:
    row = report.rows(portrait("resnet50").anatomy.layers)[0]
    assert row == (
        "0",
        "conv1",
        "Conv2d",
        "kernel 7×7, stride 2×2, padding 3×3",
        "3×224×224",
        "64×112×112",
        "9408",
        "118013952",
        str(4 * 64 * 112 * 112),
        "7×7",
    )


def test_rows_that_were_not_run_say_so() -> None:
    rows = report.rows(portray("googlenet", given={"aux": True}).anatomy.layers)
    unused = [row for row in rows if row[1].startswith("aux")]
    assert len(unused) == 6
    assert {row[5] for row in unused} == {"not run"}
