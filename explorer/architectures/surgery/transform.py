"""The steps of surgery at work."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from explorer.architectures.options import Option, Scalar, options_of
from explorer.architectures.surgery.plan import Plan, make_plan
from explorer.architectures.surgery.steps import Step
from explorer.architectures.surgery.survey import Shape, survey
from explorer.errors import InputError


def _apply(step: Step) -> Any:
    return importlib.import_module(f"explorer.architectures.surgery.{step.module}").apply


def options_of_steps(steps: Sequence[Step]) -> tuple[Option, ...]:
    """Returns what the steps let one choose, each under its step's name: `se.ratio`."""
    return tuple(
        replace(option, name=f"{step.name}.{option.name}") for step in steps for option in options_of(_apply(step))
    )


def transform(
    network: nn.Module,
    steps: Sequence[Step],
    sizes: Sequence[Shape],
    given: Mapping[str, Scalar],
    name: str,
    device: str,
) -> nn.Module:
    """Does the steps to a network, one after the other, and runs the result once on the meta device.

    Args:
        network: is changed.
        steps: in their order.
        sizes: inputs (C, H, W) to run it with: the first that it can take.
        given: options by their dotted names; what is not given keeps its default.
        name: of the result, for messages.
        device: of new parameters.

    Raises:
        InputError: a step cannot be done to this network, or with these options.
    """
    plan = _plan(network, sizes, name)
    for step in steps:
        prefix = f"{step.name}."
        own = {key.removeprefix(prefix): value for key, value in given.items() if key.startswith(prefix)}
        try:
            with torch.device(device):
                network = _apply(step)(network, plan, **own)
        except InputError as error:
            raise InputError(_told(step, name, str(error))) from error
    try:
        survey(network, plan.input)
    except InputError as error:
        size = "×".join(map(str, plan.input))
        raise InputError(f"{name} cannot run with an input of {size}: {error}") from error
    return network


def _told(step: Step, name: str, text: str) -> str:
    """Returns what a step says of one of its options, or else of the network."""
    of_option = any(text.startswith(f"{option.name} must ") for option in options_of(_apply(step)))
    return f"{step.name}.{text}" if of_option else f"{name}: {step.name} cannot be done, {text}"


def _plan(network: nn.Module, sizes: Sequence[Shape], name: str) -> Plan:
    size, *others = sizes
    try:
        return make_plan(network, size)
    except InputError as error:
        if others:
            return _plan(network, others, name)
        shape = "×".join(map(str, size))
        raise InputError(
            f"{name} cannot be made: its blocks are found by running the network with an input of {shape}, which fails "
            f"{error}"
        ) from error
