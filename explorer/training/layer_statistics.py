"""A look inside the network at one step: how far it moves each layer, and histograms of what flows through it.

Nothing here draws a random number or changes a tensor of the run: its numbers are the same with and without.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from explorer.architectures.tensors import tensors_in
from explorer.training.events import Histogram, LayerRatios, LayerRow, LayerStatistics
from explorer.training.histogram import dead_units, histogram

if TYPE_CHECKING:
    from torch.optim import Optimizer

RATIOS_EVERY = 1.0
"""Seconds between two steps whose update is measured, at least."""
RATIOS_SHARE = 0.005
"""Most of the time that may go into measuring."""
KEPT_EVERY = 0.02
"""Of the steps so far, from one ratio that is kept to the next: a run of a million steps keeps some hundred."""
_PASSED_ON = (nn.Identity, nn.Flatten)
"""Layers whose output is their input."""


class LayerWatch:
    """Measures the update of a step now and then, and looks at one in full when it has been asked to."""

    def __init__(self, network: nn.Module) -> None:
        """Prepares to look into a network, as it is trained, on its device."""
        self._network = network
        self._layers: dict[str, list[Tensor]] = {}
        """The parameters of each layer that has some of its own; shared ones are the first one's."""
        seen: set[Tensor] = set()
        for name, module in _named(network):
            own: list[Tensor] = [parameter for parameter in module.parameters(recurse=False) if parameter not in seen]
            seen.update(own)
            if own:
                self._layers[name] = own
        self._parameters = [parameter for own in self._layers.values() for parameter in own]
        self._wanted = False
        self._due = 0.0
        self._kept = 0
        self._measured: list[_Measured] = []

    def ask(self) -> None:
        """Has the step that follows looked at in full."""
        self._wanted = True

    def step(self, number: int, optimiser: Optimizer) -> AbstractContextManager[None]:
        """Returns the context in which a step is taken. For most steps it does nothing.

        Args:
            number: of the step, from 0.
            optimiser: that takes it: torch's own, not what a library wraps around it.
        """
        if self._wanted or time.perf_counter() >= self._due:
            return self._watched(number, optimiser)
        return nullcontext()

    def take(self) -> Iterator[LayerRatios | LayerStatistics]:
        """Yields what has been found since the last call."""
        measured, self._measured = self._measured, []
        for one in measured:
            yield from one.events(self._layers)

    def is_kept(self, event: LayerRatios | LayerStatistics) -> bool:
        """Returns whether an event is to be written down: of the ratios ever fewer, the longer the run."""
        if isinstance(event, LayerStatistics):
            return True
        kept = event.step > (1 + KEPT_EVERY) * self._kept
        if kept:
            self._kept = event.step
        return kept

    @contextmanager
    def _watched(self, number: int, optimiser: Optimizer) -> Iterator[None]:
        before: list[Tensor] = []
        outputs: dict[str, list[_Output]] = {}
        spent = 0.0

        def copy_weights(*_: object) -> None:
            nonlocal spent
            since = time.perf_counter()
            before.extend(parameter.detach().clone() for parameter in self._parameters)
            spent = time.perf_counter() - since

        wanted, self._wanted = self._wanted, False
        with ExitStack() as hooks:
            # When the optimiser steps, what the activations took is free again. It does not where a gradient scaler
            # finds the gradients too large.
            hooks.callback(optimiser.register_step_pre_hook(copy_weights).remove)
            if wanted:
                hooks.enter_context(_recorded(self._network, outputs))
            yield
        since = time.perf_counter()
        self._measured.append(self._measure(number + 1, before, outputs if wanted else None))
        spent = 0.0 if wanted else spent + time.perf_counter() - since
        self._due = time.perf_counter() + max(RATIOS_EVERY, spent / RATIOS_SHARE)

    @torch.no_grad()
    def _measure(self, step: int, before: list[Tensor], outputs: dict[str, list[_Output]] | None) -> _Measured:
        """Measures a step that has been taken.

        Args:
            step: steps done.
            before: the parameters before it, which are overwritten; empty where it was skipped.
            outputs: of its layers; None where they are not wanted.
        """
        weights = before or self._parameters
        rows = self._rows(weights, outputs) if outputs is not None else None
        lengths = _lengths(weights)
        updates = torch.zeros_like(lengths)
        if before:
            torch._foreach_sub_(before, self._parameters)
            updates = _lengths(before)
        return _Measured(step, lengths, updates, rows)

    def _rows(self, weights: list[Tensor], outputs: dict[str, list[_Output]]) -> list[LayerRow]:
        """Returns a row for each layer and each call of it, still without what is known of its update."""
        rows = []
        unused = iter(weights)
        for name, module in _named(self._network):
            parameters = self._layers.get(name, [])
            gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
            calls = outputs.get(name, [])
            if not parameters and not calls:
                continue
            row = LayerRow(name, type(module).__name__)
            if parameters:
                row = replace(row, weights=histogram([next(unused) for _ in parameters]))
            if gradients:
                row = replace(row, gradients=histogram(gradients), gradient_norm=_number(_lengths(gradients).norm()))
            for place, call in enumerate(calls):
                row = row if place == 0 else LayerRow(f"{name} ({place + 1})", row.kind)
                rows.append(replace(row, activations=call.histogram, dead=call.dead, units=call.units))
            if not calls:
                rows.append(row)
        return rows


@dataclass(frozen=True, slots=True)
class _Output:
    """What a layer gave in one call."""

    histogram: Histogram
    dead: int
    units: int


@dataclass(frozen=True, slots=True, eq=False)
class _Measured:
    """A step, its numbers still on the device: reading them there and then would wait for it."""

    step: int
    lengths: Tensor
    """Of each parameter before the step."""
    updates: Tensor
    """Of the difference that the step made to each."""
    rows: list[LayerRow] | None

    def events(self, layers: Mapping[str, Sequence[Tensor]]) -> Iterator[LayerRatios | LayerStatistics]:
        """Yields the events that tell of the step.

        Args:
            layers: how many of the parameters, in their order, belong to which layer.
        """
        lengths, updates = iter(self.lengths.tolist()), iter(self.updates.tolist())
        weight_norms: dict[str, float | None] = {}
        ratios: dict[str, float | None] = {}
        for name, parameters in layers.items():
            length = math.hypot(*(next(lengths) for _ in parameters))
            update = math.hypot(*(next(updates) for _ in parameters))
            ratio = update / length if length else math.nan
            ratios[name] = _number(float(f"{ratio:.4g}"))
            weight_norms[name] = _number(length)
        yield LayerRatios(self.step, tuple(ratios.items()))
        if self.rows is not None:
            told = (
                replace(row, ratio=ratios.get(row.name), weight_norm=weight_norms.get(row.name)) for row in self.rows
            )
            yield LayerStatistics(self.step, tuple(told))


def _named(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    for name, module in network.named_modules():
        yield name or "the network", module


def _lengths(tensors: list[Tensor]) -> Tensor:
    return torch.stack(torch._foreach_norm(tensors)).double()


def _number(value: float | Tensor) -> float | None:
    return float(value) if math.isfinite(value) else None


@contextmanager
def _recorded(network: nn.Module, outputs: dict[str, list[_Output]]) -> Iterator[None]:
    """Notes what each layer without others in it gives while the network is run once; what is compiled cannot be seen.

    Args:
        network: that is run; from a second run on, as for the other parts of a batch, nothing is noted.
        outputs: gets the outputs of each layer by its name, call by call.
    """
    over = network._compiled_call_impl is not None

    def note(name: str) -> Callable[[nn.Module, object, object], None]:
        def look(module: nn.Module, inputs: object, output: object) -> None:
            tensor = next((found for found in tensors_in(output) if found.is_floating_point()), None)
            if tensor is not None and not over:
                with torch.no_grad():
                    outputs.setdefault(name, []).append(_Output(histogram([tensor]), *dead_units(tensor)))

        return look

    def end(*_: object) -> None:
        nonlocal over
        over = True

    with ExitStack() as hooks:
        if not over:  # hooks would have it compiled anew
            for name, module in _named(network):
                if not any(module.children()) and not isinstance(module, _PASSED_ON):
                    hooks.callback(module.register_forward_hook(note(name)).remove)
            hooks.callback(network.register_forward_hook(end).remove)
        yield
