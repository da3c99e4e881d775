"""The graph of real networks as SVG, PNG, DOT and JSON."""

from __future__ import annotations

import io
import json
import re
import subprocess
from dataclasses import replace
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from explorer.architectures.cards import catalogue
from explorer.errors import InputError
from explorer.inspection.graph import export as graph_export
from explorer.inspection.graph.dot import to_dot
from explorer.inspection.graph.export import graph_document, groups_to_depth, to_png, write_graph
from explorer.inspection.graph.layout import Flow, arrange
from explorer.inspection.graph.outline import Outline, fold
from explorer.inspection.graph.svg import LETTERING, to_svg
from explorer.inspection.portrait import Portrait, portray

SVG = "{http://www.w3.org/2000/svg}"


@cache
def portrait(name: str) -> Portrait:
    return portray(name)


def outline(name: str, depth: int | None = None) -> Outline:
    anatomy = portrait(name).anatomy
    return fold(anatomy, groups_to_depth(anatomy, depth))


def drawn(folded: Outline, flow: Flow = Flow.DOWN) -> ElementTree.Element:
    return ElementTree.fromstring(to_svg(folded, arrange(folded, LETTERING, flow), "a network"))


# -- depth ---------------------------------------------------------------------------------------------------------


def test_depth_opens_so_many_levels_of_groups() -> None:
    anatomy = portrait("resnet50").anatomy
    assert groups_to_depth(anatomy, 0) == frozenset()
    assert groups_to_depth(anatomy, 1) == {"layer1", "layer2", "layer3", "layer4"}
    assert "layer3.5" in groups_to_depth(anatomy, 2)
    assert groups_to_depth(anatomy, 99) == {group.path for group in anatomy.groups}


def test_without_a_depth_small_networks_are_open_and_large_ones_folded() -> None:
    assert groups_to_depth(portrait("lenet5").anatomy) == {"features"}
    assert groups_to_depth(portrait("resnet50").anatomy) == frozenset()


# -- JSON ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [0, 1, 2, 99])
def test_nodes_hold_all_parameters_and_macs_at_every_depth(depth: int) -> None:
    document = graph_document(portrait("resnet50"), outline("resnet50", depth))
    assert sum(node["params"] for node in document["nodes"]) == 25_557_032
    assert sum(node["macs"] for node in document["nodes"]) == 4_089_184_256


@pytest.mark.parametrize("name", [entry.name for entry in catalogue()])
def test_every_edge_joins_two_nodes_and_has_the_whole_shape_of_its_tensor(name: str) -> None:
    for depth in (0, 99):
        document = graph_document(portrait(name), outline(name, depth))
        ids = [node["id"] for node in document["nodes"] + document["groups"]]
        assert len(ids) == len(set(ids))
        nodes = {node["id"] for node in document["nodes"]}
        assert {end for edge in document["edges"] for end in (edge["source"], edge["target"])} == nodes
        assert all(shape[0] == 1 for edge in document["edges"] for shape in edge["shapes"])
        assert all(edge["shapes"] for edge in document["edges"])
        groups = {group["id"] for group in document["groups"]} | {None}
        assert {node["parent"] for node in document["nodes"] + document["groups"]} <= groups


def test_the_document_of_a_folded_residual_network() -> None:
    document = json.loads(json.dumps(graph_document(portrait("resnet50"), outline("resnet50", 0))))
    assert document["nodes"][5] == {
        "id": "group layer1",
        "parent": None,
        "kind": "group",
        "title": "layer1",
        "type": "3 × Bottleneck",
        "detail": "32 layers · 216 k params",
        "path": "layer1",
        "layer": None,
        "params": 215_808,
        "macs": document["nodes"][5]["macs"],
        "failed": False,
    }
    assert [edge["shapes"] for edge in document["edges"]][:3] == [
        [[1, 3, 224, 224]],
        [[1, 64, 112, 112]],
        [[1, 64, 112, 112]],
    ]
    assert {edge["target"] for edge in document["edges"] if edge["source"] == "group layer1"} == {"group layer2"}


# -- SVG -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flow", list(Flow))
@pytest.mark.parametrize("name", ["lenet5", "googlenet", "resnet18", "densenet121"])
def test_an_svg_shows_every_node_and_the_shape_of_every_tensor(name: str, flow: Flow) -> None:
    folded = outline(name, 1)
    svg = drawn(folded, flow)
    texts = [element.text or "" for element in svg.iter(f"{SVG}text")]
    for node in folded.nodes:
        assert {node.title, node.type, "" if node.open else node.detail} - {""} <= set(texts)
    assert len(list(svg.iter(f"{SVG}g"))) == len(folded.nodes)
    tensors = {(edge.source, edge.layer, edge.shape) for edge in folded.edges}
    assert len(list(svg.iter(f"{SVG}path"))) == len(tensors)
    for _, _, shape in tensors:
        assert shape in texts


def test_everything_lies_within_the_view_box_and_texts_within_their_nodes() -> None:
    for name in ("googlenet", "mobilenet_v2"):
        svg = drawn(outline(name, 2))
        left, top, width, height = map(float, svg.attrib["viewBox"].split())
        assert (float(svg.attrib["width"]), float(svg.attrib["height"])) == (width, height)
        for element in svg.iter(f"{SVG}rect"):
            x, y, w, h = (float(element.attrib[key]) for key in ("x", "y", "width", "height"))
            assert left <= x < x + w <= left + width + 0.01
            assert top <= y < y + h <= top + height + 0.01
        for group in svg.iter(f"{SVG}g"):
            box = list(group.iter(f"{SVG}rect"))[-1].attrib
            for text in group.iter(f"{SVG}text"):
                x, end = float(text.attrib["x"]), float(text.attrib["x"]) + float(text.attrib["textLength"])
                assert float(box["x"]) <= x < end <= float(box["x"]) + float(box["width"]) + 0.01


def test_widths_are_those_of_helvetica() -> None:
    # Adobe's metrics of Helvetica-Bold: C 722, o 611, n 611, v 556, 2 556, d 611; of Helvetica: 3 556, × 584.
    assert LETTERING.title.width("Conv2d") == pytest.approx(13.0 * (722 + 611 + 611 + 556 + 556 + 611) / 1000)
    assert LETTERING.text.width("3×3") == pytest.approx(12.0 * (556 + 584 + 556) / 1000)


EVIL = 'a<b>&"c"\\n\'\x00\x1b{|}%_é漢'


def test_texts_that_are_no_xml_and_no_dot_are_escaped() -> None:
    folded = outline("lenet5", 0)
    folded = replace(folded, nodes=tuple(replace(node, title=EVIL, tooltip=EVIL) for node in folded.nodes))
    title = next(drawn(folded).iter(f"{SVG}text")).text
    assert title == EVIL.replace("\x00", "\ufffd").replace("\x1b", "\ufffd")
    dot = to_dot(folded, EVIL)
    assert "\x00" not in dot
    assert r"a<b>&\"c\"\\n" in dot
    assert re.sub(r'"(?:[^"\\]|\\.)*"', "", dot).count('"') == 0, "every string is closed"


def test_a_failure_is_drawn_where_it_happened(tmp_path: Path) -> None:
    broken = portray("alexnet", (3, 60, 60))
    for suffix in ("svg", "dot", "json"):
        write_graph(broken, tmp_path / f"a.{suffix}", ())
        text = (tmp_path / f"a.{suffix}").read_text(encoding="utf-8")
        assert "pool5" in text
        assert "does not fit" in text


# -- PNG -----------------------------------------------------------------------------------------------------------


def test_a_png_has_twice_the_size_of_the_svg_and_readable_text(tmp_path: Path) -> None:
    write_graph(portrait("lenet5"), tmp_path / "l.png", {"features"})
    write_graph(portrait("lenet5"), tmp_path / "l.svg", {"features"})
    svg = ElementTree.parse(tmp_path / "l.svg").getroot()
    with Image.open(tmp_path / "l.png") as picture:
        assert picture.size == pytest.approx([2 * float(svg.attrib[key]) for key in ("width", "height")], abs=1)
        grey = picture.convert("L")
        assert grey.getpixel((2, 2)) == 255
        title = next(svg.iter(f"{SVG}text")).attrib  # "Input"
        left, _, _, _ = map(float, svg.attrib["viewBox"].split())
        x, y = 2 * (float(title["x"]) - left), 2 * (float(title["y"]) - left)
        dark = sum(grey.crop((int(x), int(y) - 18, int(x) + 2 * 30, int(y))).histogram()[:100])
        assert dark > 100, "no letters were drawn"


def test_a_png_that_would_be_too_large_is_drawn_smaller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_export, "PNG_SIDE", 600)
    note = write_graph(portrait("lenet5"), tmp_path / "l.png", {"features"})
    assert "to stay within 600 pixels" in note
    with Image.open(tmp_path / "l.png") as picture:
        assert 590 <= max(picture.size) <= 600


def test_a_machine_without_fonts_gets_a_message_and_no_picture_without_text(monkeypatch: pytest.MonkeyPatch) -> None:
    class Blank(io.BytesIO):
        returncode, stdout = 0, b"the same picture whatever the text"

    monkeypatch.setattr(subprocess, "run", lambda *_, **__: Blank())
    with pytest.raises(InputError, match="no font is installed"):
        to_png("<svg/>", 2.0)


# -- DOT -----------------------------------------------------------------------------------------------------------


def test_dot_has_a_statement_for_each_node_cluster_and_edge() -> None:
    folded = outline("googlenet", 1)
    dot = to_dot(folded, "GoogLeNet")
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', "s", dot)
    assert bare.count("{") == bare.count("}") == 1 + sum(node.open for node in folded.nodes)
    assert bare.count("s -> s [label=s];") == len(folded.edges)
    assert bare.count("s [label=s, tooltip=s, fillcolor=s, color=s];") == sum(not node.open for node in folded.nodes)
    assert '"layer 0" -> "layer 1" [label="64×112×112"];' in dot
    assert 'subgraph "cluster group inception3a" {' in dot


# -- files ---------------------------------------------------------------------------------------------------------


def test_a_wrong_ending_names_those_that_work(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ends in \.svg, \.png, \.dot or \.json"):
        write_graph(portrait("lenet5"), tmp_path / "net.pdf", ())


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no folder .*nowhere"):
        write_graph(portrait("lenet5"), tmp_path / "nowhere" / "net.svg", ())
    (tmp_path / "folder.svg").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        write_graph(portrait("lenet5"), tmp_path / "folder.svg", ())


def test_a_file_is_replaced_whole_or_left_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "NET.SVG"
    write_graph(portrait("lenet5"), path, ())
    before = path.read_bytes()

    def full(target: Path, data: bytes) -> int:
        with target.open("wb") as file:
            file.write(data[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match="No space left on device"):
        write_graph(portrait("resnet50"), path, ())
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
