"""The layer table in LaTeX."""

from __future__ import annotations

import re

import pytest

from explorer.inspection.latex import escaped, to_latex
from explorer.inspection.portrait import portray


@pytest.mark.parametrize("name", ["lenet5", "resnet50", "densenet121"])
def test_there_is_a_row_for_each_layer_and_one_with_the_totals(name: str) -> None:
    anatomy = portray(name).anatomy
    text = to_latex(anatomy)
    columns = re.search(r"\\begin\{longtable\}\{(\w+)\}", text)
    assert columns is not None
    rows = [re.split(r"(?<!\\)&", line) for line in text.splitlines() if line.endswith(r"\\")]
    assert {len(row) for row in rows} == {len(columns.group(1))}
    assert len(rows) == len(anatomy.layers) + 2
    assert f" {anatomy.params:,} & {anatomy.macs:,} " in text.splitlines()[-2]
    assert sum(int(row[5].replace(",", "") or 0) for row in rows[1:-1] if row[5].strip()) == anatomy.params


def test_rules_are_those_of_booktabs_and_the_environment_is_closed() -> None:
    lines = to_latex(portray("lenet5").anatomy).splitlines()
    assert [line for line in lines if line.endswith("rule")] == [r"\toprule", r"\midrule", r"\bottomrule", r"\midrule"]
    assert (lines[1][:18], lines[-1]) == (r"\begin{longtable}{", r"\end{longtable}")
    assert r"0 & features.c1 & Conv2d & 5$\times$5, 6 & 6$\times$28$\times$28 & 156 & 117,600 & 5$\times$5 \\" in lines


def test_what_latex_reads_as_commands_is_escaped() -> None:
    assert escaped(r"a_b #1 50% & $x$ {y} \z ~^") == (
        r"a\_b \#1 50\% \& \$x\$ \{y\} \textbackslash{}z \textasciitilde{}\textasciicircum{}"
    )
    assert escaped("2048 → 1000\n3×3") == r"2048 $\to$ 1000 3$\times$3"
    assert escaped("<lambda>|") == r"\textless{}lambda\textgreater{}\textbar{}"
