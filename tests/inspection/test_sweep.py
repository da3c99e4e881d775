"""Every network that torchvision and timm have, captured whole and checked against torch's own counts.

A sample of them runs always; all of them, about 1,500, with `-m slow` in half an hour on two cores.
"""

from __future__ import annotations

from functools import cache

import pytest
import timm
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import list_models

from explorer.architectures.registry import build, entry, library_entries
from explorer.inspection.anatomy import INPUT, Anatomy
from explorer.inspection.capture import capture
from explorer.inspection.portrait import input_shapes

SAMPLE = 60
PARTIAL = {"detection": "its own code picks boxes by their scores, which a tensor without data does not have"}
"""Tasks whose networks stop before their end on the meta device, and why."""


@cache
def names() -> tuple[str, ...]:
    return (*(f"torchvision:{name}" for name in list_models()), *(f"timm:{name}" for name in timm.list_models()))


def sample() -> list[str]:
    """Returns names evenly spread over the libraries."""
    step = len(names()) / SAMPLE
    return [names()[round(number * step)] for number in range(SAMPLE)]


def torch_macs(module: torch.nn.Module, shapes: list[tuple[int, ...]]) -> int:
    """Returns what torch's own counter gives, fused attention taken apart."""
    module.eval().requires_grad_(False)  # parameters among a layer's inputs are more than the counter can follow
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            module(*(torch.zeros(shape, device="meta") for shape in shapes))
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    return counter.get_total_flops() // 2


def reaches_input(anatomy: Anatomy) -> bool:
    """Returns whether edges lead from every output of the network back to its input."""
    fed = {INPUT}
    for layer in anatomy.layers:
        if fed.intersection(layer.inputs):
            fed.add(layer.index)
    return bool(anatomy.output_layers) and fed.issuperset(anatomy.output_layers)


def problems(name: str) -> list[str]:
    """Returns what is wrong with the capture of a network; nothing where all is well."""
    network = entry(name)
    module = build(network, device="meta")
    shapes = input_shapes(network, network.input)
    anatomy = capture(module, shapes)
    found = []
    if anatomy.params != sum(parameter.numel() for parameter in module.parameters()):
        found.append(f"{anatomy.params} parameters in total")
    for column, total in (("params", anatomy.params), ("macs", anatomy.macs)):
        if sum(getattr(layer, column) for layer in anatomy.layers) != total:
            found.append(f"the column of {column} does not sum to {total}")
    if anatomy.failure is not None:
        found.append(f"stops at {anatomy.failure.layer} ({anatomy.failure.type}): {anatomy.failure.message}")
        return found
    if not reaches_input(anatomy):
        found.append("no path leads from an output to the input")
    expected = torch_macs(module, shapes)
    if anatomy.macs != expected:
        found.append(f"{anatomy.macs} MACs where torch counts {expected}")
    return found


def check(name: str) -> None:
    reason = PARTIAL.get(entry(name).task)
    found = problems(name)
    if reason is not None:
        assert len(found) <= 1
        assert all(text.startswith("stops at ") for text in found), found
        return
    assert not found


@pytest.mark.parametrize("name", sample())
def test_a_network_of_the_sample_is_captured_whole(name: str) -> None:
    check(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in names() if name not in sample()])
def test_every_other_network_is_captured_whole(name: str) -> None:
    check(name)


def test_the_list_knows_them_all_without_building_any() -> None:
    listed = {entry.name for source in ("torchvision", "timm") for entry in library_entries(source)}  # type: ignore[arg-type]
    assert listed == set(names())
    assert all(len(entry.input) == 3 and min(entry.input) > 0 for entry in library_entries("timm"))
